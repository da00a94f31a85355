// Hosts that claim one volume's first use at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <semaphore>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/keys/openstack/first_use_text.h"
#include "tests/unit/eventually.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"

namespace volcrypt {
namespace {

using State = FirstUseRecord::State;
using Metadata = std::map<std::string, std::string>;

constexpr char kVolume[] = "0e6b1c9e-7f0a-4a3e-9c52-0f7d3f3c1a11";

std::string UuidOf(int number) { return absl::StrFormat("%08d-2222-4333-8444-555555555555", number); }
FirstUseRecord ClaimOf(int number, State state = State::kClaimed) {
  return {.volume_id = kVolume, .state = state, .host = absl::StrCat("h", number), .luks_uuid = UuidOf(number)};
}
std::string MainName() { return FirstUseName(kVolume).value(); }
std::string NameOf(int number) { return ClaimName(ClaimOf(number)).value(); }
std::string ValueOf(int number, State state = State::kClaimed) { return FirstUseValue(ClaimOf(number, state)).value(); }
Metadata OnlyMain(int number) { return {{MainName(), ValueOf(number)}}; }

bool AddsMain(const FakeHttpRequest& request) {
  return request.method == "POST" && absl::StrContains(request.body, absl::StrCat("\"", MainName(), "\""));
}
bool AddsClaim(const FakeHttpRequest& request) {
  return request.method == "POST" && absl::StrContains(request.body, "-claim-");
}

class BarbicanClaimTest : public testing::Test {
 protected:
  absl::StatusOr<FirstUseRecord> Claim(int number) { return keys_->ClaimFirstUse(key_, ClaimOf(number), Soon()); }
  // Whose record stands, as each was answered.
  std::vector<std::string> ClaimAtOnce(const std::vector<int>& numbers) {
    std::vector<std::string> hosts(numbers.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < numbers.size(); ++i) {
      threads.emplace_back([this, &hosts, &numbers, i] {
        const absl::StatusOr<FirstUseRecord> standing = Claim(numbers[i]);
        hosts[i] = standing.ok() ? standing->host : std::string(standing.status().message());
      });
    }
    for (std::thread& thread : threads) thread.join();
    return hosts;
  }
  void Put(const Metadata& metadata) { key_ = cloud_.Add({.metadata = metadata}); }
  Metadata Rows() const { return cloud_.Find(key_).metadata; }

  FakeCloud cloud_;
  std::unique_ptr<BarbicanKeyManager> keys_ = cloud_.KeyManager();
  std::string key_ = cloud_.Add();
};

TEST_F(BarbicanClaimTest, ClaimLeavesTheRecordAlone) {
  EXPECT_EQ(Claim(1)->host, "h1");
  EXPECT_EQ(Rows(), OnlyMain(1));
}

// The two POSTs of Barbican both find the name free before either writes.
TEST_F(BarbicanClaimTest, OfTwoWhoseWritesOverlapOneWins) {
  for (const std::vector<int>& order : {std::vector{1, 2}, std::vector{2, 1}}) {
    key_ = cloud_.Add();
    std::barrier both(2);
    std::atomic<int> claims = 0;
    cloud_.BetweenLookAndWrite([&](const FakeHttpRequest& request) {
      if (AddsClaim(request) && ++claims <= 2) both.arrive_and_wait();
    });
    const std::vector<std::string> hosts = ClaimAtOnce(order);
    EXPECT_EQ(hosts[0], hosts[1]);
    EXPECT_EQ(Rows(), OnlyMain(hosts[0] == "h1" ? 1 : 2));
  }
}

TEST_F(BarbicanClaimTest, WhoComesWhileTheWinnerWritesLoses) {
  std::atomic<bool> has_come = false;
  absl::StatusOr<FirstUseRecord> late;
  cloud_.BetweenLookAndWrite([&](const FakeHttpRequest& request) {
    if (AddsMain(request) && !has_come.exchange(true)) late = Claim(1);
  });
  EXPECT_EQ(Claim(2)->host, "h2");
  EXPECT_TRUE(has_come);
  EXPECT_EQ(late->host, "h2");
  EXPECT_EQ(Rows(), OnlyMain(2));
}

// Both have looked for claims before either added its own; the first by name comes last.
TEST_F(BarbicanClaimTest, WhoseClaimIsWrittenWhileTheWinnerWritesWithdrawsIt) {
  std::barrier both(2);
  std::atomic<bool> has_come = false;
  std::thread late;
  absl::StatusOr<FirstUseRecord> answer;
  std::binary_semaphore written(0);
  cloud_.BetweenLookAndWrite([&](const FakeHttpRequest& request) {
    if (AddsClaim(request) && absl::StrContains(request.body, "host=h2") && !has_come.exchange(true)) {
      late = std::thread([&] { answer = Claim(1); });
      both.arrive_and_wait();  // the other has listed nothing, and is about to write
    } else if (AddsClaim(request) && absl::StrContains(request.body, "host=h1")) {
      both.arrive_and_wait();
      written.acquire();
    } else if (AddsMain(request)) {
      written.release();
      EXPECT_TRUE(Eventually([&] { return Rows().contains(NameOf(1)); }));
    }
  });
  EXPECT_EQ(Claim(2)->host, "h2");
  late.join();
  EXPECT_EQ(answer->host, "h2");
  EXPECT_EQ(Rows(), OnlyMain(2));
}

TEST_F(BarbicanClaimTest, OfManyAtMostOneWins) {
  for (int round = 0; round < 5; ++round) {
    key_ = cloud_.Add();
    const std::vector<int> numbers = {5, 3, 8, 1, 7, 2, 6, 4};
    const std::vector<std::string> hosts = ClaimAtOnce(numbers);
    std::vector<int> winners;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (hosts[i] == absl::StrCat("h", numbers[i])) winners.push_back(numbers[i]);
    }
    ASSERT_LE(winners.size(), 1U);
    if (winners.size() == 1) {
      EXPECT_EQ(Rows(), OnlyMain(winners[0]));
    }
  }
}

TEST_F(BarbicanClaimTest, ClaimOfAHostThatWasCutShortForbidsOthers) {
  Put({{NameOf(2), ValueOf(2)}});
  EXPECT_EQ(Claim(1)->host, "h2");
  EXPECT_EQ(Rows(), (Metadata{{NameOf(2), ValueOf(2)}}));
  EXPECT_EQ(keys_->GetMetadata(key_, Soon())->first_uses.at(0).host, "h2");
}

TEST_F(BarbicanClaimTest, HostThatWasCutShortGoesOnWithItsClaim) {
  Put({{NameOf(2), ValueOf(2)}});
  FirstUseRecord again = ClaimOf(2);
  again.luks_uuid = UuidOf(9);
  const absl::StatusOr<FirstUseRecord> standing = keys_->ClaimFirstUse(key_, again, Soon());
  ASSERT_THAT(standing, Succeeds());
  EXPECT_EQ(standing->luks_uuid, UuidOf(2));
  EXPECT_EQ(Rows(), OnlyMain(2));
}

TEST_F(BarbicanClaimTest, ClaimsOfAHostsOwnEarlierAttemptsDoNotStopIt) {
  FirstUseRecord earlier = ClaimOf(2);
  earlier.luks_uuid = UuidOf(9);
  Put({{NameOf(2), ValueOf(2)}, {ClaimName(earlier).value(), FirstUseValue(earlier).value()}});
  EXPECT_EQ(Claim(2)->luks_uuid, UuidOf(2));
  EXPECT_EQ(Rows(), OnlyMain(2));
}

// The other may have won without having seen ours, so ours is no reason to go on.
TEST_F(BarbicanClaimTest, HostThatGoesOnBesideAnotherClaimWithdraws) {
  for (const int other : {1, 3}) {
    Put({{NameOf(2), ValueOf(2)}, {NameOf(other), ValueOf(other)}});
    EXPECT_EQ(Claim(2)->host, absl::StrCat("h", other));
    EXPECT_EQ(Rows(), (Metadata{{NameOf(other), ValueOf(other)}}));
  }
}

TEST_F(BarbicanClaimTest, HostWhoseRecordStandsGoesOnWithIt) {
  Put({{MainName(), ValueOf(2)}, {NameOf(2), ValueOf(2)}});
  EXPECT_EQ(Claim(2)->luks_uuid, UuidOf(2));
  EXPECT_EQ(keys_->GetMetadata(key_, Soon())->first_uses.size(), 1U);
  ASSERT_THAT(keys_->RecordFirstUse(key_, ClaimOf(2, State::kFormatted), Soon()), Succeeds());
  EXPECT_EQ(Rows(), (Metadata{{MainName(), ValueOf(2, State::kFormatted)}}));
}

TEST_F(BarbicanClaimTest, WriteWhoseAnswerWasLostKeepsTheClaim) {
  cloud_.BetweenLookAndWrite([&](const FakeHttpRequest& request) {
    if (AddsClaim(request)) cloud_.Next("POST", "/metadata/", {.manner = Manner::kDropped});
  });
  EXPECT_THAT(Claim(1), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_EQ(Rows(), (Metadata{{NameOf(1), ValueOf(1)}}));
  EXPECT_EQ(cloud_.Count("POST", "/metadata/"), 2U);
  EXPECT_EQ(Claim(2)->host, "h1");
  EXPECT_EQ(Claim(1)->host, "h1");
  EXPECT_EQ(Rows(), OnlyMain(1));
}

TEST_F(BarbicanClaimTest, ClaimThatCannotBeDeletedDoesNoHarm) {
  cloud_.Always("DELETE", "/metadata/", BarbicanError(400, "no"));
  std::vector<std::string> warnings;
  KeyCall call(Soon());
  call.warnings = &warnings;
  EXPECT_EQ(keys_->ClaimFirstUse(key_, ClaimOf(1), call)->host, "h1");
  EXPECT_EQ(warnings.size(), 1U);
  EXPECT_EQ(Claim(2)->host, "h1");
  EXPECT_EQ(Claim(1)->host, "h1");
}

TEST_F(BarbicanClaimTest, WhoseClaimIsDeletedWhileItWritesHasNotWon) {
  cloud_.BetweenLookAndWrite([&](const FakeHttpRequest& request) {
    if (!AddsMain(request)) return;
    ASSERT_THAT(keys_->DropFirstUse(key_, kVolume, Soon()), Succeeds());
  });
  EXPECT_THAT(Claim(1), FailsWith(Reason::kKeyManagerUnavailable));
}

TEST_F(BarbicanClaimTest, ClaimThatDisappearsIsMadeAgainAndNotForEver) {
  cloud_.Always("GET", "/metadata", {.body = R"({"metadata":{}})"});
  EXPECT_THAT(Claim(1), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_EQ(cloud_.Count("POST", "/metadata/"), 3U);
}

TEST_F(BarbicanClaimTest, DamagedClaimForbids) {
  Put({{NameOf(2), "edited by hand"}});
  EXPECT_EQ(Claim(1)->state, State::kFormatted);
  EXPECT_EQ(Claim(2)->state, State::kFormatted);
}

TEST_F(BarbicanClaimTest, ForgottenVolumeHasNoClaims) {
  Put({{NameOf(2), ValueOf(2)}, {NameOf(3), "edited by hand"}, {MainName(), ValueOf(2)}, {"owner", "somebody"}});
  EXPECT_THAT(keys_->DropFirstUse(key_, kVolume, Soon()), Succeeds());
  EXPECT_EQ(Rows(), (Metadata{{"owner", "somebody"}}));
}

TEST_F(BarbicanClaimTest, KeyThatIsBeingClaimedIsDeletedByForceAlone) {
  Put({{NameOf(2), ValueOf(2)}});
  EXPECT_THAT(keys_->Delete(key_, false, Soon()), FailsWith(Reason::kKeyInUse));
}

}  // namespace
}  // namespace volcrypt
