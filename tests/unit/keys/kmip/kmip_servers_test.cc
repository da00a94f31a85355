// Servers that fail, in every way, and what is made of it.
#include <atomic>
#include <thread>

#include "tests/unit/keys/kmip/closed_and_hung.h"
#include "tests/unit/keys/kmip/kmip_fixture.h"

namespace volcrypt {
namespace {

using ::testing::HasSubstr;

class KmipServersTest : public KmipTest {
 protected:
  KmipServersTest() {
    server_.Put("20", KeyObject());
    second_.Put("20", KeyObject());
  }

  std::unique_ptr<KmipKeyManager> ManagerWithin(absl::Duration timeout, const std::vector<std::string>& servers) {
    KmipConfig config = ConfigFor(servers);
    config.timeout = timeout;
    return Open(config);
  }

  FakeKmipServer server_{ServerOptions()};
  FakeKmipServer second_{ServerOptions()};
};

TEST_F(KmipServersTest, OpeningUsesNoNetwork) {
  HungServer hung;
  EXPECT_NE(Open(ConfigFor({hung.Address(), "host.invalid:1"})), nullptr);
  EXPECT_EQ(hung.CountConnections(), 0);
}

TEST_F(KmipServersTest, ARefusedConnectionIsUnavailableAndNamesTheServer) {
  const ClosedServer closed;
  const absl::Status status = Open(ConfigFor({closed.Address()}))->Get("20", Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyManagerUnavailable)) << status;
  EXPECT_EQ(MetadataOf(status)["servers"], closed.Address());
}

TEST_F(KmipServersTest, AHostThatDoesNotExistIsUnavailable) {
  EXPECT_EQ(Outcome(Open(ConfigFor({"host.invalid:5696"}))->Get("20", Soon())), "KEY_MANAGER_UNAVAILABLE");
}

TEST_F(KmipServersTest, TheNextServerIsAskedWhenOneRefusesConnections) {
  const ClosedServer closed;
  const auto manager = Open(ConfigFor({closed.Address(), server_.Address()}));
  EXPECT_TRUE(manager->Get("20", Soon()).ok());
  EXPECT_TRUE(manager->Create({}, Soon()).ok());
}

TEST_F(KmipServersTest, TheNextServerIsAskedWhenOneHangsAndTheHungOneIsLeftAloneAfterwards) {
  HungServer hung;
  const auto manager = ManagerWithin(absl::Seconds(4), {hung.Address(), server_.Address()});
  EXPECT_TRUE(manager->Get("20", Soon()).ok());
  EXPECT_EQ(hung.CountConnections(), 1);
  EXPECT_TRUE(manager->Get("20", Soon()).ok());
  EXPECT_TRUE(manager->Create({}, Soon()).ok());
  EXPECT_EQ(hung.CountConnections(), 0);
}

TEST_F(KmipServersTest, TheFirstServerIsPreferred) {
  const auto manager = Open(ConfigFor({server_.Address(), second_.Address()}));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(manager->Get("20", Soon()).ok());
  EXPECT_EQ(second_.ConnectionCount(), 0);
}

TEST_F(KmipServersTest, EveryFailedServerIsNamed) {
  const ClosedServer closed;
  HungServer hung;
  const absl::Status status =
      ManagerWithin(absl::Seconds(1), {closed.Address(), hung.Address()})->Get("20", Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyManagerTimedOut)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(closed.Address()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(hung.Address()));
}

TEST_F(KmipServersTest, AHungServerTimesOutWithinTheSectionsTime) {
  HungServer hung;
  const absl::Time begin = absl::Now();
  EXPECT_EQ(Outcome(ManagerWithin(absl::Milliseconds(500), {hung.Address()})->Get("20", Soon())),
            "KEY_MANAGER_TIMED_OUT");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(KmipServersTest, TheCallersDeadlineCountsWhenItIsSooner) {
  HungServer hung;
  const absl::Time begin = absl::Now();
  EXPECT_EQ(Outcome(Open(ConfigFor({hung.Address()}))->Get("20", begin + absl::Milliseconds(300))),
            "KEY_MANAGER_TIMED_OUT");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(KmipServersTest, AnswersThatAreNoneAreUnavailable) {
  for (const Fault fault : {Fault::kClose, Fault::kGarbage, Fault::kOversize, Fault::kCut, Fault::kOtherOperation,
                            Fault::kOtherItemId, Fault::kPending}) {
    for (const KmipOperation operation :
         {KmipOperation::kGet, KmipOperation::kGetAttributes, KmipOperation::kDiscoverVersions}) {
      FakeKmipServer server(ServerOptions());
      server.Put("20", KeyObject());
      server.Misbehave(operation, fault);
      const auto manager = Open(ConfigFor({server.Address()}));
      EXPECT_EQ(Outcome(manager->Get("20", Soon())), "KEY_MANAGER_UNAVAILABLE") << static_cast<int>(fault);
      server.Misbehave(operation, Fault::kNone);
      EXPECT_EQ(Outcome(manager->Get("20", Soon())), "OK") << static_cast<int>(fault);
    }
  }
}

TEST_F(KmipServersTest, SlowAnswersTimeOut) {
  for (const Fault fault : {Fault::kHang, Fault::kDribble}) {
    server_.Misbehave(KmipOperation::kGet, fault);
    EXPECT_EQ(Outcome(ManagerWithin(absl::Seconds(1), {server_.Address()})->Get("20", Soon())),
              "KEY_MANAGER_TIMED_OUT");
  }
}

TEST_F(KmipServersTest, TheNextServerIsAskedWhenOneAnswersBadly) {
  const auto manager = Open(ConfigFor({server_.Address(), second_.Address()}));
  server_.Misbehave(KmipOperation::kGet, Fault::kGarbage);
  EXPECT_TRUE(manager->Get("20", Soon()).ok());
  server_.Misbehave(KmipOperation::kGet, Fault::kNone);
  server_.Refuse(KmipOperation::kGet, KmipResultReason::kGeneralFailure);
  EXPECT_TRUE(Open(ConfigFor({server_.Address(), second_.Address()}))->Get("20", Soon()).ok());
}

TEST_F(KmipServersTest, ARefusalIsFinal) {
  server_.Refuse(KmipOperation::kGet, KmipResultReason::kPermissionDenied);
  EXPECT_EQ(Outcome(Open(ConfigFor({server_.Address(), second_.Address()}))->Get("20", Soon())), "KEY_ACCESS_DENIED");
  EXPECT_EQ(second_.ConnectionCount(), 0);
}

TEST_F(KmipServersTest, ConnectionsAreKept) {
  const auto manager = Open(ConfigFor({server_.Address()}));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(manager->Get("20", Soon()).ok());
  EXPECT_EQ(server_.ConnectionCount(), 1);
  EXPECT_EQ(server_.RequestCount(KmipOperation::kDiscoverVersions), 1);
}

TEST_F(KmipServersTest, AClosedConnectionIsMadeAgain) {
  const auto manager = Open(ConfigFor({server_.Address()}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(manager->Get("20", Soon()).ok());
    server_.CloseConnections();
  }
  EXPECT_EQ(server_.ConnectionCount(), 3);
}

TEST_F(KmipServersTest, AKeptConnectionThatWentSilentIsReplaced) {
  const auto manager = ManagerWithin(absl::Seconds(4), {server_.Address()});
  ASSERT_TRUE(manager->Get("20", Soon()).ok());
  server_.Misbehave(KmipOperation::kGetAttributes, Fault::kHang);
  std::thread heal([this] {
    EXPECT_TRUE(server_.AwaitRequests(KmipOperation::kGetAttributes, 2));
    server_.Misbehave(KmipOperation::kGetAttributes, Fault::kNone);
  });
  EXPECT_EQ(Outcome(manager->Get("20", Soon())), "OK");
  heal.join();
  EXPECT_EQ(server_.ConnectionCount(), 2);
}

TEST_F(KmipServersTest, ARequestThatMayHaveBeenDoneIsNeverRepeated) {
  for (const Fault fault : {Fault::kClose, Fault::kGarbage, Fault::kCut}) {
    FakeKmipServer first(ServerOptions());
    const auto manager = Open(ConfigFor({first.Address(), second_.Address()}));
    first.Misbehave(KmipOperation::kCreate, fault);
    first.Misbehave(KmipOperation::kRegister, fault);
    const absl::Status created = manager->Create({}, Soon()).status();
    EXPECT_TRUE(HasReason(created, Reason::kKeyManagerUnavailable)) << created;
    EXPECT_THAT(std::string(created.message()), HasSubstr("whether it did Create is not known"));
    EXPECT_EQ(first.RequestCount(KmipOperation::kCreate), 1);
    EXPECT_EQ(second_.RequestCount(KmipOperation::kCreate), 0);
  }
  const auto manager = Open(ConfigFor({server_.Address(), second_.Address()}));
  server_.Misbehave(KmipOperation::kRegister, Fault::kClose);
  EXPECT_EQ(Outcome(manager->Import(KeyWith("0123456789abcdef"), {}, Soon())), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_EQ(server_.RequestCount(KmipOperation::kRegister), 1);
  EXPECT_EQ(second_.RequestCount(KmipOperation::kRegister), 0);
}

TEST_F(KmipServersTest, ALostAnswerOfACreationSaysHowToFindTheKey) {
  for (const Fault fault : {Fault::kClose, Fault::kGarbage, Fault::kCut, Fault::kHang}) {
    FakeKmipServer server(ServerOptions());
    server.Misbehave(KmipOperation::kCreate, fault);
    server.Misbehave(KmipOperation::kRegister, fault);
    const auto manager = ManagerWithin(absl::Seconds(fault == Fault::kHang ? 4 : 20), {server.Address()});
    const absl::Status created = manager->Create({.name = "volume-7"}, Soon()).status();
    EXPECT_EQ(MetadataOf(created)["key_may_exist"], "true") << created;
    EXPECT_EQ(MetadataOf(created)["name"], "volume-7");
    EXPECT_THAT(std::string(created.message()), HasSubstr("look for the key id name:volume-7"));
    const absl::Status registered = manager->Import(KeyWith("0123456789abcdef"), {}, Soon()).status();
    EXPECT_EQ(MetadataOf(registered)["key_may_exist"], "true") << registered;
    EXPECT_THAT(std::string(registered.message()), HasSubstr("it has no name"));
  }
}

TEST_F(KmipServersTest, WhatWasRefusedOrNeverSentMadeNoKey) {
  const ClosedServer closed;
  server_.Refuse(KmipOperation::kCreate, KmipResultReason::kPermissionDenied);
  for (const std::string& address : {closed.Address(), server_.Address()}) {
    const absl::Status created = Open(ConfigFor({address}))->Create({.name = "volume-7"}, Soon()).status();
    EXPECT_FALSE(created.ok());
    EXPECT_FALSE(MetadataOf(created).contains("key_may_exist")) << created;
  }
}

TEST_F(KmipServersTest, ARequestThatMayNotBeRepeatedGoesOverANewConnection) {
  const auto manager = Open(ConfigFor({server_.Address()}));
  ASSERT_TRUE(manager->Get("20", Soon()).ok());
  server_.CloseConnections();
  EXPECT_TRUE(manager->Create({}, Soon()).ok());
}

TEST_F(KmipServersTest, TheBestCommonVersionIsSpoken) {
  for (const KmipVersion& version : kKmipVersions) {
    FakeKmipServer server(ServerOptions());
    server.Speak({version});
    server.Put("20", KeyObject());
    EXPECT_TRUE(Open(ConfigFor({server.Address()}))->Get("20", Soon()).ok()) << version.minor;
  }
  server_.Speak({{2, 0}, {1, 2}, {1, 1}, {1, 0}});
  EXPECT_TRUE(Open(ConfigFor({server_.Address()}))->Get("20", Soon()).ok());
}

TEST_F(KmipServersTest, AServerThatCannotTellItsVersionsIsSpokenToInTheOneItAnswered) {
  server_.Speak({{1, 2}}, false);
  EXPECT_TRUE(Open(ConfigFor({server_.Address()}))->Get("20", Soon()).ok());
}

TEST_F(KmipServersTest, AServerWithoutACommonVersionIsUnavailable) {
  for (const KmipVersion& version : {KmipVersion{1, 0}, KmipVersion{2, 0}}) {
    server_.Speak({version});
    const absl::Status status = Open(ConfigFor({server_.Address()}))->Get("20", Soon()).status();
    EXPECT_TRUE(HasReason(status, Reason::kKeyManagerUnavailable)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("none of KMIP 1.1 to 1.4"));
  }
}

TEST_F(KmipServersTest, AServerThatChangedItsVersionIsAskedAgain) {
  const auto manager = Open(ConfigFor({server_.Address()}));
  ASSERT_TRUE(manager->Get("20", Soon()).ok());
  server_.Speak({{1, 2}});
  EXPECT_EQ(Outcome(manager->Get("20", Soon())), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_EQ(Outcome(manager->Get("20", Soon())), "OK");
}

TEST_F(KmipServersTest, ManyCallsAtOnceGetPastAHungServer) {
  HungServer hung;
  const auto manager = ManagerWithin(absl::Seconds(8), {hung.Address(), server_.Address()});
  std::atomic<int> succeeded = 0;
  std::vector<std::thread> calls;
  for (int i = 0; i < 50; ++i) {
    calls.emplace_back([&] {
      const absl::StatusOr<Key> key = manager->Get("20", Soon());
      if (key.ok() && key->bytes.Size() == 32) ++succeeded;
    });
  }
  for (std::thread& call : calls) call.join();
  EXPECT_EQ(succeeded, 50);
  EXPECT_LE(hung.CountConnections(), 8);
}

TEST_F(KmipServersTest, ManyCallsAtOnceAllEndInTimeWhenNothingAnswers) {
  HungServer hung;
  const auto manager = ManagerWithin(absl::Seconds(1), {hung.Address()});
  const absl::Time begin = absl::Now();
  std::atomic<int> timed_out = 0;
  std::vector<std::thread> calls;
  for (int i = 0; i < 30; ++i) {
    calls.emplace_back([&] {
      if (Outcome(manager->Get("20", Soon())) == "KEY_MANAGER_TIMED_OUT") ++timed_out;
    });
  }
  for (std::thread& call : calls) call.join();
  EXPECT_EQ(timed_out, 30);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
}

}  // namespace
}  // namespace volcrypt
