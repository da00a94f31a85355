// The program itself, with a helper of its own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/helper_client.h"
#include "agent/helper_probe.h"
#include "tests/fakes/test_certificates.h"
#include "tests/unit/agent/http_get.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

class VolcryptdTest : public testing::Test {
 protected:
  VolcryptdTest() {
    chmod(directory_.Path().c_str(), 0755);
    WriteConfig("");
    StartHelper();
  }
  ~VolcryptdTest() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    StopHelper();
  }

  void WriteConfig(const std::string& more) const {
    directory_.Write("volcryptd.toml", "[server]\nlisten = [\"unix:" + socket_path_ +
                                           "\"]\n"
                                           "[key_manager]\ndefault = \"local\"\n"
                                           "[key_managers.local]\ntype = \"local\"\npath = \"" +
                                           directory_.Path("keys.db") + "\"\n" + more);
  }

  void StartHelper() {
    helper_ = Spawn(VOLCRYPT_HELPER,
                    {"--socket", directory_.Path("helper.sock"), "--state", directory_.Path("helper"), "--lock-dir",
                     directory_.Path("locks")},
                    directory_.Path("helper.log"));
    HelperClient client(directory_.Path("helper.sock"));
    ASSERT_TRUE(Eventually([&client] { return ProbeHelper(client, absl::Now() + absl::Seconds(30)).ok(); }))
        << ReadFile(directory_.Path("helper.log"));
  }
  void StopHelper() {
    if (helper_ <= 0) return;
    kill(helper_, SIGTERM);
    EXPECT_EQ(Wait(helper_), 0);
    helper_ = -1;
  }

  static pid_t Spawn(const char* program, std::vector<std::string> arguments, const std::string& output) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, program, &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  static int Wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  void Start() {
    pid_ = Spawn(VOLCRYPTD,
                 {"--config", directory_.Path("volcryptd.toml"), "--helper-socket", directory_.Path("helper.sock")},
                 directory_.Path("log"));
    ASSERT_TRUE(Eventually([this] { return Log().find("volcryptd is ready") != std::string::npos; })) << Log();
    chmod(socket_path_.c_str(), 0666);
  }

  int Stop(int signal) {
    kill(pid_, signal);
    const int status = Wait(pid_);
    pid_ = -1;
    return status;
  }

  int Run(const std::vector<std::string>& arguments) const {
    return Wait(Spawn(VOLCRYPTD, arguments, directory_.Path("log")));
  }

  static std::string ReadFile(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string Log() const { return ReadFile(directory_.Path("log")); }

  bool Logs(const std::string& words) const {
    return Eventually([&] { return Log().find(words) != std::string::npos; });
  }

  std::string InfoAs(uid_t uid) const {
    UniqueFd fd = ConnectAs(socket_path_, {.uid = uid, .gid = uid, .groups = {}});
    if (!fd.IsValid()) return "no connection";
    fcntl(fd.Get(), F_SETFL, O_NONBLOCK);
    v1::GetInfoResponse response;
    const auto stub = v1::AgentService::NewStub(grpc::CreateInsecureChannelFromFd("volcryptd", fd.Release()));
    return RpcOutcome(stub->GetInfo(Patient().get(), {}, &response));
  }

  std::string Health() const {
    grpc::health::v1::HealthCheckResponse response;
    const auto channel = grpc::CreateChannel("unix:" + socket_path_, grpc::InsecureChannelCredentials());
    if (!grpc::health::v1::Health::NewStub(channel)->Check(Patient().get(), {}, &response).ok()) return "no answer";
    return grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
  }

  TempDirectory directory_;
  const std::string socket_path_ = directory_.Path("volcryptd.sock");
  pid_t helper_ = -1;
  pid_t pid_ = -1;
};

TEST_F(VolcryptdTest, ServesUntilItIsToldToEnd) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Start();
    EXPECT_EQ(InfoAs(0), "OK");
    EXPECT_EQ(Stop(signal), 0);
    EXPECT_FALSE(std::filesystem::exists(socket_path_));
    std::filesystem::remove(directory_.Path("log"));
  }
}

TEST_F(VolcryptdTest, ServesCertificatesOverTcpAndLogsWhoIsTurnedAway) {
  TempDirectory files;
  TestCertificates certificates(files.Path());
  const CertificateFiles own = certificates.Issue({.common_name = "agent", .alternative_names = "IP:127.0.0.1"});
  const CertificateFiles caller = certificates.Issue(
      {.common_name = "caller", .alternative_names = "DNS:compute.example.org", .usage = "clientAuth"});
  const ReservedPort reserved;
  const std::string address = "127.0.0.1:" + std::to_string(reserved.Number());
  directory_.Write("volcryptd.toml",
                   "[server]\nlisten = ['unix:" + socket_path_ + "', 'tcp:" + address +
                       "']\n[server.tls]\ncertificate = '" + own.certificate + "'\nprivate_key = '" + own.private_key +
                       "'\nclient_ca = '" + certificates.AuthorityFile() +
                       "'\n[[access]]\nrole = 'compute'\ncertificate_names = ['compute.example.org']\n" +
                       "[key_managers.local]\ntype = 'local'\npath = '" + directory_.Path("keys.db") + "'\n");
  EXPECT_EQ(Run({"--config", directory_.Path("volcryptd.toml"), "--check-config"}), 0) << Log();
  Start();
  const auto call = [&](const grpc::SslCredentialsOptions& options) {
    v1::GetInfoResponse response;
    return v1::AgentService::NewStub(grpc::CreateChannel(address, grpc::SslCredentials(options)))
        ->GetInfo(Patient().get(), {}, &response);
  };
  grpc::SslCredentialsOptions options{.pem_root_certs = ReadFile(certificates.AuthorityFile())};
  EXPECT_EQ(call(options).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Logs("warning the RPC server reports an error of a connection")) << Log();
  options.pem_private_key = ReadFile(caller.private_key);
  options.pem_cert_chain = ReadFile(caller.certificate);
  EXPECT_EQ(RpcOutcome(call(options)), "OK");
  EXPECT_EQ(InfoAs(0), "OK") << "the Unix socket is there too";
}

TEST_F(VolcryptdTest, DoesNotStartWithoutTheFilesOfTls) {
  WriteConfig("");
  directory_.Write("volcryptd.toml",
                   "[server]\nlisten = ['tcp:127.0.0.1:7443']\n[server.tls]\ncertificate = '/absent.crt'\n"
                   "private_key = '/absent.key'\nclient_ca = '/absent.ca'\n");
  EXPECT_EQ(Run({"--config", directory_.Path("volcryptd.toml"), "--check-config"}), 1);
  EXPECT_NE(Log().find("server.tls.private_key: "), std::string::npos) << Log();
  EXPECT_NE(Log().find("server.tls.client_ca: "), std::string::npos) << Log();
}

TEST_F(VolcryptdTest, HealthFollowsTheHelper) {
  Start();
  EXPECT_EQ(Health(), "SERVING");
  StopHelper();
  EXPECT_TRUE(Eventually([this] { return Health() == "NOT_SERVING"; }));
  EXPECT_TRUE(Logs("volcrypt-helper is away"));
  StartHelper();
  EXPECT_TRUE(Eventually([this] { return Health() == "SERVING"; }));
}

TEST_F(VolcryptdTest, ReloadTakesOverAccessRulesAndSaysWhatNeedsARestart) {
  Start();
  EXPECT_EQ(InfoAs(4001), "CALLER_UNKNOWN");
  WriteConfig("[volumes]\nformat = \"luks1\"\n[[access]]\nrole = \"compute\"\nusers = [\"4001\"]\n");
  kill(pid_, SIGHUP);
  EXPECT_TRUE(Logs("access rules, log level, audit file and volumes.d were read again"));
  EXPECT_TRUE(Logs("volumes has changed, which takes effect after a restart"));
  EXPECT_EQ(InfoAs(4001), "OK");
}

TEST_F(VolcryptdTest, ReloadOfAWrongConfigurationKeepsTheOldOne) {
  WriteConfig("[[access]]\nrole = \"compute\"\nusers = [\"4001\"]\n");
  Start();
  WriteConfig("[[access]]\nrole = \"king\"\n");
  kill(pid_, SIGHUP);
  EXPECT_TRUE(Logs("the old one stays in force"));
  EXPECT_EQ(InfoAs(4001), "OK");
}

TEST_F(VolcryptdTest, HangupReadsVolumesDEvenWithAWrongConfiguration) {
  Start();
  WriteConfig("[[access]]\nrole = \"king\"\n");
  std::filesystem::create_directory(directory_.Path("volumes.d"));
  directory_.Write("volumes.d/scratch.toml", "device = \"/dev/absent\"\nkey = \"k\"\n");
  kill(pid_, SIGHUP);
  EXPECT_TRUE(Logs("volumes.d was read again")) << Log();
  EXPECT_TRUE(Logs("volume=scratch")) << Log();
}

TEST_F(VolcryptdTest, HangupOpensTheAuditFileAgainEvenWithAWrongConfiguration) {
  const std::string path = directory_.Path("audit.log");
  WriteConfig("[audit]\nfile = \"" + path + "\"\n");
  Start();
  EXPECT_EQ(InfoAs(4001), "CALLER_UNKNOWN");
  EXPECT_NE(ReadFile(path).find("\"reason\":\"CALLER_UNKNOWN\""), std::string::npos) << ReadFile(path);
  std::filesystem::rename(path, path + ".1");
  WriteConfig("[[access]]\nrole = \"king\"\n");
  kill(pid_, SIGHUP);
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(path); }));
  EXPECT_EQ(InfoAs(4002), "CALLER_UNKNOWN");
  EXPECT_EQ(ReadFile(path + ".1").find("4002"), std::string::npos);
  EXPECT_NE(ReadFile(path).find("\"uid\":4002"), std::string::npos) << ReadFile(path);
}

TEST_F(VolcryptdTest, AuditFileThatCannotBeOpenedIsNoStart) {
  WriteConfig("[audit]\nfile = \"" + directory_.Path("no/audit.log") + "\"\n");
  EXPECT_EQ(Run({"--config", directory_.Path("volcryptd.toml"), "--helper-socket", directory_.Path("helper.sock")}), 1);
  EXPECT_TRUE(Logs("audit.file: "));
}

TEST_F(VolcryptdTest, CheckOfTheConfigurationSaysWhatIsWrongWithTheAuditFileAndMakesNone) {
  const std::string config = directory_.Path("volcryptd.toml");
  const std::string path = directory_.Path("audit.log");
  WriteConfig("[audit]\nfile = \"" + path + "\"\n");
  EXPECT_EQ(Run({"--check-config", "--config", config}), 0) << Log();
  EXPECT_FALSE(std::filesystem::exists(path));
  for (const std::string& wrong : {directory_.Path("no/audit.log"), directory_.Path()}) {
    std::filesystem::remove(directory_.Path("log"));
    WriteConfig("[audit]\nfile = \"" + wrong + "\"\n");
    EXPECT_EQ(Run({"--check-config", "--config", config}), 1);
    EXPECT_NE(Log().find(config + ":9: audit.file: " + wrong + ": "), std::string::npos) << Log();
  }
}

TEST_F(VolcryptdTest, ReloadThatCannotOpenTheAuditFileDoesNotSayThatItDid) {
  const std::string path = directory_.Path("audit.log");
  WriteConfig("[audit]\nfile = \"" + path + "\"\n");
  Start();
  WriteConfig("[audit]\nfile = \"" + directory_.Path("no/audit.log") + "\"\n");
  kill(pid_, SIGHUP);
  EXPECT_TRUE(Logs("access rules, log level and volumes.d were read again, the audit file was not")) << Log();
  EXPECT_EQ(Log().find("audit file and volumes.d were read again"), std::string::npos) << Log();
  EXPECT_EQ(InfoAs(4001), "CALLER_UNKNOWN");
  EXPECT_NE(ReadFile(path).find("\"uid\":4001"), std::string::npos) << "in the file that it had";
}

TEST_F(VolcryptdTest, SecondDaemonIsRefused) {
  Start();
  EXPECT_EQ(Run({"--config", directory_.Path("volcryptd.toml"), "--helper-socket", "/nowhere"}), 1);
  EXPECT_TRUE(Logs("running already"));
  EXPECT_EQ(InfoAs(0), "OK");
}

// Of the process, as the kernel lists its descriptors: how many listen at an address of the network.
int NetworkListenersOf(pid_t pid) {
  std::string inodes;
  for (const char* const table : {"/tcp", "/tcp6"}) {
    std::ifstream sockets("/proc/" + std::to_string(pid) + "/net" + table);
    std::string line;
    while (std::getline(sockets, line)) inodes += line + "\n";
  }
  int count = 0;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code closed_meanwhile;
    const std::string target = std::filesystem::read_symlink(fd, closed_meanwhile).string();
    if (!target.starts_with("socket:[")) continue;
    const std::string inode = target.substr(8, target.size() - 9);
    if (inodes.find(" " + inode + " ") != std::string::npos) ++count;
  }
  return count;
}

TEST_F(VolcryptdTest, MetricsAreOffByDefault) {
  Start();
  EXPECT_EQ(NetworkListenersOf(pid_), 0);
}

TEST_F(VolcryptdTest, MetricsAreServedWhereTheConfigurationSays) {
  const ReservedPort reserved;
  const uint16_t port = reserved.Number();
  WriteConfig("[metrics]\nlisten = \"127.0.0.1:" + std::to_string(port) + "\"\n");
  Start();
  EXPECT_EQ(NetworkListenersOf(pid_), 1);
  EXPECT_EQ(InfoAs(0), "OK");
  EXPECT_EQ(InfoAs(4001), "CALLER_UNKNOWN");
  const std::string metrics = HttpGet(port, "/metrics");
  EXPECT_NE(metrics.find("volcrypt_operations_total{code=\"OK\",reason=\"OK\",verb=\"GetInfo\"} 1\n"),
            std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("reason=\"CALLER_UNKNOWN\",verb=\"GetInfo\"} 1\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("volcrypt_first_uses_total{key_manager=\"local\"} 0\n"), std::string::npos) << metrics;
  StopHelper();
  EXPECT_TRUE(
      Eventually([port] { return HttpGet(port, "/metrics").find("volcrypt_helper_up 0\n") != std::string::npos; }));
  EXPECT_EQ(Stop(SIGTERM), 0);
}

TEST_F(VolcryptdTest, AddressOfMetricsThatIsTakenIsAnErrorOfTheStart) {
  const TakenPort taken;
  const std::string address = "127.0.0.1:" + std::to_string(taken.Number());
  WriteConfig("[metrics]\nlisten = \"" + address + "\"\n");
  EXPECT_EQ(Run({"--config", directory_.Path("volcryptd.toml"), "--helper-socket", directory_.Path("helper.sock")}), 1);
  EXPECT_TRUE(Logs("cannot start: [metrics] listen: cannot serve metrics at " + address)) << Log();
  EXPECT_FALSE(std::filesystem::exists(socket_path_));
}

// What this process hands down to the daemon: room for dumps, and a group by which to tell them apart below.
class WithDumps {
 public:
  static constexpr gid_t kTellTaleGroup = 12345;

  WithDumps() {
    constexpr rlimit kUnlimited = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    EXPECT_EQ(getrlimit(RLIMIT_CORE, &before_), 0);
    EXPECT_EQ(setrlimit(RLIMIT_CORE, &kUnlimited), 0);
    EXPECT_EQ(setresgid(kTellTaleGroup, kTellTaleGroup, kTellTaleGroup), 0);
  }
  WithDumps(const WithDumps&) = delete;
  WithDumps& operator=(const WithDumps&) = delete;
  ~WithDumps() {
    EXPECT_EQ(setresgid(group_, group_, group_), 0);
    EXPECT_EQ(setrlimit(RLIMIT_CORE, &before_), 0);
  }

 private:
  const gid_t group_ = getgid();
  rlimit before_ = {};
};

TEST_F(VolcryptdTest, MemoryOfTheDaemonIsClosedToDumps) {
  {
    const WithDumps inherited;
    Start();
  }
  const std::string proc = "/proc/" + std::to_string(pid_);
  EXPECT_THAT(ReadFile(proc + "/limits"), testing::ContainsRegex("Max core file size +0 +0 "));
  // The files of a process that is not dumpable belong to root's group whatever its own is.
  struct stat found {};
  ASSERT_EQ(stat((proc + "/status").c_str(), &found), 0);
  EXPECT_EQ(found.st_gid, 0U);
}

TEST_F(VolcryptdTest, ConfigurationIsCheckedWithoutStarting) {
  EXPECT_EQ(Run({"--check-config", "--config", directory_.Path("volcryptd.toml")}), 0);
  EXPECT_EQ(Log(), "configuration OK\n");
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("keys.db")));
}

TEST_F(VolcryptdTest, MissingSecretIsAnErrorOfTheConfiguration) {
  WriteConfig("[key_managers.fixed]\ntype = 'conf'\nfixed_key_file = '/nonexistent/key'\n");
  const std::string config = directory_.Path("volcryptd.toml");
  EXPECT_EQ(Run({"--check-config", "--config", config}), 1);
  EXPECT_NE(Log().find(config + ":"), std::string::npos) << Log();
  EXPECT_NE(Log().find(": key_managers.fixed.fixed_key_file: "), std::string::npos) << Log();
}

TEST_F(VolcryptdTest, EveryErrorOfAConfigurationIsReported) {
  WriteConfig("[log]\nlevel = \"loud\"\n[nonsense]\n");
  const std::string config = directory_.Path("volcryptd.toml");
  EXPECT_EQ(Run({"--check-config", "--config", config}), 1);
  EXPECT_NE(Log().find(config + ":"), std::string::npos) << Log();
  EXPECT_NE(Log().find("log.level"), std::string::npos) << Log();
  EXPECT_NE(Log().find("nonsense"), std::string::npos) << Log();
  std::filesystem::remove(directory_.Path("log"));
  EXPECT_EQ(Run({"--config", config}), 1);
  EXPECT_NE(Log().find("log.level"), std::string::npos) << Log();
}

TEST_F(VolcryptdTest, ConfigurationThatIsNamedMustExist) {
  EXPECT_EQ(Run({"--check-config", "--config", directory_.Path("missing.toml")}), 1);
  EXPECT_NE(Log().find("missing.toml"), std::string::npos) << Log();
}

}  // namespace
}  // namespace volcrypt
