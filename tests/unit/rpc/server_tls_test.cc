#include "agent/rpc/server_tls.h"

#include <google/protobuf/descriptor.h>
#include <grpc/support/log.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/fakes/test_certificates.h"
#include "tests/unit/rpc/raw_call.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The server on a Unix socket and on TCP. Of certificates, an admin's and a compute service's are known.
class ServerTlsTest : public RpcTest {
 protected:
  ServerTlsTest() {
    access_.Set(std::make_shared<const AccessRules>(
        std::vector<AccessConfig>{
            {.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {"compute.example.org"}},
            {.role = Role::kAdmin, .users = {"4002"}, .groups = {}, .certificate_names = {"spiffe://example.org/ops"}}},
        0));
    gpr_set_log_function([](gpr_log_func_args*) {});  // a line for every handshake that fails
    std::filesystem::create_directory(directory_.Path("crl"));
    const CertificateFiles own = ServerCertificate();
    tls_ = {.certificate = own.certificate,
            .private_key = own.private_key,
            .client_ca = certificates_.AuthorityFile(),
            .client_crl_directory = directory_.Path("crl")};
    ServeTls();
  }

  CertificateFiles ServerCertificate() {
    return certificates_.Issue({.common_name = "agent", .alternative_names = "IP:127.0.0.1"});
  }
  CertificateFiles Client(const std::string& names, absl::Duration valid_for = absl::Hours(1)) {
    return certificates_.Issue({.common_name = "compute.example.org",
                                .alternative_names = names,
                                .usage = "clientAuth",
                                .valid_for = valid_for});
  }

  void ServeTls() {
    server_.reset();
    auto credentials = MakeServerCredentials(tls_, "");
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    options_.tcp = {"127.0.0.1:0"};
    options_.tcp_credentials = *std::move(credentials);
    Serve();
    ASSERT_EQ(server_->TcpPorts().size(), 1U);
  }

  std::shared_ptr<grpc::Channel> ChannelTo(const std::string& authority,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(authority + ":" + std::to_string(server_->TcpPorts().at(0)), credentials,
                                     arguments);
  }
  std::shared_ptr<grpc::Channel> ChannelWith(const CertificateFiles& client) const {
    return ChannelTo(
        "127.0.0.1",
        grpc::SslCredentials({.pem_root_certs = TextOf(certificates_.AuthorityFile()),
                              .pem_private_key = client.private_key.empty() ? "" : TextOf(client.private_key),
                              .pem_cert_chain = client.certificate.empty() ? "" : TextOf(client.certificate)}));
  }

  TempDirectory files_;
  TestCertificates certificates_{files_.Path()};
  ServerTlsConfig tls_;
};

// Every method of volcrypt.v1 with the least role that its service needs, as the API's comments say.
std::vector<std::pair<std::string, Role>> Methods() {
  const std::map<const google::protobuf::FileDescriptor*, Role> files = {
      {v1::AttachVolumeRequest::descriptor()->file(), Role::kCompute},
      {v1::GetInfoRequest::descriptor()->file(), Role::kCompute},
      {v1::InspectVolumeRequest::descriptor()->file(), Role::kAdmin},
      {v1::CreateKeyRequest::descriptor()->file(), Role::kAdmin}};
  std::vector<std::pair<std::string, Role>> methods;
  for (const auto& [file, role] : files) {
    const google::protobuf::ServiceDescriptor* const service = file->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string name = service->method(i)->name();
      methods.emplace_back("/" + service->full_name() + "/" + name, name == "SetMaintenance" ? Role::kAdmin : role);
    }
  }
  return methods;
}

// With an empty request, which every method answers somehow.
grpc::Status CallEmpty(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const auto context = Patient();
  const grpc::Slice nothing;
  const auto call = stub.PrepareUnaryCall(context.get(), method, grpc::ByteBuffer(&nothing, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  return status;
}

TEST_F(ServerTlsTest, EveryMethodIsForTheSameRolesOverBothTransports) {
  struct Row {
    std::string transport;
    Role role;
    std::shared_ptr<grpc::Channel> channel;
  };
  const std::vector<Row> callers = {
      {"unix", Role::kNone, ChannelAs({.uid = 4003, .gid = 4003, .groups = {}})},
      {"unix", Role::kCompute, ChannelAs({.uid = 4001, .gid = 4001, .groups = {}})},
      {"unix", Role::kAdmin, ChannelAs({.uid = 4002, .gid = 4002, .groups = {}})},
      {"tcp", Role::kNone, ChannelWith(Client("DNS:other.example.org"))},
      {"tcp", Role::kCompute, ChannelWith(Client("DNS:compute.example.org"))},
      {"tcp", Role::kAdmin, ChannelWith(Client("DNS:host.example.org,URI:spiffe://example.org/ops"))},
  };
  const auto methods = Methods();
  EXPECT_GE(methods.size(), 13U);
  for (const auto& [transport, role, channel] : callers) {
    for (const auto& [method, least] : methods) {
      const std::string outcome = RpcOutcome(CallEmpty(channel, method));
      const std::string expected = role == Role::kNone ? "CALLER_UNKNOWN" : role < least ? "CALLER_NOT_ALLOWED" : "";
      if (expected.empty()) {
        EXPECT_FALSE(outcome == "CALLER_UNKNOWN" || outcome == "CALLER_NOT_ALLOWED") << transport << " " << method;
        EXPECT_NE(outcome, "") << transport << " " << method;
      } else {
        EXPECT_EQ(outcome, expected) << transport << " " << method;
      }
    }
    RawCall reflection(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    EXPECT_EQ(reflection.Finish().error_code(),
              role == Role::kNone ? grpc::StatusCode::UNAUTHENTICATED : grpc::StatusCode::OK)
        << transport;
  }
}

TEST_F(ServerTlsTest, LogNamesTheCertificateOfTheCaller) {
  EXPECT_EQ(RpcOutcome(CreateKey(ChannelWith(Client("DNS:compute.example.org")))), "CALLER_NOT_ALLOWED");
  EXPECT_NE(LogText().find("certificate=compute.example.org"), std::string::npos) << LogText();
  EXPECT_EQ(LogText().find("uid="), std::string::npos) << LogText();
}

TEST_F(ServerTlsTest, CommonNameGivesNoRole) {
  EXPECT_EQ(RpcOutcome(GetInfo(ChannelWith(Client("")))), "CALLER_UNKNOWN");
}

// A DNS name is only text to a certificate, and an authority may sign what it takes for a strange host.
TEST_F(ServerTlsTest, DnsNameThatLooksLikeAUriGivesNoRole) {
  EXPECT_EQ(RpcOutcome(GetInfo(ChannelWith(Client("DNS:spiffe://example.org/ops")))), "CALLER_UNKNOWN");
}

TEST_F(ServerTlsTest, CertificatesThatAreNotTrustedAreTurnedAwayInTheHandshake) {
  const TempDirectory elsewhere;
  TestCertificates other_authority(elsewhere.Path());
  const CertificateFiles foreign = other_authority.Issue(
      {.common_name = "ops", .alternative_names = "URI:spiffe://example.org/ops", .usage = "clientAuth"});
  const CertificateFiles of_a_server = certificates_.Issue(
      {.common_name = "ops", .alternative_names = "URI:spiffe://example.org/ops", .usage = "serverAuth"});
  const CertificateFiles expired = Client("URI:spiffe://example.org/ops", -absl::Hours(1));
  const CertificateFiles revoked = Client("URI:spiffe://example.org/ops");
  EXPECT_EQ(RpcOutcome(GetInfo(ChannelWith(revoked))), "OK") << "the control: before it is revoked";
  certificates_.Revoke(revoked, tls_.client_crl_directory);
  const CertificateFiles revoked_later = Client("URI:spiffe://example.org/ops");
  EXPECT_EQ(GetInfo(ChannelWith(revoked)).error_code(), grpc::StatusCode::UNAVAILABLE) << "revoked without a restart";
  EXPECT_EQ(RpcOutcome(GetInfo(ChannelWith(revoked_later))), "OK") << "a control";
  certificates_.Revoke(revoked_later, tls_.client_crl_directory);
  const std::vector<std::pair<std::string, CertificateFiles>> rows = {{"none", {}},
                                                                      {"of another authority", foreign},
                                                                      {"of a server", of_a_server},
                                                                      {"expired", expired},
                                                                      {"revoked", revoked},
                                                                      {"revoked by a second list", revoked_later}};
  const size_t logged = LogText().size();
  for (const auto& [what, files] : rows) {
    EXPECT_EQ(GetInfo(ChannelWith(files)).error_code(), grpc::StatusCode::UNAVAILABLE) << what;
  }
  EXPECT_EQ(LogText().substr(logged), "") << "no call began";
  EXPECT_EQ(RpcOutcome(GetInfo(ChannelWith(Client("URI:spiffe://example.org/ops")))), "OK");
}

TEST_F(ServerTlsTest, ConnectionWithoutTlsIsTurnedAway) {
  EXPECT_EQ(GetInfo(ChannelTo("127.0.0.1", grpc::InsecureChannelCredentials())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerTlsTest, NewCertificatesAreInForceWithoutARestart) {
  const TempDirectory elsewhere;
  TestCertificates successor(elsewhere.Path());
  const CertificateFiles own = successor.Issue({.common_name = "agent", .alternative_names = "IP:127.0.0.1"});
  const CertificateFiles client = successor.Issue(
      {.common_name = "compute", .alternative_names = "DNS:compute.example.org", .usage = "clientAuth"});
  const auto channel = [&] {
    return ChannelTo("127.0.0.1", grpc::SslCredentials({.pem_root_certs = TextOf(successor.AuthorityFile()),
                                                        .pem_private_key = TextOf(client.private_key),
                                                        .pem_cert_chain = TextOf(client.certificate)}));
  };
  EXPECT_EQ(GetInfo(channel()).error_code(), grpc::StatusCode::UNAVAILABLE);
  const auto kept = ChannelWith(Client("DNS:compute.example.org"));
  EXPECT_EQ(RpcOutcome(GetInfo(kept)), "OK");
  std::filesystem::rename(own.certificate, tls_.certificate);
  std::filesystem::rename(own.private_key, tls_.private_key);
  std::filesystem::copy_file(successor.AuthorityFile(), tls_.client_ca,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(Eventually([&] { return GetInfo(channel()).ok(); }));
  EXPECT_EQ(RpcOutcome(GetInfo(kept)), "OK") << "a connection that there is stays";
}

TEST_F(ServerTlsTest, PortThatAnotherHasIsAnError) {
  const int taken = server_->TcpPorts().at(0);
  RpcServerOptions options = options_;
  options.tcp = {"127.0.0.1:" + std::to_string(taken)};
  const auto second = RpcServer::Start(options, {}, attacher_, key_managers_, access_,
                                       {.log = log_, .observer = observer_, .audit = audit_});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("tcp:127.0.0.1:" + std::to_string(taken)), std::string::npos);
}

TEST_F(ServerTlsTest, FileThatCannotBeUsedIsNamedWithItsKey) {
  const CertificateFiles other = ServerCertificate();
  const std::string garbage = files_.Path("garbage");
  files_.Write("garbage", "no PEM");
  const std::string open_key = files_.Path("open.key");
  files_.Write("open.key", TextOf(other.private_key));
  chmod(open_key.c_str(), 0644);
  struct Row {
    std::string ServerTlsConfig::*key;
    std::string value;
    std::string field;
    std::string words;
  };
  const std::vector<Row> rows = {
      {&ServerTlsConfig::certificate, garbage, "server.tls.certificate", "PEM"},
      {&ServerTlsConfig::certificate, files_.Path("absent"), "server.tls.certificate", "absent"},
      {&ServerTlsConfig::private_key, garbage, "server.tls.private_key", ""},
      {&ServerTlsConfig::private_key, open_key, "server.tls.private_key", "open.key"},
      {&ServerTlsConfig::private_key, other.private_key, "server.tls.private_key", "not the key of"},
      {&ServerTlsConfig::private_key, "credential:agent.key", "server.tls.private_key", "LoadCredential"},
      {&ServerTlsConfig::client_ca, garbage, "server.tls.client_ca", "PEM"},
      {&ServerTlsConfig::client_crl_directory, files_.Path("absent"), "server.tls.client_crl_directory", "No such"},
      {&ServerTlsConfig::client_crl_directory, garbage, "server.tls.client_crl_directory", "not a directory"},
  };
  for (const Row& row : rows) {
    ServerTlsConfig tls = tls_;
    tls.*row.key = row.value;
    const absl::Status status = MakeServerCredentials(tls, "").status();
    EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
    EXPECT_NE(status.message().find(row.field), std::string::npos) << status;
    EXPECT_NE(status.message().find(row.words), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace volcrypt
