#include "agent/helper_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "connect_to.h"
#include "encryptors/frame.h"
#include "encryptors/listening_socket.h"
#include "encryptors/reason.h"
#include "encryptors/wire.h"
#include "helper_process.h"
#include "samples.h"
#include "shared_semaphore.h"
#include "test_key.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

absl::Time Later() { return absl::Now() + absl::Seconds(30); }

// --- the real client and the real worker loop ---

absl::Status WrongFields() { return MakeError(Reason::kInvalidField, "the worker got other fields than were sent"); }

// Each hook answers with the sample if the request is the sample, field for field.
void AnswerSamples(FakeEncryptor& encryptor, const PeerHasGoneFunction&) {
  encryptor.on_attach = [](const AttachRequest& request, const Key* key) -> absl::StatusOr<AttachResult> {
    const bool right = Fields(request) == Fields(SampleAttachRequest()) && key != nullptr &&
                       TextOf(key->bytes) == "the key" && key->type == KeyType::kPassphrase && key->high_entropy;
    if (!right) return WrongFields();
    return SampleAttachResult();
  };
  encryptor.on_detach = [](const DetachRequest& request) -> absl::StatusOr<DetachResult> {
    if (Fields(request) != Fields(DetachRequest{.device = "/dev/vdb", .deferred = true})) return WrongFields();
    return DetachResult{.was_attached = true, .pending = true, .volume_id = "vol-1"};
  };
  encryptor.on_extend = [](const ExtendRequest& request, const Key* key) -> absl::StatusOr<ExtendResult> {
    const bool right = Fields(request) == Fields(ExtendRequest{.volume_id = "vol-1", .allowed_ciphers = {"a-b-c"}}) &&
                       key != nullptr && TextOf(key->bytes) == "the key" && key->type == KeyType::kSymmetric &&
                       !key->high_entropy;
    if (!right) return WrongFields();
    return ExtendResult{.mapping = SampleMapping(), .previous_size_bytes = 4096};
  };
  encryptor.on_inspect = [](const std::string& device) -> absl::StatusOr<Inspection> {
    if (device != "/dev/vdb") return WrongFields();
    return SampleInspection();
  };
  encryptor.on_query = [](const std::string& volume_id) -> absl::StatusOr<Mapping> {
    if (volume_id != "vol-1") return WrongFields();
    return SampleMapping();
  };
  encryptor.on_forget = [](const std::string& volume_id) {
    return volume_id == "vol-1" ? absl::OkStatus() : WrongFields();
  };
}

class HelperClientAndWorker : public testing::Test {
 protected:
  HelperProcess helper_{AnswerSamples};
  HelperClient client_{helper_.SocketPath()};
};

TEST_F(HelperClientAndWorker, AttachCarriesEveryFieldAndTheKey) {
  const Key key{.type = KeyType::kPassphrase, .bytes = SecretOf("the key"), .high_entropy = true};
  const absl::StatusOr<AttachResult> result = client_.Attach(SampleAttachRequest(), &key, Later());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Fields(*result), Fields(SampleAttachResult()));
  EXPECT_EQ(TextOf(key.bytes), "the key");  // still the caller's
}

TEST_F(HelperClientAndWorker, DetachCarriesEveryField) {
  const absl::StatusOr<DetachResult> result = client_.Detach({.device = "/dev/vdb", .deferred = true}, Later());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Fields(*result), Fields(DetachResult{.was_attached = true, .pending = true, .volume_id = "vol-1"}));
}

TEST_F(HelperClientAndWorker, ExtendCarriesEveryFieldAndTheKey) {
  const Key key = KeyWith("the key");
  const absl::StatusOr<ExtendResult> result =
      client_.Extend({.volume_id = "vol-1", .allowed_ciphers = {"a-b-c"}}, &key, Later());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Fields(*result), Fields(ExtendResult{.mapping = SampleMapping(), .previous_size_bytes = 4096}));
}

TEST_F(HelperClientAndWorker, InspectCarriesEveryField) {
  const absl::StatusOr<Inspection> result = client_.Inspect("/dev/vdb", Later());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Fields(*result), Fields(SampleInspection()));
}

TEST_F(HelperClientAndWorker, QueryCarriesEveryField) {
  const absl::StatusOr<Mapping> result = client_.Query("vol-1", Later());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Fields(*result), Fields(SampleMapping()));
}

TEST_F(HelperClientAndWorker, ForgetSucceeds) {
  const absl::Status status = client_.Forget("vol-1", Later());
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(HelperClientAndWorker, NoDeadlineIsAllowed) { EXPECT_TRUE(client_.Query("vol-1", absl::InfiniteFuture()).ok()); }

TEST_F(HelperClientAndWorker, EmptyKeyIsUnfit) {
  const Key key;
  EXPECT_EQ(ReasonOf(client_.Attach(SampleAttachRequest(), &key, Later()).status()), Reason::kKeyUnfit);
}

TEST_F(HelperClientAndWorker, RequestThatIsTooLongIsTheCallersFault) {
  const absl::Status status = client_.Inspect("/" + std::string(kMaxFrameBytes, 'd'), Later()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidField) << status;
}

TEST(HelperClient, EveryReasonOfAWorkerArrivesWhole) {
  const auto error_of = [](const std::string& volume_id) {
    return MakeError(static_cast<Reason>(std::stoi(volume_id)), "what was found", {{"volume_id", volume_id}});
  };
  const HelperProcess helper([&](FakeEncryptor& encryptor, const PeerHasGoneFunction&) {
    encryptor.on_query = error_of;
    encryptor.on_forget = error_of;
  });
  HelperClient client(helper.SocketPath());
  for (int i = 0; i < kReasonCount; ++i) {
    const std::string volume_id = std::to_string(i);
    EXPECT_EQ(client.Query(volume_id, Later()).status(), error_of(volume_id));
    EXPECT_EQ(client.Forget(volume_id, Later()), error_of(volume_id));
  }
}

TEST(HelperClient, LargestKeyArrivesWhole) {
  const std::string text(SecretBytes::kMaxSize, 'k');
  const HelperProcess helper([&](FakeEncryptor& encryptor, const PeerHasGoneFunction&) {
    encryptor.on_attach = [&](const AttachRequest&, const Key* key) -> absl::StatusOr<AttachResult> {
      if (key == nullptr || TextOf(key->bytes) != text) return WrongFields();
      return SampleAttachResult();
    };
  });
  const Key key = KeyWith(text);
  const absl::Status status = HelperClient(helper.SocketPath()).Attach(SampleAttachRequest(), &key, Later()).status();
  EXPECT_TRUE(status.ok()) << status;
}

TEST(HelperClient, WorkerThatTakesTooLongIsLeftToItself) {
  const SharedSemaphore finish;
  const SharedSemaphore finished;
  const HelperProcess helper([&](FakeEncryptor& encryptor, const PeerHasGoneFunction& peer_has_gone) {
    encryptor.on_query = [&, peer_has_gone](const std::string&) -> absl::StatusOr<Mapping> {
      finish.Wait();
      if (peer_has_gone()) finished.Post();
      return Mapping{};
    };
  });
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  LeftWorkers left;
  const absl::Status status = HelperClient(helper.SocketPath(), &left).Query("vol-1", deadline).status();
  EXPECT_EQ(ReasonOf(status), Reason::kDeviceTimedOut) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("may still finish"));
  EXPECT_GE(absl::Now(), deadline);
  EXPECT_EQ(left.Count(), 1U);
  finish.Post();
  EXPECT_TRUE(finished.Wait());
  EXPECT_TRUE(Eventually([&left] { return left.Count() == 0; }));
}

TEST(HelperClient, IsThreadSafe) {
  const HelperProcess helper([](FakeEncryptor& encryptor, const PeerHasGoneFunction&) {
    encryptor.on_query = [](const std::string& volume_id) { return Mapping{.volume_id = volume_id}; };
  });
  HelperClient client(helper.SocketPath());
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, volume_id = "vol-" + std::to_string(i)] {
        const absl::StatusOr<Mapping> mapping = client.Query(volume_id, Later());
        if (mapping.ok() && mapping->volume_id == volume_id) ++right;
      });
    }
  }
  EXPECT_EQ(right, 16);
}

// --- the real client and no helper ---

TEST(HelperClient, AbsentSocketIsHelperUnavailable) {
  const TempDirectory directory;
  const absl::Status status = HelperClient(directory.Path("none")).Query("vol-1", Later()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kHelperUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory.Path("none")));
  EXPECT_EQ(MetadataOf(status)["socket"], directory.Path("none"));
}

TEST(HelperClient, SocketThatNobodyListensAtIsHelperUnavailable) {
  const TempDirectory directory;
  ListeningSocket::Create(directory.Path("s"), 0)->CloseInChild();
  ASSERT_EQ(access(directory.Path("s").c_str(), F_OK), 0);
  EXPECT_EQ(ReasonOf(HelperClient(directory.Path("s")).Query("vol-1", Later()).status()), Reason::kHelperUnavailable);
}

TEST(HelperClient, SocketOfAnotherUserIsHelperUnavailableAndSaysWhatToDo) {
  const TempDirectory directory;
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  const int status = RunInChild([&] {
    if (setresuid(65534, 65534, 65534) != 0) return 2;
    const absl::Status error = HelperClient(directory.Path("s")).Query("vol-1", Later()).status();
    return HasReason(error, Reason::kHelperUnavailable) &&
                   std::string(error.message()).find("--peer-uid") != std::string::npos
               ? 0
               : 1;
  });
  EXPECT_TRUE(ExitedWith(status, 0)) << status;
}

TEST(HelperClient, PathThatIsTooLongForASocketIsHelperUnavailable) {
  const absl::Status status = HelperClient("/" + std::string(200, 's')).Query("vol-1", Later()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kHelperUnavailable);
}

TEST(HelperClient, HelperThatDoesNotAcceptIsUnavailableWithinTheDeadline) {
  const TempDirectory directory;
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  ASSERT_EQ(listen(listener->Fd(), 0), 0);  // room for one connection that nobody accepts
  const UniqueFd first = ConnectTo(directory.Path("s"));
  ASSERT_TRUE(first.IsValid());
  const absl::Status status = HelperClient(directory.Path("s")).Query("vol-1", absl::Now() + absl::Seconds(1)).status();
  EXPECT_EQ(ReasonOf(status), Reason::kHelperUnavailable) << status;
}

TEST(HelperClient, DeadlineThatHasPassedIsAnsweredWithoutConnecting) {
  const TempDirectory directory;
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const absl::Status status = HelperClient(directory.Path("s")).Forget("vol-1", absl::Now() - absl::Seconds(1));
  EXPECT_EQ(ReasonOf(status), Reason::kDeviceTimedOut);
  EXPECT_EQ(accept(listener->Fd(), nullptr, nullptr), -1);
}

// --- the real client and peers that are not what they should be ---

class OddPeer : public testing::Test {
 protected:
  // What Query answers when its one connection is treated so.
  absl::Status QueryMeeting(const std::function<void(int)>& peer, absl::Time deadline = Later()) {
    std::jthread server([this, peer] {
      pollfd poll_fd = {.fd = listener_->Fd(), .events = POLLIN, .revents = 0};
      poll(&poll_fd, 1, 30'000);
      const UniqueFd connection(accept(listener_->Fd(), nullptr, nullptr));
      peer(connection.Get());
    });
    return HelperClient(directory_.Path("s")).Query("vol-1", deadline).status();
  }

  static void ReadRequest(int socket) {
    EXPECT_TRUE(ReadFrame(socket, Later()).ok());
    EXPECT_TRUE(ReadSecretFrame(socket, Later()).ok());
  }

  static void Reply(int socket, const std::string& bytes) { EXPECT_TRUE(WriteFrame(socket, bytes, Later()).ok()); }

  TempDirectory directory_;
  absl::StatusOr<ListeningSocket> listener_ = ListeningSocket::Create(directory_.Path("s"), 0);
};

TEST_F(OddPeer, IsToldHowMuchTimeIsLeft) {
  uint32_t timeout_ms = 0;
  const auto peer = [&](int socket) {
    helper::Request request;
    EXPECT_TRUE(request.ParseFromString(ReadFrame(socket, Later()).value_or("")));
    timeout_ms = request.timeout_ms();
  };
  QueryMeeting(peer, absl::Now() + absl::Seconds(25)).IgnoreError();
  EXPECT_GT(timeout_ms, 0U);
  EXPECT_LE(timeout_ms, 25'000U);
  QueryMeeting(peer, absl::InfiniteFuture()).IgnoreError();
  EXPECT_EQ(timeout_ms, 86'400'000U);
}

TEST_F(OddPeer, ThatClosesAtOnceHasFailed) {
  EXPECT_EQ(ReasonOf(QueryMeeting([](int) {})), Reason::kWorkerFailed);
}

TEST_F(OddPeer, ThatClosesAfterTheRequestHasFailed) {
  EXPECT_EQ(ReasonOf(QueryMeeting(ReadRequest)), Reason::kWorkerFailed);
}

TEST_F(OddPeer, ThatClosesInTheMiddleOfTheAnswerHasFailed) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    send(socket, "\0\0\0\40half", 8, MSG_NOSIGNAL);
  });
  EXPECT_EQ(ReasonOf(status), Reason::kWorkerFailed) << status;
}

TEST_F(OddPeer, ThatAnswersWithGarbageHasFailed) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    Reply(socket, "\xFF\xFF\xFF garbage");
  });
  EXPECT_EQ(ReasonOf(status), Reason::kWorkerFailed) << status;
}

TEST_F(OddPeer, ThatAnswersTooMuchHasFailed) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    send(socket, "\xFF\xFF\xFF\xFF", 4, MSG_NOSIGNAL);
  });
  EXPECT_EQ(ReasonOf(status), Reason::kWorkerFailed) << status;
}

TEST_F(OddPeer, ThatAnswersAnotherQuestionHasFailed) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    helper::Reply reply;
    reply.set_forget(true);
    Reply(socket, reply.SerializeAsString());
  });
  EXPECT_EQ(ReasonOf(status), Reason::kWorkerFailed) << status;
}

TEST_F(OddPeer, ThatAnswersNothingInAFrameHasFailed) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    Reply(socket, "");
  });
  EXPECT_EQ(ReasonOf(status), Reason::kWorkerFailed) << status;
}

TEST_F(OddPeer, ThatAnswersANumberOutsideItsEnumerationHasFailed) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    helper::Reply reply;
    reply.mutable_query()->set_state(99);
    Reply(socket, reply.SerializeAsString());
  });
  EXPECT_EQ(ReasonOf(status), Reason::kWorkerFailed) << status;
}

TEST_F(OddPeer, ThatRefusesWithoutReadingIsHeard) {
  const absl::Status status = QueryMeeting([](int socket) {
    EXPECT_TRUE(WriteErrorReply(socket, MakeError(Reason::kTooManyOperations, "full"), Later()).ok());
  });
  EXPECT_EQ(ReasonOf(status), Reason::kTooManyOperations) << status;
}

TEST_F(OddPeer, ThatIsSilentIsLeftAtTheDeadline) {
  const absl::Status status = QueryMeeting(
      [](int socket) {
        ReadRequest(socket);
        EXPECT_TRUE(absl::IsUnavailable(ReadFrame(socket, Later()).status()));  // the client closes
      },
      absl::Now() + absl::Seconds(1));
  EXPECT_EQ(ReasonOf(status), Reason::kDeviceTimedOut) << status;
}

TEST_F(OddPeer, ThatDripFeedsItsAnswerIsLeftAtTheDeadline) {
  const absl::Status status = QueryMeeting(
      [](int socket) {
        ReadRequest(socket);
        send(socket, "\0\0\377\0", 4, MSG_NOSIGNAL);
        while (send(socket, "x", 1, MSG_NOSIGNAL) == 1) poll(nullptr, 0, 2);
      },
      absl::Now() + absl::Seconds(1));
  EXPECT_EQ(ReasonOf(status), Reason::kDeviceTimedOut) << status;
}

TEST_F(OddPeer, WhoseAnswerComesInSingleBytesIsHeard) {
  const absl::Status status = QueryMeeting([](int socket) {
    ReadRequest(socket);
    helper::Reply reply;
    *reply.mutable_query() = ToWire(SampleMapping());
    const std::string bytes = reply.SerializeAsString();
    const std::string frame = std::string("\0\0\0", 3) + static_cast<char>(bytes.size()) + bytes;
    for (const char byte : frame) send(socket, &byte, 1, MSG_NOSIGNAL);
  });
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace volcrypt
