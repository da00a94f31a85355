#include "agent/keys/secret_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

class SecretFileTest : public StoreDirectory {
 protected:
  SecretFile Write(const std::string& content, mode_t mode = 0600) const {
    const std::string path = directory_.Path("secret");
    WriteFile(path, content, mode);
    return {.path = path};
  }

  // The secrets here are made up.
  static std::string TextOf(const absl::StatusOr<SecretBytes>& secret) {
    return secret.ok() ? std::string(secret->Text(), secret->Size()) : ReasonText(secret.status());
  }
};

TEST_F(SecretFileTest, PathIsLocatedAsItIsWritten) {
  const absl::StatusOr<SecretFile> file = LocateSecret("password_file", "/etc/volcrypt/password", "/run/credentials");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->path, "/etc/volcrypt/password");
  EXPECT_FALSE(file->is_credential);
}

TEST_F(SecretFileTest, CredentialIsLocatedInItsDirectory) {
  const absl::StatusOr<SecretFile> file = LocateSecret("password_file", "credential:mine", "/run/credentials/x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->path, "/run/credentials/x/mine");
  EXPECT_TRUE(file->is_credential);
}

TEST_F(SecretFileTest, CredentialNeedsSystemdAndAPlainName) {
  const absl::Status without = LocateSecret("password_file", "credential:mine", "").status();
  EXPECT_EQ(ReasonText(without), "INVALID_FIELD");
  EXPECT_EQ(MetadataOf(without)["field"], "password_file");
  EXPECT_THAT(std::string(without.message()), HasSubstr("LoadCredential=mine:FILE"));
  for (const std::string name : {"", "../mine", "/etc/mine"}) {
    EXPECT_EQ(ReasonText(LocateSecret("password_file", "credential:" + name, "/run/c").status()), "INVALID_FIELD");
  }
}

TEST_F(SecretFileTest, WholeFileIsReadUnchanged) {
  const std::string content = std::string("two\nlines\0\n", 11);
  EXPECT_EQ(TextOf(ReadSecretFile(Write(content), "the key")), content);
  EXPECT_EQ(TextOf(ReadSecretFile(Write(std::string(kMaxSecretFileBytes, 'x')), "the key")),
            std::string(kMaxSecretFileBytes, 'x'));
}

TEST_F(SecretFileTest, LineLosesItsEndAndNothingElse) {
  for (const std::string end : {"", "\n", "\r\n"}) {
    EXPECT_EQ(TextOf(ReadSecretLine(Write(" pass word\t" + end), "the password")), " pass word\t");
  }
}

TEST_F(SecretFileTest, WhatIsNoLineIsUnfit) {
  for (const std::string& content : {std::string("\n"), std::string("\r\n"), std::string("a\nb"), std::string("a\n\n"),
                                     std::string("a\rb"), std::string("a\0b", 3), std::string("")}) {
    EXPECT_EQ(TextOf(ReadSecretLine(Write(content), "the password")), "KEY_UNFIT") << testing::PrintToString(content);
  }
}

TEST_F(SecretFileTest, FileOfTheWrongSizeIsUnfit) {
  EXPECT_EQ(TextOf(ReadSecretFile(Write(""), "the key")), "KEY_UNFIT");
  EXPECT_EQ(TextOf(ReadSecretFile(Write(std::string(kMaxSecretFileBytes + 1, 'x')), "the key")), "KEY_UNFIT");
}

TEST_F(SecretFileTest, FileThatOthersMayReadIsRefusedWithTheWayToCloseIt) {
  for (const mode_t mode : {0604, 0640, 0644, 0622}) {
    const absl::Status status = ReadSecretLine(Write("secret", mode), "the password").status();
    EXPECT_EQ(ReasonText(status), "KEY_MANAGER_UNAVAILABLE");
    EXPECT_THAT(std::string(status.message()), HasSubstr("the password " + directory_.Path("secret") + " has mode"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("chmod 600"));
  }
}

TEST_F(SecretFileTest, CredentialMayBeReadByItsGroup) {
  SecretFile file = Write("secret", 0440);
  file.is_credential = true;
  EXPECT_EQ(TextOf(ReadSecretLine(file, "the password")), "secret");
  file = Write("secret", 0444);
  file.is_credential = true;
  EXPECT_EQ(TextOf(ReadSecretLine(file, "the password")), "KEY_MANAGER_UNAVAILABLE");
}

TEST_F(SecretFileTest, FileOfAnotherUserIsRefused) {
  const SecretFile file = Write("secret");
  ASSERT_EQ(chown(file.path.c_str(), 12345, 0), 0);
  EXPECT_EQ(TextOf(ReadSecretLine(file, "the password")), "KEY_MANAGER_UNAVAILABLE");
}

// As Kubernetes mounts its secrets. Whose the file is and who may read it is asked of the file itself.
TEST_F(SecretFileTest, LinkIsFollowedAndTheFileBehindItJudged) {
  const SecretFile file = Write("secret");
  const SecretFile link{.path = directory_.Path("link")};
  ASSERT_EQ(symlink(file.path.c_str(), link.path.c_str()), 0);
  EXPECT_EQ(TextOf(ReadSecretLine(link, "the password")), "secret");
  ASSERT_EQ(chmod(file.path.c_str(), 0644), 0);
  EXPECT_EQ(TextOf(ReadSecretLine(link, "the password")), "KEY_MANAGER_UNAVAILABLE");
}

TEST_F(SecretFileTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  const std::string pipe = directory_.Path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, directory_.Path(), directory_.Path("absent")}) {
    const absl::Status status = ReadSecretLine({.path = path}, "the password").status();
    EXPECT_EQ(ReasonText(status), "KEY_MANAGER_UNAVAILABLE") << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
}

TEST_F(SecretFileTest, ErrorsDoNotRepeatTheSecret) {
  const absl::Status status = ReadSecretLine(Write("hunter2\nhunter2\n"), "the password").status();
  EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace volcrypt
