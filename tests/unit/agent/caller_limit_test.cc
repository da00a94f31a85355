#include "agent/caller_limit.h"

#include <gtest/gtest.h>

#include <vector>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

TEST(CallerLimit, RefusesACallerWithItsShareAndNobodyElse) {
  CallerLimit limit(2);
  std::vector<CallerLimit::Share> shares;
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<CallerLimit::Share> share = limit.Take("uid 1");
    ASSERT_TRUE(share.ok());
    shares.push_back(*std::move(share));
  }
  const absl::Status refused = limit.Take("uid 1").status();
  EXPECT_TRUE(HasReason(refused, Reason::kTooManyOperations)) << refused;
  EXPECT_NE(refused.message().find("uid 1 has 2 calls"), std::string::npos);
  EXPECT_TRUE(limit.Take("uid 2").ok());
}

TEST(CallerLimit, CallThatEndsMakesRoom) {
  CallerLimit limit(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take("uid 1").ok());
}

}  // namespace
}  // namespace volcrypt
