#include "agent/key_manager_sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "tests/unit/agent/config_errors.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A section that is right, for a test to add one mistake to.
constexpr char kDefaultIsX[] = "[key_manager]\ndefault = 'x'\n[key_managers.x]\n";
constexpr char kPasswordSection[] =
    "type = 'barbican'\nauth_url = 'https://keystone:5000/v3'\nusername = 'u'\npassword_file = '/p'\n"
    "project_name = 'service'\n";
constexpr char kCredentialSection[] =
    "type = 'barbican'\nauth_url = 'https://keystone:5000/v3'\napplication_credential_id = 'i'\n"
    "application_credential_secret_file = '/s'\n";
constexpr char kKmipSection[] =
    "type = 'kmip'\nservers = ['kmip1:5696']\nclient_certificate = '/c'\nclient_private_key = '/k'\n";

WrongRow WrongIn(const std::string& section, const std::string& mistake, const std::string& key,
                 const std::string& what) {
  return {kDefaultIsX + section + mistake, "key_managers.x." + key, what};
}

TEST(KeyManagerSections, EveryKeyOfBarbicanReachesItsPlace) {
  const ConfigResult result = ParseConfig(R"(
[key_manager]
default = "barbican"
[key_managers.barbican]
type = "barbican"
auth_url = "https://[2001:db8::1]:5000/identity/v3/"
username = "volcrypt"
password_file = "credential:keystone.password"
project_name = "service"
user_domain_name = "users"
project_domain_name = "projects"
region = "RegionTwo"
interface = "public"
endpoint = "http://barbican.example:9311/key-manager/"
ca_file = "/etc/ssl/ca.pem"
accept_caller_token = true
grant_agent_read = true
timeout = "3s"
[key_managers.other]
type = "barbican"
auth_url = "http://keystone/v3"
application_credential_id = "4f0e"
application_credential_secret_file = "/etc/volcrypt/secret"
)",
                                          "f.toml");
  ASSERT_THAT(ErrorsOf(result), IsEmpty());
  const auto& named = std::get<BarbicanConfig>(result.config.key_managers.sections.at("barbican"));
  // What is put behind a URL begins with a slash.
  EXPECT_EQ(named.auth_url, "https://[2001:db8::1]:5000/identity/v3");
  EXPECT_EQ(named.username, "volcrypt");
  EXPECT_EQ(named.password_file, "credential:keystone.password");
  EXPECT_EQ(named.project_name, "service");
  EXPECT_EQ(named.user_domain_name, "users");
  EXPECT_EQ(named.project_domain_name, "projects");
  EXPECT_EQ(named.region, "RegionTwo");
  EXPECT_EQ(named.interface, "public");
  EXPECT_EQ(named.endpoint, "http://barbican.example:9311/key-manager");
  EXPECT_EQ(named.ca_file, "/etc/ssl/ca.pem");
  EXPECT_TRUE(named.grant_agent_read);
  EXPECT_EQ(named.timeout, absl::Seconds(3));
  const auto& other = std::get<BarbicanConfig>(result.config.key_managers.sections.at("other"));
  EXPECT_EQ(other.application_credential_id, "4f0e");
  EXPECT_EQ(other.application_credential_secret_file, "/etc/volcrypt/secret");
  EXPECT_EQ(other.user_domain_name, "Default");
  EXPECT_TRUE(other.accept_caller_token);
  EXPECT_FALSE(other.grant_agent_read);
}

TEST(KeyManagerSections, EveryKeyOfTheFixedKeyAndKmipReachesItsPlace) {
  const ConfigResult result = ParseConfig(R"(
[key_manager]
default = "kmip"
[key_managers.fixed]
type = "conf"
fixed_key_file = "/etc/volcrypt/fixed"
high_entropy = true
[key_managers.kmip]
type = "kmip"
servers = ["kmip1.example:5696", "192.0.2.1:1", "[2001:db8::1]:65535"]
client_certificate = "/etc/volcrypt/client.pem"
client_private_key = "credential:kmip.key"
ca_file = "/etc/volcrypt/ca.pem"
username = "volcrypt"
password_file = "/etc/volcrypt/password"
timeout = "500ms"
)",
                                          "f.toml");
  ASSERT_THAT(ErrorsOf(result), IsEmpty());
  const auto& fixed = std::get<FixedKeyConfig>(result.config.key_managers.sections.at("fixed"));
  EXPECT_EQ(fixed.fixed_key_file, "/etc/volcrypt/fixed");
  EXPECT_TRUE(fixed.high_entropy);
  const auto& kmip = std::get<KmipConfig>(result.config.key_managers.sections.at("kmip"));
  EXPECT_THAT(kmip.servers, ElementsAre("kmip1.example:5696", "192.0.2.1:1", "[2001:db8::1]:65535"));
  EXPECT_EQ(kmip.client_certificate, "/etc/volcrypt/client.pem");
  EXPECT_EQ(kmip.client_private_key, "credential:kmip.key");
  EXPECT_EQ(kmip.ca_file, "/etc/volcrypt/ca.pem");
  EXPECT_EQ(kmip.username, "volcrypt");
  EXPECT_EQ(kmip.password_file, "/etc/volcrypt/password");
  EXPECT_EQ(kmip.timeout, absl::Milliseconds(500));
}

TEST(KeyManagerSections, SeveralFixedKeysAreRightWhenOneIsTheDefault) {
  EXPECT_THAT(ErrorsOf("[key_manager]\ndefault = 'b'\n[key_managers.a]\ntype = 'conf'\nfixed_key_file = '/a'\n"
                       "[key_managers.b]\ntype = 'conf'\nfixed_key_file = '/b'\n"),
              IsEmpty());
}

TEST(KeyManagerSections, ConfiguredKeyManagersReplaceTheBuiltInOne) {
  const ConfigResult result = ParseConfig(
      "[key_manager]\ndefault = 'a'\n[key_managers.a]\ntype = 'local'\npath = '/a'\n"
      "[key_managers.b]\ntype = 'local'\npath = '/b'\n",
      "f.toml");
  EXPECT_THAT(ErrorsOf(result), IsEmpty());
  EXPECT_EQ(result.config.key_managers.sections.size(), 2U);
  EXPECT_FALSE(result.config.key_managers.sections.contains("local"));
}

class WrongKeyManager : public testing::TestWithParam<WrongRow> {};

TEST_P(WrongKeyManager, IsReportedOnce) { ExpectReportedOnce(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    KeyManagers, WrongKeyManager,
    testing::Values(
        WrongRow{"[key_manager]\ndefault = 'x'\n", "key_manager.default", "names no section of [key_managers]"},
        WrongRow{"[key_managers.x]\ntype = 'local'\n", "key_manager.default", "there are: x"},
        WrongRow{"[key_managers]\n", "key_manager.default", "there are: none"},
        WrongRow{"[key_managers.local]\npath = '/a'\n", "key_managers.local",
                 "has no type; the types are: local, barbican"},
        WrongRow{"[key_managers.local]\ntype = 'vault'\n", "key_managers.local.type",
                 "unknown; the types are: local, barbican, conf, kmip"},
        WrongRow{"[key_managers.local]\ntype = 'local'\npath = 'a'\n", "key_managers.local.path", "absolute"},
        WrongRow{"[key_managers.local]\ntype = 'local'\npath = '/a/'\n", "key_managers.local.path", "is a directory"},
        WrongRow{"[key_managers.local]\ntype = 'local'\nkek_file = 'k'\n", "key_managers.local.kek_file", "absolute"},
        WrongRow{"[key_managers.local]\ntype = 'local'\nkek_file = 'credential:'\n", "key_managers.local.kek_file",
                 "credential:NAME"},
        WrongRow{"[key_managers.local]\ntype = 'local'\nkek_file = 'credential:../x'\n", "key_managers.local.kek_file",
                 "credential:NAME"},
        WrongRow{"[key_managers.local]\ntype = 'local'\nservers = []\n", "key_managers.local.servers", "unknown"},
        WrongRow{"[key_managers.local]\ntype = 'local'\n[key_managers.b]\ntype = 'local'\n", "key_managers.local.path",
                 "is the key store of [key_managers.b] too"},
        WrongRow{"[key_managers.local]\ntype = 'local'\n[key_managers.'a:b']\ntype = 'local'\n", "key_managers.\"a:b\"",
                 "is no name of a key manager"}));

INSTANTIATE_TEST_SUITE_P(
    Barbican, WrongKeyManager,
    testing::Values(
        WrongIn("type = 'barbican'\nusername = 'u'\npassword_file = '/p'\nproject_name = 'p'\n", "", "auth_url",
                "is missing"),
        WrongIn("type = 'barbican'\nauth_url = 'https://k/v3'\n", "", "application_credential_id",
                "or username, password_file and project_name"),
        WrongIn(kPasswordSection, "application_credential_id = 'i'\n", "username", "excludes"),
        WrongIn(kCredentialSection, "password_file = '/p'\n", "username", "excludes"),
        WrongIn("type = 'barbican'\nauth_url = 'https://k/v3'\napplication_credential_id = 'i'\n", "",
                "application_credential_secret_file", "is missing"),
        WrongIn("type = 'barbican'\nauth_url = 'https://k/v3'\napplication_credential_secret_file = '/s'\n", "",
                "application_credential_id", "is missing"),
        WrongIn("type = 'barbican'\nauth_url = 'https://k/v3'\nusername = 'u'\npassword_file = '/p'\n", "",
                "project_name", "is missing"),
        WrongIn("type = 'barbican'\nauth_url = 'https://k/v3'\nusername = 'u'\nproject_name = 'p'\n", "",
                "password_file", "is missing"),
        WrongIn("type = 'barbican'\nauth_url = 'https://k/v3'\npassword_file = '/p'\nproject_name = 'p'\n", "",
                "username", "is missing"),
        WrongIn(kPasswordSection, "user_domain_name = ''\n", "user_domain_name", "is missing"),
        WrongIn(kPasswordSection, "project_domain_name = ''\n", "project_domain_name", "is missing"),
        WrongIn(kPasswordSection, "interface = 'private'\n", "interface", "public, internal, admin"),
        WrongIn(kPasswordSection, "endpoint = 'https://barbican:9311/v1'\n", "endpoint", "without /v1"),
        WrongIn(kPasswordSection, "endpoint = 'barbican:9311'\n", "endpoint", "must begin with https://"),
        WrongIn(kPasswordSection, "ca_file = 'ca.pem'\n", "ca_file", "absolute"),
        WrongIn(kPasswordSection, "accept_caller_token = 'yes'\n", "accept_caller_token", "must be true or false"),
        WrongIn(kPasswordSection, "grant_agent_read = 1\n", "grant_agent_read", "must be true or false"),
        WrongIn(kPasswordSection, "grant_agent_read = true\naccept_caller_token = false\n", "grant_agent_read",
                "needs accept_caller_token"),
        WrongIn(kPasswordSection, "timeout = '99ms'\n", "timeout", "is not within"),
        WrongIn(kPasswordSection, "timeout = '6m'\n", "timeout", "is not within"),
        WrongIn(kPasswordSection, "region = '" + std::string(256, 'r') + "'\n", "region", "longer than 255"),
        WrongIn(kPasswordSection, "password = 'hunter2'\n", "password", "is unknown; the keys here are: "),
        WrongIn(kPasswordSection, "servers = ['a:1']\n", "servers", "is unknown")));

INSTANTIATE_TEST_SUITE_P(AuthUrls, WrongKeyManager, testing::ValuesIn([] {
                           std::vector<WrongRow> rows;
                           for (const char* url : {"keystone:5000/v3",
                                                   "ftp://keystone/v3",
                                                   "https://",
                                                   "https:///v3",
                                                   "https://keystone",
                                                   "https://keystone:5000",
                                                   "https://keystone/v2.0",
                                                   "https://key stone/v3",
                                                   "https://keystone:/v3",
                                                   "https://keystone:0/v3",
                                                   "https://keystone:65536/v3",
                                                   "https://keystone:5000x/v3",
                                                   "https://keystone:+5/v3",
                                                   "https://u:p@keystone/v3",
                                                   "https://[::1/v3",
                                                   "https://[keystone]/v3",
                                                   "https://::1/v3",
                                                   "https://[::1]x/v3",
                                                   "https://keystone/v3?x=1",
                                                   "https://keystone/v3#x",
                                                   "https://-k/v3",
                                                   "https://keystone/\\u00e4/v3",
                                                   "HTTPS://keystone/v3"}) {
                             rows.push_back(
                                 WrongIn("type = 'barbican'\nusername = 'u'\npassword_file = '/p'\n"
                                         "project_name = 'p'\n",
                                         std::string("auth_url = \"") + url + "\"\n", "auth_url", "must "));
                           }
                           return rows;
                         }()));

INSTANTIATE_TEST_SUITE_P(
    FixedKey, WrongKeyManager,
    testing::Values(
        WrongIn("type = 'conf'\n", "", "fixed_key_file", "is missing"),
        WrongIn("type = 'conf'\n", "fixed_key_file = 'relative'\n", "fixed_key_file", "absolute path"),
        WrongIn("type = 'conf'\nfixed_key_file = '/f'\n", "high_entropy = 'yes'\n", "high_entropy", "true or false"),
        WrongIn("type = 'conf'\nfixed_key_file = '/f'\n", "fixed_key = '00'\n", "fixed_key", "is unknown"),
        WrongRow{"[key_managers.local]\ntype = 'local'\n[key_managers.a]\ntype = 'conf'\nfixed_key_file = '/a'\n"
                 "[key_managers.b]\ntype = 'conf'\nfixed_key_file = '/b'\n",
                 "key_managers.b", "as is [key_managers.a], and neither is the default"}));

INSTANTIATE_TEST_SUITE_P(
    Kmip, WrongKeyManager,
    testing::Values(WrongIn("type = 'kmip'\nclient_certificate = '/c'\nclient_private_key = '/k'\n", "", "servers",
                            "is missing"),
                    WrongIn("type = 'kmip'\nclient_certificate = '/c'\nclient_private_key = '/k'\n", "servers = []\n",
                            "servers", "needs at least one"),
                    WrongIn("type = 'kmip'\nservers = ['a:1']\nclient_private_key = '/k'\n", "", "client_certificate",
                            "is missing"),
                    WrongIn("type = 'kmip'\nservers = ['a:1']\nclient_certificate = '/c'\n", "", "client_private_key",
                            "is missing"),
                    WrongIn(kKmipSection, "username = 'u'\n", "password_file", "is missing"),
                    WrongIn(kKmipSection, "password_file = '/p'\n", "username", "is missing"),
                    WrongIn(kKmipSection, "ca_file = 'credential:ca'\n", "ca_file", "absolute"),
                    WrongIn(kKmipSection, "timeout = 10\n", "timeout", "must be a duration")));

INSTANTIATE_TEST_SUITE_P(KmipServers, WrongKeyManager, testing::ValuesIn([] {
                           std::vector<WrongRow> rows;
                           for (const char* server :
                                {"", "kmip", "kmip:", ":5696", "kmip:0", "kmip:65536", "kmip:http", "::1:5696", "[::1]",
                                 "[::1]5696", "[::1:5696", "[kmip]:5696", "tcp://kmip:5696", "a b:1"}) {
                             rows.push_back(WrongIn(
                                 "type = 'kmip'\nclient_certificate = '/c'\n"
                                 "client_private_key = '/k'\n",
                                 std::string("servers = ['") + server + "']\n", "servers[0]", "must be HOST:PORT"));
                           }
                           return rows;
                         }()));

TEST(KeyManagerSections, SecretInThePlaceOfItsFileIsNotRepeated) {
  const std::vector<std::string> errors =
      ErrorsOf("[key_managers.local]\ntype = 'local'\nkek_file = '00112233445566778899aabbccddeeff'\n");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], testing::Not(HasSubstr("0011")));
}

TEST(KeyManagerSections, PasswordInAUrlIsNotRepeated) {
  for (const std::string url : {"https://user:hunter2@keystone/v3", "user:hunter2@keystone/v3"}) {
    const std::vector<std::string> errors =
        ErrorsOf(kDefaultIsX + std::string(kPasswordSection) + "endpoint = '" + url + "'\n");
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_THAT(errors[0], testing::Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace volcrypt
