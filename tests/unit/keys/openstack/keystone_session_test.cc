#include "agent/keys/openstack/keystone_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <new>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/fakes/fake_tls.h"
#include "tests/unit/eventually.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Not;

constexpr char kAuth[] = "/v3/auth/tokens";
constexpr char kPassword[] = "no\"va\\pw";

CallDeadline In(milliseconds time) { return CallDeadline::Of(absl::InfiniteFuture(), absl::FromChrono(time)); }
CallDeadline Later() { return In(seconds(30)); }

class KeystoneSessionTest : public testing::Test {
 protected:
  std::unique_ptr<KeystoneSession> Session(const BarbicanConfig& config, const std::string& secret = kPassword) {
    return std::make_unique<KeystoneSession>(http_, config, SecretOf(secret), [this] { return Now(); });
  }
  std::unique_ptr<KeystoneSession> Session() { return Session(cloud_.Config()); }

  CallDeadline::Clock::time_point Now() const {
    return CallDeadline::Clock::time_point(std::chrono::hours(1000)) + passed_.load();
  }
  void Pass(seconds time) { passed_ = passed_.load() + time; }
  size_t Authentications() const { return cloud_.Count("POST", kAuth); }

  std::atomic<seconds> passed_ = seconds(0);
  FakeCloud cloud_;
  HttpClient http_{""};
};

TEST_F(KeystoneSessionTest, TokenSaysWhoTheAgentIs) {
  const auto session = Session();
  const auto token = session->Token(Later());
  ASSERT_THAT(token, Succeeds());
  EXPECT_EQ(TextOfSecret((*token)->value), "agent-1");
  EXPECT_EQ((*token)->user_id, FakeCloud::kAgentId);
  EXPECT_EQ((*token)->project_name, "proj");
  EXPECT_THAT((*token)->roles, testing::ElementsAre("creator", "member"));
}

TEST_F(KeystoneSessionTest, TokenIsKeptUntilShortlyBeforeItExpires) {
  const auto session = Session();
  for (int i = 0; i < 3; ++i) ASSERT_THAT(session->Token(Later()), Succeeds());
  Pass(seconds(3600 - 61));
  ASSERT_THAT(session->Token(Later()), Succeeds());
  EXPECT_EQ(Authentications(), 1U);
  Pass(seconds(2));
  EXPECT_EQ(TextOfSecret((*session->Token(Later()))->value), "agent-2");
  EXPECT_EQ(Authentications(), 2U);
}

TEST_F(KeystoneSessionTest, ShortLivedTokenIsUsedForMostOfItsLife) {
  cloud_.token_lifetime = absl::Seconds(100);
  const auto session = Session();
  ASSERT_THAT(session->Token(Later()), Succeeds());
  Pass(seconds(89));
  ASSERT_THAT(session->Token(Later()), Succeeds());
  EXPECT_EQ(Authentications(), 1U);
  Pass(seconds(2));
  ASSERT_THAT(session->Token(Later()), Succeeds());
  EXPECT_EQ(Authentications(), 2U);
}

TEST_F(KeystoneSessionTest, KeystonesClockNeedNotBeOurs) {
  for (const absl::Time now : {absl::Now() - absl::Hours(24 * 365 * 30), absl::Now() + absl::Hours(24 * 365 * 30)}) {
    cloud_.keystone_now = now;
    const auto session = Session();
    const size_t before = Authentications();
    ASSERT_THAT(session->Token(Later()), Succeeds());
    Pass(seconds(3000));
    ASSERT_THAT(session->Token(Later()), Succeeds());
    EXPECT_EQ(Authentications(), before + 1);
    Pass(seconds(600));
    ASSERT_THAT(session->Token(Later()), Succeeds());
    EXPECT_EQ(Authentications(), before + 2);
  }
}

TEST_F(KeystoneSessionTest, FiftyCallersRenewOnce) {
  const auto session = Session();
  constexpr int kCallers = 50;
  std::latch all_called(kCallers);
  cloud_.Before([&](const FakeHttpRequest&) { all_called.wait(); });
  std::atomic<int> succeeded = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kCallers; ++i) {
    threads.emplace_back([&] {
      all_called.count_down();
      if (session->Token(Later()).ok()) ++succeeded;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(succeeded, kCallers);
  EXPECT_EQ(Authentications(), 1U);
}

TEST_F(KeystoneSessionTest, OneRefusalAnswersAllWhoWait) {
  const auto session = Session(cloud_.Config(), "wrong");
  constexpr int kCallers = 20;
  std::latch all_called(kCallers);
  // The refusal comes after everybody has asked, and nearly everybody waits.
  cloud_.Before([&](const FakeHttpRequest&) { all_called.wait(); });
  std::atomic<int> denied = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kCallers; ++i) {
    threads.emplace_back([&] {
      all_called.count_down();
      if (HasReason(session->Token(Later()).status(), Reason::kKeyAccessDenied)) ++denied;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(denied, kCallers);
  EXPECT_LT(Authentications(), size_t{kCallers});
}

// Else all who come later would wait for it.
TEST_F(KeystoneSessionTest, RenewalThatRunsOutOfMemoryEnds) {
  int looks = 0;
  KeystoneSession session(http_, cloud_.Config(), SecretOf(kPassword), [&] {
    // The first is at the token that is kept, the second within the renewal.
    if (++looks == 2) throw std::bad_alloc();
    return Now();
  });
  EXPECT_THAT(session.Token(Later()), FailsWith(Reason::kOutOfMemory));
  EXPECT_THAT(session.Token(In(seconds(5))), Succeeds());
}

TEST_F(KeystoneSessionTest, DiscardedTokenIsReplacedOnce) {
  const auto session = Session();
  const KeystoneSession::TokenPtr token = *session->Token(Later());
  session->Discard(token);
  ASSERT_THAT(session->Token(Later()), Succeeds());
  // Who learns of it late does not throw away the new one.
  session->Discard(token);
  EXPECT_EQ(TextOfSecret((*session->Token(Later()))->value), "agent-2");
  EXPECT_EQ(Authentications(), 2U);
}

TEST_F(KeystoneSessionTest, TokenStillGoodIsUsedWhenKeystoneIsAway) {
  const auto session = Session();
  ASSERT_THAT(session->Token(Later()), Succeeds());
  Pass(seconds(3600 - 30));
  cloud_.Always("POST", kAuth, {.status = 503, .body = "later"});
  EXPECT_EQ(TextOfSecret((*session->Token(Later()))->value), "agent-1");
  // And not tried again at every call.
  const size_t tried = Authentications();
  EXPECT_EQ(TextOfSecret((*session->Token(Later()))->value), "agent-1");
  EXPECT_EQ(Authentications(), tried);
  Pass(seconds(31));
  EXPECT_THAT(session->Token(Later()), FailsWith(Reason::kKeyManagerUnavailable));
}

TEST_F(KeystoneSessionTest, HungKeystoneIsLeftAtTheDeadline) {
  cloud_.Always("POST", kAuth, {.manner = Manner::kNever});
  const auto session = Session();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(session->Token(In(milliseconds(300))), FailsWith(Reason::kKeyManagerTimedOut));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
}

TEST_F(KeystoneSessionTest, WhoWaitsIsLeftAtItsOwnDeadline) {
  cloud_.Always("POST", kAuth, {.manner = Manner::kNever});
  const auto session = Session();
  std::thread patient([&] { EXPECT_FALSE(session->Token(Later()).ok()); });
  EXPECT_TRUE(Eventually([this] { return Authentications() > 0; }));
  EXPECT_THAT(session->Token(In(milliseconds(200))), FailsWith(Reason::kKeyManagerTimedOut));
  EXPECT_EQ(Authentications(), 1U);
  cloud_.Server().Stop();
  patient.join();
}

TEST_F(KeystoneSessionTest, WhoHasMoreTimeGoesOnWhereAnotherGaveUp) {
  cloud_.Next("POST", kAuth, {.manner = Manner::kNever});
  const auto session = Session();
  std::thread hurried([&] { EXPECT_THAT(session->Token(In(seconds(3))), FailsWith(Reason::kKeyManagerTimedOut)); });
  EXPECT_TRUE(Eventually([this] { return Authentications() > 0; }));
  EXPECT_THAT(session->Token(Later()), Succeeds());
  hurried.join();
  EXPECT_EQ(Authentications(), 2U);
}

TEST_F(KeystoneSessionTest, RefusedPasswordIsDeniedToTheAgentAndNamedNowhere) {
  const auto session = Session(cloud_.Config(), "wr0ng-pass");
  const absl::Status status = session->Token(Later()).status();
  EXPECT_THAT(status, AllOf(FailsWith(Reason::kKeyAccessDenied), HasMetadata("credential", "agent"), Says("nova"),
                            Not(Says("wr0ng-pass"))));
  EXPECT_EQ(Authentications(), 1U);
}

TEST_F(KeystoneSessionTest, RefusedCredentialsAreNotSentAgainAtOnce) {
  cloud_.Next("POST", kAuth, {.status = 401, .body = "{}"}, 2);
  const auto session = Session();
  for (size_t round = 1; round <= 2; ++round) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(session->Token(Later()),
                  AllOf(FailsWith(Reason::kKeyAccessDenied), HasMetadata("credential", "agent")));
      if (i < 2) Pass(seconds(2));
    }
    EXPECT_EQ(Authentications(), round);
    Pass(seconds(1));
  }
  EXPECT_THAT(session->Token(Later()), Succeeds());
}

TEST_F(KeystoneSessionTest, OutageIsNotKeptAsARefusal) {
  cloud_.Next("POST", kAuth, {.status = 400, .body = "{}"});
  const auto session = Session();
  EXPECT_THAT(session->Token(Later()), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_THAT(session->Token(Later()), Succeeds());
}

TEST_F(KeystoneSessionTest, NewTokenIsAskedForInSpiteOfARefusalAndEndsIt) {
  cloud_.Next("POST", kAuth, {.status = 401, .body = "{}"});
  const auto session = Session();
  EXPECT_THAT(session->Token(Later()), FailsWith(Reason::kKeyAccessDenied));
  EXPECT_THAT(session->NewToken(Later()), Succeeds());
  EXPECT_THAT(session->Token(Later()), Succeeds());
  EXPECT_EQ(Authentications(), 2U);
}

TEST_F(KeystoneSessionTest, KeystonesQuotationOfThePasswordIsNotRepeated) {
  cloud_.Next("POST", kAuth, {.status = 400, .body = R"({"error":{"message":"bad: no\"va\\pw"}})"});
  const auto session = Session();
  EXPECT_THAT(session->Token(Later()), AllOf(FailsWith(Reason::kKeyManagerUnavailable), Not(Says("pw\""))));
}

TEST_F(KeystoneSessionTest, ApplicationCredentialNeedsNoProject) {
  BarbicanConfig config = cloud_.Config();
  config.application_credential_id = "c0ffee00000000000000000000000000";
  config.project_name = "";
  EXPECT_THAT(Session(config)->Token(Later()), Succeeds());
  EXPECT_THAT(cloud_.Requests().at(0).body, Not(testing::HasSubstr("scope")));
}

TEST_F(KeystoneSessionTest, DeletedApplicationCredentialIsDenied) {
  BarbicanConfig config = cloud_.Config();
  config.application_credential_id = "c0ffee00000000000000000000000001";
  cloud_.Next("POST", kAuth, {.status = 404, .body = "{}"});
  EXPECT_THAT(Session(config)->Token(Later()),
              AllOf(FailsWith(Reason::kKeyAccessDenied), Says(config.application_credential_id)));
}

TEST_F(KeystoneSessionTest, PassingTroubleIsWaitedOut) {
  cloud_.Next("POST", kAuth, {.status = 503, .body = "later"});
  cloud_.Next("POST", kAuth, {.manner = Manner::kDropped});
  EXPECT_THAT(Session()->Token(Later()), Succeeds());
  EXPECT_EQ(Authentications(), 3U);
}

TEST_F(KeystoneSessionTest, LastingTroubleIsNotAskedForEver) {
  cloud_.Always("POST", kAuth, {.status = 503, .body = "later"});
  EXPECT_THAT(Session()->Token(Later()), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_EQ(Authentications(), 3U);
}

TEST_F(KeystoneSessionTest, AnswersThatAreNotKeystonesAreUnavailable) {
  const std::string times = R"("issued_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T01:00:00Z")";
  const std::vector<FakeHttpAnswer> answers = {
      {.status = 200, .body = "<html>"},
      {.status = 300, .body = "{}"},
      {.status = 404, .body = "no such page"},
      {.status = 201, .body = "{"},
      {.status = 201, .body = absl::StrCat("{\"token\":{", times, "}}")},
      {.status = 201, .body = absl::StrCat("{\"token\":{", times, "}}"), .headers = {{"X-Subject-Token", "a b"}}},
      {.status = 201, .body = "{\"token\":{}}", .headers = {{"X-Subject-Token", "t"}}},
      {.status = 201, .body = std::string(size_t{2} << 20, ' '), .headers = {{"X-Subject-Token", "t"}}},
      {.status = 201, .body = "{}", .headers = {{"X-Subject-Token", std::string(20000, 't')}}},
  };
  for (size_t i = 0; i < answers.size(); ++i) {
    cloud_.Next("POST", kAuth, answers[i]);
    EXPECT_THAT(Session()->Token(Later()), FailsWith(Reason::kKeyManagerUnavailable)) << i;
  }
  EXPECT_EQ(Authentications(), answers.size());
}

TEST_F(KeystoneSessionTest, EndpointIsOfTheWantedInterfaceAndRegion) {
  BarbicanConfig config = cloud_.Config();
  EXPECT_EQ(Session(config)->BarbicanUrl(Later()).value(), cloud_.Url() + "/v1");
  config.region = "RegionTwo";
  EXPECT_EQ(Session(config)->BarbicanUrl(Later()).value(), "http://127.0.0.1:2/v1");
  config.region = "";
  EXPECT_EQ(Session(config)->BarbicanUrl(Later()).value(), "http://127.0.0.1:2/v1");
  config.interface = "public";
  EXPECT_EQ(Session(config)->BarbicanUrl(Later()).value(), "http://127.0.0.1:1/v1");
}

TEST_F(KeystoneSessionTest, MissingEndpointIsTold) {
  BarbicanConfig config = cloud_.Config();
  config.region = "RegionThree";
  EXPECT_THAT(Session(config)->BarbicanUrl(Later()),
              AllOf(FailsWith(Reason::kKeyManagerUnavailable), HasMetadata("region", "RegionThree")));
  for (const char* catalog :
       {"[]", "{}", "[7]", R"([{"type":"key-manager"}])", R"([{"type":"key-manager","endpoints":[7]}])",
        R"([{"type":"key-manager","endpoints":[{"interface":"internal","region_id":"RegionOne",
                                  "url":"file:///etc/passwd"}]}])"}) {
    cloud_.catalog = catalog;
    EXPECT_THAT(Session()->BarbicanUrl(Later()), FailsWith(Reason::kKeyManagerUnavailable)) << catalog;
  }
}

TEST_F(KeystoneSessionTest, CatalogOfAKeystoneWithTlsCannotNameABarbicanWithout) {
  const TempDirectory directory;
  const FakeTls tls(directory.Path("server.pem"));
  FakeCloud cloud(tls.Transport());
  HttpClient http(directory.Path("server.pem"));
  BarbicanConfig config = cloud.Config();
  const auto session_of = [&] {
    return std::make_unique<KeystoneSession>(http, config, SecretOf(kPassword), [this] { return Now(); });
  };
  EXPECT_EQ(session_of()->BarbicanUrl(Later()).value(), cloud.Url() + "/v1");
  config.interface = "public";
  const auto session = session_of();
  // The second time Keystone is not asked.
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(session->BarbicanUrl(Later()),
                AllOf(FailsWith(Reason::kKeyManagerUnavailable), Says("http://127.0.0.1:1/v1"), Says("set endpoint")));
  }
  EXPECT_EQ(cloud.Count("POST", kAuth), 2U);
  config.endpoint = "http://127.0.0.1:1";
  EXPECT_EQ(session_of()->BarbicanUrl(Later()).value(), "http://127.0.0.1:1/v1");
}

TEST_F(KeystoneSessionTest, ConfiguredEndpointNeedsNoCatalog) {
  BarbicanConfig config = cloud_.Config();
  config.endpoint = "https://barbican:9311/";
  const auto session = Session(config);
  EXPECT_EQ(session->BarbicanUrl(Later()).value(), "https://barbican:9311/v1");
  EXPECT_EQ(Authentications(), 0U);
  ASSERT_THAT(session->Token(Later()), Succeeds());
  EXPECT_EQ(cloud_.Requests().at(0).path, "/v3/auth/tokens?nocatalog");
}

}  // namespace
}  // namespace volcrypt
