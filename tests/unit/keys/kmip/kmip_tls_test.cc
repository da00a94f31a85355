// Certificates and TLS that are wrong, on either side.
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "agent/keys/kmip/host_addresses.h"
#include "agent/keys/kmip/tcp_socket.h"
#include "agent/keys/kmip/tls_connection.h"
#include "tests/unit/keys/kmip/kmip_fixture.h"

namespace volcrypt {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class KmipTlsTest : public KmipTest {
 protected:
  // What a key's use says of a server with this certificate, and whether the check of the manager blames TLS.
  std::string ProblemWith(const TestCertificates::Subject& subject) {
    return ProblemWith({.files = certificates_.Issue(subject), .client_authority = certificates_.AuthorityFile()});
  }
  std::string ProblemWith(const FakeKmipServer::Options& options) {
    FakeKmipServer server(options);
    server.Put("20", KeyObject());
    const auto manager = Open(ConfigFor({server.Address()}));
    const absl::StatusOr<Key> key = manager->Get("20", Soon());
    if (key.ok()) return "none";
    EXPECT_TRUE(HasReason(key.status(), Reason::kKeyManagerUnavailable)) << key.status();
    const CheckStep last = manager->Check(Soon()).back();
    EXPECT_EQ(last.name, "tls");
    EXPECT_FALSE(last.passed);
    EXPECT_EQ(server.RequestCount(KmipOperation::kGet), 0);
    return std::string(key.status().message());
  }

  std::string OpenProblem(const KmipConfig& config) {
    const absl::Status status = KmipKeyManager::Open(config, {}).status();
    return status.ok() ? "none" : std::string(status.message());
  }
};

TEST_F(KmipTlsTest, TheCertificateMustBeForTheHost) {
  EXPECT_EQ(ProblemWith({.common_name = "server", .alternative_names = "DNS:localhost"}), "none");
  EXPECT_THAT(ProblemWith({.common_name = "server", .alternative_names = "DNS:other.example"}),
              HasSubstr("ostname mismatch"));
  // The common name counts for nothing beside alternative names.
  EXPECT_THAT(ProblemWith({.common_name = "localhost", .alternative_names = "DNS:other.example"}),
              HasSubstr("ostname mismatch"));
}

TEST_F(KmipTlsTest, AnAddressMustBeInTheCertificateAsOne) {
  FakeKmipServer with(ServerOptions());
  FakeKmipServer without(
      {.files = certificates_.Issue({.common_name = "127.0.0.1", .alternative_names = "DNS:127.0.0.1"}),
       .client_authority = certificates_.AuthorityFile()});
  const auto address = [](const FakeKmipServer& server) { return "127.0.0.1:" + std::to_string(server.Port()); };
  with.Put("20", KeyObject());
  EXPECT_TRUE(Open(ConfigFor({address(with)}))->Get("20", Soon()).ok());
  const absl::Status status = Open(ConfigFor({address(without)}))->Get("20", Soon()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("IP address mismatch"));
}

TEST_F(KmipTlsTest, AnExpiredCertificateIsRefused) {
  EXPECT_THAT(
      ProblemWith({.common_name = "server", .alternative_names = "DNS:localhost", .valid_for = -absl::Hours(1)}),
      HasSubstr("expired"));
}

TEST_F(KmipTlsTest, AClientsCertificateIsNoServers) {
  EXPECT_THAT(ProblemWith({.common_name = "server", .alternative_names = "DNS:localhost", .usage = "clientAuth"}),
              HasSubstr("purpose"));
}

TEST_F(KmipTlsTest, AnUnknownAuthorityIsRefused) {
  const TempDirectory other_directory;
  TestCertificates other(other_directory.Path());
  EXPECT_THAT(ProblemWith({.files = other.Issue({.common_name = "server", .alternative_names = "DNS:localhost"}),
                           .client_authority = certificates_.AuthorityFile()}),
              HasSubstr("check ca_file"));
}

TEST_F(KmipTlsTest, OldTlsIsRefused) {
  FakeKmipServer::Options options = ServerOptions();
  options.max_tls_version = TLS1_1_VERSION;
  EXPECT_THAT(ProblemWith(options), AnyOf(HasSubstr("TLS 1.2 or later"), HasSubstr("protocol")));
}

TEST_F(KmipTlsTest, Tls12IsSpoken) {
  FakeKmipServer::Options options = ServerOptions();
  options.max_tls_version = TLS1_2_VERSION;
  EXPECT_EQ(ProblemWith(options), "none");
}

TEST_F(KmipTlsTest, AServerMayWantNoCertificate) {
  FakeKmipServer::Options options = ServerOptions();
  options.client_authority.clear();
  EXPECT_EQ(ProblemWith(options), "none");
  FakeKmipServer server(options);
  server.Put("20", KeyObject());
  KmipConfig config = ConfigFor({server.Address()});
  config.client_certificate.clear();
  config.client_private_key.clear();
  EXPECT_TRUE(Open(config)->Get("20", Soon()).ok());
}

// TLS 1.2 says so in the handshake, TLS 1.3 after it.
TEST_F(KmipTlsTest, AServersRefusalOfOurCertificateIsToldAsThat) {
  const TempDirectory other_directory;
  TestCertificates other(other_directory.Path());
  const CertificateFiles unknown =
      other.Issue({.common_name = "compute", .alternative_names = "", .usage = "clientAuth"});
  const CertificateFiles wrong_use =
      certificates_.Issue({.common_name = "compute", .alternative_names = "", .usage = "emailProtection"});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    FakeKmipServer::Options options = ServerOptions();
    options.max_tls_version = version;
    FakeKmipServer server(options);
    for (const CertificateFiles& files : {CertificateFiles{}, unknown, wrong_use}) {
      KmipConfig config = ConfigFor({server.Address()});
      config.client_certificate = files.certificate;
      config.client_private_key = files.private_key;
      const auto manager = Open(config);
      const absl::Status status = manager->Get("20", Soon()).status();
      EXPECT_TRUE(HasReason(status, Reason::kKeyManagerUnavailable)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("client_certificate")) << version;
      EXPECT_FALSE(manager->Check(Soon()).back().passed);
    }
  }
}

TEST_F(KmipTlsTest, FilesThatCannotBeUsedAreNamed) {
  const KmipConfig good = ConfigFor({"localhost:1"});
  KmipConfig config = good;
  config.client_certificate = directory_.Path("missing.crt");
  EXPECT_THAT(OpenProblem(config), HasSubstr("missing.crt"));
  config = good;
  config.client_private_key = directory_.Path("missing.key");
  EXPECT_THAT(OpenProblem(config), HasSubstr("missing.key"));
  config = good;
  config.ca_file = directory_.Path("missing-ca.crt");
  EXPECT_THAT(OpenProblem(config), HasSubstr("missing-ca.crt"));
  config = good;
  config.client_private_key = certificates_.Issue({.common_name = "other", .alternative_names = ""}).private_key;
  EXPECT_THAT(OpenProblem(config), HasSubstr("it must be the key of client_certificate"));
  config = good;
  config.client_private_key = config.client_certificate;
  chmod(config.client_certificate.c_str(), S_IRUSR | S_IWUSR);
  EXPECT_THAT(OpenProblem(config), HasSubstr("PEM file without a passphrase"));
  EXPECT_EQ(OpenProblem(good), "none");
}

TEST_F(KmipTlsTest, AKeyThatOthersMayReadIsRefusedUnlessItIsACredentialOfOurs) {
  const KmipConfig config = ConfigFor({"localhost:1"});
  chmod(config.client_private_key.c_str(), S_IRUSR | S_IRGRP);
  EXPECT_THAT(OpenProblem(config), HasSubstr("chmod"));
  EXPECT_TRUE(KmipKeyManager::Open(config, {}, true).ok());
  chmod(config.client_private_key.c_str(), S_IRUSR | S_IROTH);
  EXPECT_THAT(OpenProblem(config), HasSubstr("chmod"));
  EXPECT_FALSE(KmipKeyManager::Open(config, {}, true).ok());
}

TEST_F(KmipTlsTest, ServersThatAreNotWrittenAsSuchAreRefused) {
  EXPECT_TRUE(HasReason(KmipKeyManager::Open(ConfigFor({}), {}).status(), Reason::kInvalidField));
  EXPECT_TRUE(HasReason(KmipKeyManager::Open(ConfigFor({"https://x"}), {}).status(), Reason::kInvalidField));
}

TEST_F(KmipTlsTest, WritingToAClosedConnectionRaisesNoSignal) {
  // Whatever the test program does with the signal, here it would end it.
  struct sigaction before = {};
  struct sigaction deadly = {};
  deadly.sa_handler = SIG_DFL;
  ASSERT_EQ(sigaction(SIGPIPE, &deadly, &before), 0);
  FakeKmipServer server(ServerOptions());
  const absl::StatusOr<TlsContext> context = TlsContext::Load({.certificate = client_.certificate,
                                                               .private_key = {.path = client_.private_key},
                                                               .ca_file = certificates_.AuthorityFile()});
  ASSERT_TRUE(context.ok()) << context.status();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  auto addresses = ResolveHost({.host = "127.0.0.1", .port = server.Port()}, deadline);
  auto socket = ConnectTcp(*addresses, deadline);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const int fd = socket->Get();
  auto connection = TlsConnection::Handshake(*context, *std::move(socket), "localhost", deadline);
  ASSERT_TRUE(connection.ok()) << connection.status();
  // Nothing may be written any more, without the server's doing: no race with it.
  ASSERT_EQ(shutdown(fd, SHUT_WR), 0);
  const std::vector<uint8_t> bytes(100);
  const absl::Status written = (*connection)->Write(bytes, deadline);
  EXPECT_TRUE(HasReason(written, Reason::kKeyManagerUnavailable)) << written;
  connection->reset();
  sigaction(SIGPIPE, &before, nullptr);
}

}  // namespace
}  // namespace volcrypt
