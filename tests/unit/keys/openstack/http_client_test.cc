#include "agent/keys/openstack/http_client.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/fakes/fake_http_server.h"
#include "tests/fakes/fake_tls.h"
#include "tests/unit/eventually.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

// As long as this is set, no name is resolved.
std::atomic<bool> resolver_hangs = false;

// This thread gets no memory for anything larger.
thread_local size_t largest_allocation = SIZE_MAX;

}  // namespace
}  // namespace volcrypt

// Not inline: gcc would take malloc and delete, or new and free, for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const memory = size > volcrypt::largest_allocation ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// The sanitizer's own does not come from the one above, as the standard's does.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

// In front of the C library's, for libcurl too.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  using Resolve = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Resolve>(dlsym(RTLD_NEXT, "getaddrinfo"));
  volcrypt::resolver_hangs.wait(true);
  if (name != nullptr && std::string(name) == "unknown.test") return EAI_NONAME;
  return real(name, service, hints, found);
}

namespace volcrypt {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kShort(300);

CallDeadline In(milliseconds time) { return CallDeadline::Of(absl::InfiniteFuture(), absl::FromChrono(time)); }
CallDeadline Later() { return In(std::chrono::seconds(30)); }

FakeHttpServer::Handler Always(FakeHttpAnswer answer) {
  return [answer = std::move(answer)](const FakeHttpRequest&) { return answer; };
}

HttpFailure FailureFrom(FakeHttpAnswer answer, milliseconds time = std::chrono::seconds(30)) {
  FakeHttpServer server(Always(std::move(answer)));
  HttpClient client("");
  return client.Send({.url = server.Url()}, In(time)).failure;
}

TEST(HttpClientTest, AnswerHasStatusBodyAndPeer) {
  FakeHttpServer server(Always({.status = 404, .body = "gone"}));
  HttpClient client("");
  const HttpAnswer answer = client.Send({.url = server.Url() + "/a/b"}, Later());
  EXPECT_EQ(answer.failure, HttpFailure::kNone);
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "gone");
  EXPECT_EQ(answer.peer, absl::StrCat("127.0.0.1 port ", server.Port()));
  EXPECT_EQ(server.Requests().at(0).path, "/a/b");
}

TEST(HttpClientTest, RequestCarriesMethodHeadersAndBody) {
  FakeHttpServer server(Always({}));
  HttpClient client("");
  const SecretBytes token = SecretOf("t0ken");
  const std::string body = "{\"a\":1}";
  client.Send({.method = "PUT",
               .url = server.Url(),
               .accept = "application/octet-stream",
               .secret_headers = {{.name = "X-Auth-Token", .value = &token}},
               .content_type = "application/json",
               .body = {reinterpret_cast<const uint8_t*>(body.data()), body.size()}},
              Later());
  const FakeHttpRequest request = server.Requests().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.body, body);
  EXPECT_EQ(request.Header("x-auth-token"), "t0ken");
  EXPECT_EQ(request.Header("accept"), "application/octet-stream");
  EXPECT_EQ(request.Header("content-type"), "application/json");
  EXPECT_EQ(request.Header("expect"), "");
}

TEST(HttpClientTest, ConnectionIsKept) {
  FakeHttpServer server(Always({}));
  HttpClient client("");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Send({.url = server.Url()}, Later()).status, 200);
  EXPECT_EQ(server.Connections(), 1U);
}

TEST(HttpClientTest, KeptConnectionThatDiedIsReplaced) {
  FakeHttpServer server(Always({.manner = Manner::kThenDisconnect}));
  HttpClient client("");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Send({.url = server.Url()}, Later()).status, 200);
  EXPECT_EQ(server.Connections(), 3U);
}

TEST(HttpClientTest, AKeptConnectionThatWentSilentIsReplaced) {
  std::atomic<int> asked = 0;
  FakeHttpServer server([&](const FakeHttpRequest&) {
    return ++asked == 2 ? FakeHttpAnswer{.manner = Manner::kNever} : FakeHttpAnswer{};
  });
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, Later()).status, 200);
  EXPECT_EQ(client.Send({.url = server.Url()}, In(std::chrono::seconds(4))).status, 200);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(server.Connections(), 2U);
}

TEST(HttpClientTest, ANewConnectionHasAllTheTime) {
  FakeHttpServer server(Always({.manner = Manner::kNever}));
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, In(kShort)).failure, HttpFailure::kTimedOut);
  EXPECT_EQ(server.Requests().size(), 1U);
}

TEST(HttpClientTest, AKeptConnectionThatHasBegunToAnswerIsWaitedFor) {
  std::atomic<int> asked = 0;
  FakeHttpServer server([&](const FakeHttpRequest&) {
    return ++asked == 1 ? FakeHttpAnswer{}
                        : FakeHttpAnswer{.body = std::string(1000, 'x'), .manner = Manner::kDripping};
  });
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, Later()).status, 200);
  EXPECT_EQ(client.Send({.url = server.Url()}, In(std::chrono::seconds(2))).failure, HttpFailure::kTimedOut);
  EXPECT_EQ(asked, 2);
}

TEST(HttpClientTest, LackOfMemoryForTheAnswerIsAFailure) {
  constexpr size_t kSize = size_t{256} * 1024;
  FakeHttpServer server(Always({.body = std::string(kSize, 'x')}));
  HttpClient client("");
  const HttpRequest request = {.url = server.Url(), .max_answer_bytes = kSize};
  const CallDeadline deadline = Later();
  largest_allocation = kSize / 2;
  const HttpAnswer answer = client.Send(request, deadline);
  largest_allocation = SIZE_MAX;
  EXPECT_EQ(answer.failure, HttpFailure::kMemory);
  EXPECT_EQ(client.Send(request, Later()).status, 200);
}

TEST(HttpClientTest, WhatIsSentOnceUsesNoKeptConnection) {
  FakeHttpServer server(Always({}));
  HttpClient client("");
  for (int i = 0; i < 2; ++i) client.Send({.url = server.Url(), .is_sent_once = true}, Later());
  EXPECT_EQ(server.Connections(), 2U);
  EXPECT_EQ(server.Requests().size(), 2U);
}

TEST(HttpClientTest, SilentServerIsLeftAtTheDeadline) {
  const auto start = steady_clock::now();
  EXPECT_EQ(FailureFrom({.manner = Manner::kNever}, kShort), HttpFailure::kTimedOut);
  EXPECT_LT(steady_clock::now() - start, kShort * 10);
}

TEST(HttpClientTest, DrippingServerIsLeftAtTheDeadline) {
  EXPECT_EQ(FailureFrom({.body = std::string(1000, 'x'), .manner = Manner::kDripping}, kShort), HttpFailure::kTimedOut);
}

TEST(HttpClientTest, PassedDeadlineSendsNothing) {
  FakeHttpServer server(Always({}));
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, In(milliseconds(-1))).failure, HttpFailure::kTimedOut);
  EXPECT_EQ(server.Connections(), 0U);
}

TEST(HttpClientTest, HungServerDelaysNoOther) {
  FakeHttpServer hung(Always({.manner = Manner::kNever}));
  FakeHttpServer well(Always({}));
  HttpClient client("");
  std::thread waiting([&] { client.Send({.url = hung.Url()}, Later()); });
  EXPECT_TRUE(Eventually([&] { return !hung.Requests().empty(); }));
  EXPECT_EQ(client.Send({.url = well.Url()}, In(std::chrono::seconds(15))).status, 200);
  hung.Stop();
  waiting.join();
}

TEST(HttpClientTest, RefusedConnectionIsToldFromOtherFailures) {
  FakeHttpServer server(Always({}));
  server.Stop();
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, Later()).failure, HttpFailure::kConnect);
}

TEST(HttpClientTest, UnknownHostIsToldFromOtherFailures) {
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = "http://unknown.test/"}, Later()).failure, HttpFailure::kResolve);
}

TEST(HttpClientTest, HungResolverIsLeftAtTheDeadline) {
  HttpClient client("");
  resolver_hangs = true;
  const auto start = steady_clock::now();
  const HttpAnswer answer = client.Send({.url = "http://hung.test/"}, In(kShort));
  const auto took = steady_clock::now() - start;
  resolver_hangs = false;
  resolver_hangs.notify_all();
  EXPECT_EQ(answer.failure, HttpFailure::kTimedOut);
  EXPECT_LT(took, kShort * 10);
}

TEST(HttpClientTest, BrokenAnswersAreFailures) {
  EXPECT_EQ(FailureFrom({.manner = Manner::kDropped}), HttpFailure::kBroken);
  EXPECT_EQ(FailureFrom({.body = "abc", .manner = Manner::kCutShort}), HttpFailure::kBroken);
  EXPECT_EQ(FailureFrom({.body = "this is not HTTP\r\n\r\n", .manner = Manner::kRaw}), HttpFailure::kBroken);
  EXPECT_EQ(FailureFrom({.body = "HTTP/1.1 200 OK\r\nContent-Length: a lot\r\n\r\nabc", .manner = Manner::kRaw}),
            HttpFailure::kBroken);
}

TEST(HttpClientTest, EveryFramingOfABodyIsUnderstood) {
  for (const Manner manner : {Manner::kProperly, Manner::kChunked, Manner::kWithoutLength}) {
    FakeHttpServer server(Always({.body = std::string(100, 'b'), .manner = manner}));
    HttpClient client("");
    EXPECT_EQ(client.Send({.url = server.Url()}, Later()).body, std::string(100, 'b'));
  }
}

TEST(HttpClientTest, LargeBodiesAndHeadersAreRefused) {
  for (const Manner manner : {Manner::kProperly, Manner::kChunked, Manner::kWithoutLength}) {
    FakeHttpServer server(Always({.body = std::string(101, 'b'), .manner = manner}));
    HttpClient client("");
    EXPECT_EQ(client.Send({.url = server.Url(), .max_answer_bytes = 100}, Later()).failure, HttpFailure::kTooLarge);
    EXPECT_EQ(client.Send({.url = server.Url(), .max_answer_bytes = 100, .answer_is_secret = true}, Later()).failure,
              HttpFailure::kTooLarge);
  }
  FakeHttpAnswer many;
  for (int i = 0; i < 1000; ++i) many.headers[absl::StrCat("X-Header-", i)] = std::string(100, 'h');
  EXPECT_EQ(FailureFrom(many), HttpFailure::kTooLarge);
}

TEST(HttpClientTest, SecretsAreKeptFromTheBody) {
  FakeHttpServer server(Always({.body = "a key", .headers = {{"x-SUBJECT-token", " a token "}}}));
  HttpClient client("");
  const HttpAnswer answer =
      client.Send({.url = server.Url(), .answer_is_secret = true, .secret_answer_header = "X-Subject-Token"}, Later());
  EXPECT_EQ(TextOfSecret(answer.secret), "a key");
  EXPECT_EQ(TextOfSecret(answer.header), "a token");
  EXPECT_EQ(answer.body, "");
}

TEST(HttpClientTest, ErrorInPlaceOfASecretIsNotKept) {
  FakeHttpServer server(Always({.status = 404, .body = "gone"}));
  HttpClient client("");
  const HttpAnswer answer = client.Send({.url = server.Url(), .answer_is_secret = true}, Later());
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "");
  EXPECT_TRUE(answer.secret.IsEmpty());
}

TEST(HttpClientTest, RedirectIsNotFollowed) {
  FakeHttpServer other(Always({}));
  FakeHttpServer server(Always({.status = 302, .headers = {{"Location", other.Url()}}}));
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, Later()).status, 302);
  EXPECT_EQ(other.Connections(), 0U);
}

TEST(HttpClientTest, ProxyOfTheEnvironmentIsNotUsed) {
  FakeHttpServer proxy(Always({.status = 500}));
  FakeHttpServer server(Always({}));
  setenv("http_proxy", proxy.Url().c_str(), 1);
  setenv("all_proxy", proxy.Url().c_str(), 1);
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = server.Url()}, Later()).status, 200);
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  EXPECT_EQ(proxy.Connections(), 0U);
}

TEST(HttpClientTest, OtherProtocolsAreRefused) {
  HttpClient client("");
  EXPECT_EQ(client.Send({.url = "file:///etc/passwd"}, Later()).failure, HttpFailure::kBroken);
  EXPECT_EQ(client.Send({.url = "ftp://127.0.0.1/"}, Later()).failure, HttpFailure::kBroken);
}

TEST(HttpClientTest, ManyThreadsShareIt) {
  FakeHttpServer server([](const FakeHttpRequest& request) { return FakeHttpAnswer{.body = request.path}; });
  HttpClient client("");
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 20; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 5; ++i) {
        const std::string path = absl::StrCat("/", thread, "/", i);
        if (client.Send({.url = server.Url() + path}, Later()).body == path) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 100);
}

class HttpClientTlsTest : public testing::Test {
 protected:
  HttpAnswer Ask(const FakeTls::Options& options, const std::string& ca_file) {
    const FakeTls tls(directory_.Path("server.pem"), options);
    FakeHttpServer server(Always({}), tls.Transport());
    HttpClient client(ca_file);
    return client.Send({.url = server.Url("https")}, Later());
  }
  std::string ServersOwn() const { return directory_.Path("server.pem"); }

  const TempDirectory directory_;
};

TEST_F(HttpClientTlsTest, TrustedServerIsAsked) {
  const HttpAnswer answer = Ask({}, ServersOwn());
  EXPECT_EQ(answer.status, 200) << answer.failure_text;
  EXPECT_EQ(Ask({.max_version = TLS1_2_VERSION}, ServersOwn()).status, 200);
}

TEST_F(HttpClientTlsTest, ServerOfAnotherAuthorityIsNot) {
  const FakeTls other(directory_.Path("other.pem"));
  EXPECT_EQ(Ask({}, directory_.Path("other.pem")).failure, HttpFailure::kTls);
  EXPECT_EQ(Ask({}, "").failure, HttpFailure::kTls);
}

TEST_F(HttpClientTlsTest, ServerOfAnotherNameIsNot) {
  EXPECT_EQ(Ask({.name = "DNS:elsewhere.test"}, ServersOwn()).failure, HttpFailure::kTls);
}

TEST_F(HttpClientTlsTest, OldVersionsAreRefused) {
  EXPECT_EQ(Ask({.max_version = TLS1_1_VERSION}, ServersOwn()).failure, HttpFailure::kTls);
}

TEST_F(HttpClientTlsTest, MissingAuthorityFileIsAFailureOfTls) {
  EXPECT_EQ(Ask({}, directory_.Path("missing.pem")).failure, HttpFailure::kTls);
}

TEST_F(HttpClientTlsTest, ServerWithoutTlsIsAFailureOfTls) {
  FakeHttpServer server(Always({}));
  HttpClient client("");
  const HttpFailure failure = client.Send({.url = server.Url("https")}, Later()).failure;
  EXPECT_EQ(failure, HttpFailure::kTls);
}

}  // namespace
}  // namespace volcrypt
