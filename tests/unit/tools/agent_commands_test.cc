#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::HasSubstr;

// health and version.
class AgentCommandsTest : public CliTest {
 protected:
  // All services are as `others`, this one is as `status`.
  void Serve(const std::string& service, HealthCheckResponse::ServingStatus status,
             HealthCheckResponse::ServingStatus others = HealthCheckResponse::SERVING) {
    agent_.health.check.answer = [=](grpc::ServerContext&, const HealthCheckRequest& request,
                                     HealthCheckResponse& response) {
      const auto answer = request.service() == service ? status : others;
      if (answer == HealthCheckResponse::SERVICE_UNKNOWN) return grpc::Status(grpc::NOT_FOUND, "service name unknown");
      response.set_status(answer);
      return grpc::Status::OK;
    };
  }
};

TEST_F(AgentCommandsTest, HealthAsksForTheAgentAndEveryService) {
  Serve("", HealthCheckResponse::SERVING);
  const Result result = Run({"health"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out,
            "SERVICE                             STATUS\n"
            "volcryptd                           serving\n"
            "volcrypt.v1.VolumeEncryptorService  serving\n"
            "volcrypt.v1.VolumeAdminService      serving\n"
            "volcrypt.v1.KeyService              serving\n"
            "volcrypt.v1.AgentService            serving\n");
  EXPECT_EQ(Run({"health", "-q"}).out, "");
}

TEST_F(AgentCommandsTest, ServiceThatDoesNotServeIsExitStatusSeven) {
  Serve("volcrypt.v1.VolumeEncryptorService", HealthCheckResponse::NOT_SERVING);
  const Result result = Run({"health", "-o", "json"});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.Json()["services"][1].dump(),
            R"({"service":"volcrypt.v1.VolumeEncryptorService","status":"NOT_SERVING"})");
  EXPECT_THAT(result.err, HasSubstr("not serving: volcrypt.v1.VolumeEncryptorService; "));
  EXPECT_EQ(result.ErrorJson()["error"]["code"], "UNAVAILABLE");
}

TEST_F(AgentCommandsTest, AgentNeedsToReportOnlyItself) {
  Serve("", HealthCheckResponse::SERVING, HealthCheckResponse::SERVICE_UNKNOWN);
  const Result result = Run({"health"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("volcrypt.v1.KeyService              service-unknown\n"));
  Serve("", HealthCheckResponse::SERVICE_UNKNOWN);
  EXPECT_EQ(Run({"health"}).status, 7);
}

TEST_F(AgentCommandsTest, HealthOfNobodyIsExitStatusSeven) {
  const Result result = Run({"health", "--endpoint", "unix:" + directory_.Path("none")});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.out, "");
}

TEST_F(AgentCommandsTest, MaintenanceIsSetAndShown) {
  EXPECT_EQ(Run({"maintenance", "on"}).status, 0);
  EXPECT_THAT(Run({"maintenance", "off"}).out, HasSubstr("maintenance is off"));
  ASSERT_EQ(agent_.agent.set_maintenance.requests.size(), 2U);
  EXPECT_TRUE(agent_.agent.set_maintenance.requests[0].on());
  EXPECT_FALSE(agent_.agent.set_maintenance.requests[1].on());
  v1::GetInfoResponse info;
  info.set_maintenance(true);
  agent_.agent.info.AnswerWith(info);
  EXPECT_THAT(Run({"maintenance"}).out, HasSubstr("maintenance is on"));
  EXPECT_EQ(Run({"maintenance", "-o", "json"}).Json()["maintenance"], true);
  EXPECT_EQ(agent_.agent.set_maintenance.requests.size(), 2U) << "showing sets nothing";
  EXPECT_EQ(Run({"maintenance", "of"}).status, 1);
}

TEST_F(AgentCommandsTest, VersionTellsBoth) {
  v1::GetInfoResponse info;
  info.set_version("9.8.7");
  info.add_formats(v1::Encryption::FORMAT_LUKS1);
  info.add_formats(v1::Encryption::FORMAT_LUKS2);
  info.add_modes(v1::MODE_HOST_MAPPING);
  v1::KeyManagerInfo& manager = *info.add_key_managers();
  manager.set_name("local");
  manager.set_type("local");
  manager.set_is_default(true);
  agent_.agent.info.AnswerWith(info);
  EXPECT_EQ(Run({"version"}).out, "client:       " VOLCRYPT_VERSION
                                  "\n"
                                  "server:       9.8.7\n"
                                  "formats:      luks1, luks2\n"
                                  "modes:        host-mapping\n"
                                  "key managers: local (local, default)\n");
  const nlohmann::ordered_json json = Run({"version", "-o", "json"}).Json();
  EXPECT_EQ(json["client_version"], VOLCRYPT_VERSION);
  EXPECT_EQ(json["server"]["version"], "9.8.7");
  EXPECT_FALSE(json.contains("server_error"));
}

TEST_F(AgentCommandsTest, VersionNeedsNoAgent) {
  const std::string nobody = "unix:" + directory_.Path("none");
  const Result result = Run({"version", "--endpoint", nobody});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("client: " VOLCRYPT_VERSION "\nserver: no answer: nothing listens at " + nobody));
  const nlohmann::ordered_json json = Run({"version", "--endpoint", nobody, "-o", "json"}).Json();
  EXPECT_TRUE(json["server"].is_null());
  EXPECT_EQ(json["server_error"]["code"], "UNAVAILABLE");
  EXPECT_EQ(Run({"version", "-q", "--endpoint", nobody}).out, VOLCRYPT_VERSION "\n");
  EXPECT_EQ(Run({"--version"}).out, "volcryptctl " VOLCRYPT_VERSION "\n");
}

}  // namespace
}  // namespace volcrypt::ctl
