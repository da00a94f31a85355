#include "agent/rpc/from_api.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/request_fields.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr uint32_t kDefaultKeyBits = 256;
constexpr std::array<uint32_t, 4> kKeyBits = {128, 192, 256, 512};
constexpr size_t kMaxKeyNameBytes = 255;
constexpr size_t kMaxUserIdBytes = 255;

// proto3 keeps numbers that an enumeration does not have: a newer client may mean something by them, so they are
// refused rather than taken for "unspecified".
absl::Status UnknownNumber(const std::string& field, int number) {
  return MakeError(Reason::kInvalidField, absl::StrCat(field, ": ", number, " is not known to this version"),
                   {{"field", field}, {"value", absl::StrCat(number)}});
}

absl::Status InvalidField(const std::string& field, const std::string& what) {
  return MakeError(Reason::kInvalidField, absl::StrCat(field, ": ", what), {{"field", field}});
}

absl::Status CheckKeyName(const std::string& name) {
  if (name.size() <= kMaxKeyNameBytes) return absl::OkStatus();
  return InvalidField("name", absl::StrCat("longer than ", kMaxKeyNameBytes, " bytes"));
}

absl::Status CheckUserId(const std::string& id) {
  const bool right =
      id.size() <= kMaxUserIdBytes && std::ranges::all_of(id, [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '@';
      });
  return right ? absl::OkStatus() : InvalidField("owner_user_id", "not the id of a user");
}

absl::Status FormatFromApi(int number, AttachCall& call) {
  switch (number) {
    case v1::Encryption::FORMAT_UNSPECIFIED:
      call.encryption.format = Format::kUnspecified;
      break;
    case v1::Encryption::FORMAT_LUKS1:
      call.encryption.format = Format::kLuks1;
      break;
    case v1::Encryption::FORMAT_LUKS2:
      call.encryption.format = Format::kLuks2;
      break;
    case v1::Encryption::FORMAT_PLAIN:
      call.encryption.format = Format::kPlain;
      break;
    case v1::Encryption::FORMAT_NONE:
      call.encryption_none = true;
      break;
    default:
      return UnknownNumber("encryption.format", number);
  }
  return absl::OkStatus();
}

absl::Status ModeFromApi(int number, AttachMode& mode) {
  switch (number) {
    case v1::MODE_UNSPECIFIED:
      mode = AttachMode::kUnspecified;
      break;
    case v1::MODE_HOST_MAPPING:
      mode = AttachMode::kHostMapping;
      break;
    case v1::MODE_LIBVIRT_SECRET:
      mode = AttachMode::kLibvirtSecret;
      break;
    default:
      return UnknownNumber("mode", number);
  }
  return absl::OkStatus();
}

absl::Status FirstUseFromApi(int number, FirstUsePolicy& first_use) {
  switch (number) {
    case v1::AttachVolumeRequest::FIRST_USE_UNSPECIFIED:
      first_use = FirstUsePolicy::kUnspecified;
      break;
    case v1::AttachVolumeRequest::FIRST_USE_FORMAT_IF_BLANK:
      first_use = FirstUsePolicy::kFormatIfBlank;
      break;
    case v1::AttachVolumeRequest::FIRST_USE_REFUSE:
      first_use = FirstUsePolicy::kRefuse;
      break;
    default:
      return UnknownNumber("first_use", number);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AttachCall> FromApi(const v1::AttachVolumeRequest& request, bool caller_is_admin) {
  AttachCall call;
  call.volume_id = request.volume_id();
  call.device = request.device();
  call.key = FromApi(request.key());
  if (absl::Status status = FormatFromApi(request.encryption().format(), call); !status.ok()) return status;
  call.encryption.cipher = request.encryption().cipher();
  call.encryption.key_size_bits = request.encryption().key_size_bits();
  call.encryption.sector_size_bytes = request.encryption().sector_size_bytes();
  if (absl::Status status = ModeFromApi(request.mode(), call.mode); !status.ok()) return status;
  if (absl::Status status = FirstUseFromApi(request.first_use(), call.first_use); !status.ok()) return status;
  call.read_only = request.read_only();
  call.allow_discards = request.allow_discards();
  call.register_libvirt_secret = request.register_libvirt_secret();
  call.provider = request.provider();
  call.control_location = request.control_location();
  call.caller_is_admin = caller_is_admin;
  return call;
}

DetachRequest FromApi(const v1::DetachVolumeRequest& request) {
  return {.volume_id = request.volume_id(), .device = request.device(), .deferred = request.deferred()};
}

ExtendCall FromApi(const v1::ExtendVolumeRequest& request, bool caller_is_admin) {
  return {.volume_id = request.volume_id(), .key = FromApi(request.key()), .caller_is_admin = caller_is_admin};
}

std::string KeyManagerOf(const v1::KeyReference& key, const KeyManagers& key_managers) {
  if (key.key_id().empty()) return "";
  const absl::StatusOr<KeyManagers::Found> found =
      key_managers.FindFor({.key_manager = key.key_manager(), .key_id = ParseKeyId(key.key_id()).value_or("")});
  return found.ok() ? found->name : key.key_manager();
}

std::optional<KeyReference> FromApi(const v1::KeyReference& key) {
  if (key.key_manager().empty() && key.key_id().empty()) return std::nullopt;
  return KeyReference{.key_manager = key.key_manager(), .key_id = key.key_id()};
}

absl::StatusOr<NewKey> FromApi(const v1::CreateKeyRequest& request) {
  NewKey key{.bit_length = request.bit_length() == 0 ? kDefaultKeyBits : request.bit_length(), .name = request.name()};
  if (!request.algorithm().empty() && absl::AsciiStrToLower(request.algorithm()) != key.algorithm) {
    return InvalidField("algorithm", absl::StrCat("\"", request.algorithm().substr(0, 32), "\" is not made here: aes"));
  }
  if (std::ranges::find(kKeyBits, key.bit_length) == kKeyBits.end()) {
    return InvalidField("bit_length", absl::StrCat(key.bit_length, " is none of 128, 192, 256, 512"));
  }
  if (absl::Status name = CheckKeyName(key.name); !name.ok()) return name;
  return key;
}

absl::StatusOr<KeyReference> RequiredKey(const v1::KeyReference& key, const std::string& field) {
  const std::string id_field = field + ".key_id";
  if (key.key_id().empty()) {
    return MakeError(Reason::kKeyRequired, absl::StrCat(id_field, ": name the key"), {{"field", id_field}});
  }
  absl::StatusOr<std::string> key_id = ParseKeyId(key.key_id());
  if (!key_id.ok()) return key_id.status();
  return KeyReference{.key_manager = key.key_manager(), .key_id = *std::move(key_id)};
}

absl::StatusOr<CopyKeyCall> FromApi(const v1::CopyKeyRequest& request) {
  absl::StatusOr<KeyReference> source = RequiredKey(request.source(), "source");
  if (!source.ok()) return source.status();
  if (absl::Status name = CheckKeyName(request.name()); !name.ok()) return name;
  if (absl::Status user = CheckUserId(request.owner_user_id()); !user.ok()) return user;
  return CopyKeyCall{.source = *std::move(source),
                     .key_manager = request.key_manager(),
                     .name = request.name(),
                     .owner_user_id = request.owner_user_id()};
}

}  // namespace volcrypt
