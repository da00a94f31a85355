#include "encryptors/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "encryptors/frame.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "encryptors/wire.h"
#include "helper.pb.h"
#include "samples.h"
#include "test_key.h"
#include "tests/fakes/fake_encryptor.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

absl::Time Later() { return absl::Now() + absl::Seconds(20); }

// The test is the peer: it writes both frames, lets the worker serve them, and reads the answer.
class Worker : public testing::Test {
 protected:
  Worker() {
    std::array<int, 2> fds = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    peer_.Reset(fds[0]);
    worker_.Reset(fds[1]);
  }

  void Send(const helper::Request& request, const SecretBytes& key = SecretBytes()) {
    ASSERT_TRUE(WriteFrame(peer_.Get(), request.SerializeAsString(), Later()).ok());
    ASSERT_TRUE(WriteSecretFrame(peer_.Get(), key, Later()).ok());
  }

  void SendRaw(const std::string& bytes) {
    ASSERT_EQ(send(peer_.Get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  void Serve() {
    ServeOperation(worker_.Get(), encryptor_, timeouts_);
    worker_.Reset();
  }

  helper::Reply Answer() {
    Serve();
    const absl::StatusOr<std::string> frame = ReadFrame(peer_.Get(), Later());
    EXPECT_TRUE(frame.ok()) << frame.status();
    helper::Reply reply;
    EXPECT_TRUE(frame.ok() && reply.ParseFromString(*frame));
    return reply;
  }

  absl::Status Error() {
    const helper::Reply reply = Answer();
    EXPECT_TRUE(reply.has_error());
    return FromWire(reply.error());
  }

  // An error that must come before the encryptor is asked.
  absl::Status Refusal() {
    const absl::Status error = Error();
    EXPECT_THAT(encryptor_.calls, IsEmpty());
    return error;
  }

  static helper::Request AttachWithKey() {
    helper::Request request;
    request.set_timeout_ms(60'000);
    request.mutable_key()->set_present(true);
    *request.mutable_attach() = ToWire(SampleAttachRequest());
    return request;
  }

  static helper::Request Query() {
    helper::Request request;
    request.set_timeout_ms(60'000);
    request.mutable_query()->set_volume_id("vol-1");
    return request;
  }

  FakeEncryptor encryptor_;
  WorkerTimeouts timeouts_;
  UniqueFd peer_;
  UniqueFd worker_;
};

TEST_F(Worker, AsksTheEncryptorWithRequestAndKey) {
  encryptor_.on_attach = [](const AttachRequest& request, const Key* key) -> absl::StatusOr<AttachResult> {
    EXPECT_EQ(Fields(request), Fields(SampleAttachRequest()));
    EXPECT_NE(key, nullptr);
    if (key == nullptr) return AttachResult{};
    EXPECT_EQ(TextOf(key->bytes), "the key");
    EXPECT_EQ(key->type, KeyType::kOpaque);
    EXPECT_TRUE(key->high_entropy);
    return SampleAttachResult();
  };
  helper::Request request = AttachWithKey();
  request.mutable_key()->set_type(static_cast<uint32_t>(KeyType::kOpaque));
  request.mutable_key()->set_high_entropy(true);
  Send(request, SecretOf("the key"));
  EXPECT_EQ(Fields(*FromWire(Answer().attach())), Fields(SampleAttachResult()));
}

TEST_F(Worker, AttachWithoutKeyReachesTheEncryptorWithoutOne) {
  encryptor_.on_attach = [](const AttachRequest&, const Key* key) {
    EXPECT_EQ(key, nullptr);
    return AttachResult{.outcome = AttachOutcome::kKeyNeeded};
  };
  helper::Request request = AttachWithKey();
  request.clear_key();
  Send(request);
  EXPECT_EQ(FromWire(Answer().attach())->outcome, AttachOutcome::kKeyNeeded);
}

TEST_F(Worker, EncryptorGetsTheDeadlineOfTheRequest) {
  class Recorder : public FakeEncryptor {
   public:
    absl::StatusOr<Mapping> Query(const std::string&, absl::Time given) override {
      deadline = given;
      return Mapping{};
    }
    absl::Time deadline;
  };
  Recorder recorder;
  Send(Query());
  const absl::Time before = absl::Now();
  ServeOperation(worker_.Get(), recorder);
  EXPECT_GE(recorder.deadline, before + absl::Minutes(1));
  EXPECT_LE(recorder.deadline, absl::Now() + absl::Minutes(1));
}

TEST_F(Worker, EncryptorsErrorIsTheAnswer) {
  encryptor_.on_query = [](const std::string&) { return MakeError(Reason::kNotAttached, "no", {{"a", "b"}}); };
  Send(Query());
  EXPECT_EQ(Error(), MakeError(Reason::kNotAttached, "no", {{"a", "b"}}));
}

TEST_F(Worker, KeyIsWipedAfterTheOperation) {
  const uint8_t* bytes = nullptr;
  encryptor_.on_attach = [&](const AttachRequest&, const Key* key) {
    bytes = key->bytes.Bytes().data();
    EXPECT_EQ(*bytes, 't');
    return AttachResult{};
  };
  Send(AttachWithKey(), SecretOf("the key"));
  Answer();
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(*bytes, 0);
}

TEST_F(Worker, FieldsAreCheckedBeforeTheEncryptorIsAsked) {
  helper::Request request = AttachWithKey();
  request.mutable_attach()->set_device("relative");
  Send(request, SecretOf("the key"));
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, EveryVerbChecksItsFields) {
  const std::array<std::function<void(helper::Request&)>, 6> verbs = {
      [](helper::Request& r) { r.mutable_attach()->set_device("/dev/vdb"); },
      [](helper::Request& r) { r.mutable_detach()->set_volume_id("../x"); },
      [](helper::Request& r) { r.mutable_extend()->set_volume_id("../x"); },
      [](helper::Request& r) { r.mutable_inspect()->set_device(""); },
      [](helper::Request& r) { r.mutable_query()->set_volume_id(""); },
      [](helper::Request& r) { r.mutable_forget()->set_volume_id("a b"); },
  };
  for (const auto& verb : verbs) {
    std::array<int, 2> fds = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    peer_.Reset(fds[0]);
    worker_.Reset(fds[1]);
    helper::Request request;
    request.set_timeout_ms(1000);
    verb(request);
    Send(request);
    EXPECT_EQ(Refusal().code(), absl::StatusCode::kInvalidArgument) << request.verb_case();
  }
}

TEST_F(Worker, NumberOutsideItsEnumerationIsRefused) {
  helper::Request request = AttachWithKey();
  request.mutable_attach()->mutable_encryption()->set_format(77);
  Send(request, SecretOf("the key"));
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, RequestWithoutVerbIsRefused) {
  helper::Request request;
  request.set_timeout_ms(1000);
  Send(request);
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, VerbOfALaterVersionIsRefused) {
  // Field 99, length-delimited, empty.
  ASSERT_TRUE(WriteFrame(peer_.Get(), std::string("\x9A\x06\x00", 3), Later()).ok());
  ASSERT_TRUE(WriteSecretFrame(peer_.Get(), SecretBytes(), Later()).ok());
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, KeyOfNoBytesIsUnfit) {
  Send(AttachWithKey());
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kKeyUnfit);
}

TEST_F(Worker, KeyBytesWithoutDescriptionAreRefused) {
  helper::Request request = AttachWithKey();
  request.clear_key();
  Send(request, SecretOf("the key"));
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, KeyOfUnknownTypeIsRefused) {
  helper::Request request = AttachWithKey();
  request.mutable_key()->set_type(3);
  Send(request, SecretOf("the key"));
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, VerbWithoutUseForAKeyRefusesOne) {
  helper::Request request = Query();
  request.mutable_key()->set_present(true);
  Send(request, SecretOf("the key"));
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, NoTimeLeftMeansThatNothingIsDone) {
  helper::Request request = Query();
  request.set_timeout_ms(0);
  Send(request);
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kDeviceTimedOut);
}

TEST_F(Worker, GarbledRequestIsRefused) {
  ASSERT_TRUE(WriteFrame(peer_.Get(), "\xFF\xFF\xFF garbage", Later()).ok());
  ASSERT_TRUE(WriteSecretFrame(peer_.Get(), SecretBytes(), Later()).ok());
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, RequestFrameThatIsTooLongIsRefusedUnread) {
  SendRaw("\xFF\xFF\xFF\xFF");
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, KeyFrameThatIsTooLongIsRefusedUnread) {
  ASSERT_TRUE(WriteFrame(peer_.Get(), AttachWithKey().SerializeAsString(), Later()).ok());
  SendRaw(std::string("\0\1\0\0", 4));
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, PeerThatStopsInTheMiddleOfTheRequestIsTold) {
  SendRaw(std::string("\0\0\1\0half", 8));
  ASSERT_EQ(shutdown(peer_.Get(), SHUT_WR), 0);
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, PeerThatStopsInTheMiddleOfTheKeyIsTold) {
  ASSERT_TRUE(WriteFrame(peer_.Get(), AttachWithKey().SerializeAsString(), Later()).ok());
  SendRaw(std::string("\0\0\0\40half", 8));
  ASSERT_EQ(shutdown(peer_.Get(), SHUT_WR), 0);
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kInvalidField);
}

TEST_F(Worker, SilentPeerIsGivenUp) {
  timeouts_.request = absl::Milliseconds(30);
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kWorkerFailed);
}

TEST_F(Worker, PeerThatForgetsTheKeyFrameIsGivenUp) {
  timeouts_.request = absl::Milliseconds(30);
  ASSERT_TRUE(WriteFrame(peer_.Get(), AttachWithKey().SerializeAsString(), Later()).ok());
  EXPECT_EQ(ReasonOf(Refusal()), Reason::kWorkerFailed);
}

TEST_F(Worker, DripFeedingPeerIsGivenUp) {
  timeouts_.request = absl::Milliseconds(50);
  std::atomic<bool> done = false;
  std::thread dripper([&] {
    SendRaw(std::string("\0\0\377\0", 4));
    while (!done) {
      send(peer_.Get(), "x", 1, MSG_NOSIGNAL);
      poll(nullptr, 0, 2);
    }
  });
  const absl::Status refusal = Refusal();
  done = true;
  dripper.join();
  EXPECT_EQ(ReasonOf(refusal), Reason::kWorkerFailed);
}

TEST_F(Worker, PeerThatVanishesBeforeTheRequestChangesNothing) {
  peer_.Reset();
  Serve();
  EXPECT_THAT(encryptor_.calls, IsEmpty());
}

TEST_F(Worker, PeerThatVanishesDuringTheOperationDoesNotHurtTheWorker) {
  encryptor_.on_query = [&](const std::string&) {
    peer_.Reset();
    return SampleMapping();
  };
  Send(Query());
  Serve();
  EXPECT_THAT(encryptor_.calls, ElementsAre("query vol-1"));
}

TEST_F(Worker, PeerThatDoesNotReadTheAnswerIsGivenUp) {
  timeouts_.reply = absl::Seconds(1);
  encryptor_.on_query = [](const std::string&) {
    Mapping mapping = SampleMapping();
    mapping.state_reason = std::string(60'000, 'x');
    return mapping;
  };
  const int small = 4096;
  ASSERT_EQ(setsockopt(worker_.Get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
  Send(Query());
  Serve();
  EXPECT_TRUE(absl::IsInvalidArgument(ReadFrame(peer_.Get(), Later()).status()));
}

TEST_F(Worker, AnswerThatIsTooLongForAFrameIsAnError) {
  encryptor_.on_query = [](const std::string&) {
    Mapping mapping = SampleMapping();
    mapping.state_reason = std::string(kMaxFrameBytes, 'x');
    return mapping;
  };
  Send(Query());
  EXPECT_EQ(ReasonOf(Error()), Reason::kWorkerFailed);
}

TEST_F(Worker, ExhaustedMemoryIsAnswered) {
  encryptor_.on_query = [](const std::string&) -> absl::StatusOr<Mapping> { throw std::bad_alloc(); };
  Send(Query());
  EXPECT_EQ(ReasonOf(Error()), Reason::kOutOfMemory);
}

TEST_F(Worker, UnexpectedExceptionIsAnswered) {
  encryptor_.on_query = [](const std::string&) -> absl::StatusOr<Mapping> { throw std::runtime_error("surprise"); };
  Send(Query());
  EXPECT_EQ(ReasonOf(Error()), Reason::kWorkerFailed);
}

TEST_F(Worker, ErrorWithoutReasonIsTheWorkersFault) {
  encryptor_.on_query = [](const std::string&) -> absl::StatusOr<Mapping> { return absl::UnknownError("odd"); };
  Send(Query());
  EXPECT_EQ(ReasonOf(Error()), Reason::kWorkerFailed);
}

}  // namespace
}  // namespace volcrypt
