#include "agent/keys/kmip/kmip_answers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/kmip/kmip_attribute_names.h"
#include "agent/keys/kmip/malformed_answer.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxUidBytes = 255;
constexpr size_t kHighEntropyBytes = 16;

absl::StatusOr<TtlvItem> Payload(const KmipResponse& response) {
  if (!response.payload) return MalformedAnswer("it lacks a payload");
  return *response.payload;
}

absl::StatusOr<std::string> UidOf(const TtlvItem& item) {
  const std::optional<std::string_view> text = item.Text();
  if (!text || text->empty() || text->size() > kMaxUidBytes ||
      !std::ranges::all_of(*text, [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return MalformedAnswer("a unique identifier is not 1 to 255 printable characters");
  }
  return std::string(*text);
}

absl::Status CheckUid(const TtlvItem& payload, const std::string& uid) {
  const absl::StatusOr<TtlvItem> item = payload.Only(KmipTag::kUniqueIdentifier);
  if (!item.ok()) return item.status();
  if (item->Text() != uid) return MalformedAnswer("it is about another key than was asked for");
  return absl::OkStatus();
}

absl::Status Unfit(const std::string& uid, absl::string_view problem) {
  return MakeError(Reason::kKeyUnfit, absl::StrCat("object ", uid, " of the KMIP server is no usable key: ", problem),
                   {{"uid", uid}});
}

absl::StatusOr<Key> KeyOf(KeyType type, std::span<const uint8_t> bytes, const std::string& uid) {
  if (bytes.empty()) return Unfit(uid, "it is empty");
  absl::StatusOr<SecretBytes> copy = SecretBytes::Allocate(bytes.size());
  if (!copy.ok()) return copy.status();
  std::ranges::copy(bytes, copy->Bytes().begin());
  return Key{.type = type,
             .bytes = *std::move(copy),
             .high_entropy = type == KeyType::kSymmetric && bytes.size() >= kHighEntropyBytes};
}

// Cryptographic Length counts bits, and is what the key's length can be held against.
absl::Status CheckLength(const TtlvItem& block, size_t bytes, bool required, const std::string& uid) {
  const std::optional<TtlvItem> item = block.Find(KmipTag::kCryptographicLength);
  if (!item) return required ? Unfit(uid, "it does not say how long it is") : absl::OkStatus();
  const std::optional<int32_t> bits = item->Integer();
  if (bits && *bits >= 0 && static_cast<uint64_t>(*bits) == uint64_t{bytes} * 8) return absl::OkStatus();
  return Unfit(uid, absl::StrCat("it has ", bytes * 8, " bits and says that it has ", bits.value_or(-1)));
}

absl::StatusOr<Key> KeyInBlock(KeyType type, const TtlvItem& object, const std::string& uid) {
  const absl::StatusOr<TtlvItem> block = object.Only(KmipTag::kKeyBlock);
  if (!block.ok()) return block.status();
  if (block->Find(KmipTag::kKeyWrappingData)) return Unfit(uid, "it is wrapped with another key");
  if (block->Find(KmipTag::kKeyCompressionType)) return Unfit(uid, "it is compressed");
  const absl::StatusOr<TtlvItem> format = block->Only(KmipTag::kKeyFormatType);
  if (!format.ok()) return format.status();
  const bool symmetric = type == KeyType::kSymmetric;
  const bool raw = format->Enumeration() == static_cast<uint32_t>(KmipKeyFormat::kRaw);
  const bool opaque = format->Enumeration() == static_cast<uint32_t>(KmipKeyFormat::kOpaque);
  if (!raw && (symmetric || !opaque)) return Unfit(uid, "its format is not Raw");
  const absl::StatusOr<TtlvItem> value = block->Only(KmipTag::kKeyValue);
  if (!value.ok()) return value.status();
  const absl::StatusOr<TtlvItem> material = value->Only(KmipTag::kKeyMaterial);
  if (!material.ok()) return material.status();
  const std::optional<std::span<const uint8_t>> bytes = material->ByteString();
  if (!bytes) return Unfit(uid, "its key material is not a string of bytes");
  if (absl::Status length = CheckLength(*block, bytes->size(), symmetric, uid); !length.ok()) return length;
  return KeyOf(type, *bytes, uid);
}

absl::StatusOr<Key> KeyInSecretData(const TtlvItem& object, const std::string& uid) {
  const absl::StatusOr<TtlvItem> type = object.Only(KmipTag::kSecretDataType);
  if (!type.ok()) return type.status();
  if (type->Enumeration() != static_cast<uint32_t>(KmipSecretDataType::kPassword)) {
    return Unfit(uid, "it is secret data other than a password");
  }
  return KeyInBlock(KeyType::kPassphrase, object, uid);
}

absl::StatusOr<Key> KeyInOpaqueObject(const TtlvItem& object, const std::string& uid) {
  const absl::StatusOr<TtlvItem> value = object.Only(KmipTag::kOpaqueDataValue);
  if (!value.ok()) return value.status();
  const std::optional<std::span<const uint8_t>> bytes = value->ByteString();
  if (!bytes) return MalformedAnswer("an opaque object is not a string of bytes");
  return KeyOf(KeyType::kOpaque, *bytes, uid);
}

// One attribute, as far as it is wanted and of the type that it should be.
void Take(std::string_view name, const TtlvItem& value, KmipAttributes& attributes) {
  const std::optional<uint32_t> number = value.Enumeration();
  if (name == kKmipStateAttribute && number) attributes.state = static_cast<KmipState>(*number);
  if (name == kKmipObjectTypeAttribute && number) attributes.object_type = static_cast<KmipObjectType>(*number);
  if (name == kKmipAlgorithmAttribute && number) attributes.algorithm = static_cast<KmipAlgorithm>(*number);
  if (name == kKmipLengthAttribute && value.Integer().value_or(-1) >= 0) {
    attributes.bit_length = static_cast<uint32_t>(*value.Integer());
  }
  if (name == kKmipInitialDateAttribute && value.DateTime()) {
    attributes.created_at = absl::FromUnixSeconds(*value.DateTime());
  }
  if (name == kKmipNameAttribute && attributes.name.empty()) {
    const std::optional<TtlvItem> text = value.Find(KmipTag::kNameValue);
    if (text) attributes.name = std::string(text->Text().value_or(""));
  }
}

}  // namespace

absl::StatusOr<std::string> ReadNewUid(const KmipResponse& response) {
  const absl::StatusOr<TtlvItem> payload = Payload(response);
  if (!payload.ok()) return payload.status();
  const absl::StatusOr<TtlvItem> item = payload->Only(KmipTag::kUniqueIdentifier);
  if (!item.ok()) return item.status();
  return UidOf(*item);
}

absl::Status CheckUid(const KmipResponse& response, const std::string& uid) {
  const absl::StatusOr<TtlvItem> payload = Payload(response);
  return payload.ok() ? CheckUid(*payload, uid) : payload.status();
}

absl::StatusOr<Key> ReadKey(const KmipResponse& response, const std::string& uid) {
  const absl::StatusOr<TtlvItem> payload = Payload(response);
  if (!payload.ok()) return payload.status();
  if (absl::Status same = CheckUid(*payload, uid); !same.ok()) return same;
  const absl::StatusOr<TtlvItem> type = payload->Only(KmipTag::kObjectType);
  if (!type.ok()) return type.status();
  KmipTag tag{};
  absl::StatusOr<Key> (*read)(const TtlvItem&, const std::string&) = nullptr;
  switch (static_cast<KmipObjectType>(type->Enumeration().value_or(0))) {
    case KmipObjectType::kSymmetricKey:
      tag = KmipTag::kSymmetricKey;
      read = [](const TtlvItem& object, const std::string& of) { return KeyInBlock(KeyType::kSymmetric, object, of); };
      break;
    case KmipObjectType::kSecretData:
      tag = KmipTag::kSecretData;
      read = KeyInSecretData;
      break;
    case KmipObjectType::kOpaqueObject:
      tag = KmipTag::kOpaqueObject;
      read = KeyInOpaqueObject;
      break;
    default:
      return Unfit(uid, "it is neither a symmetric key nor secret data nor an opaque object");
  }
  const absl::StatusOr<TtlvItem> object = payload->Only(tag);
  if (!object.ok()) return object.status();
  return read(*object, uid);
}

absl::StatusOr<KmipAttributes> ReadAttributes(const KmipResponse& response, const std::string& uid) {
  const absl::StatusOr<TtlvItem> payload = Payload(response);
  if (!payload.ok()) return payload.status();
  if (absl::Status same = CheckUid(*payload, uid); !same.ok()) return same;
  KmipAttributes attributes;
  for (const TtlvItem& item : payload->Members()) {
    if (item.Tag() != KmipTag::kAttribute) continue;
    const absl::StatusOr<TtlvItem> name = item.Only(KmipTag::kAttributeName);
    if (!name.ok()) return name.status();
    if (const std::optional<TtlvItem> value = item.Find(KmipTag::kAttributeValue)) {
      Take(name->Text().value_or(""), *value, attributes);
    }
  }
  return attributes;
}

absl::StatusOr<std::vector<std::string>> ReadLocated(const KmipResponse& response) {
  std::vector<std::string> uids;
  if (!response.payload) return uids;
  for (const TtlvItem& item : response.payload->Members()) {
    if (item.Tag() != KmipTag::kUniqueIdentifier) continue;
    absl::StatusOr<std::string> uid = UidOf(item);
    if (!uid.ok()) return uid.status();
    uids.push_back(*std::move(uid));
  }
  return uids;
}

absl::StatusOr<std::vector<KmipVersion>> ReadVersions(const KmipResponse& response) {
  std::vector<KmipVersion> versions;
  if (!response.payload) return versions;
  for (const TtlvItem& item : response.payload->Members()) {
    if (item.Tag() != KmipTag::kProtocolVersion) continue;
    const absl::StatusOr<KmipVersion> version = ReadVersion(item);
    if (!version.ok()) return version.status();
    versions.push_back(*version);
  }
  return versions;
}

absl::StatusOr<KmipServerFacts> ReadServerFacts(const KmipResponse& response) {
  KmipServerFacts facts;
  if (!response.payload) return facts;
  for (const TtlvItem& item : response.payload->Members()) {
    if (item.Tag() == KmipTag::kOperation && item.Enumeration()) {
      facts.operations.push_back(static_cast<KmipOperation>(*item.Enumeration()));
    }
    if (item.Tag() == KmipTag::kVendorIdentification) facts.vendor = std::string(item.Text().value_or(""));
  }
  return facts;
}

}  // namespace volcrypt
