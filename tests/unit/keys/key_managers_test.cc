#include "agent/keys/key_managers.h"

#include <gmock/gmock.h>

#include "agent/keys/key_manager_factory.h"
#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class KeyManagersTest : public StoreDirectory {
 protected:
  KeyManagersConfig ConfigWith(const std::string& kek_file) const {
    KeyManagersConfig config;
    config.sections = {{"local", LocalKeyManagerConfig{.path = path_, .kek_file = kek_file}}};
    return config;
  }
  void WriteKek(const std::string& name, mode_t mode = 0600) const {
    WriteFile(directory_ + "/" + name, std::string(32, 'k'), mode);
  }
};

TEST_F(KeyManagersTest, EmptyNameIsTheDefault) {
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), "");
  ASSERT_TRUE(result.ok()) << result.status();
  const KeyManagers& managers = result->key_managers;
  EXPECT_EQ(managers.DefaultName(), "local");
  const absl::StatusOr<KeyManager*> by_default = managers.Find("");
  const absl::StatusOr<KeyManager*> by_name = managers.Find("local");
  ASSERT_TRUE(by_default.ok() && by_name.ok());
  EXPECT_EQ(*by_default, *by_name);
  EXPECT_EQ(managers.Entries().at("local").type, "local");
  EXPECT_TRUE((*by_name)->Create({}, Soon()).ok());
}

TEST_F(KeyManagersTest, UnknownNameIsRefusedAndTheKnownOnesAreNamed) {
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), "");
  ASSERT_TRUE(result.ok()) << result.status();
  const absl::Status status = result->key_managers.Find("vault").status();
  EXPECT_EQ(ReasonText(status), "UNKNOWN_KEY_MANAGER");
  EXPECT_THAT(std::string(status.message()), HasSubstr("vault; configured: local"));
  EXPECT_EQ(MetadataOf(status)["key_manager"], "vault");
}

TEST_F(KeyManagersTest, WarningsNameTheirSection) {
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), "");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->warnings.size(), 1U);
  EXPECT_THAT(result->warnings[0], StartsWith("[key_managers.local] the key-encryption key " + kek_path_));
}

TEST_F(KeyManagersTest, ErrorsNameTheirSectionAndKeepTheirReason) {
  KeyManagersConfig config = ConfigWith("");
  config.sections.emplace("second", LocalKeyManagerConfig{.path = path_ + "2", .kek_file = directory_ + "/absent"});
  const absl::Status status = OpenKeyManagers(config, "").status();
  EXPECT_EQ(ReasonText(status), "KEY_UNFIT");
  EXPECT_THAT(std::string(status.message()), StartsWith("[key_managers.second] "));
  EXPECT_EQ(MetadataOf(status)["kek_file"], directory_ + "/absent");
}

TEST_F(KeyManagersTest, DefaultWithoutASectionIsRefused) {
  KeyManagersConfig config = ConfigWith("");
  config.default_name = "barbican";
  const absl::Status status = OpenKeyManagers(config, "").status();
  EXPECT_EQ(ReasonText(status), "UNKNOWN_KEY_MANAGER");
  EXPECT_THAT(std::string(status.message()), HasSubstr("[key_managers.barbican]; there are: local"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeyManagersTest, UsualCredentialIsUsedWithoutBeingNamed) {
  WriteKek("volcrypt.kek", 0440);
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), directory_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->warnings.empty());
  EXPECT_FALSE(std::filesystem::exists(kek_path_));
}

TEST_F(KeyManagersTest, WithoutTheUsualCredentialTheKekIsMadeBesideTheStore) {
  std::filesystem::create_directory(directory_ + "/credentials");
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), directory_ + "/credentials");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::filesystem::exists(kek_path_));
}

TEST_F(KeyManagersTest, NamedCredentialIsUsed) {
  WriteKek("mine", 0440);
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith("credential:mine"), directory_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->warnings.empty());
}

TEST_F(KeyManagersTest, CredentialThatIsNotThereIsRefusedAndNeverMade) {
  const absl::Status status = OpenKeyManagers(ConfigWith("credential:mine"), directory_).status();
  EXPECT_EQ(ReasonText(status), "KEY_UNFIT");
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_ + "/mine does not exist"));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/mine"));
}

TEST_F(KeyManagersTest, CredentialNeedsSystemdAndAPlainName) {
  const absl::Status without = OpenKeyManagers(ConfigWith("credential:mine"), "").status();
  EXPECT_EQ(ReasonText(without), "INVALID_FIELD");
  EXPECT_THAT(std::string(without.message()), HasSubstr("LoadCredential=mine"));
  for (const std::string name : {"", "../mine", "/etc/mine"}) {
    EXPECT_EQ(ReasonText(OpenKeyManagers(ConfigWith("credential:" + name), directory_).status()), "INVALID_FIELD");
  }
}

}  // namespace
}  // namespace volcrypt
