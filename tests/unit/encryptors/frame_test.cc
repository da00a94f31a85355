#include "encryptors/frame.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "test_key.h"

namespace volcrypt {
namespace {

absl::Time Soon() { return absl::Now() + absl::Milliseconds(50); }
absl::Time Later() { return absl::Now() + absl::Seconds(20); }

class Frame : public testing::Test {
 protected:
  Frame() {
    std::array<int, 2> fds = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    near_.Reset(fds[0]);
    far_.Reset(fds[1]);
  }

  void SendRaw(const std::string& bytes) {
    ASSERT_EQ(send(far_.Get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  UniqueFd near_;
  UniqueFd far_;
};

TEST_F(Frame, RoundTripKeepsEveryByte) {
  const std::string bytes("\0text\xFF\n", 7);
  ASSERT_TRUE(WriteFrame(far_.Get(), bytes, Later()).ok());
  const absl::StatusOr<std::string> got = ReadFrame(near_.Get(), Later());
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(*got, bytes);
}

TEST_F(Frame, LengthIsFourBytesBigEndian) {
  ASSERT_TRUE(WriteFrame(far_.Get(), std::string(258, 'x'), Later()).ok());
  std::array<char, 5> head = {};
  ASSERT_EQ(recv(near_.Get(), head.data(), head.size(), 0), 5);
  EXPECT_EQ(std::string(head.data(), head.size()), std::string("\0\0\1\2x", 5));
}

TEST_F(Frame, EmptyAndLargestFramesPass) {
  const std::string largest(kMaxFrameBytes, 'x');
  std::thread writer([&] {
    EXPECT_TRUE(WriteFrame(far_.Get(), "", Later()).ok());
    EXPECT_TRUE(WriteFrame(far_.Get(), largest, Later()).ok());
  });
  EXPECT_EQ(*ReadFrame(near_.Get(), Later()), "");
  EXPECT_EQ(*ReadFrame(near_.Get(), Later()), largest);
  writer.join();
}

TEST_F(Frame, TooLongIsNeitherWrittenNorRead) {
  EXPECT_TRUE(absl::IsInvalidArgument(WriteFrame(far_.Get(), std::string(kMaxFrameBytes + 1, 'x'), Later())));
  SendRaw(std::string("\0\1\0\1", 4));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadFrame(near_.Get(), Later()).status()));
}

TEST_F(Frame, LengthOfFourGigabytesAllocatesNothing) {
  SendRaw("\xFF\xFF\xFF\xFF");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadFrame(near_.Get(), Later()).status()));
}

TEST_F(Frame, PeerThatClosesBeforeAFrameIsUnavailable) {
  far_.Reset();
  EXPECT_TRUE(absl::IsUnavailable(ReadFrame(near_.Get(), Later()).status()));
}

TEST_F(Frame, EveryCutWithinAFrameIsInvalid) {
  const std::string whole("\0\0\0\3abc", 7);
  for (size_t kept = 1; kept < whole.size(); ++kept) {
    std::array<int, 2> fds = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
    const UniqueFd reader(fds[0]);
    far_.Reset(fds[1]);
    SendRaw(whole.substr(0, kept));
    far_.Reset();
    EXPECT_TRUE(absl::IsInvalidArgument(ReadFrame(reader.Get(), Later()).status())) << kept;
  }
}

TEST_F(Frame, SilentPeerIsWaitedForUntilTheDeadline) {
  const absl::Time deadline = Soon();
  EXPECT_TRUE(absl::IsDeadlineExceeded(ReadFrame(near_.Get(), deadline).status()));
  EXPECT_GE(absl::Now(), deadline);
}

TEST_F(Frame, DripFeedingDoesNotExtendTheDeadline) {
  std::atomic<bool> done = false;
  std::thread dripper([&] {
    SendRaw(std::string("\0\0\377\0", 4));
    while (!done) {
      SendRaw("x");
      poll(nullptr, 0, 2);
    }
  });
  EXPECT_TRUE(absl::IsDeadlineExceeded(ReadFrame(near_.Get(), Soon()).status()));
  done = true;
  dripper.join();
}

TEST_F(Frame, FrameThatComesInSingleBytesIsRead) {
  const std::string whole("\0\0\0\3abc", 7);
  std::thread dripper([&] {
    for (const char byte : whole) SendRaw(std::string(1, byte));
  });
  EXPECT_EQ(*ReadFrame(near_.Get(), Later()), "abc");
  dripper.join();
}

TEST_F(Frame, PeerThatDoesNotReadIsWaitedForUntilTheDeadline) {
  const std::string large(kMaxFrameBytes, 'x');
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = WriteFrame(far_.Get(), large, Soon());
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(Frame, WritingToAPeerThatHasGoneIsUnavailable) {
  near_.Reset();
  EXPECT_TRUE(absl::IsUnavailable(WriteFrame(far_.Get(), "text", Later())));
}

TEST_F(Frame, DeadlineThatHasPassedIsAnErrorEvenWhenDataIsThere) {
  SendRaw(std::string("\0\0\0\1a", 5));
  EXPECT_TRUE(absl::IsDeadlineExceeded(ReadFrame(near_.Get(), absl::InfinitePast()).status()));
}

TEST_F(Frame, NoDeadlineIsAllowed) {
  SendRaw(std::string("\0\0\0\1a", 5));
  EXPECT_EQ(*ReadFrame(near_.Get(), absl::InfiniteFuture()), "a");
}

TEST_F(Frame, SecretRoundTrip) {
  ASSERT_TRUE(WriteSecretFrame(far_.Get(), SecretOf("the key"), Later()).ok());
  ASSERT_TRUE(WriteSecretFrame(far_.Get(), SecretBytes(), Later()).ok());
  const absl::StatusOr<SecretBytes> secret = ReadSecretFrame(near_.Get(), Later());
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(TextOf(*secret), "the key");
  const absl::StatusOr<SecretBytes> nothing = ReadSecretFrame(near_.Get(), Later());
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_TRUE(nothing->IsEmpty());
}

TEST_F(Frame, SecretAboveTheLargestSizeIsInvalid) {
  SendRaw(std::string("\0\0\300\1", 4));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSecretFrame(near_.Get(), Later()).status()));
}

TEST_F(Frame, SecretThatIsCutIsInvalid) {
  SendRaw(std::string("\0\0\0\4abc", 7));
  far_.Reset();
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSecretFrame(near_.Get(), Later()).status()));
}

TEST_F(Frame, PeerHasGoneOnlyAfterItClosed) {
  EXPECT_FALSE(PeerHasGone(near_.Get()));
  SendRaw("unread");
  EXPECT_FALSE(PeerHasGone(near_.Get()));
  far_.Reset();
  EXPECT_TRUE(PeerHasGone(near_.Get()));
}

}  // namespace
}  // namespace volcrypt
