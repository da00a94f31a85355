#include "encryptors/request_validation.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "encryptors/reason.h"
#include "samples.h"

namespace volcrypt {
namespace {

struct BadAttach {
  const char* what;
  std::function<void(AttachRequest&)> spoil;
  Reason reason;
  const char* field;
};

const std::vector<BadAttach>& BadAttaches() {
  static const auto& cases = *new std::vector<BadAttach>{
      {"no volume id", [](auto& r) { r.volume_id = ""; }, Reason::kInvalidVolumeId, "volume_id"},
      {"volume id with a slash", [](auto& r) { r.volume_id = "../x"; }, Reason::kInvalidVolumeId, "volume_id"},
      {"long volume id", [](auto& r) { r.volume_id = std::string(75, 'v'); }, Reason::kInvalidVolumeId, "volume_id"},
      {"no device", [](auto& r) { r.device = ""; }, Reason::kInvalidField, "device"},
      {"relative device", [](auto& r) { r.device = "dev/vdb"; }, Reason::kInvalidField, "device"},
      {"device with NUL", [](auto& r) { r.device = std::string("/dev/a\0b", 8); }, Reason::kInvalidField, "device"},
      {"device with newline", [](auto& r) { r.device = "/dev/a\nb"; }, Reason::kInvalidField, "device"},
      {"endless device", [](auto& r) { r.device = "/" + std::string(4095, 'd'); }, Reason::kInvalidField, "device"},
      {"long key manager", [](auto& r) { r.key.key_manager = std::string(256, 'k'); }, Reason::kInvalidField,
       "key.key_manager"},
      {"key manager with control character", [](auto& r) { r.key.key_manager = "a\x1B[2J"; }, Reason::kInvalidField,
       "key.key_manager"},
      {"long key id", [](auto& r) { r.key.key_id = std::string(256, 'k'); }, Reason::kInvalidKeyId, "key.key_id"},
      {"key id with newline", [](auto& r) { r.key.key_id = "a\n"; }, Reason::kInvalidKeyId, "key.key_id"},
      {"cipher", [](auto& r) { r.encryption.cipher = "aes"; }, Reason::kUnsupportedEncryption, "encryption.cipher"},
      {"key size of no whole bytes", [](auto& r) { r.encryption.key_size_bits = 257; }, Reason::kUnsupportedEncryption,
       "encryption.key_size_bits"},
      {"huge key", [](auto& r) { r.encryption.key_size_bits = 4096; }, Reason::kUnsupportedEncryption,
       "encryption.key_size_bits"},
      {"sector size", [](auto& r) { r.encryption.sector_size_bytes = 1000; }, Reason::kUnsupportedEncryption,
       "encryption.sector_size_bytes"},
      {"allowed cipher", [](auto& r) { r.allowed_ciphers.push_back("x y"); }, Reason::kInvalidField, "allowed_ciphers"},
      {"empty allowed cipher", [](auto& r) { r.allowed_ciphers.push_back(""); }, Reason::kInvalidField,
       "allowed_ciphers"},
      {"too many allowed ciphers", [](auto& r) { r.allowed_ciphers.assign(33, "aes-xts-plain64"); },
       Reason::kInvalidField, "allowed_ciphers"},
      {"LUKS UUID", [](auto& r) { r.format_as_uuid = "6f9619ff"; }, Reason::kInvalidField, "format_as_uuid"},
      {"format without consent", [](auto& r) { r.may_format = false; }, Reason::kInvalidField, "format_as_uuid"},
      {"LUKS2 for QEMU", [](auto& r) { r.leave_unmapped = true; }, Reason::kInvalidField, "encryption.format"},
      {"attached with a mapping", [](auto& r) { r.attached_as_uuid = r.format_as_uuid; }, Reason::kInvalidField,
       "attached_as_uuid"},
      {"attached UUID",
       [](auto& r) {
         r.encryption.format = Format::kLuks1;
         r.leave_unmapped = true;
         r.attached_as_uuid = "6f9619ff";
       },
       Reason::kInvalidField, "attached_as_uuid"},
      {"format of what is attached",
       [](auto& r) {
         r.encryption.format = Format::kLuks1;
         r.leave_unmapped = true;
         r.attached_as_uuid = r.format_as_uuid;
       },
       Reason::kInvalidField, "attached_as_uuid"},
      {"device of no volume", [](auto& r) { r.decrypted_by_qemu["a/b"] = "/dev/vde"; }, Reason::kInvalidField,
       "decrypted_by_qemu"},
      {"volume of no device", [](auto& r) { r.decrypted_by_qemu["vol-4"] = "vde"; }, Reason::kInvalidField,
       "decrypted_by_qemu"},
      {"the volume itself", [](auto& r) { r.decrypted_by_qemu["vol-1"] = "/dev/vde"; }, Reason::kInvalidField,
       "decrypted_by_qemu"},
      {"format read-only", [](auto& r) { r.read_only = true; }, Reason::kInvalidField, "format_as_uuid"},
  };
  return cases;
}

TEST(RequestValidation, WholeAttachRequestIsValid) {
  EXPECT_TRUE(Validate(SampleAttachRequest()).ok()) << Validate(SampleAttachRequest());
}

TEST(RequestValidation, SmallestAttachRequestIsValid) {
  EXPECT_TRUE(Validate(AttachRequest{.volume_id = "v", .device = "/dev/vdb"}).ok());
}

TEST(RequestValidation, AttachForQemuIsValid) {
  AttachRequest request = SampleAttachRequest();
  request.leave_unmapped = true;
  request.encryption.format = Format::kLuks1;
  EXPECT_TRUE(Validate(request).ok()) << Validate(request);
  request.attached_as_uuid = request.format_as_uuid;
  request.format_as_uuid.clear();
  request.may_format = false;
  EXPECT_TRUE(Validate(request).ok()) << Validate(request);
}

TEST(RequestValidation, EachSpoiledFieldIsRefusedByName) {
  for (const BadAttach& bad : BadAttaches()) {
    AttachRequest request = SampleAttachRequest();
    bad.spoil(request);
    const absl::Status status = Validate(request);
    EXPECT_EQ(ReasonOf(status), bad.reason) << bad.what << ": " << status;
    EXPECT_EQ(MetadataOf(status)["field"], bad.field) << bad.what;
  }
}

TEST(RequestValidation, DetachNamesAVolumeOrADevice) {
  EXPECT_TRUE(Validate(DetachRequest{.volume_id = "vol-1"}).ok());
  EXPECT_TRUE(Validate(DetachRequest{.device = "/dev/vdb", .deferred = true}).ok());
  EXPECT_EQ(ReasonOf(Validate(DetachRequest{})), Reason::kInvalidField);
  EXPECT_EQ(ReasonOf(Validate(DetachRequest{.volume_id = "vol-1", .device = "/dev/vdb"})), Reason::kInvalidField);
  EXPECT_EQ(ReasonOf(Validate(DetachRequest{.volume_id = "/"})), Reason::kInvalidVolumeId);
  EXPECT_EQ(ReasonOf(Validate(DetachRequest{.device = "vdb"})), Reason::kInvalidField);
}

TEST(RequestValidation, ExtendNamesAVolumeAndCiphers) {
  EXPECT_TRUE(Validate(ExtendRequest{.volume_id = "vol-1", .allowed_ciphers = {"aes-xts-plain64"}}).ok());
  EXPECT_EQ(ReasonOf(Validate(ExtendRequest{.volume_id = ""})), Reason::kInvalidVolumeId);
  EXPECT_EQ(ReasonOf(Validate(ExtendRequest{.volume_id = "vol-1", .allowed_ciphers = {"aes"}})), Reason::kInvalidField);
}

TEST(RequestValidation, CiphersAreInTheKernelsNotation) {
  for (const char* const cipher : {"aes-xts-plain64", "aes-cbc-essiv:sha256", "serpent-xts-plain64", "aes-xts-plain",
                                   "xchacha20,aes-adiantum-plain64", "cipher_null-ecb-null"}) {
    EXPECT_TRUE(IsCipherName(cipher)) << cipher;
  }
  for (const char* const cipher :
       {"", "aes", "aes-xts", "aes--plain64", "-xts-plain64", "aes-xts-", "AES-xts-plain64", "aes-xts-plain64-more",
        "aes-xts-plain 64", "aes-xts-plain64\n", "capi:xts(aes)-plain64", "aes-cbc-essiv:sha256sha256sha256sha256"}) {
    EXPECT_FALSE(IsCipherName(cipher)) << cipher;
  }
}

TEST(RequestValidation, UuidsAreLowerCaseAndWhole) {
  EXPECT_TRUE(IsUuid("6f9619ff-8b86-4d01-b42d-00cf4fc964ff"));
  for (const char* const uuid : {"", "6F9619FF-8B86-4D01-B42D-00CF4FC964FF", "6f9619ff8b864d01b42d00cf4fc964ff",
                                 "6f9619ff-8b86-4d01-b42d-00cf4fc964f", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff0",
                                 "6f9619ff-8b86-4d01-b42d000cf4fc964ff", "6f9619fg-8b86-4d01-b42d-00cf4fc964ff"}) {
    EXPECT_FALSE(IsUuid(uuid)) << uuid;
  }
}

}  // namespace
}  // namespace volcrypt
