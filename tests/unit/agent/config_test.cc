#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/config_result.h"
#include "tests/unit/agent/config_errors.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParseConfig, EveryKeyReachesItsPlace) {
  const ConfigResult result = ParseConfig(R"(
[server]
listen = ["unix:/run/a.sock", "unix:/run/b.sock"]
operation_timeout = "2m"
max_operations = 7
[[access]]
role = "compute"
users = ["nova", "42436"]
groups = []
[[access]]
role = "admin"
groups = ["wheel"]
[volumes]
first_use = "refuse"
format = "luks1"
cipher = "aes-cbc-essiv:sha256"
key_size_bits = 256
sector_size_bytes = 512
device_prefixes = ["/dev/mapper/", "/srv/volumes/"]
allowed_ciphers = ["aes-cbc-essiv:sha256"]
[key_manager]
default = "second"
[key_managers.second]
type = "local"
path = "/srv/keys.db"
kek_file = "credential:my.kek"
[metrics]
listen = "127.0.0.1:9464"
[log]
level = "debug"
)",
                                          "f.toml");
  ASSERT_THAT(ErrorsOf(result), IsEmpty());
  const Config& config = result.config;
  EXPECT_THAT(config.server.listen, ElementsAre("unix:/run/a.sock", "unix:/run/b.sock"));
  EXPECT_EQ(config.server.operation_timeout, absl::Minutes(2));
  EXPECT_EQ(config.server.max_operations, 7U);
  ASSERT_EQ(config.access.size(), 2U);
  EXPECT_EQ(config.access[0].role, Role::kCompute);
  EXPECT_THAT(config.access[0].users, ElementsAre("nova", "42436"));
  EXPECT_EQ(config.access[1].role, Role::kAdmin);
  EXPECT_THAT(config.access[1].groups, ElementsAre("wheel"));
  EXPECT_FALSE(config.volumes.format_if_blank);
  EXPECT_EQ(config.metrics.listen, "127.0.0.1:9464");
  EXPECT_EQ(config.volumes.encryption.format, Format::kLuks1);
  EXPECT_EQ(config.volumes.encryption.cipher, "aes-cbc-essiv:sha256");
  EXPECT_EQ(config.volumes.encryption.key_size_bits, 256U);
  EXPECT_EQ(config.volumes.encryption.sector_size_bytes, 512U);
  EXPECT_THAT(config.volumes.device_prefixes, ElementsAre("/dev/mapper/", "/srv/volumes/"));
  EXPECT_THAT(config.volumes.allowed_ciphers, ElementsAre("aes-cbc-essiv:sha256"));
  EXPECT_EQ(config.key_managers.default_name, "second");
  EXPECT_EQ(LocalSection(config, "second").path, "/srv/keys.db");
  EXPECT_EQ(LocalSection(config, "second").kek_file, "credential:my.kek");
  EXPECT_EQ(config.log.level, "debug");
}

TEST(ParseConfig, EmptyTextGivesTheDefaults) {
  const ConfigResult result = ParseConfig("", "f.toml");
  EXPECT_THAT(ErrorsOf(result), IsEmpty());
  EXPECT_EQ(result.config.server.max_operations, 32U);
  EXPECT_EQ(result.config.key_managers.default_name, "local");
  EXPECT_TRUE(result.config.key_managers.sections.contains("local"));
}

TEST(ParseConfig, DurationsHaveUnits) {
  const std::vector<std::pair<std::string, absl::Duration>> durations = {
      {"1s", absl::Seconds(1)},      {"60s", absl::Seconds(60)}, {"1500ms", absl::Milliseconds(1500)},
      {"2m", absl::Minutes(2)},      {"1h", absl::Hours(1)},     {"000002s", absl::Seconds(2)},
      {"3600s", absl::Seconds(3600)}};
  for (const auto& [text, duration] : durations) {
    const ConfigResult result = ParseConfig("[server]\noperation_timeout = '" + text + "'\n", "f.toml");
    EXPECT_THAT(ErrorsOf(result), IsEmpty()) << text;
    EXPECT_EQ(result.config.server.operation_timeout, duration) << text;
  }
}

TEST(ParseConfig, EveryErrorIsReportedWithItsLineAndKey) {
  const std::vector<std::string> errors = ErrorsOf(R"([server]
max_operations = 0
operation_timeout = "soon"
listen = [
  "unix:/run/a.sock",
  "unix:relative",
]
lisen = []
[log]
level = "loud"
[volume]
x = 1
)");
  EXPECT_THAT(errors, testing::UnorderedElementsAre(
                          "f.toml:2: server.max_operations: 0 is not within 1 and 1000",
                          HasSubstr("f.toml:3: server.operation_timeout: \"soon\" is no duration"),
                          HasSubstr("f.toml:6: server.listen[1]: \"relative\" must be an absolute path"),
                          "f.toml:8: server.lisen: is unknown; the keys here are: listen, max_calls_per_caller, "
                          "max_operations, operation_timeout, tls",
                          "f.toml:10: log.level: \"loud\" is unknown; write one of: debug, info, warning, error",
                          "f.toml:11: volume: is unknown; the sections are: access, audit, key_manager, key_managers, "
                          "libvirt, log, metrics, server, volumes"));
}

TEST(ParseConfig, SyntaxErrorNamesItsLine) {
  const std::vector<std::string> errors = ErrorsOf("[server]\nmax_operations = 3\nlisten = [\"unix:/a\"\n[log]\n");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], HasSubstr("f.toml:4: is not TOML: "));
  EXPECT_THAT(ErrorsOf("[log]\nlevel = 'info'\nlevel = 'info'\n"), ElementsAre(HasSubstr("f.toml:3: is not TOML: ")));
  EXPECT_THAT(ErrorsOf("a = '\xff'\n"), ElementsAre(HasSubstr("f.toml:1: is not TOML: ")));
}

class WrongConfig : public testing::TestWithParam<WrongRow> {};

TEST_P(WrongConfig, IsReportedOnce) { ExpectReportedOnce(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Types, WrongConfig,
    testing::Values(WrongRow{"server = 3\n", "server", "is of type integer; it must be a table, [server]"},
                    WrongRow{"[server]\nlisten = 'unix:/a'\n", "server.listen", "must be a list of strings"},
                    WrongRow{"[server]\nlisten = [1]\n", "server.listen[0]", "is of type integer"},
                    WrongRow{"[server]\noperation_timeout = 60\n", "server.operation_timeout", "must be a duration"},
                    WrongRow{"[server]\nmax_operations = '3'\n", "server.max_operations", "must be an integer"},
                    WrongRow{"[server]\nmax_operations = 3.0\n", "server.max_operations", "must be an integer"},
                    WrongRow{"[log]\nlevel = true\n", "log.level", "must be a string"},
                    WrongRow{"[access]\nrole = 'admin'\n", "access", "must be a list of tables, [[access]]"},
                    WrongRow{"access = [1]\n", "access", "must be a list of tables"},
                    WrongRow{"[[access]]\nrole = 'admin'\nusers = [42436]\n", "access[0].users[0]", "quotation marks"},
                    WrongRow{"[key_managers]\nlocal = 3\n", "key_managers.local", "must be a table"}));

INSTANTIATE_TEST_SUITE_P(
    Server, WrongConfig,
    testing::Values(WrongRow{"[server]\nmax_operations = 1001\n", "server.max_operations", "1001 is not within"},
                    WrongRow{"[server]\nmax_operations = -1\n", "server.max_operations", "-1 is not within"},
                    WrongRow{"[server]\nmax_operations = 4294967297\n", "server.max_operations", "is not within"},
                    WrongRow{"[server]\noperation_timeout = '999ms'\n", "server.operation_timeout",
                             "is not within \"1s\" and \"3600s\""},
                    WrongRow{"[server]\noperation_timeout = '61m'\n", "server.operation_timeout", "is not within"},
                    WrongRow{"[server]\nlisten = []\n", "server.listen", "needs at least one"},
                    WrongRow{"[server]\nlisten = ['unix:/a', 'unix:/a']\n", "server.listen", "twice"},
                    WrongRow{"[server]\nlisten = ['tcp:0.0.0.0']\n", "server.listen[0]", "must be tcp:HOST:PORT"},
                    WrongRow{"[server]\nlisten = ['/run/a.sock']\n", "server.listen[0]", "must be unix:PATH"},
                    WrongRow{"[server]\nlisten = ['unix:']\n", "server.listen[0]", "absolute path"},
                    WrongRow{"[server]\nlisten = ['unix:/run/']\n", "server.listen[0]", "is a directory"},
                    WrongRow{"[server]\nlisten = ['unix:/" + std::string(107, 'a') + "']\n", "server.listen[0]",
                             "at most 107 bytes"},
                    WrongRow{"[server]\nlisten = [\"unix:/a\\u0000b\"]\n", "server.listen[0]", "control characters"},
                    WrongRow{"[server]\nmax_calls_per_caller = 0\n", "server.max_calls_per_caller", "is not within"},
                    WrongRow{"[server.tls]\ncertificate = 'agent.pem'\n", "server.tls.certificate", "absolute"},
                    WrongRow{"[server.tls]\nprivate_key = 'credential:'\n", "server.tls.private_key",
                             "credential:NAME"},
                    WrongRow{"[server.tls]\nclient_ca = '/etc/'\n", "server.tls.client_ca", "is a directory"},
                    WrongRow{"[server.tls]\nca = ''\n", "server.tls.ca", "is unknown"}));

TEST(ParseConfig, TcpNeedsEveryFileOfTls) {
  const std::string tcp = "[server]\nlisten = ['tcp:[::1]:7000']\n";
  const ConfigResult without = ParseConfig(tcp, "f");
  ASSERT_EQ(without.errors.size(), 3U);
  EXPECT_EQ(ToString(without.errors[2]).substr(0, 24), "f:2: server.tls.client_c");
  const ConfigResult with =
      ParseConfig(tcp + "[server.tls]\ncertificate = '/c'\nprivate_key = 'credential:k'\nclient_ca = '/a'\n", "f");
  EXPECT_TRUE(with.errors.empty());
  EXPECT_EQ(with.config.server.tls.private_key, "credential:k");
}

INSTANTIATE_TEST_SUITE_P(Durations, WrongConfig, testing::ValuesIn([] {
                           std::vector<WrongRow> rows;
                           for (const char* text :
                                {"", "60", "s", "60 s", "60S", "1.5s", "-1s", "+1s", "1h30m", "60sec", " 60s", "60s ",
                                 "1000000000s", "99999999999999999999s", "inf", "1d", "1us", "0x10s"}) {
                             rows.push_back({std::string("[server]\noperation_timeout = '") + text + "'\n",
                                             "server.operation_timeout", "is no duration"});
                           }
                           return rows;
                         }()));

INSTANTIATE_TEST_SUITE_P(
    Access, WrongConfig,
    testing::Values(WrongRow{"[[access]]\nusers = ['a']\n", "access[0]", "has no role"},
                    WrongRow{"[[access]]\nrole = 'root'\nusers = ['a']\n", "access[0].role", "compute, admin"},
                    WrongRow{"[[access]]\nrole = 'admin'\n", "access[0]", "to nobody"},
                    WrongRow{"[[access]]\nrole = 'admin'\nusers = []\ngroups = []\n", "access[0]", "to nobody"},
                    WrongRow{"[[access]]\nrole = 'admin'\ncertificate_names = ['a b']\n",
                             "access[0].certificate_names[0]", "is no name that a certificate"},
                    WrongRow{"[[access]]\nrole = 'admin'\nusers = ['']\n", "access[0].users[0]", "is no user's"},
                    WrongRow{"[[access]]\nrole = 'admin'\nusers = ['a']\nuser = 'b'\n", "access[0].user", "unknown"},
                    WrongRow{"[[access]]\nrole = 'admin'\nusers = ['a']\ncertificate_name = []\n",
                             "access[0].certificate_name", "is unknown"}));

INSTANTIATE_TEST_SUITE_P(
    Volumes, WrongConfig,
    testing::Values(
        WrongRow{"[volumes]\nfirst_use = 'always'\n", "volumes.first_use", "format-if-blank, refuse"},
        WrongRow{"[volumes]\nformat = 'luks3'\n", "volumes.format", "luks1, luks2"},
        WrongRow{"[volumes]\nformat = 'plain'\n", "volumes.format", "no default"},
        WrongRow{"[volumes]\nkey_size_bits = 128\n", "volumes.key_size_bits", "which takes 256 or 512"},
        WrongRow{"[volumes]\nkey_size_bits = 0\n", "volumes.key_size_bits", "is not within"},
        WrongRow{"[volumes]\ncipher = 'aes-cbc-essiv:sha256'\n", "volumes.key_size_bits", "which takes 128 or 256"},
        WrongRow{"[volumes]\ncipher = 'cipher_null-ecb'\n", "volumes.cipher", "not among the allowed ciphers"},
        WrongRow{"[volumes]\nallowed_ciphers = ['aes-xts-plain']\n", "volumes.cipher", "not among the allowed"},
        WrongRow{"[volumes]\nallowed_ciphers = []\n", "volumes.allowed_ciphers", "needs at least one"},
        WrongRow{"[volumes]\nallowed_ciphers = ['aes-xts-plain64', 'cipher_null-ecb']\n", "volumes.allowed_ciphers[1]",
                 "can not be allowed"},
        WrongRow{"[volumes]\nsector_size_bytes = 1024\n", "volumes.sector_size_bytes", "512, 4096 or 0"},
        WrongRow{"[volumes]\nformat = 'luks1'\nsector_size_bytes = 4096\n", "volumes.sector_size_bytes", "luks1"},
        WrongRow{"[volumes]\ndevice_prefixes = []\n", "volumes.device_prefixes", "needs at least one"},
        WrongRow{"[volumes]\ndevice_prefixes = ['dev/']\n", "volumes.device_prefixes[0]", "absolute"},
        WrongRow{"[volumes]\ndevice_prefixes = ['']\n", "volumes.device_prefixes[0]", "absolute"},
        WrongRow{"[volumes]\ndevice_prefixes = ['/dev/', '/srv']\n", "volumes.device_prefixes[1]", "slash: \"/srv/\""},
        WrongRow{"[volumes]\ndevice_prefixes = ['/dev/../etc/']\n", "volumes.device_prefixes[0]", "without \".\""},
        WrongRow{"[volumes]\ndevice_prefixes = ['//dev/']\n", "volumes.device_prefixes[0]", "doubled slashes"}));

INSTANTIATE_TEST_SUITE_P(
    Libvirt, WrongConfig,
    testing::Values(WrongRow{"[libvirt]\nuri = 'qemu+ssh://host/system'\n", "libvirt.uri", "on this host"},
                    WrongRow{"[libvirt]\nuri = 'qemu://host/system'\n", "libvirt.uri", "on this host"},
                    WrongRow{"[libvirt]\nuri = 'secret:///embed?root=/tmp'\n", "libvirt.uri", "on this host"},
                    WrongRow{"[libvirt]\nuri = 'qemu:///systems'\n", "libvirt.uri", "on this host"},
                    WrongRow{"[libvirt]\nuri = 'qemu:///system?command=/bin/sh'\n", "libvirt.uri", "on this host"},
                    WrongRow{"[libvirt]\nuri = 'qemu:///system?socket=run'\n", "libvirt.uri", "absolute"},
                    WrongRow{"[libvirt]\nsecrets = 'yes'\n", "libvirt.secrets", "ephemeral, persistent"},
                    WrongRow{"[libvirt]\nurl = ''\n", "libvirt.url", "is unknown"}));

TEST(ParseConfig, LibvirtIsOffByDefaultAndItsSecretsAreEphemeral) {
  const LibvirtConfig off = ParseConfig("[libvirt]\nuri = ''\n", "f.toml").config.libvirt;
  EXPECT_EQ(off.uri, "");
  EXPECT_FALSE(off.persistent);
  for (const char* const uri : {"qemu:///system", "qemu:///system?socket=/run/libvirt/libvirt-sock",
                                "secret:///session?socket=/run/user/1/libvirt/libvirt-sock"}) {
    const ConfigResult on = ParseConfig(std::string("[libvirt]\nuri = '") + uri + "'\nsecrets = 'persistent'\n", "f");
    EXPECT_THAT(on.errors, IsEmpty());
    EXPECT_EQ(on.config.libvirt.uri, uri);
    EXPECT_TRUE(on.config.libvirt.persistent);
  }
}

INSTANTIATE_TEST_SUITE_P(Audit, WrongConfig,
                         testing::Values(WrongRow{"[audit]\nfile = 'audit.log'\n", "audit.file", "absolute"},
                                         WrongRow{"[audit]\npath = ''\n", "audit.path", "is unknown"}));

INSTANTIATE_TEST_SUITE_P(
    Metrics, WrongConfig,
    testing::Values(WrongRow{"[metrics]\nlisten = '0.0.0.0:9464'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = '192.0.2.1:9464'\n", "metrics.listen", "do not leave this host"},
                    WrongRow{"[metrics]\nlisten = '[::]:9464'\n", "metrics.listen", "[::1]:9464"},
                    WrongRow{"[metrics]\nlisten = '[::ffff:127.0.0.1]:9464'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = 'localhost:9464'\n", "metrics.listen", "127.0.0.1:9464"},
                    WrongRow{"[metrics]\nlisten = '9464'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = ':9464'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = '127.0.0.1'\n", "metrics.listen", "and a port"},
                    WrongRow{"[metrics]\nlisten = '127.0.0.1:0'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = '127.0.0.1:65536'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = '127.0.0.1:9464,0.0.0.0:80'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = '127.0.0.1:9464s'\n", "metrics.listen", "loopback"},
                    WrongRow{"[metrics]\nlisten = 9464\n", "metrics.listen", "must be"},
                    WrongRow{"[metrics]\nport = 9464\n", "metrics.port", "is unknown"}));

TEST(ParseConfig, MetricsAreOffUnlessALoopbackAddressIsNamed) {
  EXPECT_EQ(ParseConfig("", "f.toml").config.metrics.listen, "");
  for (const char* const address : {"", "127.0.0.1:9464", "127.1.2.3:1", "[::1]:65535"}) {
    const ConfigResult result = ParseConfig(std::string("[metrics]\nlisten = '") + address + "'\n", "f.toml");
    EXPECT_THAT(ErrorsOf(result), IsEmpty()) << address;
    EXPECT_EQ(result.config.metrics.listen, address);
  }
}

TEST(ParseConfig, NamesFromTheFileCannotGarbleAMessage) {
  const std::vector<std::string> errors = ErrorsOf("[server]\n\"a\\nb\\u001b[1m\" = 1\n");
  ASSERT_EQ(errors.size(), 1U);
  for (const char c : errors[0]) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(ParseConfig, FileThatIsTooLargeIsNotParsed) {
  const std::string most = "#" + std::string(32766, 'x') + "\n";
  EXPECT_THAT(ErrorsOf(most), IsEmpty());
  EXPECT_THAT(ErrorsOf(most + "\n"), ElementsAre("f.toml: is larger than 32768 bytes"));
}

TEST(ParseConfig, DeepestKeyThatFitsIsAnErrorAndNoCrash) {
  std::string deepest;
  for (int i = 0; i < 16380; ++i) deepest += "a.";
  EXPECT_THAT(ErrorsOf(deepest + "a=1\n"), ElementsAre(HasSubstr("f.toml:1: a: is unknown")));
}

TEST(ConfigErrors, AreTextOfFileLineKeyAndWhat) {
  EXPECT_EQ(ToString(ConfigError{"f", 3, "a.b", "is wrong"}), "f:3: a.b: is wrong");
  EXPECT_EQ(ToString(ConfigError{"f", 0, "", "is wrong"}), "f: is wrong");
}

}  // namespace
}  // namespace volcrypt
