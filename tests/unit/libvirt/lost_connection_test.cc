// The connection to libvirtd ends after each message that a call sends.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/time/clock.h"
#include "agent/libvirt/libvirt_secrets.h"
#include "encryptors/reason.h"
#include "tests/unit/libvirt/admin.h"
#include "tests/unit/libvirt/cutting_proxy.h"
#include "tests/unit/libvirt/libvirtd_process.h"

namespace volcrypt {
namespace {

constexpr char kVolume[] = "vol-1";
constexpr int kMostMessages = 40;

SecretBytes Value() {
  SecretBytes value = *SecretBytes::Allocate(3);
  std::ranges::copy(std::string("one"), value.Bytes().begin());
  return value;
}

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

class LostConnectionTest : public testing::Test {
 protected:
  std::string ProxyPath() const { return libvirtd_.Socket() + "-cut"; }
  std::string ProxyUri() const { return "secret:///session?socket=" + ProxyPath(); }

  LibvirtdProcess libvirtd_;
  LibvirtSecrets direct_{libvirtd_.Uri(), LibvirtSecrets::Lifetime::kEphemeral};
};

TEST_F(LostConnectionTest, CallsSucceedOnANewConnectionWhereverTheFirstOneEnded) {
  int cuts = 0;
  for (int messages = 1; messages < kMostMessages; ++messages) {
    CuttingProxy proxy(ProxyPath(), libvirtd_.Socket(), messages);
    LibvirtSecrets secrets(ProxyUri(), LibvirtSecrets::Lifetime::kEphemeral);
    const auto put = secrets.Put(kVolume, "", {}, Value(), Soon());
    // A first connection that was never open is told to the caller.
    if (!put.ok()) {
      EXPECT_TRUE(HasReason(put.status(), Reason::kLibvirtUnavailable)) << put.status();
      EXPECT_TRUE(secrets.Put(kVolume, "", {}, Value(), Soon()).ok());
    }
    const auto found = secrets.Find(kVolume, Soon());
    ASSERT_TRUE(found.ok()) << messages << found.status();
    ASSERT_TRUE(found->has_value() && (*found)->has_value) << messages;
    EXPECT_TRUE(secrets.Remove(kVolume, Soon()).ok()) << messages;
    EXPECT_EQ(Admin(libvirtd_.Uri()).Count(), 0) << messages;
    if (!proxy.HasCut()) break;
    ++cuts;
  }
  EXPECT_GT(cuts, 8);
  EXPECT_LT(cuts, kMostMessages - 1);
}

TEST_F(LostConnectionTest, WhatAPutLeavesWhenLibvirtdStaysAwayIsNeverTakenForWholeAndIsRepaired) {
  int incomplete = 0;
  for (int messages = 1; messages < kMostMessages; ++messages) {
    bool succeeded = false;
    {
      CuttingProxy proxy(ProxyPath(), libvirtd_.Socket(), messages);
      LibvirtSecrets secrets(ProxyUri(), LibvirtSecrets::Lifetime::kEphemeral);
      ASSERT_TRUE(direct_.List(Soon()).ok());
      // The first connection is made before the proxy refuses others.
      if (!secrets.Find("vol-2", Soon()).ok()) continue;
      if (proxy.HasCut()) continue;
      proxy.RefuseFurther();
      const auto put = secrets.Put(kVolume, "", {}, Value(), Soon());
      succeeded = put.ok();
      if (!put.ok()) {
        EXPECT_TRUE(HasReason(put.status(), Reason::kLibvirtUnavailable)) << put.status();
      }
    }
    const auto left = direct_.Find(kVolume, Soon());
    ASSERT_TRUE(left.ok()) << left.status();
    if (left->has_value() && !(*left)->has_value) ++incomplete;
    const auto repaired = direct_.Put(kVolume, "", {}, Value(), Soon());
    ASSERT_TRUE(repaired.ok()) << repaired.status();
    EXPECT_TRUE((*direct_.Find(kVolume, Soon()))->has_value);
    EXPECT_TRUE(*direct_.Remove(kVolume, Soon()));
    EXPECT_EQ(Admin(libvirtd_.Uri()).Count(), 0);
    if (succeeded) break;
  }
  EXPECT_GT(incomplete, 0);
}

}  // namespace
}  // namespace volcrypt
