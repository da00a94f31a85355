#include "agent/keys/key_managers.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "agent/keys/key_id.h"
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
    WriteFile(directory_.Path(name), std::string(32, 'k'), mode);
  }
};

TEST_F(KeyManagersTest, EmptyNameIsTheDefault) {
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), "");
  ASSERT_TRUE(result.ok()) << result.status();
  const KeyManagers& managers = result->key_managers;
  EXPECT_EQ(managers.DefaultName(), "local");
  const absl::StatusOr<KeyManagers::Found> by_default = managers.Find("");
  const absl::StatusOr<KeyManagers::Found> by_name = managers.Find("local");
  ASSERT_TRUE(by_default.ok() && by_name.ok());
  EXPECT_EQ(by_default->name, "local");
  EXPECT_EQ(by_default->manager, by_name->manager);
  EXPECT_EQ(managers.Entries().at("local").type, "local");
  EXPECT_TRUE(by_name->manager->Create({}, Soon()).ok());
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
  config.sections.emplace("second", LocalKeyManagerConfig{.path = path_ + "2", .kek_file = directory_.Path("absent")});
  const absl::Status status = OpenKeyManagers(config, "").status();
  EXPECT_EQ(ReasonText(status), "KEY_UNFIT");
  EXPECT_THAT(std::string(status.message()), StartsWith("[key_managers.second] "));
  EXPECT_EQ(MetadataOf(status)["kek_file"], directory_.Path("absent"));
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
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), directory_.Path());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->warnings.empty());
  EXPECT_FALSE(std::filesystem::exists(kek_path_));
}

TEST_F(KeyManagersTest, WithoutTheUsualCredentialTheKekIsMadeBesideTheStore) {
  std::filesystem::create_directory(directory_.Path("credentials"));
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith(""), directory_.Path("credentials"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::filesystem::exists(kek_path_));
}

TEST_F(KeyManagersTest, NamedCredentialIsUsed) {
  WriteKek("mine", 0440);
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(ConfigWith("credential:mine"), directory_.Path());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->warnings.empty());
}

TEST_F(KeyManagersTest, CredentialThatIsNotThereIsRefusedAndNeverMade) {
  const absl::Status status = OpenKeyManagers(ConfigWith("credential:mine"), directory_.Path()).status();
  EXPECT_EQ(ReasonText(status), "KEY_UNFIT");
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.Path("mine does not exist")));
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("mine")));
}

TEST_F(KeyManagersTest, CredentialNeedsSystemdAndAPlainName) {
  const absl::Status without = OpenKeyManagers(ConfigWith("credential:mine"), "").status();
  EXPECT_EQ(ReasonText(without), "INVALID_FIELD");
  EXPECT_THAT(std::string(without.message()), HasSubstr("LoadCredential=mine"));
  for (const std::string name : {"", "../mine", "/etc/mine"}) {
    EXPECT_EQ(ReasonText(OpenKeyManagers(ConfigWith("credential:" + name), directory_.Path()).status()),
              "INVALID_FIELD");
  }
}

TEST_F(KeyManagersTest, FixedKeyIsOpenedFromAFileOrACredentialWithAWarning) {
  WriteFile(directory_.Path("fixed"), std::string(64, 'a') + "\n");
  for (const std::string& file : {directory_.Path("fixed"), std::string("credential:fixed")}) {
    KeyManagersConfig config = ConfigWith(directory_.Path("kek"));
    WriteKek("kek");
    config.sections.emplace("old", FixedKeyConfig{.fixed_key_file = file, .high_entropy = true});
    const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(config, directory_.Path());
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->key_managers.Entries().at("old").type, "conf");
    ASSERT_EQ(result->warnings.size(), 1U);
    EXPECT_THAT(result->warnings[0], StartsWith("[key_managers.old] this key manager is insecure"));
    const absl::StatusOr<Key> key = result->key_managers.Find("old")->manager->Get(kFixedKeyId, Soon());
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->bytes.Size(), 32U);
    EXPECT_TRUE(key->high_entropy);
  }
}

TEST_F(KeyManagersTest, FixedKeyThatCannotBeReadIsRefused) {
  KeyManagersConfig config = ConfigWith("");
  config.sections.emplace("old", FixedKeyConfig{.fixed_key_file = directory_.Path("absent")});
  const absl::Status status = OpenKeyManagers(config, directory_.Path()).status();
  EXPECT_EQ(ReasonText(status), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_THAT(std::string(status.message()),
              StartsWith("[key_managers.old] the fixed key " + directory_.Path("absent")));
}

TEST_F(KeyManagersTest, BarbicanIsOpenedWithItsSecretAndWithoutTalkingToAnybody) {
  WriteFile(directory_.Path("secret"), "made up\n");
  BarbicanConfig password{.auth_url = "https://keystone.invalid:5000/v3"};
  password.username = "volcrypt";
  password.project_name = "service";
  password.password_file = directory_.Path("secret");
  BarbicanConfig credential{.auth_url = "http://keystone.invalid:5000/v3"};
  credential.application_credential_id = "id";
  credential.application_credential_secret_file = "credential:secret";
  credential.endpoint = "http://barbican.invalid";
  KeyManagersConfig config{.default_name = "password",
                           .sections = {{"password", password}, {"credential", credential}}};
  const absl::StatusOr<KeyManagersResult> result = OpenKeyManagers(config, directory_.Path());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->key_managers.Entries().at("password").type, "barbican");
  ASSERT_EQ(result->warnings.size(), 2U);
  EXPECT_THAT(result->warnings[0], StartsWith("[key_managers.credential] auth_url http://keystone.invalid:5000/v3 is"));
  EXPECT_THAT(result->warnings[1], StartsWith("[key_managers.credential] endpoint http://barbican.invalid is not"));
}

TEST_F(KeyManagersTest, BarbicanWithoutAReadableSecretIsRefused) {
  BarbicanConfig barbican{.auth_url = "https://keystone.invalid:5000/v3"};
  barbican.username = "volcrypt";
  barbican.project_name = "service";
  barbican.password_file = directory_.Path("secret");
  const KeyManagersConfig config{.default_name = "b", .sections = {{"b", barbican}}};
  const absl::Status missing = OpenKeyManagers(config, "").status();
  EXPECT_EQ(ReasonText(missing), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_THAT(std::string(missing.message()),
              StartsWith("[key_managers.b] password_file " + directory_.Path("secret")));
  WriteFile(directory_.Path("secret"), "hunter2", 0644);
  const absl::Status open = OpenKeyManagers(config, "").status();
  EXPECT_THAT(std::string(open.message()), HasSubstr("chmod 600"));
  EXPECT_THAT(std::string(open.message()), testing::Not(HasSubstr("hunter2")));
}

TEST_F(KeyManagersTest, KmipFilesAreLookedForWhereTheConfigurationSays) {
  KmipConfig kmip{.servers = {"kmip.invalid:5696"}};
  kmip.client_certificate = directory_.Path("certificate");
  kmip.client_private_key = "credential:key";
  KeyManagersConfig config{.default_name = "k", .sections = {{"k", kmip}}};
  const absl::Status without_systemd = OpenKeyManagers(config, "").status();
  EXPECT_EQ(ReasonText(without_systemd), "INVALID_FIELD");
  EXPECT_EQ(MetadataOf(without_systemd)["field"], "client_private_key");
  const absl::Status missing = OpenKeyManagers(config, directory_.Path()).status();
  EXPECT_EQ(ReasonText(missing), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_THAT(std::string(missing.message()), HasSubstr(directory_.Path("certificate")));
  kmip.username = "volcrypt";
  kmip.password_file = directory_.Path("password");
  config.sections = {{"k", kmip}};
  EXPECT_THAT(std::string(OpenKeyManagers(config, directory_.Path()).status().message()),
              StartsWith("[key_managers.k] password_file " + directory_.Path("password")));
}

// Whom a reference means, by the sections that there are: name and type.
class WhoseKeyTest : public testing::Test {
 protected:
  using Sections = std::map<std::string, std::string>;
  static std::string WhoseKey(const Sections& sections, const std::string& default_name, const KeyReference& key) {
    std::map<std::string, KeyManagers::Entry> entries;
    for (const auto& [name, type] : sections) entries[name] = {.type = type, .manager = nullptr};
    const KeyManagers managers(default_name, std::move(entries));
    const absl::StatusOr<KeyManagers::Found> found = managers.FindFor(key);
    return found.ok() ? found->name : std::string(ReasonName(*ReasonOf(found.status())));
  }
  const KeyReference fixed_ = {.key_manager = "", .key_id = kFixedKeyId};
  const KeyReference other_ = {.key_manager = "", .key_id = "11111111-1111-4111-8111-111111111111"};
};

TEST_F(WhoseKeyTest, FixedKeyIsTheConfSectionsWhateverTheDefaultIs) {
  EXPECT_EQ(WhoseKey({{"a", "local"}, {"z", "conf"}}, "a", fixed_), "z");
  EXPECT_EQ(WhoseKey({{"a", "conf"}, {"b", "barbican"}}, "b", fixed_), "a");
  EXPECT_EQ(WhoseKey({{"a", "conf"}, {"b", "conf"}}, "b", fixed_), "b");
}

TEST_F(WhoseKeyTest, EveryOtherKeyIsTheDefaultOnes) {
  EXPECT_EQ(WhoseKey({{"a", "local"}, {"z", "conf"}}, "a", other_), "a");
  EXPECT_EQ(WhoseKey({{"a", "local"}, {"z", "conf"}}, "a", {}), "a");
}

TEST_F(WhoseKeyTest, WithoutAConfSectionTheFixedKeyIsTheDefaultOnes) {
  EXPECT_EQ(WhoseKey({{"a", "local"}, {"b", "kmip"}}, "b", fixed_), "b");
}

TEST_F(WhoseKeyTest, NamedKeyManagerIsNeverOverruled) {
  const KeyReference named = {.key_manager = "a", .key_id = kFixedKeyId};
  EXPECT_EQ(WhoseKey({{"a", "local"}, {"z", "conf"}}, "z", named), "a");
  EXPECT_EQ(WhoseKey({{"z", "conf"}}, "z", named), "UNKNOWN_KEY_MANAGER");
}

TEST(RefusalOf, TellsWhatAKeyManagerCannotDoAndLeavesOtherErrorsAlone) {
  const absl::Status refusal = RefusalOf(NotHeld("it makes no keys"), "fixed");
  EXPECT_TRUE(HasReason(refusal, Reason::kInvalidField));
  EXPECT_EQ(MetadataOf(refusal)["field"], "key_manager");
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("fixed cannot do this: it makes no keys"));
  EXPECT_TRUE(HasReason(RefusalOf(MakeError(Reason::kKeyNotFound, "gone"), "fixed"), Reason::kKeyNotFound));
  EXPECT_TRUE(RefusalOf(absl::OkStatus(), "fixed").ok());
}

}  // namespace
}  // namespace volcrypt
