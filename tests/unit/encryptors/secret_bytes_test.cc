#include "encryptors/secret_bytes.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "child_process.h"
#include "encryptors/reason.h"
#include "test_key.h"

namespace volcrypt {
namespace {

bool AllZero(const uint8_t* data, size_t size) {
  return std::all_of(data, data + size, [](uint8_t byte) { return byte == 0; });
}

// The lines of /proc/self/smaps about the mapping that holds the address.
std::vector<std::string> SmapsOf(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = reinterpret_cast<uintptr_t>(address) >= begin && reinterpret_cast<uintptr_t>(address) < end;
    }
    if (inside) lines.push_back(line);
  }
  return lines;
}

std::string SmapsField(const void* address, const std::string& name) {
  for (const std::string& line : SmapsOf(address)) {
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1) + " ";
  }
  return "";
}

TEST(SecretBytes, BeginsAsZeros) {
  { const SecretBytes used = SecretOf("something that was here before"); }
  const absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(30);
  ASSERT_TRUE(secret.ok());
  EXPECT_EQ(secret->Size(), 30U);
  EXPECT_TRUE(AllZero(secret->Bytes().data(), secret->Size()));
}

TEST(SecretBytes, IsWipedWhenDestroyed) {
  const uint8_t* data = nullptr;
  {
    const SecretBytes secret =
        SecretOf("a passphrase of more than one sixty-four byte block, to see that all is wiped");
    data = secret.Bytes().data();
    ASSERT_EQ(data[0], 'a');
  }
  // The arena stays mapped, so what is left there can be read.
  EXPECT_TRUE(AllZero(data, 128));
}

TEST(SecretBytes, IsWipedByClear) {
  SecretBytes secret = SecretOf("a passphrase");
  const uint8_t* const data = secret.Bytes().data();
  secret.Clear();
  EXPECT_TRUE(secret.IsEmpty());
  EXPECT_TRUE(AllZero(data, 12));
}

TEST(SecretBytes, MovesLeaveNothingBehind) {
  SecretBytes source = SecretOf("moved");
  const uint8_t* const data = source.Bytes().data();
  const SecretBytes target = std::move(source);
  EXPECT_TRUE(source.IsEmpty());  // NOLINT(bugprone-use-after-move): that is the property
  EXPECT_EQ(target.Bytes().data(), data);
  EXPECT_EQ(TextOf(target), "moved");
}

TEST(SecretBytes, MoveAssignmentWipesWhatItReplaces) {
  SecretBytes target = SecretOf("replaced");
  const uint8_t* const replaced = target.Bytes().data();
  target = SecretOf("new");
  EXPECT_TRUE(AllZero(replaced, 8));
  EXPECT_EQ(TextOf(target), "new");
}

TEST(SecretBytes, NothingNeedsNoMemory) {
  const absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(0);
  ASSERT_TRUE(secret.ok());
  EXPECT_TRUE(secret->IsEmpty());
}

TEST(SecretBytes, IsLeftOutOfDumpsAndForks) {
  const SecretBytes secret = SecretOf("left out");
  const std::string flags = SmapsField(secret.Bytes().data(), "VmFlags");
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  EXPECT_NE(flags.find(" dc "), std::string::npos) << flags;
}

// Under sanitizers mlock() does nothing, so what it does is tested without them.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(SecretBytes, IsLockedInMemory) {
  const SecretBytes secret = SecretOf("locked");
  const std::string flags = SmapsField(secret.Bytes().data(), "VmFlags");
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
  EXPECT_GE(atol(SmapsField(secret.Bytes().data(), "Locked").c_str()), 1024);
}

TEST(SecretBytes, MemoryThatCannotBeLockedIsOutOfMemory) {
  const int status = RunInChild([] {
    const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    // Root may lock without limit.
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || setresuid(65534, 65534, 65534) != 0) return 1;
    return HasReason(SecretBytes::Allocate(1).status(), Reason::kOutOfMemory) ? 0 : 2;
  });
  EXPECT_TRUE(ExitedWith(status, 0)) << status;
}

#endif

TEST(SecretBytes, InheritedSecretFaultsInAChild) {
  const SecretBytes secret = SecretOf("not for children");
  const int status = RunInChild([&] {
    signal(SIGSEGV, SIG_DFL);
    return *static_cast<const volatile uint8_t*>(secret.Bytes().data());
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(SecretBytes, InheritedSecretFaultsEvenAfterTheChildMadeItsOwn) {
  const SecretBytes secret = SecretOf("not for children");
  const int status = RunInChild([&]() -> int {
    signal(SIGSEGV, SIG_DFL);
    const SecretBytes own = SecretOf("the child's");
    if (TextOf(own) != "the child's") return 1;
    return *static_cast<const volatile uint8_t*>(secret.Bytes().data());
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(SecretBytes, ChildHasAWholeArenaOfItsOwn) {
  const SecretBytes parents = SecretOf("the parent's");
  const int status = RunInChild([] {
    std::vector<SecretBytes> all;
    for (int i = 0; i < 21; ++i) {
      absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(SecretBytes::kMaxSize);
      if (!secret.ok()) return 1;
      all.push_back(*std::move(secret));
    }
    return 0;
  });
  EXPECT_TRUE(ExitedWith(status, 0)) << status;
}

TEST(SecretBytes, FullArenaIsOutOfMemoryUntilSomethingIsGivenBack) {
  std::vector<SecretBytes> all;
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(SecretBytes::kMaxSize);
  while (secret.ok() && all.size() < 1000) {
    all.push_back(*std::move(secret));
    secret = SecretBytes::Allocate(SecretBytes::kMaxSize);
  }
  EXPECT_GE(all.size(), 20U);
  EXPECT_TRUE(HasReason(secret.status(), Reason::kOutOfMemory)) << secret.status();
  all.pop_back();
  EXPECT_TRUE(SecretBytes::Allocate(SecretBytes::kMaxSize).ok());
}

TEST(SecretBytes, LargestSizeIsTakenAndOneMoreIsUnfit) {
  EXPECT_TRUE(SecretBytes::Allocate(SecretBytes::kMaxSize).ok());
  const absl::Status status = SecretBytes::Allocate(SecretBytes::kMaxSize + 1).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyUnfit)) << status;
}

TEST(SecretBytes, ThreadsDoNotShareBytes) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (uint8_t number = 1; number <= 8; ++number) {
    threads.emplace_back([number, &wrong] {
      for (size_t round = 0; round < 500; ++round) {
        absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(1 + (round * 37 % 1500));
        if (!secret.ok() || !AllZero(secret->Bytes().data(), secret->Size())) {
          ++wrong;
          continue;
        }
        std::fill(secret->Bytes().begin(), secret->Bytes().end(), number);
        const SecretBytes moved = *std::move(secret);
        if (!std::all_of(moved.Bytes().begin(), moved.Bytes().end(), [&](uint8_t b) { return b == number; })) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SecretBytes, HexIsLowerCaseAndKeepsLeadingZeros) {
  SecretBytes secret = SecretOf("....");
  const std::vector<uint8_t> bytes = {0x00, 0x0f, 0xa0, 0xff};
  std::copy(bytes.begin(), bytes.end(), secret.Bytes().begin());
  const absl::StatusOr<SecretBytes> hex = HexOf(secret);
  ASSERT_TRUE(hex.ok());
  EXPECT_EQ(TextOf(*hex), "000fa0ff");
}

TEST(SecretBytes, HexThatWouldBeTooLongIsUnfit) {
  const absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate((SecretBytes::kMaxSize / 2) + 1);
  ASSERT_TRUE(secret.ok());
  EXPECT_TRUE(HasReason(HexOf(*secret).status(), Reason::kKeyUnfit));
}

TEST(SecretBytes, HexOfNothingIsNothing) {
  const absl::StatusOr<SecretBytes> hex = HexOf(SecretBytes());
  ASSERT_TRUE(hex.ok());
  EXPECT_TRUE(hex->IsEmpty());
}

TEST(SecretBytes, SameSecretComparesEveryByteAndTheSize) {
  EXPECT_TRUE(SameSecret(SecretOf("abc"), SecretOf("abc")));
  EXPECT_TRUE(SameSecret(SecretBytes(), SecretBytes()));
  EXPECT_FALSE(SameSecret(SecretOf("abc"), SecretOf("abd")));
  EXPECT_FALSE(SameSecret(SecretOf("abc"), SecretOf("bbc")));
  EXPECT_FALSE(SameSecret(SecretOf("abc"), SecretOf("abcd")));
  EXPECT_FALSE(SameSecret(SecretOf("abc"), SecretBytes()));
}

}  // namespace
}  // namespace volcrypt
