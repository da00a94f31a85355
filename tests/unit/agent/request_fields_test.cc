#include "agent/request_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/keys/key_id.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

TEST(RequestFieldsTest, VolumeIdsAreSafeAsNames) {
  for (const std::string& good : {std::string("a"), std::string("0"), std::string("A_b.c-d"), std::string(74, 'v'),
                                  std::string("6d8d9c5a-0000-4000-8000-000000000001")}) {
    EXPECT_TRUE(CheckVolumeId(good).ok()) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("-a"), std::string(".a"), std::string("_a"), std::string("a/b"), std::string("a b"),
        std::string(75, 'v'), std::string("a\0b", 3)}) {
    const absl::Status checked = CheckVolumeId(bad);
    EXPECT_TRUE(HasReason(checked, Reason::kInvalidVolumeId)) << bad;
    EXPECT_EQ(MetadataOf(checked)["field"], "volume_id");
  }
}

TEST(RequestFieldsTest, DevicesAreAbsolutePaths) {
  for (const std::string& good :
       {std::string("/dev/sdb"), std::string("/dev/disk/by-id/os-brick+dev+sdb"), std::string("/"),
        std::string("/srv/a volume.img"), "/" + std::string(kMaxDevicePathBytes - 1, 'd')}) {
    EXPECT_TRUE(CheckDevicePath(good).ok()) << good;
  }
  for (const std::string& bad : {std::string(), std::string("sdb"), std::string("./sdb"), std::string("/dev/a\0b", 8),
                                 std::string("/dev/a\nb"), "/" + std::string(kMaxDevicePathBytes, 'd')}) {
    const absl::Status checked = CheckDevicePath(bad);
    EXPECT_TRUE(HasReason(checked, Reason::kInvalidField)) << bad;
    EXPECT_EQ(MetadataOf(checked)["field"], "device");
  }
}

TEST(RequestFieldsTest, KeyIdIsItselfOrTheEndOfAUrl) {
  const std::string longest(kMaxKeyIdBytes, 'k');
  for (const auto& [given, expected] : {std::pair<std::string, std::string>{"key-1", "key-1"},
                                        {"A_b.c:d-9", "A_b.c:d-9"},
                                        {longest, longest},
                                        {"http://barbican/v1/secrets/abc", "abc"},
                                        {"https://barbican:9311/v1/secrets/abc/", "abc"},
                                        {"https://[::1]/abc", "abc"}}) {
    const absl::StatusOr<std::string> key_id = ParseKeyId(given);
    ASSERT_TRUE(key_id.ok()) << given;
    EXPECT_EQ(*key_id, expected);
  }
}

TEST(RequestFieldsTest, OtherKeyIdsAreRefused) {
  for (const std::string& bad :
       {std::string(), std::string(" "), std::string("a b"), std::string("a/b"), std::string("a\n"),
        std::string("a\0b", 3), std::string("k\xC3\xA4y"), std::string(kMaxKeyIdBytes + 1, 'k'),
        std::string("http://barbican"), std::string("http://barbican/"), std::string("http://barbican/secrets//"),
        std::string("http://barbican/abc?x=1")}) {
    EXPECT_TRUE(HasReason(ParseKeyId(bad).status(), Reason::kInvalidKeyId)) << bad;
  }
}

TEST(RequestFieldsTest, RefusedKeyIdIsNotRepeated) {
  const absl::Status refused = ParseKeyId("passphrase of somebody").status();
  EXPECT_EQ(refused.ToString().find("somebody"), std::string::npos);
}

}  // namespace
}  // namespace volcrypt
