#include "agent/watchdog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "encryptors/unique_fd.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

// Receives what systemd would be told.
class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(socket_.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  ~WatchdogTest() override {
    for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }

  // One message that has arrived, or nothing.
  std::string Told() const {
    std::array<char, 256> text{};
    const ssize_t size = recv(socket_.Get(), text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? std::string() : std::string(text.data(), static_cast<size_t>(size));
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("notify");
  const UniqueFd socket_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

absl::Status Alive(absl::Duration) { return absl::OkStatus(); }

TEST_F(WatchdogTest, IsToldOnceAStep) {
  Watchdog watchdog(absl::Hours(1));
  EXPECT_EQ(watchdog.Step(), absl::Minutes(20));
  EXPECT_TRUE(watchdog.Feed(Alive).ok());
  EXPECT_EQ(Told(), "WATCHDOG=1");
  EXPECT_TRUE(watchdog.Feed(Alive).ok());
  EXPECT_EQ(Told(), "");
}

TEST_F(WatchdogTest, IsNotToldWhenTheCheckFailsAndTheNextCallChecksAgain) {
  Watchdog watchdog(absl::Hours(1));
  EXPECT_EQ(watchdog.Feed([](absl::Duration) { return absl::DeadlineExceededError("stuck"); }).message(), "stuck");
  EXPECT_EQ(Told(), "");
  EXPECT_TRUE(watchdog.Feed(Alive).ok());
  EXPECT_EQ(Told(), "WATCHDOG=1");
}

TEST_F(WatchdogTest, AfterACheckThatFailedThereIsTimeForOneMore) {
  Watchdog watchdog(absl::Hours(1));
  EXPECT_EQ(watchdog.Pause(), watchdog.Step());
  EXPECT_FALSE(watchdog.Feed([](absl::Duration) { return absl::DeadlineExceededError("stuck"); }).ok());
  EXPECT_EQ(watchdog.Pause(), watchdog.Step() / 4);
  EXPECT_TRUE(watchdog.Feed(Alive).ok());
  EXPECT_EQ(watchdog.Pause(), watchdog.Step());
}

TEST_F(WatchdogTest, CheckHasAThirdOfThePeriod) {
  Watchdog watchdog(absl::Hours(1));
  absl::Duration given;
  ASSERT_TRUE(watchdog
                  .Feed([&given](absl::Duration timeout) {
                    given = timeout;
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(given, absl::Minutes(20));
}

TEST_F(WatchdogTest, TakesThePeriodOfTheEnvironment) {
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(Watchdog().Step(), absl::Seconds(10));
}

TEST_F(WatchdogTest, OfAnotherProcessIsNotOurs) {
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(Watchdog().Step(), absl::InfiniteDuration());
}

TEST_F(WatchdogTest, ChecksNothingWithoutOne) {
  Watchdog watchdog;
  EXPECT_EQ(watchdog.Step(), absl::InfiniteDuration());
  EXPECT_TRUE(watchdog.Feed([](absl::Duration) { return absl::InternalError("called"); }).ok());
  EXPECT_EQ(Told(), "");
}

}  // namespace
}  // namespace volcrypt
