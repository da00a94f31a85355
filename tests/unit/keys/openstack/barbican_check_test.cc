#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/fake_tls.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BarbicanCheckTest : public testing::Test {
 protected:
  std::vector<CheckStep> Check(const BarbicanConfig& config) { return cloud_.KeyManager(config)->Check(Soon()); }
  std::vector<CheckStep> Check() { return Check(cloud_.Config()); }
  std::vector<CheckStep> CheckWith(const std::string& token, const BarbicanConfig& config) {
    const CallerTokens tokens = {.auth_token = SecretOf(token), .service_token = SecretBytes()};
    return cloud_.KeyManager(config)->Check({Soon(), &tokens});
  }

  FakeCloud cloud_;
};

std::vector<std::string> NamesOf(const std::vector<CheckStep>& steps) {
  std::vector<std::string> names;
  for (const CheckStep& step : steps) names.push_back(step.passed ? step.name : absl::StrCat(step.name, " failed"));
  return names;
}

TEST_F(BarbicanCheckTest, EverythingIsGoneThroughAndNothingChanged) {
  const std::vector<CheckStep> steps = Check();
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls", "authenticate", "catalog", "read", "create"));
  EXPECT_THAT(steps[2].detail, HasSubstr("without TLS"));
  EXPECT_THAT(steps[3].detail, HasSubstr("creator, member"));
  EXPECT_THAT(steps[4].detail, HasSubstr(cloud_.Url()));
  EXPECT_EQ(cloud_.Count("POST", "/secrets"), 0U);
  EXPECT_EQ(cloud_.Count("PUT", ""), 0U);
}

TEST_F(BarbicanCheckTest, EveryCheckAuthenticatesAnew) {
  const auto keys = cloud_.KeyManager();
  keys->Check(Soon());
  keys->Check(Soon());
  EXPECT_EQ(cloud_.Count("POST", "/v3/auth/tokens"), 2U);
}

TEST_F(BarbicanCheckTest, KeystoneThatIsAwayFailsToConnect) {
  const BarbicanConfig config = cloud_.Config();
  cloud_.Server().Stop();
  const std::vector<CheckStep> steps = Check(config);
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect failed"));
  EXPECT_THAT(steps.back().remedy, HasSubstr("Keystone is running"));
  EXPECT_EQ(steps.back().reason, Reason::kKeyManagerUnavailable);
}

TEST_F(BarbicanCheckTest, UnknownHostFailsToResolve) {
  BarbicanConfig config = cloud_.Config();
  config.auth_url = "https://unknown.test/v3";
  const std::vector<CheckStep> steps = Check(config);
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve failed"));
  EXPECT_THAT(steps.back().remedy, HasSubstr("DNS"));
}

TEST_F(BarbicanCheckTest, UntrustedCertificateFailsTls) {
  const TempDirectory directory;
  const FakeTls tls(directory.Path("server.pem"));
  FakeCloud cloud(tls.Transport());
  const std::vector<CheckStep> steps = cloud.KeyManager()->Check(Soon());
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls failed"));
  EXPECT_THAT(steps[1].detail, HasSubstr(", 127.0.0.1"));
  BarbicanConfig config = cloud.Config();
  config.ca_file = directory.Path("server.pem");
  EXPECT_EQ(NamesOf(cloud.KeyManager(config)->Check(Soon())).size(), 7U);
}

TEST_F(BarbicanCheckTest, SilentKeystoneFailsToConnect) {
  cloud_.Always("GET", "/v3", {.manner = Manner::kNever});
  BarbicanConfig config = cloud_.Config();
  config.timeout = absl::Milliseconds(300);
  const std::vector<CheckStep> steps = Check(config);
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect failed"));
  EXPECT_EQ(steps.back().reason, Reason::kKeyManagerTimedOut);
}

TEST_F(BarbicanCheckTest, OutageAfterTheFirstStepsIsNoRefusal) {
  cloud_.Always("POST", "/v3/auth/tokens", {.status = 503, .body = "{}"});
  EXPECT_EQ(Check().back().reason, Reason::kKeyManagerUnavailable);
}

TEST_F(BarbicanCheckTest, BarbicanThatAnswersNothingButErrorsIsNoRefusal) {
  cloud_.Always("GET", "/v1/secrets", BarbicanError(500, "Internal Server Error"));
  const std::vector<CheckStep> steps = Check();
  EXPECT_EQ(NamesOf(steps).back(), "read failed");
  EXPECT_EQ(steps.back().reason, Reason::kKeyManagerUnavailable);
}

TEST_F(BarbicanCheckTest, RefusedCredentialsFailToAuthenticate) {
  cloud_.Next("POST", "/v3/auth/tokens", {.status = 401, .body = "{}"});
  const std::vector<CheckStep> steps = Check();
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls", "authenticate failed"));
  EXPECT_THAT(steps.back().remedy, HasSubstr("password"));
  EXPECT_EQ(steps.back().reason, Reason::kKeyAccessDenied);
}

TEST_F(BarbicanCheckTest, CatalogWithoutBarbicanFails) {
  BarbicanConfig config = cloud_.Config();
  config.region = "RegionThree";
  const std::vector<CheckStep> steps = Check(config);
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls", "authenticate", "catalog failed"));
  EXPECT_THAT(steps.back().remedy, HasSubstr("openstack catalog show"));
}

TEST_F(BarbicanCheckTest, CatalogThatNamesABarbicanWithoutTlsFailsUnlessItIsConfigured) {
  const TempDirectory directory;
  const FakeTls tls(directory.Path("server.pem"));
  FakeCloud cloud(tls.Transport());
  BarbicanConfig config = cloud.Config();
  config.ca_file = directory.Path("server.pem");
  config.interface = "public";
  std::vector<CheckStep> steps = cloud.KeyManager(config)->Check(Soon());
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls", "authenticate", "catalog failed"));
  EXPECT_THAT(steps.back().remedy, HasSubstr("set endpoint"));
  config.endpoint = cloud_.Url();
  steps = cloud.KeyManager(config)->Check(Soon());
  EXPECT_TRUE(steps.at(4).passed);
  EXPECT_THAT(steps.at(4).detail, HasSubstr("as configured, without TLS"));
}

TEST_F(BarbicanCheckTest, BarbicanThatIsAwayFailsToConnect) {
  BarbicanConfig config = cloud_.Config();
  config.endpoint = "http://127.0.0.1:1";
  const std::vector<CheckStep> steps = Check(config);
  EXPECT_THAT(NamesOf(steps), ElementsAre("resolve", "connect", "tls", "authenticate", "catalog", "connect failed"));
  EXPECT_THAT(steps.back().detail, HasSubstr("Barbican"));
}

TEST_F(BarbicanCheckTest, UserWithoutRolesFailsToRead) {
  cloud_.Always("GET", "/v1/secrets", BarbicanError(403, "Secret(s) retrieval attempt not allowed"));
  const std::vector<CheckStep> steps = Check();
  EXPECT_EQ(NamesOf(steps).back(), "read failed");
  EXPECT_THAT(steps.back().remedy, HasSubstr("creator and member"));
  EXPECT_EQ(steps.back().reason, Reason::kKeyAccessDenied);
}

TEST_F(BarbicanCheckTest, AgentsOwnCredentialsAreCheckedAndACallersTokenBesides) {
  cloud_.AllowToken("users-token");
  const std::vector<CheckStep> steps = CheckWith("users-token", cloud_.Config());
  EXPECT_THAT(NamesOf(steps),
              ElementsAre("resolve", "connect", "tls", "authenticate", "catalog", "read", "create", "caller"));
  std::vector<std::string> tokens;
  for (const FakeHttpRequest& request : cloud_.Requests()) {
    if (request.path.starts_with("/v1/")) tokens.push_back(request.Header("x-auth-token"));
  }
  EXPECT_THAT(tokens, ElementsAre("agent-1", "agent-1", "users-token"));
}

TEST_F(BarbicanCheckTest, CallersTokenThatIsRefusedFailsAtTheEnd) {
  const std::vector<CheckStep> steps = CheckWith("expired-token", cloud_.Config());
  EXPECT_THAT(NamesOf(steps),
              ElementsAre("resolve", "connect", "tls", "authenticate", "catalog", "read", "create", "caller failed"));
  EXPECT_EQ(steps.back().reason, Reason::kCallerTokenRejected);
  cloud_.DenyToken("denied-token");
  EXPECT_EQ(CheckWith("denied-token", cloud_.Config()).back().reason, Reason::kKeyAccessDenied);
}

TEST_F(BarbicanCheckTest, CallersTokenDoesNotHideWhatTheAgentMayNot) {
  cloud_.AllowToken("users-token");
  cloud_.Next("GET", "/v1/secrets", BarbicanError(403, "Secret(s) retrieval attempt not allowed"));
  EXPECT_THAT(NamesOf(CheckWith("users-token", cloud_.Config())),
              ElementsAre("resolve", "connect", "tls", "authenticate", "catalog", "read failed", "caller"));
}

TEST_F(BarbicanCheckTest, CallersTokenIsNotTriedWhereTheSectionDoesNotAcceptIt) {
  BarbicanConfig config = cloud_.Config();
  config.accept_caller_token = false;
  EXPECT_EQ(NamesOf(CheckWith("expired-token", config)).back(), "create");
}

TEST_F(BarbicanCheckTest, UserWhoMayOnlyReadFailsToCreate) {
  cloud_.Always("POST", "/orders/", BarbicanError(403, "Order creation attempt not allowed"));
  const std::vector<CheckStep> steps = Check();
  EXPECT_THAT(NamesOf(steps),
              ElementsAre("resolve", "connect", "tls", "authenticate", "catalog", "read", "create failed"));
  EXPECT_THAT(steps.back().remedy, HasSubstr("creator and member"));
}

}  // namespace
}  // namespace volcrypt
