// What is left in memory after a key was used: nothing, and of the password that every request carries only what is
// kept to be sent. The server runs in a process of its own, so that this one knows the key from its answer alone.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "tests/unit/keys/kmip/kmip_fixture.h"

namespace volcrypt {
namespace {

constexpr size_t kSecretSize = 32;  // bytes of the key, and of the password
constexpr uint8_t kMask = 0xA7;
constexpr const char* kUsername = "svc";
// Address sanitizer's shadow has terabytes, and no keys.
constexpr uintptr_t kLargestRegion = uintptr_t{1} << 30;

// Secrets behind a mask, so that looking for one does not put it into memory.
using MaskedByte = uint8_t (*)(size_t index);
uint8_t KeyByte(size_t i) { return static_cast<uint8_t>((i * 37 + 11) ^ (i << 3)); }
uint8_t PasswordByte(size_t i) { return static_cast<uint8_t>(('a' + (i * 7 + 3) % 26) ^ kMask); }

__attribute__((no_sanitize("address"))) bool IsAt(const uint8_t* bytes, MaskedByte secret) {
  for (size_t i = 0; i < kSecretSize; ++i) {
    if (static_cast<uint8_t>(bytes[i] ^ kMask) != secret(i)) return false;
  }
  return true;
}

__attribute__((no_sanitize("address"))) int CountInRegion(uintptr_t begin, uintptr_t end, MaskedByte secret) {
  int count = 0;
  for (uintptr_t at = begin; at + kSecretSize <= end; ++at) {
    if (IsAt(reinterpret_cast<const uint8_t*>(at), secret)) ++count;  // NOLINT(performance-no-int-to-ptr)
  }
  return count;
}

// Copies in what this process can write: heap, stacks, data.
int CopiesInMemory(MaskedByte secret) {
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w' || end - begin > kLargestRegion) continue;
    count += CountInRegion(begin, end, secret);
  }
  return count;
}

SecretBytes Unmasked(MaskedByte secret) {
  absl::StatusOr<SecretBytes> bytes = SecretBytes::Allocate(kSecretSize);
  if (!bytes.ok()) return {};
  for (size_t i = 0; i < kSecretSize; ++i) bytes->Bytes()[i] = secret(i) ^ kMask;
  return *std::move(bytes);
}

// Serves the key until this process ends.
[[noreturn]] void ServeKey(const FakeKmipServer::Options& options, int address_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  FakeKmipServer server(options);
  FakeKmipObject object;
  for (size_t i = 0; i < kSecretSize; ++i) object.bytes.push_back(KeyByte(i) ^ kMask);
  server.Put("20", object);
  std::string password;
  for (size_t i = 0; i < kSecretSize; ++i) password.push_back(static_cast<char>(PasswordByte(i) ^ kMask));
  server.DemandPassword(kUsername, password);
  const std::string address = server.Address();
  if (write(address_fd, address.data(), address.size()) < 0) _exit(1);
  close(address_fd);
  for (;;) pause();
}

class KmipMemoryTest : public KmipTest {
 protected:
  void SetUp() override {
    std::array<int, 2> pipe_fds{};
    ASSERT_EQ(pipe(pipe_fds.data()), 0);
    const FakeKmipServer::Options options = ServerOptions();
    child_ = fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) ServeKey(options, pipe_fds[1]);
    close(pipe_fds[1]);
    std::array<char, 64> text{};
    const ssize_t size = read(pipe_fds[0], text.data(), text.size());
    ASSERT_GT(size, 0);
    address_.assign(text.data(), static_cast<size_t>(size));
    close(pipe_fds[0]);
  }
  void TearDown() override {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  std::unique_ptr<KmipKeyManager> OpenWithPassword() {
    KmipConfig config = ConfigFor({address_});
    config.username = kUsername;
    return Open(config, Unmasked(PasswordByte));
  }

  pid_t child_ = -1;
  std::string address_;
};

TEST_F(KmipMemoryTest, NothingOfAKeyIsLeftAfterItsUse) {
  const auto manager = OpenWithPassword();
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<Key> key = manager->Get("20", Soon());
    ASSERT_TRUE(key.ok()) << key.status();
    // The search can find: the key is there once, where it should be.
    EXPECT_EQ(CopiesInMemory(KeyByte), 1);
  }
  EXPECT_EQ(CopiesInMemory(KeyByte), 0);
}

TEST_F(KmipMemoryTest, NothingOfAKeyIsLeftAfterItsRegistration) {
  const auto manager = OpenWithPassword();
  {
    const Key key{.bytes = Unmasked(KeyByte)};
    EXPECT_TRUE(manager->Import(key, {.name = "copy"}, Soon()).ok());
    EXPECT_EQ(CopiesInMemory(KeyByte), 1);
  }
  EXPECT_EQ(CopiesInMemory(KeyByte), 0);
}

TEST_F(KmipMemoryTest, RequestsLeaveNoCopyOfThePassword) {
  auto manager = OpenWithPassword();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(manager->Get("20", Soon()).ok());
    // The search can find: the password is there once, where it is kept for the next request.
    EXPECT_EQ(CopiesInMemory(PasswordByte), 1);
  }
  manager.reset();
  EXPECT_EQ(CopiesInMemory(PasswordByte), 0);
}

}  // namespace
}  // namespace volcrypt
