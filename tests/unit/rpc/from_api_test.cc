#include "agent/rpc/from_api.h"

#include <gtest/gtest.h>

#include <functional>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

TEST(FromApi, EveryFieldOfAnAttachArrives) {
  v1::AttachVolumeRequest request;
  request.set_volume_id("vol-1");
  request.set_device("/dev/sdb");
  request.mutable_key()->set_key_manager("other");
  request.mutable_key()->set_key_id("key-1");
  request.mutable_encryption()->set_format(v1::Encryption::FORMAT_LUKS1);
  request.mutable_encryption()->set_cipher("aes-cbc-essiv:sha256");
  request.mutable_encryption()->set_key_size_bits(256);
  request.mutable_encryption()->set_sector_size_bytes(4096);
  request.set_mode(v1::MODE_LIBVIRT_SECRET);
  request.set_first_use(v1::AttachVolumeRequest::FIRST_USE_REFUSE);
  request.set_read_only(true);
  request.set_allow_discards(true);
  request.set_register_libvirt_secret(true);
  request.set_provider("luks");
  request.set_control_location("front-end");

  const absl::StatusOr<AttachCall> call = FromApi(request, /*caller_is_admin=*/true);
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->volume_id, "vol-1");
  EXPECT_EQ(call->device, "/dev/sdb");
  ASSERT_TRUE(call->key.has_value());
  EXPECT_EQ(call->key->key_manager, "other");
  EXPECT_EQ(call->key->key_id, "key-1");
  EXPECT_EQ(call->encryption.format, Format::kLuks1);
  EXPECT_EQ(call->encryption.cipher, "aes-cbc-essiv:sha256");
  EXPECT_EQ(call->encryption.key_size_bits, 256U);
  EXPECT_EQ(call->encryption.sector_size_bytes, 4096U);
  EXPECT_FALSE(call->encryption_none);
  EXPECT_EQ(call->mode, AttachMode::kLibvirtSecret);
  EXPECT_EQ(call->first_use, FirstUsePolicy::kRefuse);
  EXPECT_TRUE(call->read_only);
  EXPECT_TRUE(call->allow_discards);
  EXPECT_TRUE(call->register_libvirt_secret);
  EXPECT_EQ(call->provider, "luks");
  EXPECT_EQ(call->control_location, "front-end");
  EXPECT_TRUE(call->caller_is_admin);
}

TEST(FromApi, EmptyAttachAsksForNothing) {
  const absl::StatusOr<AttachCall> call = FromApi(v1::AttachVolumeRequest(), /*caller_is_admin=*/false);
  ASSERT_TRUE(call.ok());
  EXPECT_FALSE(call->key.has_value());
  EXPECT_EQ(call->encryption.format, Format::kUnspecified);
  EXPECT_EQ(call->mode, AttachMode::kUnspecified);
  EXPECT_EQ(call->first_use, FirstUsePolicy::kUnspecified);
  EXPECT_FALSE(call->caller_is_admin);
}

TEST(FromApi, EveryFormatHasItsOwnMeaning) {
  const auto parsed = [](v1::Encryption::Format format) {
    v1::AttachVolumeRequest request;
    request.mutable_encryption()->set_format(format);
    return *FromApi(request, false);
  };
  EXPECT_EQ(parsed(v1::Encryption::FORMAT_LUKS1).encryption.format, Format::kLuks1);
  EXPECT_EQ(parsed(v1::Encryption::FORMAT_LUKS2).encryption.format, Format::kLuks2);
  EXPECT_EQ(parsed(v1::Encryption::FORMAT_PLAIN).encryption.format, Format::kPlain);
  EXPECT_TRUE(parsed(v1::Encryption::FORMAT_NONE).encryption_none);
  EXPECT_EQ(parsed(v1::Encryption::FORMAT_NONE).encryption.format, Format::kUnspecified);
}

TEST(FromApi, NumberOutsideAnEnumerationNamesItsField) {
  using Request = v1::AttachVolumeRequest;
  const std::vector<std::pair<std::string, std::function<void(Request&)>>> cases = {
      {"encryption.format",
       [](Request& request) { request.mutable_encryption()->set_format(static_cast<v1::Encryption::Format>(77)); }},
      {"mode", [](Request& request) { request.set_mode(static_cast<v1::Mode>(77)); }},
      {"first_use", [](Request& request) { request.set_first_use(static_cast<Request::FirstUse>(77)); }},
  };
  for (const auto& [field, change] : cases) {
    Request request;
    change(request);
    const absl::Status status = FromApi(request, false).status();
    EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << field;
    EXPECT_EQ(MetadataOf(status)["field"], field);
    EXPECT_EQ(MetadataOf(status)["value"], "77");
  }
}

TEST(FromApi, DetachAndExtendArriveWhole) {
  v1::DetachVolumeRequest detach;
  detach.set_volume_id("vol-1");
  detach.set_device("/dev/sdb");
  detach.set_deferred(true);
  EXPECT_EQ(FromApi(detach).volume_id, "vol-1");
  EXPECT_EQ(FromApi(detach).device, "/dev/sdb");
  EXPECT_TRUE(FromApi(detach).deferred);

  v1::ExtendVolumeRequest extend;
  extend.set_volume_id("vol-1");
  extend.mutable_key()->set_key_id("key-1");
  EXPECT_EQ(FromApi(extend, true).volume_id, "vol-1");
  EXPECT_EQ(FromApi(extend, true).key->key_id, "key-1");
  EXPECT_TRUE(FromApi(extend, true).caller_is_admin);
  EXPECT_FALSE(FromApi(extend, false).caller_is_admin);
}

TEST(FromApi, KeyOfAManagerAloneIsAKey) {
  v1::KeyReference key;
  EXPECT_FALSE(FromApi(key).has_value());
  key.set_key_manager("other");
  EXPECT_TRUE(FromApi(key).has_value());
}

TEST(FromApi, NewKeyHasDefaults) {
  const absl::StatusOr<NewKey> key = FromApi(v1::CreateKeyRequest());
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->algorithm, "aes");
  EXPECT_EQ(key->bit_length, 256U);
}

TEST(FromApi, NewKeysOfTheUsualLengthsAreMade) {
  for (const uint32_t bits : {128U, 192U, 256U, 512U}) {
    v1::CreateKeyRequest request;
    request.set_algorithm("AES");
    request.set_bit_length(bits);
    request.set_name("web");
    const absl::StatusOr<NewKey> key = FromApi(request);
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->bit_length, bits);
    EXPECT_EQ(key->algorithm, "aes");
    EXPECT_EQ(key->name, "web");
  }
}

TEST(FromApi, OtherNewKeysNameTheFieldThatIsWrong) {
  using Request = v1::CreateKeyRequest;
  const std::vector<std::pair<std::string, std::function<void(Request&)>>> cases = {
      {"algorithm", [](Request& request) { request.set_algorithm("des"); }},
      {"bit_length", [](Request& request) { request.set_bit_length(64); }},
      {"bit_length", [](Request& request) { request.set_bit_length(257); }},
      {"name", [](Request& request) { request.set_name(std::string(256, 'n')); }},
  };
  for (const auto& [field, change] : cases) {
    Request request;
    change(request);
    const absl::Status status = FromApi(request).status();
    EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << field;
    EXPECT_EQ(MetadataOf(status)["field"], field);
  }
}

}  // namespace
}  // namespace volcrypt
