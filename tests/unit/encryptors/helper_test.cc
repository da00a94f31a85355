#include "encryptors/helper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "agent/helper_client.h"
#include "child_process.h"
#include "connect_to.h"
#include "encryptors/frame.h"
#include "encryptors/reason.h"
#include "helper.pb.h"
#include "helper_process.h"
#include "samples.h"
#include "shared_semaphore.h"
#include "test_key.h"

namespace volcrypt {
namespace {

using testing::SizeIs;

constexpr uid_t kNobody = 65534;

absl::Time Later() { return absl::Now() + absl::Seconds(30); }

std::string NameOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

size_t CountDescriptors(pid_t pid, const std::string& kind) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code closed_meanwhile;
    if (std::filesystem::read_symlink(entry.path(), closed_meanwhile).string().starts_with(kind)) ++count;
  }
  return count;
}

// Volume ids tell the workers what to do: "held" stops until released, "crash" dies, all others answer at once.
class HelperLoop : public testing::Test {
 protected:
  HelperProcess::Prepare Workers() {
    return [this](FakeEncryptor& encryptor, const PeerHasGoneFunction& peer_has_gone) {
      encryptor.on_query = [this, peer_has_gone](const std::string& volume_id) -> absl::StatusOr<Mapping> {
        if (volume_id == "crash") raise(SIGKILL);
        if (volume_id == "abort") {
          signal(SIGABRT, SIG_DFL);
          abort();
        }
        if (volume_id == "held") {
          entered_.Post();
          released_.Wait();
          (peer_has_gone() ? saw_peer_gone_ : saw_peer_).Post();
        }
        return Mapping{.volume_id = volume_id};
      };
    };
  }

  // A client that waits for the answer of a held worker.
  std::jthread Hold(const std::string& path, absl::Status& status) {
    std::jthread client([&status, path] { status = HelperClient(path).Query("held", Later()).status(); });
    EXPECT_TRUE(entered_.Wait());
    return client;
  }

  // A client that gives up while its worker is held. It asks without HelperClient, which would need a deadline to do
  // so.
  void Abandon(const HelperProcess& helper) {
    const UniqueFd client = ConnectTo(helper.SocketPath());
    ASSERT_TRUE(client.IsValid());
    helper::Request request;
    request.set_timeout_ms(30'000);
    request.mutable_query()->set_volume_id("held");
    ASSERT_TRUE(WriteFrame(client.Get(), request.SerializeAsString(), Later()).ok());
    ASSERT_TRUE(WriteSecretFrame(client.Get(), SecretBytes(), Later()).ok());
    EXPECT_TRUE(entered_.Wait());
  }

  SharedSemaphore entered_;
  SharedSemaphore released_;
  SharedSemaphore saw_peer_;
  SharedSemaphore saw_peer_gone_;
};

TEST_F(HelperLoop, ServesOneOperationAfterAnother) {
  const HelperProcess helper(Workers());
  HelperClient client(helper.SocketPath());
  for (int i = 0; i < 50; ++i) {
    const std::string volume_id = "vol-" + std::to_string(i);
    const absl::StatusOr<Mapping> mapping = client.Query(volume_id, Later());
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    EXPECT_EQ(mapping->volume_id, volume_id);
  }
  EXPECT_TRUE(Eventually([&] { return helper.Workers().empty(); }));
}

TEST_F(HelperLoop, WorkersAreProcessesOfTheirOwnName) {
  const HelperProcess helper(Workers());
  absl::Status status;
  std::jthread client = Hold(helper.SocketPath(), status);
  ASSERT_THAT(helper.Workers(), SizeIs(1));
  EXPECT_EQ(NameOf(helper.Workers()[0]), "volcrypt-worker");
  released_.Post();
  client.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelperLoop, WorkerHoldsNeitherTheListenerNorOtherConnections) {
  const HelperProcess helper(Workers());
  absl::Status first;
  absl::Status second;
  const std::jthread client_1 = Hold(helper.SocketPath(), first);
  const std::jthread client_2 = Hold(helper.SocketPath(), second);
  // The helper has the listener and both connections, besides what it inherited.
  const size_t of_helper = CountDescriptors(helper.Pid(), "socket:");
  EXPECT_THAT(helper.Workers(), SizeIs(2));
  for (const pid_t worker : helper.Workers()) {
    EXPECT_EQ(CountDescriptors(worker, "socket:"), of_helper - 2);
    EXPECT_EQ(CountDescriptors(worker, "anon_inode:[signalfd]"), 0U);
  }
  released_.Post(2);
}

TEST_F(HelperLoop, CrashedWorkerIsItsOwnCallersProblemOnly) {
  const HelperProcess helper(Workers());
  absl::Status bystander;
  std::jthread client = Hold(helper.SocketPath(), bystander);
  HelperClient victim(helper.SocketPath());
  EXPECT_EQ(ReasonOf(victim.Query("crash", Later()).status()), Reason::kWorkerFailed);
  EXPECT_EQ(ReasonOf(victim.Query("abort", Later()).status()), Reason::kWorkerFailed);
  EXPECT_TRUE(victim.Query("fine", Later()).ok());
  released_.Post();
  client.join();
  EXPECT_TRUE(bystander.ok()) << bystander;
}

TEST_F(HelperLoop, OneTooManyIsToldSoAtOnce) {
  const HelperProcess helper(Workers(), {.max_waiting = 2});
  absl::Status first;
  absl::Status second;
  std::jthread client_1 = Hold(helper.SocketPath(), first);
  std::jthread client_2 = Hold(helper.SocketPath(), second);
  HelperClient third(helper.SocketPath());
  EXPECT_EQ(ReasonOf(third.Query("vol", Later()).status()), Reason::kTooManyOperations);
  const Key key = KeyWith(std::string(40'000, 'k'));
  EXPECT_EQ(ReasonOf(third.Attach(SampleAttachRequest(), &key, Later()).status()), Reason::kTooManyOperations);
  released_.Post(2);
  client_1.join();
  client_2.join();
  EXPECT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(third.Query("vol", Later()).ok());
}

TEST_F(HelperLoop, AbandonedWorkerDoesNotTakeUpASlot) {
  const HelperProcess helper(Workers(), {.max_waiting = 1});
  Abandon(helper);
  EXPECT_TRUE(HelperClient(helper.SocketPath()).Query("vol", Later()).ok());
  Abandon(helper);
  EXPECT_TRUE(HelperClient(helper.SocketPath()).Query("vol", Later()).ok());
  released_.Post(2);
  EXPECT_TRUE(Eventually([&] { return helper.Workers().empty(); }));
}

TEST_F(HelperLoop, AbandonedWorkersAreBoundedToo) {
  const HelperProcess helper(Workers(), {.max_waiting = 1, .max_abandoned = 1});
  Abandon(helper);
  HelperClient client(helper.SocketPath());
  EXPECT_EQ(ReasonOf(client.Query("vol", Later()).status()), Reason::kTooManyOperations);
  released_.Post();
  ASSERT_TRUE(Eventually([&] { return helper.Workers().empty(); }));
  EXPECT_TRUE(client.Query("vol", Later()).ok());
}

TEST_F(HelperLoop, WorkerSeesThatItsPeerHasGone) {
  const HelperProcess helper(Workers());
  Abandon(helper);
  released_.Post();
  EXPECT_TRUE(saw_peer_gone_.Wait());
}

TEST_F(HelperLoop, WorkerSeesThatItsPeerWaits) {
  const HelperProcess helper(Workers());
  absl::Status status;
  std::jthread client = Hold(helper.SocketPath(), status);
  released_.Post();
  EXPECT_TRUE(saw_peer_.Wait());
  client.join();
}

TEST_F(HelperLoop, SilentPeerDoesNotDelayOthers) {
  const HelperProcess helper(Workers());
  const UniqueFd silent = ConnectTo(helper.SocketPath());
  ASSERT_TRUE(silent.IsValid());
  EXPECT_TRUE(HelperClient(helper.SocketPath()).Query("vol", Later()).ok());
}

TEST_F(HelperLoop, SilentPeerIsGivenUp) {
  const HelperProcess helper(Workers(), {.timeouts = {.request = absl::Milliseconds(30)}});
  const UniqueFd silent = ConnectTo(helper.SocketPath());
  const absl::StatusOr<std::string> answer = ReadFrame(silent.Get(), Later());
  EXPECT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(absl::IsUnavailable(ReadFrame(silent.Get(), Later()).status()));
}

TEST_F(HelperLoop, KeysReachWorkersThoughTheirParentNeverHadOne) {
  const HelperProcess helper([](FakeEncryptor& encryptor, const PeerHasGoneFunction&) {
    encryptor.on_attach = [](const AttachRequest&, const Key* key) -> absl::StatusOr<AttachResult> {
      if (key == nullptr || TextOf(key->bytes) != "the key") return MakeError(Reason::kKeyRejected, "wrong");
      return SampleAttachResult();
    };
  });
  const Key key = KeyWith("the key");
  const absl::StatusOr<AttachResult> result =
      HelperClient(helper.SocketPath()).Attach(SampleAttachRequest(), &key, Later());
  EXPECT_TRUE(result.ok()) << result.status();
}

// As another user, over a socket that anyone may open: the credentials alone decide.
int QueryAs(uid_t uid, const std::string& path) {
  return RunInChild([&] {
    if (setresuid(uid, uid, uid) != 0) return 2;
    const absl::StatusOr<Mapping> mapping = HelperClient(path).Query("vol", Later());
    if (mapping.ok()) return 0;
    return HasReason(mapping.status(), Reason::kWorkerFailed) ? 1 : 3;
  });
}

void OpenToAnyone(const std::string& socket_path) {
  ASSERT_EQ(chmod(std::filesystem::path(socket_path).parent_path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(socket_path.c_str(), 0666), 0);
}

TEST_F(HelperLoop, PeerOfAnotherUserIsRefused) {
  const HelperProcess helper(Workers(), {.peer_uid = 4242});
  OpenToAnyone(helper.SocketPath());
  EXPECT_TRUE(ExitedWith(QueryAs(kNobody, helper.SocketPath()), 1));
  EXPECT_TRUE(ExitedWith(QueryAs(4242, helper.SocketPath()), 0));
  EXPECT_TRUE(ExitedWith(QueryAs(0, helper.SocketPath()), 0));
}

TEST_F(HelperLoop, WithoutAPeerUserOnlyRootIsServed) {
  const HelperProcess helper(Workers());
  OpenToAnyone(helper.SocketPath());
  EXPECT_TRUE(ExitedWith(QueryAs(kNobody, helper.SocketPath()), 1));
  EXPECT_TRUE(ExitedWith(QueryAs(0, helper.SocketPath()), 0));
}

TEST_F(HelperLoop, TerminationWaitsForTheRunningWorker) {
  HelperProcess helper(Workers());
  absl::Status status;
  std::jthread client = Hold(helper.SocketPath(), status);
  helper.Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return access(helper.SocketPath().c_str(), F_OK) != 0; }));
  EXPECT_EQ(ReasonOf(HelperClient(helper.SocketPath()).Query("vol", Later()).status()), Reason::kHelperUnavailable);
  helper.Signal(SIGTERM);
  helper.Signal(SIGINT);
  EXPECT_FALSE(helper.HasEnded());
  EXPECT_THAT(helper.Workers(), SizeIs(1));
  released_.Post();
  EXPECT_TRUE(ExitedWith(helper.WaitForEnd(), 0));
  client.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelperLoop, TerminationWaitsForAnAbandonedWorkerToo) {
  HelperProcess helper(Workers());
  Abandon(helper);
  helper.Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return access(helper.SocketPath().c_str(), F_OK) != 0; }));
  EXPECT_FALSE(helper.HasEnded());
  released_.Post();
  EXPECT_TRUE(ExitedWith(helper.WaitForEnd(), 0));
}

TEST_F(HelperLoop, TerminationOfAnIdleHelperIsImmediate) {
  HelperProcess helper(Workers());
  ASSERT_TRUE(HelperClient(helper.SocketPath()).Query("vol", Later()).ok());
  helper.Signal(SIGINT);
  EXPECT_TRUE(ExitedWith(helper.WaitForEnd(), 0));
}

TEST_F(HelperLoop, LeavesAtOnceForASuccessorAndTheWorkerAnswersByItself) {
  HelperProcess helper(Workers());
  absl::Status status = absl::UnknownError("no answer");
  std::jthread client = Hold(helper.SocketPath(), status);
  const std::vector<pid_t> workers = helper.Workers();
  ASSERT_THAT(workers, SizeIs(1));
  helper.Signal(SIGUSR1);
  EXPECT_TRUE(ExitedWith(helper.WaitForEnd(), 0));
  EXPECT_EQ(kill(workers[0], 0), 0);
  released_.Post();
  client.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelperLoop, LeavesThoughItWasToldToWaitBefore) {
  HelperProcess helper(Workers());
  Abandon(helper);
  helper.Signal(SIGTERM);
  ASSERT_TRUE(Eventually([&] { return access(helper.SocketPath().c_str(), F_OK) != 0; }));
  helper.Signal(SIGUSR1);
  EXPECT_TRUE(ExitedWith(helper.WaitForEnd(), 0));
  released_.Post();
}

TEST_F(HelperLoop, PoliteSignalsDoNotEndAWorker) {
  const HelperProcess helper(Workers());
  absl::Status status;
  std::jthread client = Hold(helper.SocketPath(), status);
  ASSERT_THAT(helper.Workers(), SizeIs(1));
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1}) {
    kill(helper.Workers()[0], number);
  }
  released_.Post();
  client.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelperLoop, WorkerOutlivesTheHelper) {
  HelperProcess helper(Workers());
  absl::Status status;
  std::jthread client = Hold(helper.SocketPath(), status);
  helper.Kill();
  released_.Post();
  client.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelperLoop, IgnoredChildSignalOfTheStarterDoesNotHideEndedWorkers) {
  signal(SIGCHLD, SIG_IGN);
  HelperProcess helper(Workers(), {.max_waiting = 1});
  signal(SIGCHLD, SIG_DFL);
  HelperClient client(helper.SocketPath());
  EXPECT_EQ(ReasonOf(client.Query("crash", Later()).status()), Reason::kWorkerFailed);
  EXPECT_TRUE(client.Query("vol", Later()).ok());
  helper.Signal(SIGTERM);
  EXPECT_TRUE(ExitedWith(helper.WaitForEnd(), 0));
}

TEST_F(HelperLoop, ManyClientsAtOnceAreAllServed) {
  const HelperProcess helper(Workers());
  std::atomic<int> served = 0;
  std::vector<std::jthread> clients;
  clients.reserve(32);
  for (int i = 0; i < 32; ++i) {
    clients.emplace_back([&, i] {
      const absl::StatusOr<Mapping> mapping = HelperClient(helper.SocketPath()).Query("v" + std::to_string(i), Later());
      if (mapping.ok() && mapping->volume_id == "v" + std::to_string(i)) ++served;
    });
  }
  for (std::jthread& client : clients) client.join();
  EXPECT_EQ(served, 32);
}

TEST_F(HelperLoop, HelperThatCannotForkSaysSo) {
  const HelperProcess helper(Workers(), {}, [] {
    // Root may always fork, so the helper is somebody else here.
    const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || setresuid(kNobody, kNobody, kNobody) != 0) _exit(1);
  });
  const absl::Status status = HelperClient(helper.SocketPath()).Query("vol", Later()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kTooManyOperations) << status;
}

class Spares : public HelperLoop {
 protected:
  static HelperOptions Options() { return {.spares = 2, .spare_delay = absl::Milliseconds(1)}; }

  // The spares, once there are as many as are wanted.
  static std::vector<pid_t> Ready(const HelperProcess& helper) {
    std::vector<pid_t> ready;
    EXPECT_TRUE(Eventually([&] {
      ready = helper.Workers();
      return ready.size() == 2 && std::ranges::all_of(ready, [](pid_t pid) { return NameOf(pid) == "volcrypt-spare"; });
    }));
    return ready;
  }
  static bool IsGone(pid_t pid) { return kill(pid, 0) != 0 || NameOf(pid).empty(); }
};

TEST_F(Spares, OneBecomesTheWorkerOfTheNextConnection) {
  const HelperProcess helper(Workers(), Options());
  const std::vector<pid_t> spares = Ready(helper);
  absl::Status status;
  const std::jthread client = Hold(helper.SocketPath(), status);
  EXPECT_THAT(helper.Workers(), testing::UnorderedElementsAreArray(spares));
  EXPECT_EQ(std::ranges::count_if(spares, [](pid_t pid) { return NameOf(pid) == "volcrypt-worker"; }), 1);
  released_.Post();
}

TEST_F(Spares, AreReplacedWhenNothingRuns) {
  const HelperProcess helper(Workers(), Options());
  HelperClient client(helper.SocketPath());
  for (int i = 0; i < 2; ++i) {
    const std::vector<pid_t> spares = Ready(helper);
    EXPECT_TRUE(client.Query("vol", Later()).ok());
    EXPECT_TRUE(Eventually([&] {
      const std::vector<pid_t> now = helper.Workers();
      return now.size() == 2 &&
             std::ranges::any_of(now, [&](pid_t pid) { return std::ranges::count(spares, pid) == 0; });
    }));
  }
}

TEST_F(Spares, MoreCallersThanSparesAreAllServed) {
  const HelperProcess helper(Workers(), Options());
  Ready(helper);
  std::array<absl::Status, 5> statuses;
  std::vector<std::jthread> clients;
  for (absl::Status& status : statuses) clients.push_back(Hold(helper.SocketPath(), status));
  EXPECT_THAT(helper.Workers(), SizeIs(statuses.size()));
  for (size_t i = 0; i < statuses.size(); ++i) released_.Post();
  clients.clear();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
}

TEST_F(Spares, ThoseThatDiedCostNoCallerAnything) {
  const HelperProcess helper(Workers(), Options());
  for (const pid_t pid : Ready(helper)) kill(pid, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return helper.Workers().empty(); }));
  EXPECT_TRUE(HelperClient(helper.SocketPath()).Query("vol-1", Later()).ok());
}

TEST_F(Spares, AreNotMadeAgainAndAgainWhenTheyFail) {
  HelperOptions options = Options();
  SharedSemaphore started;
  options.prepare_worker = [&] {
    started.Post();
    throw std::runtime_error("no");
  };
  const HelperProcess helper(Workers(), std::move(options));
  EXPECT_TRUE(started.Wait());
  EXPECT_TRUE(started.Wait());
  EXPECT_TRUE(Eventually([&] { return helper.Workers().empty(); }));
  EXPECT_TRUE(HelperClient(helper.SocketPath()).Query("vol-1", Later()).ok());
  EXPECT_FALSE(started.WaitFor(100));
}

TEST_F(Spares, EndWithTheHelper) {
  HelperProcess stopped(Workers(), Options());
  std::vector<pid_t> spares = Ready(stopped);
  stopped.Signal(SIGTERM);
  EXPECT_EQ(stopped.WaitForEnd(), 0);
  HelperProcess killed(Workers(), Options());
  for (const pid_t pid : Ready(killed)) spares.push_back(pid);
  killed.Kill();
  for (const pid_t pid : spares) EXPECT_TRUE(Eventually([pid] { return IsGone(pid); }));
}

TEST_F(Spares, KeepNeitherTheListenerNorOtherConnections) {
  const HelperProcess helper(Workers(), Options());
  for (const pid_t pid : Ready(helper)) EXPECT_EQ(CountDescriptors(pid, "socket:"), 1U);
}

}  // namespace
}  // namespace volcrypt
