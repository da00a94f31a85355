#include "agent/secret_file_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/fakes/test_certificates.h"
#include "tests/unit/agent/config_errors.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SecretFileCheckTest : public testing::Test {
 protected:
  std::string Secret(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    directory_.Write(name, text);
    chmod(directory_.Path(name).c_str(), mode);
    return directory_.Path(name);
  }

  static SecretFileFindings Check(const std::string& text, const std::string& credentials = "") {
    const ConfigResult config = ParseConfig(text, "f.toml");
    EXPECT_THAT(ErrorsOf(config), IsEmpty());
    return CheckSecretFiles(config, credentials);
  }

  static std::vector<std::string> Errors(const std::string& text, const std::string& credentials = "") {
    std::vector<std::string> errors;
    for (const ConfigError& error : Check(text, credentials).errors) errors.push_back(ToString(error));
    return errors;
  }

  static std::string Fixed(const std::string& file) {
    return "[key_manager]\ndefault = 'x'\n[key_managers.x]\ntype = 'conf'\nfixed_key_file = '" + file + "'\n";
  }

  static std::string Local(const std::string& more) {
    return "[key_manager]\ndefault = 'x'\n[key_managers.x]\ntype = 'local'\n" + more;
  }

  TempDirectory directory_;
};

TEST_F(SecretFileCheckTest, MissingOpenAndUnfitFixedKeysAreToldWithTheirLine) {
  const std::string key(32, 'a');
  const std::string place = "f.toml:5: key_managers.x.fixed_key_file: ";
  EXPECT_THAT(Errors(Fixed(Secret("good", key))), IsEmpty());
  EXPECT_THAT(Errors(Fixed("/nonexistent/key")), ElementsAre(testing::StartsWith(place)));
  EXPECT_THAT(Errors(Fixed(Secret("open", key, 0640))), ElementsAre(HasSubstr(place)));
  EXPECT_THAT(Errors(Fixed(Secret("open", key, 0640))), ElementsAre(HasSubstr("has mode 0640")));
  EXPECT_THAT(Errors(Fixed(Secret("words", "no digits!"))), ElementsAre(HasSubstr("hexadecimal")));
}

TEST_F(SecretFileCheckTest, EveryFileOfASectionIsLookedAt) {
  const std::string text =
      "[key_manager]\ndefault = 'k'\n"
      "[key_managers.k]\ntype = 'kmip'\nservers = ['kmip1:5696']\n"
      "client_certificate = '/nonexistent/c'\nclient_private_key = '/nonexistent/k'\nca_file = '/nonexistent/a'\n"
      "username = 'u'\npassword_file = '/nonexistent/p'\n"
      "[key_managers.b]\ntype = 'barbican'\nauth_url = 'https://keystone:5000/v3'\nca_file = '/nonexistent/a'\n"
      "application_credential_id = 'i'\napplication_credential_secret_file = '/nonexistent/s'\n"
      "[key_managers.c]\ntype = 'barbican'\nauth_url = 'https://keystone:5000/v3'\nusername = 'u'\n"
      "password_file = '" +
      Secret("two", "one\ntwo\n") + "'\nproject_name = 'service'\n";
  EXPECT_THAT(Errors(text),
              ElementsAre(HasSubstr("f.toml:16: key_managers.b.application_credential_secret_file: "),
                          HasSubstr("f.toml:14: key_managers.b.ca_file: "), HasSubstr("must be one line of text"),
                          HasSubstr("f.toml:6: key_managers.k.client_certificate: "),
                          HasSubstr("f.toml:7: key_managers.k.client_private_key: "),
                          HasSubstr("f.toml:8: key_managers.k.ca_file: "),
                          HasSubstr("f.toml:10: key_managers.k.password_file: ")));
}

// "[server.tls]" with these files, in the lines 2 to 5.
std::string Tls(const std::string& certificate, const std::string& key, const std::string& ca, const std::string& crl) {
  return "[server.tls]\ncertificate = '" + certificate + "'\nprivate_key = '" + key + "'\nclient_ca = '" + ca +
         "'\nclient_crl_directory = '" + crl + "'\n";
}

TEST_F(SecretFileCheckTest, FilesThatAreNoneForTlsOrDoNotFitAreToldWithTheirLines) {
  TestCertificates certificates(directory_.Path());
  const CertificateFiles own = certificates.Issue({.common_name = "agent", .alternative_names = ""});
  const CertificateFiles other = certificates.Issue({.common_name = "other", .alternative_names = ""});
  const std::string ca = certificates.AuthorityFile();
  const std::string garbage = Secret("garbage", "no PEM");
  const std::string crl = directory_.Path();
  EXPECT_THAT(Errors(Tls(own.certificate, own.private_key, ca, crl)), IsEmpty());
  EXPECT_THAT(Errors(Tls(own.certificate, other.private_key, ca, crl)),
              ElementsAre("f.toml:3: server.tls.private_key: " + other.private_key +
                          " is not the key of server.tls.certificate"));
  EXPECT_THAT(
      Errors(Tls(garbage, garbage, garbage, garbage)),
      ElementsAre(HasSubstr("f.toml:2: server.tls.certificate: "), HasSubstr("f.toml:3: server.tls.private_key: "),
                  HasSubstr("f.toml:4: server.tls.client_ca: "),
                  HasSubstr("f.toml:5: server.tls.client_crl_directory: ")));
  const SecretFileFindings by_hand = Check(Tls(own.certificate, "credential:server.key", garbage, crl));
  EXPECT_THAT(by_hand.notes, ElementsAre(HasSubstr("server.tls.private_key: credential:server.key")));
  ASSERT_EQ(by_hand.errors.size(), 1U);
  EXPECT_EQ(by_hand.errors[0].key, "server.tls.client_ca");
}

TEST_F(SecretFileCheckTest, CertificateOfAKmipClientIsLookedAtWithItsKey) {
  TestCertificates certificates(directory_.Path());
  const CertificateFiles own = certificates.Issue({.common_name = "agent", .alternative_names = ""});
  const CertificateFiles other = certificates.Issue({.common_name = "other", .alternative_names = ""});
  const auto kmip = [&](const std::string& certificate, const std::string& key, const std::string& ca) {
    return Errors(
        "[key_manager]\ndefault = 'k'\n[key_managers.k]\ntype = 'kmip'\nservers = ['kmip1:5696']\n"
        "client_certificate = '" +
        certificate + "'\nclient_private_key = '" + key + "'\nca_file = '" + ca + "'\n");
  };
  const std::string ca = certificates.AuthorityFile();
  const std::string garbage = Secret("garbage", "no PEM");
  const std::string place = "f.toml:6: key_managers.k.client_certificate: ";
  EXPECT_THAT(kmip(own.certificate, own.private_key, ca), IsEmpty());
  EXPECT_THAT(kmip(own.certificate, other.private_key, ca), ElementsAre(HasSubstr(place)));
  EXPECT_THAT(kmip(garbage, own.private_key, ca), ElementsAre(HasSubstr(place)));
  EXPECT_THAT(kmip(own.certificate, own.private_key, garbage), ElementsAre(HasSubstr("garbage")));
  EXPECT_THAT(kmip(own.certificate, "credential:kmip.key", garbage), ElementsAre(HasSubstr("garbage")));
}

TEST_F(SecretFileCheckTest, KeyOfTheLocalStoreMayBeMadeLaterButNotBeWrong) {
  const std::string path = directory_.Path("kek");
  EXPECT_THAT(Errors(Local("")), IsEmpty());
  EXPECT_THAT(Errors(Local("kek_file = '" + path + "'\n")), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(path));
  Secret("kek", "short");
  EXPECT_THAT(Errors(Local("kek_file = '" + path + "'\n")),
              ElementsAre(HasSubstr("f.toml:5: key_managers.x.kek_file: ")));
}

TEST_F(SecretFileCheckTest, CredentialsAreLookedAtWhereTheyAre) {
  const SecretFileFindings by_hand = Check(Fixed("credential:fixed.key"));
  EXPECT_THAT(by_hand.errors, IsEmpty());
  EXPECT_THAT(by_hand.notes, ElementsAre(HasSubstr("key_managers.x.fixed_key_file: credential:fixed.key")));
  EXPECT_THAT(Errors(Fixed("credential:fixed.key"), directory_.Path()), ElementsAre(HasSubstr("fixed_key_file")));
  EXPECT_THAT(Errors(Local("kek_file = 'credential:kek'\n"), directory_.Path()), ElementsAre(HasSubstr("kek_file")));
  Secret("fixed.key", std::string(32, 'a'));
  EXPECT_THAT(Errors(Fixed("credential:fixed.key"), directory_.Path()), IsEmpty());
}

}  // namespace
}  // namespace volcrypt
