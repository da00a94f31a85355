#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "agent/config.h"
#include "agent/config_result.h"
#include "tests/unit/agent/config_errors.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LoadConfigTest : public testing::Test {
 protected:
  ConfigResult Load(bool must_exist = true) const { return LoadConfig(Main(), must_exist); }
  std::string Main() const { return directory_.Path("volcryptd.toml"); }
  std::string DropIn(const std::string& name) const { return directory_.Path("volcryptd.d/" + name); }

  TempDirectory directory_;
};

TEST_F(LoadConfigTest, MissingFileIsAnErrorOnlyWhenItMustExist) {
  EXPECT_THAT(ErrorsOf(Load(false)), IsEmpty());
  EXPECT_THAT(ErrorsOf(Load(true)), ElementsAre(Main() + ": can not be read: No such file or directory"));
}

TEST_F(LoadConfigTest, DropInsAreReadInTheOrderOfTheirNamesAndReplaceKeys) {
  directory_.Write("volcryptd.toml", "[server]\nmax_operations = 1\n[log]\nlevel = 'error'\n");
  directory_.Write("volcryptd.d/20.toml", "[server]\nmax_operations = 3\n");
  directory_.Write("volcryptd.d/10.toml", "[server]\nmax_operations = 2\noperation_timeout = '5s'\n");
  const ConfigResult result = Load();
  EXPECT_THAT(ErrorsOf(result), IsEmpty());
  EXPECT_EQ(result.config.server.max_operations, 3U);
  EXPECT_EQ(result.config.server.operation_timeout, absl::Seconds(5));
  EXPECT_EQ(result.config.log.level, "error");
}

TEST_F(LoadConfigTest, DropInsCountWithoutTheFileItself) {
  directory_.Write("volcryptd.d/10.toml", "[server]\nmax_operations = 2\n");
  EXPECT_EQ(Load(false).config.server.max_operations, 2U);
}

TEST_F(LoadConfigTest, OnlyVisibleTomlFilesAreDropIns) {
  for (const char* name : {".10.toml", "10.toml~", "10.conf", "toml"}) {
    directory_.Write(std::string("volcryptd.d/") + name, "nonsense");
  }
  EXPECT_THAT(ErrorsOf(Load(false)), IsEmpty());
}

TEST_F(LoadConfigTest, ListsAndAccessTablesAreReplacedWhole) {
  directory_.Write("volcryptd.toml",
                   "[volumes]\ndevice_prefixes = ['/a/', '/b/']\n[[access]]\nrole = 'admin'\nusers = ['1']\n");
  directory_.Write("volcryptd.d/1.toml",
                   "[volumes]\ndevice_prefixes = ['/c/']\n[[access]]\nrole = 'compute'\nusers = ['2']\n");
  const ConfigResult result = Load();
  EXPECT_THAT(ErrorsOf(result), IsEmpty());
  EXPECT_THAT(result.config.volumes.device_prefixes, ElementsAre("/c/"));
  ASSERT_EQ(result.config.access.size(), 1U);
  EXPECT_EQ(result.config.access[0].role, Role::kCompute);
}

TEST_F(LoadConfigTest, DropInChangesOneKeyOfAKeyManagerThatIsThere) {
  directory_.Write("volcryptd.toml", "[key_managers.local]\ntype = 'local'\npath = '/a'\n");
  directory_.Write("volcryptd.d/1.toml", "[key_managers.local]\nkek_file = '/k'\n");
  directory_.Write("volcryptd.d/2.toml", "[key_managers.other]\ntype = 'local'\npath = '/b'\n");
  const ConfigResult result = Load();
  EXPECT_THAT(ErrorsOf(result), IsEmpty());
  const auto& local = std::get<LocalKeyManagerConfig>(result.config.key_managers.sections.at("local"));
  EXPECT_EQ(local.path, "/a");
  EXPECT_EQ(local.kek_file, "/k");
  EXPECT_TRUE(result.config.key_managers.sections.contains("other"));
}

TEST_F(LoadConfigTest, WhatASectionNeedsMayStandInAnyFile) {
  directory_.Write("volcryptd.toml",
                   "[key_manager]\ndefault = 'b'\n[key_managers.b]\ntype = 'barbican'\nauth_url = 'https://k/v3'\n");
  directory_.Write("volcryptd.d/1.toml",
                   "[key_managers.b]\nusername = 'u'\npassword_file = '/p'\nproject_name = 'p'\n");
  EXPECT_THAT(ErrorsOf(Load()), IsEmpty());
  directory_.Write("volcryptd.d/2.toml", "[key_managers.b]\napplication_credential_id = 'i'\n");
  EXPECT_THAT(ErrorsOf(Load()), ElementsAre(HasSubstr(DropIn("1.toml") + ":2: key_managers.b.username: excludes")));
}

TEST_F(LoadConfigTest, SectionKeepsItsType) {
  directory_.Write("volcryptd.toml", "[key_managers.local]\ntype = 'local'\n");
  directory_.Write("volcryptd.d/1.toml", "[key_managers.local]\ntype = 'conf'\nfixed_key_file = '/f'\n");
  EXPECT_THAT(
      ErrorsOf(Load()),
      ElementsAre(HasSubstr(DropIn("1.toml") + ":2: key_managers.local.type: is another one than in an earlier")));
}

TEST_F(LoadConfigTest, SectionWithoutATypeIsReportedOnce) {
  directory_.Write("volcryptd.toml", "[key_managers.local]\npath = '/a'\n");
  directory_.Write("volcryptd.d/1.toml", "[key_managers.local]\npath = '/b'\n");
  EXPECT_THAT(ErrorsOf(Load()), ElementsAre(HasSubstr(Main() + ":1: key_managers.local: has no type")));
}

TEST_F(LoadConfigTest, ErrorsOfAllFilesAreReportedEachWithItsFile) {
  directory_.Write("volcryptd.toml", "[server]\nmax_operations = 0\n");
  directory_.Write("volcryptd.d/1.toml", "[\n");
  directory_.Write("volcryptd.d/2.toml", "\n[server]\nmax_operations = 5\nx = 1\n");
  EXPECT_THAT(ErrorsOf(Load()), ElementsAre(HasSubstr(Main() + ":2: server.max_operations: 0 is not"),
                                            HasSubstr(DropIn("1.toml") + ":1: is not TOML"),
                                            HasSubstr(DropIn("2.toml") + ":4: server.x: is unknown")));
}

TEST_F(LoadConfigTest, ErrorOfTwoFilesTogetherNamesTheOneThatSetTheKey) {
  directory_.Write("volcryptd.toml", "[volumes]\ncipher = 'aes-xts-plain'\n");
  directory_.Write("volcryptd.d/1.toml", "[volumes]\nallowed_ciphers = ['aes-xts-plain64']\n");
  EXPECT_THAT(ErrorsOf(Load()), ElementsAre(HasSubstr(Main() + ":2: volumes.cipher: \"aes-xts-plain\" is not among")));
}

TEST_F(LoadConfigTest, WhatIsNoReadableFileIsAnError) {
  std::filesystem::create_directories(DropIn("1.toml"));
  std::filesystem::create_symlink("nowhere", DropIn("2.toml"));
  EXPECT_THAT(ErrorsOf(Load(false)), ElementsAre(DropIn("1.toml") + ": can not be read: Is a directory",
                                                 DropIn("2.toml") + ": can not be read: No such file or directory"));
}

TEST_F(LoadConfigTest, DropInDirectoryThatIsAFileIsAnError) {
  directory_.Write("volcryptd.d", "");
  EXPECT_THAT(ErrorsOf(Load(false)),
              ElementsAre(directory_.Path("volcryptd.d") + ": can not be read: Not a directory"));
}

std::string Sample() {
  std::ifstream file(std::string(VOLCRYPT_SOURCE_ROOT) + "/docs/volcryptd.toml");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(SampleConfig, SaysWhatIsBuiltIn) {
  const ConfigResult result = ParseConfig(Sample(), "volcryptd.toml");
  ASSERT_THAT(ErrorsOf(result), IsEmpty());
  const Config& sample = result.config;
  const Config defaults;
  EXPECT_EQ(sample.server.listen, defaults.server.listen);
  EXPECT_EQ(sample.server.operation_timeout, defaults.server.operation_timeout);
  EXPECT_EQ(sample.server.max_operations, defaults.server.max_operations);
  EXPECT_THAT(sample.access, IsEmpty());
  EXPECT_EQ(sample.volumes.format_if_blank, defaults.volumes.format_if_blank);
  EXPECT_EQ(sample.volumes.encryption.format, defaults.volumes.encryption.format);
  EXPECT_EQ(sample.volumes.encryption.cipher, defaults.volumes.encryption.cipher);
  EXPECT_EQ(sample.volumes.encryption.key_size_bits, defaults.volumes.encryption.key_size_bits);
  EXPECT_EQ(sample.volumes.encryption.sector_size_bytes, defaults.volumes.encryption.sector_size_bytes);
  EXPECT_EQ(sample.volumes.device_prefixes, defaults.volumes.device_prefixes);
  EXPECT_EQ(sample.volumes.allowed_ciphers, defaults.volumes.allowed_ciphers);
  EXPECT_EQ(sample.key_managers.default_name, defaults.key_managers.default_name);
  ASSERT_EQ(sample.key_managers.sections.size(), 1U);
  const auto& section = std::get<LocalKeyManagerConfig>(sample.key_managers.sections.at("local"));
  EXPECT_EQ(section.path, LocalKeyManagerConfig().path);
  EXPECT_EQ(section.kek_file, LocalKeyManagerConfig().kek_file);
  EXPECT_EQ(sample.log.level, defaults.log.level);
}

// The keys that the reader knows of a table, as it lists them for an unknown one.
std::vector<std::string> KnownKeys(const std::string& head) {
  const ConfigResult result = ParseConfig(head + "bogus = 1\n", "f.toml");
  std::vector<std::string> keys;
  for (const ConfigError& error : result.errors) {
    const size_t list = error.what.find(" are: ");
    if (!error.key.ends_with("bogus") || list == std::string::npos) continue;
    std::istringstream words(error.what.substr(list + 6));
    for (std::string word; std::getline(words >> std::ws, word, ',');) keys.push_back(word);
  }
  return keys;
}

TEST(SampleConfig, HasEveryKeyThatTheReaderKnows) {
  const std::string sample = "\n" + Sample();
  for (const std::string& section : KnownKeys("")) {
    const bool is_there =
        sample.find("\n[" + section) != std::string::npos || sample.find("\n#[[" + section + "]]") != std::string::npos;
    EXPECT_TRUE(is_there) << section;
  }
  size_t count = 0;
  for (const char* head :
       {"[server]\n", "[server.tls]\n", "[[access]]\n", "[volumes]\n", "[key_manager]\n",
        "[key_managers.local]\ntype='local'\n", "[key_managers.x]\ntype='barbican'\n",
        "[key_managers.x]\ntype='conf'\n", "[key_managers.x]\ntype='kmip'\n", "[log]\n", "[audit]\n"}) {
    for (const std::string& key : KnownKeys(head)) {
      const bool is_there = sample.find("\n" + key + " = ") != std::string::npos ||
                            sample.find("\n#" + key + " = ") != std::string::npos ||
                            sample.find("." + key + "]\n") != std::string::npos;  // a section below
      EXPECT_TRUE(is_there) << head << key;
      ++count;
    }
  }
  EXPECT_EQ(count, 53U);
}

TEST(SampleConfig, ExampleInItsCommentsIsRight) {
  std::string text;
  std::istringstream lines(Sample());
  for (std::string line; std::getline(lines, line);) {
    const bool is_example = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (is_example ? line.substr(1) : line) + "\n";
  }
  const ConfigResult result = ParseConfig(text, "volcryptd.toml");
  EXPECT_THAT(ErrorsOf(result), IsEmpty());
  EXPECT_EQ(result.config.access.size(), 1U);
  EXPECT_EQ(result.config.key_managers.sections.size(), 4U);
}

}  // namespace
}  // namespace volcrypt
