#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/key_id.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/local/key_table.h"
#include "agent/keys/local/sqlite_database.h"

namespace volcrypt {

struct LocalKeyStoreOptions {
  std::string path;                // made when it is missing; its directory is not
  std::string kek_file;            // empty: beside the store, .kek for .db, made when it is missing
  bool kek_is_credential = false;  // kek_file lies in systemd's credentials directory
  absl::Duration open_timeout = absl::Seconds(10);
};

// The embedded key manager: one SQLite file of wrapped keys. Several processes may use one store.
//
// Format, schema 1 (PRAGMA user_version 1, application_id "vcKS", write-ahead log beside the file):
//   keys        key_id (UUID, lower case), type "symmetric", "passphrase" or "opaque", algorithm ("aes"; of keys that
//               were taken in, what their source said), bit_length, name, created_at (Unix seconds), wrapped
//   first_uses  key_id, volume_id (together unique), state "claimed" or "formatted", host, luks_uuid, created_at
//   kek_check   one row, wrapped: an empty secret, so that a wrong key-encryption key is known at once
// wrapped is nonce (12 bytes, random), AES-256-GCM ciphertext, tag (16 bytes) under the key-encryption key: the 32 raw
// bytes of a file of its own. SQLite never sees a key.
// The authenticated data binds a wrapped key to its row. "u32" is 4 bytes, big-endian:
//   u32 14, "volcrypt key 1", u32 36, key_id, u32 length, type, u32 length, algorithm, u32 bit_length
// A symmetric key of 128 bits or more counts as random.
// That of kek_check is "volcrypt key-encryption key check 1".
// Whoever can write the file can still delete rows, put back older ones and change first uses.
//
// A first use of a volume is seen and dropped under every key of the store, whichever key the caller names.
class LocalKeyStore : public KeyManager {
 public:
  // Refuses, saying what to do, a store or key-encryption key that other users could read or replace, a newer schema,
  // and a key-encryption key that is missing or not this store's.
  static absl::StatusOr<std::unique_ptr<LocalKeyStore>> Open(const LocalKeyStoreOptions& options);

  // What an administrator should know about the store as it was opened.
  const std::vector<std::string>& Warnings() const { return warnings_; }

  absl::Status CheckKeyId(const std::string& key_id) const override { return CanonicalKeyId(key_id).status(); }
  absl::StatusOr<Key> Get(const std::string& key_id, const KeyCall& call) override;
  absl::StatusOr<KeyMetadata> GetMetadata(const std::string& key_id, const KeyCall& call) override;
  absl::StatusOr<std::string> Create(const NewKey& key, const KeyCall& call) override;
  absl::StatusOr<std::string> Import(const Key& key, const KeyCopy& description, const KeyCall& call) override;
  absl::Status Delete(const std::string& key_id, bool force, const KeyCall& call) override;
  absl::StatusOr<FirstUseRecord> ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                               const KeyCall& call) override;
  absl::Status RecordFirstUse(const std::string& key_id, const FirstUseRecord& record, const KeyCall& call) override;
  absl::Status DropFirstUse(const std::string& key_id, const std::string& volume_id, const KeyCall& call) override;
  std::vector<CheckStep> Check(const KeyCall& call) override;

 private:
  using Body = absl::FunctionRef<absl::Status(SqliteDatabase&)>;

  LocalKeyStore(std::unique_ptr<SqliteDatabase> database, SecretBytes kek, std::vector<std::string> warnings)
      : database_(std::move(database)), kek_(std::move(kek)), warnings_(std::move(warnings)) {}
  absl::Status InTransaction(SqliteDatabase::Access access, absl::Time deadline, Body body);
  // Wraps the key into its row; the answer is the row's key id.
  absl::StatusOr<std::string> Store(StoredKey row, const SecretBytes& bytes, const KeyCall& call);

  std::timed_mutex mutex_;                          // absl::Mutex cannot wait for itself with a deadline
  const std::unique_ptr<SqliteDatabase> database_;  // under mutex_
  const SecretBytes kek_;
  const std::vector<std::string> warnings_;
};

}  // namespace volcrypt
