// What is left in memory after a key was used: nothing, and of the password that every request carries only what is
// kept to be sent. The server runs in a process of its own, so that this one knows the key from its answer alone.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <vector>

#include "tests/unit/copies_in_memory.h"
#include "tests/unit/keys/kmip/kmip_fixture.h"

namespace volcrypt {
namespace {

constexpr size_t kSecretSize = 32;  // bytes of the key, and of the password
constexpr uint8_t kMask = 0xA7;
constexpr const char* kUsername = "svc";

// Secrets behind a mask, so that looking for one does not put it into memory.
using MaskedByte = uint8_t (*)(size_t index);
uint8_t KeyByte(size_t i) { return static_cast<uint8_t>((i * 37 + 11) ^ (i << 3)); }
uint8_t PasswordByte(size_t i) { return static_cast<uint8_t>(('a' + (i * 7 + 3) % 26) ^ kMask); }

int CopiesOf(MaskedByte secret) {
  return CopiesInMemory(kSecretSize, [&](uint8_t byte, size_t i) { return (byte ^ kMask) == secret(i); });
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
  server.Put("21", {.bytes = std::vector<uint8_t>(kSecretSize, 0x42)});
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
    const std::string address(text.data(), static_cast<size_t>(size));
    // By number: a name would be looked up in a thread of its own, which may come and go during the search.
    address_ = "127.0.0.1" + address.substr(address.rfind(':'));
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
  ASSERT_TRUE(manager->Get("21", Soon()).ok());
  ASSERT_EQ(CopiesOf(KeyByte), 0);
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<Key> key = manager->Get("20", Soon());
    ASSERT_TRUE(key.ok()) << key.status();
    // The search can find: the key is there once, where it should be.
    EXPECT_EQ(CopiesOf(KeyByte), 1);
  }
  EXPECT_EQ(CopiesOf(KeyByte), 0);
}

TEST_F(KmipMemoryTest, NothingOfAKeyIsLeftAfterItsRegistration) {
  const auto manager = OpenWithPassword();
  {
    const Key key{.bytes = Unmasked(KeyByte)};
    EXPECT_TRUE(manager->Import(key, {.name = "copy"}, Soon()).ok());
    EXPECT_EQ(CopiesOf(KeyByte), 1);
  }
  EXPECT_EQ(CopiesOf(KeyByte), 0);
}

TEST_F(KmipMemoryTest, RequestsLeaveNoCopyOfThePassword) {
  auto manager = OpenWithPassword();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(manager->Get("20", Soon()).ok());
    // The search can find: the password is there once, where it is kept for the next request.
    EXPECT_EQ(CopiesOf(PasswordByte), 1);
  }
  manager.reset();
  EXPECT_EQ(CopiesOf(PasswordByte), 0);
}

}  // namespace
}  // namespace volcrypt
