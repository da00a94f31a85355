// What is left in memory of keys, tokens and passwords once a call is over: nothing but what is meant to be kept. The
// server runs in a process of its own, so that this one knows them from the wire alone.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/keys/openstack/barbican_key_manager.h"
#include "agent/keys/openstack/secret_buffer.h"
#include "agent/keys/wiping_allocator.h"
#include "tests/fakes/fake_http_server.h"
#include "tests/fakes/fake_tls.h"
#include "tests/unit/copies_in_memory.h"
#include "tests/unit/keys/openstack/status_matchers.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

// As main() does it, before OpenSSL is used.
const bool openssl_wipes = MakeOpenSslWipeFreedMemory();

constexpr char kKeyId[] = "5ec7e700-0000-4000-8000-000000000001";
constexpr char kOtherKeyId[] = "5ec7e700-0000-4000-8000-000000000002";
constexpr size_t kSecretBytes = 48;

enum class Which : uint8_t { kKey = 11, kOtherKey = 8, kToken = 23, kPassword = 16, kCallersToken = 5 };

// Letters that stand nowhere, in this program's text either.
char LetterOf(Which which, size_t i) {
  return static_cast<char>('a' + (i * (static_cast<size_t>(which) + i) + static_cast<size_t>(which)) % 26);
}

SecretBytes SecretWith(Which which) {
  SecretBytes secret = SecretBytes::Allocate(kSecretBytes).value();
  for (size_t i = 0; i < kSecretBytes; ++i) secret.Bytes()[i] = static_cast<uint8_t>(LetterOf(which, i));
  return secret;
}

std::string TextWith(Which which) {
  std::string text;
  for (size_t i = 0; i < kSecretBytes; ++i) text += LetterOf(which, i);
  return text;
}

// Copies apart from itself.
int CopiesOf(const SecretBytes& wanted) {
  const uint8_t* const bytes = wanted.Bytes().data();
  return CopiesInMemory(wanted.Size(), [bytes](uint8_t byte, size_t i) { return byte == bytes[i]; }) - 1;
}

FakeHttpAnswer Answer(const FakeHttpRequest& request) {
  if (request.path.starts_with("/v3/auth/tokens")) {
    return {.status = 201,
            .body = R"({"token":{"issued_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T01:00:00Z"}})",
            .headers = {{"X-Subject-Token", TextWith(Which::kToken)}}};
  }
  if (request.path.ends_with("/payload")) {
    return {.body = TextWith(absl::StrContains(request.path, kOtherKeyId) ? Which::kOtherKey : Which::kKey)};
  }
  if (request.method == "POST") return {.status = 201, .body = absl::StrCat(R"({"secret_ref":")", kKeyId, "\"}")};
  return {.body = R"({"secret_type":"symmetric","status":"ACTIVE","content_types":{"default":"x"}})"};
}

// Serves until this process ends.
[[noreturn]] void Serve(const FakeTransportFactory& transport, int port_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const FakeHttpServer server(Answer, transport);
  const int port = server.Port();
  if (write(port_fd, &port, sizeof(port)) != sizeof(port)) _exit(1);
  for (;;) pause();
}

class BarbicanMemoryTest : public testing::TestWithParam<bool> {
 protected:
  BarbicanMemoryTest() {
    std::array<int, 2> pipe_fds{};
    if (pipe(pipe_fds.data()) != 0) std::abort();
    const FakeTransportFactory transport = GetParam() ? tls_.Transport() : nullptr;
    child_ = fork();
    if (child_ == 0) Serve(transport, pipe_fds[1]);
    int port = 0;
    if (read(pipe_fds[0], &port, sizeof(port)) != sizeof(port)) std::abort();
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    url_ = absl::StrCat(GetParam() ? "https" : "http", "://127.0.0.1:", port);
  }
  ~BarbicanMemoryTest() override {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  std::unique_ptr<BarbicanKeyManager> KeyManager() const {
    const BarbicanConfig config = {.auth_url = url_ + "/v3",
                                   .username = "nova",
                                   .project_name = "proj",
                                   .endpoint = url_,
                                   .ca_file = directory_.Path("ca.pem")};
    return BarbicanKeyManager::Make(config, SecretWith(Which::kPassword)).value();
  }
  static absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

  const TempDirectory directory_;
  const FakeTls tls_{directory_.Path("ca.pem")};
  std::string url_;
  pid_t child_ = -1;
};

TEST_P(BarbicanMemoryTest, CopiesAreFound) {
  const SecretBytes key = SecretWith(Which::kKey);
  EXPECT_EQ(CopiesOf(key), 0);
  std::string copy(key.Text(), key.Size());
  const SecretBytes other = SecretWith(Which::kKey);
  EXPECT_EQ(CopiesOf(key), 2);
  explicit_bzero(copy.data(), copy.size());
}

TEST_P(BarbicanMemoryTest, NothingOfAFetchedKeyIsLeft) {
  ASSERT_TRUE(openssl_wipes);
  const auto keys = KeyManager();
  const SecretBytes expected = SecretWith(Which::kKey);
  ASSERT_THAT(keys->Get(kOtherKeyId, Soon()), Succeeds());
  ASSERT_EQ(CopiesOf(expected), 0);
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<Key> key = keys->Get(kKeyId, Soon());
    ASSERT_THAT(key, Succeeds());
    ASSERT_TRUE(SameSecret(key->bytes, expected));
    EXPECT_EQ(CopiesOf(expected), 1);
  }
  EXPECT_EQ(CopiesOf(expected), 0);
}

TEST_P(BarbicanMemoryTest, TokenAndPasswordAreHeldOnce) {
  auto keys = KeyManager();
  const SecretBytes token = SecretWith(Which::kToken);
  const SecretBytes password = SecretWith(Which::kPassword);
  ASSERT_THAT(keys->Get(kKeyId, Soon()), Succeeds());
  EXPECT_EQ(CopiesOf(token), 1);
  EXPECT_EQ(CopiesOf(password), 1);
  keys.reset();
  EXPECT_EQ(CopiesOf(token), 0);
  EXPECT_EQ(CopiesOf(password), 0);
}

TEST_P(BarbicanMemoryTest, NothingOfACallersTokenIsLeft) {
  const auto keys = KeyManager();
  const CallerTokens tokens = {.auth_token = SecretWith(Which::kCallersToken), .service_token = SecretBytes()};
  ASSERT_THAT(keys->Get(kKeyId, KeyCall(Soon(), &tokens)), Succeeds());
  EXPECT_EQ(CopiesOf(tokens.auth_token), 0);
}

TEST_P(BarbicanMemoryTest, NothingOfAStoredKeyIsLeft) {
  const auto keys = KeyManager();
  const Key key = {.bytes = SecretWith(Which::kKey)};
  ASSERT_THAT(keys->Import(key, {}, Soon()), Succeeds());
  SecretBuffer text(1000);
  const SecretBytes base64 = text.AppendBase64(key.bytes.Bytes()).Take().value();
  EXPECT_EQ(CopiesOf(base64), 0);
  EXPECT_EQ(CopiesOf(key.bytes), 0);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, BarbicanMemoryTest, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace volcrypt
