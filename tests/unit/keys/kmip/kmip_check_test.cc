// What a check says of several servers.
#include "tests/unit/keys/kmip/closed_and_hung.h"
#include "tests/unit/keys/kmip/kmip_fixture.h"

namespace volcrypt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KmipCheckTest : public KmipTest {
 protected:
  static std::vector<std::string> NamesOf(const std::vector<CheckStep>& steps) {
    std::vector<std::string> names;
    for (const CheckStep& step : steps) names.push_back(step.passed ? step.name : step.name + " failed");
    return names;
  }

  FakeKmipServer server_{ServerOptions()};
  FakeKmipServer second_{ServerOptions()};
};

TEST_F(KmipCheckTest, CheckGoesPastServersThatAreAwayAndWarnsOfThem) {
  const ClosedServer closed;
  HungServer hung;
  KmipConfig config = ConfigFor({closed.Address(), hung.Address(), server_.Address()});
  config.timeout = absl::Seconds(6);
  const std::vector<CheckStep> steps = Open(config)->Check(Soon());
  EXPECT_THAT(NamesOf(steps),
              ElementsAre("connect", "tls", "resolve", "connect", "tls", "version", "authenticate", "read", "create"));
  EXPECT_THAT(steps[0].detail, HasSubstr(closed.Address()));
  EXPECT_THAT(steps[0].remedy, HasSubstr("check that the server runs"));
  EXPECT_THAT(steps[1].detail, HasSubstr(hung.Address()));
  EXPECT_FALSE(steps[1].remedy.empty());
  for (size_t i = 2; i < steps.size(); ++i) {
    EXPECT_THAT(steps[i].detail, HasSubstr(server_.Address()));
    EXPECT_EQ(steps[i].remedy, "");
  }
}

TEST_F(KmipCheckTest, CheckGoesOnBehindAServerThatWorks) {
  const ClosedServer closed;
  const std::vector<CheckStep> steps = Open(ConfigFor({server_.Address(), closed.Address()}))->Check(Soon());
  EXPECT_EQ(steps.size(), 8U);
  EXPECT_EQ(NamesOf(steps).back(), "connect");
  EXPECT_THAT(steps.back().detail, HasSubstr(closed.Address()));
}

TEST_F(KmipCheckTest, CheckFailsForEveryServerWhenNoneWorks) {
  const ClosedServer closed;
  const ClosedServer another;
  const std::vector<CheckStep> steps = Open(ConfigFor({closed.Address(), another.Address()}))->Check(Soon());
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect failed", "resolve", "connect failed"));
  EXPECT_THAT(steps[1].detail, HasSubstr(closed.Address()));
  EXPECT_THAT(steps[3].detail, HasSubstr(another.Address()));
  for (const size_t i : {size_t{1}, size_t{3}}) {
    EXPECT_FALSE(steps[i].remedy.empty());
    EXPECT_EQ(steps[i].reason, Reason::kKeyManagerUnavailable);
  }
}

// A call ends there, too: KmipServersTest.ARefusalIsFinal.
TEST_F(KmipCheckTest, CheckFailsAtAServerThatRefusesUsThoughAnotherWorks) {
  server_.Refuse(KmipOperation::kLocate, KmipResultReason::kAuthenticationNotSuccessful);
  const std::vector<CheckStep> steps = Open(ConfigFor({server_.Address(), second_.Address()}))->Check(Soon());
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls", "version", "authenticate failed", "resolve",
                                          "connect", "tls", "version", "authenticate", "read", "create"));
  EXPECT_EQ(steps[4].reason, Reason::kKeyAccessDenied);
}

}  // namespace
}  // namespace volcrypt
