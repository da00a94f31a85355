#include "agent/shown_key_id.h"

#include <gtest/gtest.h>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

absl::Status Failed(Reason reason) { return MakeError(reason, "failed on purpose"); }

TEST(ShownKeyIdTest, IdsThatAreNoKeysAreAlwaysShown) {
  for (const std::string id : {"6d8d9c5a-0000-4000-8000-000000000001", "1", "name:volumes"}) {
    EXPECT_EQ(ShownKeyId(id, absl::OkStatus()), id);
    EXPECT_EQ(ShownKeyId(id, Failed(Reason::kDeviceNotFound)), id);
    EXPECT_EQ(ShownKeyId(id, Failed(Reason::kCallerNotAllowed)), id);
  }
}

TEST(ShownKeyIdTest, WhatMayBeAKeyIsShownOnceAKeyManagerHasLookedForIt) {
  const std::string hex(64, 'a');
  for (const Reason before : {Reason::kDeviceNotFound, Reason::kInvalidVolumeId, Reason::kCallerUnknown,
                              Reason::kDraining, Reason::kOperationInProgress}) {
    EXPECT_EQ(ShownKeyId(hex, Failed(before)), "unchecked (64 bytes)");
  }
  EXPECT_EQ(ShownKeyId(std::string(22, 'A'), Failed(Reason::kDeviceNotFound)), "unchecked (22 bytes)");
  EXPECT_EQ(ShownKeyId(hex, absl::OkStatus()), hex);
  for (const Reason after : {Reason::kKeyNotFound, Reason::kKeyAccessDenied, Reason::kKeyRejected, Reason::kKeyUnfit}) {
    EXPECT_EQ(ShownKeyId(hex, Failed(after)), hex);
  }
}

TEST(ShownKeyIdTest, WhatIsNoIdIsNeverShown) {
  EXPECT_EQ(ShownKeyId("a key/of mine", absl::OkStatus()), "invalid (13 bytes)");
  EXPECT_EQ(ShownKeyId("1", Failed(Reason::kInvalidKeyId)), "invalid (1 bytes)");
}

}  // namespace
}  // namespace volcrypt
