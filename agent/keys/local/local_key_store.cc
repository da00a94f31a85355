#include "agent/keys/local/local_key_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/keys/key_id.h"
#include "agent/keys/local/first_use_table.h"
#include "agent/keys/local/key_table.h"
#include "agent/keys/local/key_wrap.h"
#include "agent/keys/local/random_bytes.h"
#include "agent/keys/local/store_rules.h"
#include "agent/keys/local/store_schema.h"
#include "agent/keys/local/store_unlock.h"
#include "agent/keys/private_file.h"
#include "agent/uuid.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

using Access = SqliteDatabase::Access;

constexpr absl::string_view kWhat = "the key store";

KeyBinding BindingOf(const StoredKey& key) {
  return {.key_id = key.key_id,
          .type = key.type,
          .algorithm = key.algorithm,
          .bit_length = static_cast<uint32_t>(key.bit_length)};
}

absl::Status CheckStoreFile(const std::string& path) {
  if (absl::Status check = CheckDirectoryIsOurs(DirectoryOf(path)); !check.ok()) return check;
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return FileError(kWhat, path, "cannot be examined", errno);
  return CheckFileIsPrivate(status, kWhat, path);
}

// Makes the file before SQLite would, which gives it the umask's mode. One that is there is not opened here: closing a
// descriptor would drop the locks that another connection of this process holds on the file.
absl::Status PrepareStoreFile(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  if (absl::Status check = CheckDirectoryIsOurs(directory); !check.ok()) return check;
  {
    const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!fd.IsValid() && errno != EEXIST) return FileError(kWhat, path, "cannot be created", errno);
    if (fd.IsValid() && fchmod(fd.Get(), S_IRUSR | S_IWUSR) != 0) {
      return FileError(kWhat, path, "cannot be given its mode", errno);
    }
    if (fd.IsValid()) return SyncDirectory(directory);
  }
  return CheckStoreFile(path);
}

KekLocation LocationOf(const LocalKeyStoreOptions& options) {
  if (!options.kek_file.empty()) return {.file = options.kek_file, .is_credential = options.kek_is_credential};
  return {.file = absl::StrCat(absl::StripSuffix(options.path, ".db"), ".kek"), .beside_store = true};
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalKeyStore>> LocalKeyStore::Open(const LocalKeyStoreOptions& options) {
  const absl::Time deadline = absl::Now() + options.open_timeout;
  if (absl::Status prepared = PrepareStoreFile(options.path); !prepared.ok()) return prepared;
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(options.path, deadline);
  if (!database.ok()) return database.status();
  // Looked at before anything is changed: it may be the database of another program.
  const absl::Status ours =
      (*database)->InTransaction(Access::kRead, deadline, [&] { return StoreHasSchema(**database).status(); });
  if (!ours.ok()) return ours;
  if (absl::Status changed = (*database)->UseWriteAheadLog(deadline); !changed.ok()) return changed;

  SecretBytes kek;
  std::vector<std::string> warnings;
  const absl::Status unlocked = (*database)->InTransaction(Access::kWrite, deadline, [&]() -> absl::Status {
    if (absl::Status schema = PrepareStoreSchema(**database); !schema.ok()) return schema;
    absl::StatusOr<SecretBytes> found = UnlockStore(**database, LocationOf(options), warnings);
    if (!found.ok()) return found.status();
    kek = *std::move(found);
    return absl::OkStatus();
  });
  if (!unlocked.ok()) return unlocked;
  return std::unique_ptr<LocalKeyStore>(new LocalKeyStore(*std::move(database), std::move(kek), std::move(warnings)));
}

absl::Status LocalKeyStore::InTransaction(Access access, absl::Time deadline, Body body) {
  absl::Status too_late = MakeError(Reason::kKeyManagerTimedOut, "the key store was busy until the deadline");
  if (absl::Now() >= deadline) return too_late;
  const std::unique_lock lock(mutex_, absl::ToChronoTime(deadline));
  if (!lock.owns_lock()) return too_late;
  return database_->InTransaction(access, deadline, [&] { return body(*database_); });
}

absl::StatusOr<Key> LocalKeyStore::Get(const std::string& key_id, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  StoredKey stored;
  const absl::Status read = InTransaction(Access::kRead, call.deadline, [&](SqliteDatabase& database) -> absl::Status {
    absl::StatusOr<StoredKey> found = FindStoredKey(database, *id);
    if (!found.ok()) return found.status();
    stored = *std::move(found);
    return absl::OkStatus();
  });
  if (!read.ok()) return read;

  absl::StatusOr<SecretBytes> bytes = UnwrapSecret(kek_, stored.wrapped, AssociatedData(BindingOf(stored)));
  if (!bytes.ok() && !HasReason(bytes.status(), Reason::kKeyUnfit)) return bytes.status();
  // The rest of the row is believed only now.
  const std::optional<KeyType> type = ParseKeyTypeWord(stored.type);
  if (!bytes.ok() || !type || static_cast<int64_t>(bytes->Size()) * 8 != stored.bit_length) {
    const absl::string_view problem =
        bytes.ok() ? "its type or length is not one of this schema" : bytes.status().message();
    return MakeError(Reason::kKeyUnfit,
                     absl::StrCat("the row of key ", *id, " in the key store was changed or damaged: ", problem,
                                  "; restore the store from a backup"),
                     {{"key_id", *id}});
  }
  return Key{.type = *type, .bytes = *std::move(bytes), .high_entropy = CountsAsRandom(*type, stored.bit_length)};
}

absl::StatusOr<KeyMetadata> LocalKeyStore::GetMetadata(const std::string& key_id, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  KeyMetadata metadata;
  const absl::Status read = InTransaction(Access::kRead, call.deadline, [&](SqliteDatabase& database) -> absl::Status {
    absl::StatusOr<StoredKey> stored = FindStoredKey(database, *id);
    if (!stored.ok()) return stored.status();
    absl::StatusOr<std::vector<FirstUseRecord>> records = FirstUsesOfKey(database, *id);
    if (!records.ok()) return records.status();
    metadata = {.key_id = *id,
                .type = ParseKeyTypeWord(stored->type).value_or(KeyType::kOpaque),
                .algorithm = stored->algorithm,
                .bit_length = static_cast<uint32_t>(stored->bit_length),
                .name = stored->name,
                .status = "active",
                .created_at = stored->created_at,
                .first_uses = *std::move(records)};
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return metadata;
}

absl::StatusOr<std::string> LocalKeyStore::Create(const NewKey& key, const KeyCall& call) {
  if (absl::Status check = CheckNewKey(key); !check.ok()) return check;
  absl::StatusOr<SecretBytes> bytes = SecretBytes::Allocate(key.bit_length / 8);
  if (!bytes.ok()) return bytes.status();
  FillRandom(bytes->Bytes());
  return Store({.key_id = RandomUuid(),
                .type = KeyTypeWord(KeyType::kSymmetric),
                .algorithm = key.algorithm,
                .bit_length = key.bit_length,
                .name = key.name,
                .created_at = absl::Now(),
                .wrapped = {}},
               *bytes, call);
}

absl::StatusOr<std::string> LocalKeyStore::Import(const Key& key, const KeyCopy& description, const KeyCall& call) {
  if (absl::Status check = CheckCopy(key, description); !check.ok()) return check;
  return Store({.key_id = RandomUuid(),
                .type = KeyTypeWord(key.type),
                .algorithm = description.algorithm,
                .bit_length = static_cast<int64_t>(key.bytes.Size()) * 8,
                .name = description.name,
                .created_at = absl::Now(),
                .wrapped = {}},
               key.bytes, call);
}

absl::StatusOr<std::string> LocalKeyStore::Store(StoredKey row, const SecretBytes& bytes, const KeyCall& call) {
  absl::StatusOr<std::vector<uint8_t>> wrapped = WrapSecret(kek_, bytes, AssociatedData(BindingOf(row)));
  if (!wrapped.ok()) return wrapped.status();
  row.wrapped = *std::move(wrapped);
  const absl::Status inserted = InTransaction(Access::kWrite, call.deadline,
                                              [&](SqliteDatabase& database) { return InsertStoredKey(database, row); });
  if (!inserted.ok()) return inserted;
  return row.key_id;
}

absl::Status LocalKeyStore::Delete(const std::string& key_id, bool force, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  absl::Status deleted = InTransaction(Access::kWrite, call.deadline, [&](SqliteDatabase& database) -> absl::Status {
    if (absl::Status found = FindStoredKey(database, *id).status(); !found.ok()) return found;
    const absl::StatusOr<std::vector<FirstUseRecord>> records = FirstUsesOfKey(database, *id);
    if (!records.ok()) return records.status();
    if (!records->empty() && !force) return KeyInUse(*id, *records);
    if (absl::Status dropped = DropFirstUsesOfKey(database, *id); !dropped.ok()) return dropped;
    return DeleteStoredKey(database, *id);
  });
  if (!deleted.ok()) return deleted;
  // The wrapped key shall not stay in the log either. Whoever holds the lock now is not waited for: the log is emptied
  // again and again anyway.
  if (const std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) database_->EmptyLog();
  return absl::OkStatus();
}

absl::StatusOr<FirstUseRecord> LocalKeyStore::ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                                            const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  if (absl::Status check = CheckRecord(claim); !check.ok()) return check;
  FirstUseRecord stands = claim;
  const absl::Status claimed =
      InTransaction(Access::kWrite, call.deadline, [&](SqliteDatabase& database) -> absl::Status {
        if (absl::Status found = FindStoredKey(database, *id).status(); !found.ok()) return found;
        absl::StatusOr<std::optional<FirstUseRecord>> standing = FindFirstUse(database, *id, claim.volume_id);
        if (!standing.ok()) return standing.status();
        if (!standing->has_value()) return PutFirstUse(database, *id, claim, absl::Now());
        stands = **std::move(standing);
        return absl::OkStatus();
      });
  if (!claimed.ok()) return claimed;
  return stands;
}

absl::Status LocalKeyStore::RecordFirstUse(const std::string& key_id, const FirstUseRecord& record,
                                           const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  if (absl::Status check = CheckRecord(record); !check.ok()) return check;
  return InTransaction(Access::kWrite, call.deadline, [&](SqliteDatabase& database) -> absl::Status {
    if (absl::Status found = FindStoredKey(database, *id).status(); !found.ok()) return found;
    return PutFirstUse(database, *id, record, absl::Now());
  });
}

absl::Status LocalKeyStore::DropFirstUse(const std::string& key_id, const std::string& volume_id, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  return InTransaction(Access::kWrite, call.deadline,
                       [&](SqliteDatabase& database) { return DropFirstUsesOfVolume(database, volume_id); });
}

std::vector<CheckStep> LocalKeyStore::Check(const KeyCall& call) {
  std::vector<CheckStep> steps;
  const auto passes = [&steps](const char* name, const absl::Status& status, const std::string& detail) {
    // Our errors say what to do.
    steps.push_back(
        {.name = name,
         .passed = status.ok(),
         .detail = status.ok() ? detail : std::string(status.message()),
         .remedy = status.ok() ? "" : "mend what is said here; docs/key-managers.md tells what the store needs",
         .reason = ReasonOf(status)});
    return status.ok();
  };
  const std::string& path = database_->Path();
  if (!passes("open", CheckStoreFile(path), absl::StrCat("the key store ", path, " is private"))) return steps;
  int64_t count = 0;
  const absl::Status read = InTransaction(Access::kRead, call.deadline, [&](SqliteDatabase& database) -> absl::Status {
    if (absl::Status schema = StoreHasSchema(database).status(); !schema.ok()) return schema;
    const absl::StatusOr<int64_t> keys = database.QueryInt("SELECT count(*) FROM keys");
    if (keys.ok()) count = *keys;
    return keys.status();
  });
  if (!passes("read", read, absl::StrCat("keys in it: ", count))) return steps;
  const absl::Status write =
      InTransaction(Access::kWrite, call.deadline, [](SqliteDatabase&) { return absl::OkStatus(); });
  passes("create", write, "it can be written");
  return steps;
}

}  // namespace volcrypt
