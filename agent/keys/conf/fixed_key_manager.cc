#include "agent/keys/conf/fixed_key_manager.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/key_id.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kWhat = "the fixed key";
constexpr size_t kLeastRandomBytes = 16;

absl::Status Unfit(const SecretFile& file, absl::string_view problem) {
  return MakeError(Reason::kKeyUnfit, absl::StrCat(kWhat, " ", file.path, " ", problem), {{"path", file.path}});
}

// What was asked for is not repeated: somebody may have put the key itself there.
absl::Status CheckId(const std::string& key_id) {
  if (key_id == kFixedKeyId) return absl::OkStatus();
  return MakeError(Reason::kKeyNotFound,
                   absl::StrCat("this key manager has one fixed key alone, with the id ", kFixedKeyId));
}

absl::Status NoRecords() { return NotHeld("a fixed key has no place for first-use records"); }

// -1: not a hexadecimal digit.
int ValueOfDigit(uint8_t digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

absl::StatusOr<SecretBytes> ReadKey(const SecretFile& file) {
  const absl::StatusOr<SecretBytes> text = ReadSecretLine(file, kWhat);
  if (!text.ok()) return text.status();
  const std::span<const uint8_t> digits = text->Bytes();
  if (digits.size() % 2 != 0) return Unfit(file, "has an odd number of hexadecimal digits");
  absl::StatusOr<SecretBytes> key = SecretBytes::Allocate(digits.size() / 2);
  if (!key.ok()) return key;
  for (size_t i = 0; i < key->Size(); ++i) {
    const int high = ValueOfDigit(digits[2 * i]);
    const int low = ValueOfDigit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return Unfit(file, "must be one line of hexadecimal digits");
    key->Bytes()[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return key;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FixedKeyManager>> FixedKeyManager::Open(const FixedKeyOptions& options) {
  absl::StatusOr<SecretBytes> key = ReadKey(options.file);
  if (!key.ok()) return key.status();
  if (options.high_entropy && key->Size() < kLeastRandomBytes) {
    return Unfit(options.file,
                 absl::StrCat("has ", key->Size() * 8, " bits; high_entropy needs ", kLeastRandomBytes * 8));
  }
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<FixedKeyManager>(new FixedKeyManager(options, *std::move(key)));
}

std::vector<std::string> FixedKeyManager::Warnings() const {
  return {
      "this key manager is insecure and not for production: one key, which stands in a file, opens every volume, and "
      "no other host learns which volumes it has formatted"};
}

absl::StatusOr<Key> FixedKeyManager::Get(const std::string& key_id, const KeyCall&) {
  if (absl::Status check = CheckId(key_id); !check.ok()) return check;
  absl::StatusOr<SecretBytes> bytes = SecretBytes::Allocate(key_.Size());
  if (!bytes.ok()) return bytes.status();
  std::ranges::copy(key_.Bytes(), bytes->Bytes().begin());
  return Key{.type = KeyType::kSymmetric, .bytes = *std::move(bytes), .high_entropy = options_.high_entropy};
}

absl::StatusOr<KeyMetadata> FixedKeyManager::GetMetadata(const std::string& key_id, const KeyCall&) {
  if (absl::Status check = CheckId(key_id); !check.ok()) return check;
  return KeyMetadata{.key_id = kFixedKeyId,
                     .type = KeyType::kSymmetric,
                     .algorithm = "aes",
                     .bit_length = static_cast<uint32_t>(key_.Size() * 8),
                     .name = "fixed key",
                     .status = "active"};
}

absl::StatusOr<std::string> FixedKeyManager::Create(const NewKey&, const KeyCall&) {
  return NotHeld("a fixed key manager makes no keys; its one key is what fixed_key_file says");
}

absl::StatusOr<std::string> FixedKeyManager::Import(const Key&, const KeyCopy&, const KeyCall&) {
  return NotHeld("a fixed key manager takes in no keys; its one key is what fixed_key_file says");
}

absl::Status FixedKeyManager::Delete(const std::string& key_id, bool, const KeyCall&) {
  if (absl::Status check = CheckId(key_id); !check.ok()) return check;
  return NotHeld("the fixed key is not deleted here; take its section out of the configuration");
}

absl::StatusOr<FirstUseRecord> FixedKeyManager::ClaimFirstUse(const std::string& key_id, const FirstUseRecord&,
                                                              const KeyCall&) {
  if (absl::Status check = CheckId(key_id); !check.ok()) return check;
  return NoRecords();
}

absl::Status FixedKeyManager::RecordFirstUse(const std::string& key_id, const FirstUseRecord&, const KeyCall&) {
  if (absl::Status check = CheckId(key_id); !check.ok()) return check;
  return NoRecords();
}

absl::Status FixedKeyManager::DropFirstUse(const std::string& key_id, const std::string&, const KeyCall&) {
  if (absl::Status check = CheckId(key_id); !check.ok()) return check;
  return NoRecords();
}

// The next start reads the file again, so what it would find is worth knowing now.
std::vector<CheckStep> FixedKeyManager::Check(const KeyCall&) {
  CheckStep step{.name = "open"};
  const absl::StatusOr<SecretBytes> key = ReadKey(options_.file);
  if (!key.ok()) {
    step.detail = std::string(key.status().message());
    step.reason = ReasonOf(key.status());
    step.remedy = "mend the file; until the next start the agent goes on with the key that it has read";
  } else if (!SameSecret(*key, key_)) {
    step.detail = absl::StrCat(options_.file.path, " holds another key than the agent has read at its start");
    step.reason = Reason::kKeyUnfit;
    step.remedy = "put the key back, or restart volcryptd if this is the one that opens the volumes";
  } else {
    step.passed = true;
    step.detail = absl::StrCat("one key of ", key_.Size() * 8, " bits in ", options_.file.path);
  }
  return {step};
}

}  // namespace volcrypt
