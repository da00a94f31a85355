#include "agent/keys/local/store_unlock.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/local/key_encryption_key.h"
#include "agent/keys/local/key_wrap.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr std::string_view kCheckData = "volcrypt key-encryption key check 1";

using Wrapped = std::vector<uint8_t>;

absl::StatusOr<std::optional<Wrapped>> ReadCheckRow(SqliteDatabase& database) {
  absl::StatusOr<SqliteStatement> select = database.Prepare("SELECT wrapped FROM kek_check WHERE id = 1");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  const std::span<const uint8_t> wrapped = select->ColumnBlob(0);
  return std::optional<Wrapped>(std::in_place, wrapped.begin(), wrapped.end());
}

absl::Status WriteCheckRow(SqliteDatabase& database, const SecretBytes& kek) {
  const absl::StatusOr<Wrapped> wrapped = WrapSecret(kek, SecretBytes(), kCheckData);
  if (!wrapped.ok()) return wrapped.status();
  absl::StatusOr<SqliteStatement> insert = database.Prepare("INSERT INTO kek_check (id, wrapped) VALUES (1, ?1)");
  if (!insert.ok()) return insert.status();
  return insert->Blob(1, *wrapped).Run();
}

absl::StatusOr<SecretBytes> MissingKek(const SqliteDatabase& database, const KekLocation& location, bool store_is_new,
                                       int64_t key_count) {
  const ErrorMetadata metadata = {{"path", database.Path()}, {"kek_file", location.file}};
  if (!store_is_new) {
    return MakeError(Reason::kKeyUnfit,
                     absl::StrCat("the key-encryption key ", location.file, " of the store ", database.Path(),
                                  " is missing and the store holds ", key_count,
                                  " keys that only it can unwrap; restore it from a backup"),
                     metadata);
  }
  if (location.beside_store) return CreateKeyEncryptionKey(location.file);
  return MakeError(Reason::kKeyUnfit,
                   absl::StrCat("the key-encryption key ", location.file,
                                " does not exist, run: (umask 077; head -c 32 /dev/urandom > ", location.file, ")"),
                   metadata);
}

std::string BesideStoreWarning(const KekLocation& location, bool created) {
  return absl::StrCat("the key-encryption key ", location.file, created ? " was created" : " lies",
                      " beside the store that it protects: whoever can read both files can read every key. Set "
                      "kek_file or the systemd credential volcrypt.kek, and keep a copy: without it the keys are lost");
}

}  // namespace

absl::StatusOr<SecretBytes> UnlockStore(SqliteDatabase& database, const KekLocation& location,
                                        std::vector<std::string>& warnings) {
  const absl::StatusOr<std::optional<Wrapped>> check = ReadCheckRow(database);
  if (!check.ok()) return check.status();
  const absl::StatusOr<int64_t> key_count = database.QueryInt("SELECT count(*) FROM keys");
  if (!key_count.ok()) return key_count.status();
  const bool store_is_new = !check->has_value() && *key_count == 0;

  absl::StatusOr<std::optional<SecretBytes>> found = LoadKeyEncryptionKey(location.file, location.is_credential);
  if (!found.ok()) return found.status();
  const bool created = !found->has_value();
  absl::StatusOr<SecretBytes> kek = created ? MissingKek(database, location, store_is_new, *key_count)
                                            : absl::StatusOr<SecretBytes>(**std::move(found));
  if (!kek.ok()) return kek;

  if (store_is_new) {
    if (absl::Status written = WriteCheckRow(database, *kek); !written.ok()) return written;
  } else if (!check->has_value() || !UnwrapSecret(*kek, **check, kCheckData).ok()) {
    return MakeError(Reason::kKeyUnfit,
                     absl::StrCat("the key-encryption key ", location.file, " does not belong to the store ",
                                  database.Path(), check->has_value() ? "" : ", which has lost its check row"),
                     {{"path", database.Path()}, {"kek_file", location.file}});
  }
  if (location.beside_store) warnings.push_back(BesideStoreWarning(location, created));
  return kek;
}

}  // namespace volcrypt
