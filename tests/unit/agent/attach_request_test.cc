#include "agent/attach_request.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

AttachCall GoodCall() {
  AttachCall call;
  call.volume_id = "vol-1";
  call.device = "/dev/sdb";
  call.key = KeyReference{.key_manager = "", .key_id = "key-1"};
  return call;
}

AttachRequest Made(const AttachCall& call, const VolumesConfig& config = {}) {
  const absl::StatusOr<AttachRequest> request = MakeAttachRequest(call, config);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.value_or(AttachRequest());
}

TEST(AttachRequestTest, AbsentFieldsComeFromTheConfiguration) {
  VolumesConfig config;
  config.encryption = {
      .format = Format::kLuks2, .cipher = "aes-cbc-essiv:sha256", .key_size_bits = 128, .sector_size_bytes = 4096};
  const AttachRequest request = Made(GoodCall(), config);
  EXPECT_EQ(request.volume_id, "vol-1");
  EXPECT_EQ(request.device, "/dev/sdb");
  EXPECT_EQ(request.key.key_id, "key-1");
  EXPECT_EQ(request.encryption.cipher, "aes-cbc-essiv:sha256");
  EXPECT_EQ(request.encryption.key_size_bits, 128U);
  EXPECT_EQ(request.encryption.sector_size_bytes, 4096U);
  EXPECT_EQ(request.allowed_ciphers, config.allowed_ciphers);
  EXPECT_EQ(request.format_as_uuid, "");
  EXPECT_FALSE(request.read_only);
  EXPECT_FALSE(request.allow_discards);
}

TEST(AttachRequestTest, FlagsAreKept) {
  AttachCall call = GoodCall();
  call.read_only = true;
  call.allow_discards = true;
  const AttachRequest request = Made(call);
  EXPECT_TRUE(request.read_only);
  EXPECT_TRUE(request.allow_discards);
}

TEST(AttachRequestTest, FormatIsTheCallersElseTheConfigured) {
  VolumesConfig config;
  config.encryption.format = Format::kLuks1;
  EXPECT_EQ(Made(GoodCall(), config).encryption.format, Format::kLuks1);
  AttachCall call = GoodCall();
  call.encryption.format = Format::kLuks2;
  EXPECT_EQ(Made(call, config).encryption.format, Format::kLuks2);
}

TEST(AttachRequestTest, FirstUseIsAllowedByCallerElseByConfiguration) {
  struct Case {
    bool configured;
    FirstUsePolicy asked;
    bool read_only;
    bool may_format;
  };
  for (const Case& c : std::vector<Case>{{true, FirstUsePolicy::kUnspecified, false, true},
                                         {false, FirstUsePolicy::kUnspecified, false, false},
                                         {false, FirstUsePolicy::kFormatIfBlank, false, true},
                                         {true, FirstUsePolicy::kRefuse, false, false},
                                         {true, FirstUsePolicy::kUnspecified, true, false},
                                         {true, FirstUsePolicy::kFormatIfBlank, true, false}}) {
    VolumesConfig config;
    config.format_if_blank = c.configured;
    AttachCall call = GoodCall();
    call.first_use = c.asked;
    call.read_only = c.read_only;
    EXPECT_EQ(Made(call, config).may_format, c.may_format) << c.configured << static_cast<int>(c.asked) << c.read_only;
  }
}

TEST(AttachRequestTest, ConfiguredKeySizeIsNotForcedOnAnotherCipher) {
  AttachCall call = GoodCall();
  call.encryption.cipher = "aes-cbc-essiv:sha256";
  EXPECT_EQ(Made(call).encryption.key_size_bits, 256U);
  call.encryption.key_size_bits = 128;
  EXPECT_EQ(Made(call).encryption.key_size_bits, 128U);
}

TEST(AttachRequestTest, ConfiguredSectorSizeIsNotForcedOnLuks1) {
  VolumesConfig config;
  config.encryption.sector_size_bytes = 4096;
  AttachCall call = GoodCall();
  call.provider = "luks";
  EXPECT_EQ(Made(call, config).encryption.sector_size_bytes, 0U);
  call.provider.clear();
  call.encryption.format = Format::kLuks1;
  EXPECT_EQ(Made(call, config).encryption.sector_size_bytes, 0U);
  call.encryption.sector_size_bytes = 512;
  EXPECT_EQ(Made(call, config).encryption.sector_size_bytes, 512U);
}

// The encryption type of OpenStack's guide.
TEST(AttachRequestTest, OpenStackGuideIsUnderstood) {
  AttachCall call = GoodCall();
  call.provider = "nova.volume.encryptors.luks.LuksEncryptor";
  call.encryption.cipher = "aes-xts-plain64";
  call.encryption.key_size_bits = 256;
  call.control_location = "front-end";
  const AttachRequest request = Made(call);
  EXPECT_EQ(request.encryption.format, Format::kLuks1);
  EXPECT_EQ(request.encryption.cipher, "aes-xts-plain64");
  EXPECT_EQ(request.encryption.key_size_bits, 256U);
}

TEST(AttachRequestTest, ControlLocationIsComparedWithoutCase) {
  for (const char* location : {"", "front-end", "Front-End", "FRONT-END"}) {
    AttachCall call = GoodCall();
    call.control_location = location;
    Made(call);
  }
}

TEST(AttachRequestTest, ProviderAndFormatMayAgree) {
  AttachCall call = GoodCall();
  call.provider = "luks2";
  call.encryption.format = Format::kLuks2;
  EXPECT_EQ(Made(call).encryption.format, Format::kLuks2);
}

TEST(AttachRequestTest, KeyOfUrlIsItsLastSegment) {
  AttachCall call = GoodCall();
  call.key->key_id = "https://barbican:9311/v1/secrets/6d8d9c5a-0000-4000-8000-000000000001";
  EXPECT_EQ(Made(call).key.key_id, "6d8d9c5a-0000-4000-8000-000000000001");
}

TEST(AttachRequestTest, AdminMayLeaveTheKeyOutButThenNothingIsFormatted) {
  AttachCall call = GoodCall();
  call.caller_is_admin = true;
  for (const auto& key : std::vector<std::optional<KeyReference>>{std::nullopt, KeyReference{}}) {
    call.key = key;
    call.first_use = FirstUsePolicy::kFormatIfBlank;
    const AttachRequest request = Made(call);
    EXPECT_EQ(request.key.key_id, "");
    EXPECT_FALSE(request.may_format);
  }
}

struct BadCall {
  std::string what;
  std::function<void(AttachCall&)> spoil;
  Reason reason;
  std::string field;
};

std::vector<BadCall> BadEncryption() {
  const Reason field = Reason::kInvalidField;
  const Reason unsupported = Reason::kUnsupportedEncryption;
  return {
      {"none", [](AttachCall& c) { c.encryption_none = true; }, unsupported, "encryption.format"},
      {"none beside a provider",
       [](AttachCall& c) {
         c.encryption_none = true;
         c.provider = "luks";
       },
       unsupported, "encryption.format"},
      {"plain", [](AttachCall& c) { c.encryption.format = Format::kPlain; }, unsupported, "encryption.format"},
      {"provider plain", [](AttachCall& c) { c.provider = "plain"; }, unsupported, "provider"},
      {"provider of nothing", [](AttachCall& c) { c.provider = "NoOpEncryptor"; }, unsupported, "provider"},
      {"unknown provider", [](AttachCall& c) { c.provider = "LUKS"; }, field, "provider"},
      {"contradiction",
       [](AttachCall& c) {
         c.provider = "luks";
         c.encryption.format = Format::kLuks2;
       },
       field, "provider"},
      {"contradiction with plain",
       [](AttachCall& c) {
         c.provider = "plain";
         c.encryption.format = Format::kLuks2;
       },
       field, "provider"},
      {"cipher of no list", [](AttachCall& c) { c.encryption.cipher = "cipher_null-ecb"; }, unsupported,
       "encryption.cipher"},
      {"AES-192", [](AttachCall& c) { c.encryption.key_size_bits = 384; }, field, "encryption.key_size_bits"},
      {"key size of XTS for CBC",
       [](AttachCall& c) {
         c.encryption.cipher = "aes-cbc-essiv:sha256";
         c.encryption.key_size_bits = 512;
       },
       field, "encryption.key_size_bits"},
      {"sector size", [](AttachCall& c) { c.encryption.sector_size_bytes = 1024; }, field,
       "encryption.sector_size_bytes"},
      {"large sectors in LUKS1",
       [](AttachCall& c) {
         c.provider = "luks";
         c.encryption.sector_size_bytes = 4096;
       },
       field, "encryption.sector_size_bytes"},
  };
}

std::vector<BadCall> BadRest() {
  const Reason field = Reason::kInvalidField;
  return {
      {"volume id", [](AttachCall& c) { c.volume_id = "../x"; }, Reason::kInvalidVolumeId, "volume_id"},
      {"no volume id", [](AttachCall& c) { c.volume_id = ""; }, Reason::kInvalidVolumeId, "volume_id"},
      {"no device", [](AttachCall& c) { c.device = ""; }, field, "device"},
      {"relative device", [](AttachCall& c) { c.device = "dev/sdb"; }, field, "device"},
      {"back-end", [](AttachCall& c) { c.control_location = "back-end"; }, field, "control_location"},
      {"odd control location", [](AttachCall& c) { c.control_location = "front"; }, field, "control_location"},
      {"libvirt", [](AttachCall& c) { c.mode = AttachMode::kLibvirtSecret; }, field, "mode"},
      {"libvirt secret", [](AttachCall& c) { c.register_libvirt_secret = true; }, field, "register_libvirt_secret"},
      {"no key", [](AttachCall& c) { c.key.reset(); }, Reason::kKeyRequired, "key"},
      {"empty key", [](AttachCall& c) { c.key.emplace(); }, Reason::kKeyRequired, "key"},
      {"key manager without key id", [](AttachCall& c) { *c.key = {.key_manager = "local", .key_id = ""}; },
       Reason::kInvalidKeyId, "key.key_id"},
      {"key id", [](AttachCall& c) { c.key->key_id = "a key"; }, Reason::kInvalidKeyId, "key.key_id"},
  };
}

TEST(AttachRequestTest, WrongFieldIsNamed) {
  std::vector<BadCall> cases = BadEncryption();
  for (BadCall& bad : BadRest()) cases.push_back(std::move(bad));
  for (const BadCall& bad : cases) {
    AttachCall call = GoodCall();
    bad.spoil(call);
    const absl::StatusOr<AttachRequest> request = MakeAttachRequest(call, {});
    ASSERT_FALSE(request.ok()) << bad.what;
    EXPECT_EQ(ReasonName(ReasonOf(request.status()).value_or(Reason::kWorkerFailed)), ReasonName(bad.reason))
        << bad.what;
    EXPECT_EQ(MetadataOf(request.status())["field"], bad.field) << bad.what;
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << bad.what;
  }
}

TEST(AttachRequestTest, OnlyCiphersOfTheConfigurationAreAllowed) {
  VolumesConfig config;
  config.allowed_ciphers = {"aes-xts-plain64"};
  AttachCall call = GoodCall();
  call.encryption.cipher = "aes-xts-plain";
  const absl::StatusOr<AttachRequest> request = MakeAttachRequest(call, config);
  EXPECT_TRUE(HasReason(request.status(), Reason::kUnsupportedEncryption)) << request.status();
}

}  // namespace
}  // namespace volcrypt
