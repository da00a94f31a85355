#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

class LocalKeyStoreOpenTest : public StoreDirectory {
 protected:
  // Opening is refused with this reason and a message that has all these parts, and leaves the key-encryption key and
  // whatever store there was as they are.
  void ExpectRefused(const std::string& reason, const std::vector<std::string>& parts,
                     const std::string& kek_file = "") const {
    const std::string store = ReadFile(path_);
    const std::string kek = KekContent();
    const absl::Status status = TryOpen(kek_file).status();
    EXPECT_EQ(ReasonText(status), reason) << status;
    for (const std::string& part : parts) EXPECT_THAT(std::string(status.message()), HasSubstr(part));
    EXPECT_TRUE(KekContent() == kek);
    // Where there was none there may be an empty one now.
    EXPECT_TRUE(store.empty() || ReadFile(path_) == store);
  }

  std::string KekContent() const {
    return std::filesystem::is_regular_file(kek_path_) ? ReadFile(kek_path_) : std::string();
  }

  const std::string other_kek_ = std::string(32, 'k');
};

TEST_F(LocalKeyStoreOpenTest, FilesArePrivateWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
    const mode_t before = umask(mask);
    const std::unique_ptr<LocalKeyStore> store = OpenStore();
    umask(before);
    NewKeyIn(*store);
    for (const std::string& file : {path_, path_ + "-wal", path_ + "-shm", kek_path_}) {
      EXPECT_EQ(ModeOf(file), 0600U) << file;
    }
    for (const auto& entry : std::filesystem::directory_iterator(directory_.Path())) std::filesystem::remove(entry);
  }
}

TEST_F(LocalKeyStoreOpenTest, KekBesideTheStoreIsMadeOnceAndWarnedOf) {
  std::unique_ptr<LocalKeyStore> store = OpenStore();
  ASSERT_EQ(store->Warnings().size(), 1U);
  EXPECT_THAT(store->Warnings()[0], HasSubstr(kek_path_ + " was created beside the store"));
  const std::string kek = ReadFile(kek_path_);
  EXPECT_EQ(kek.size(), 32U);
  store = OpenStore();
  ASSERT_EQ(store->Warnings().size(), 1U);
  EXPECT_THAT(store->Warnings()[0], HasSubstr(kek_path_ + " lies beside the store"));
  EXPECT_TRUE(ReadFile(kek_path_) == kek);
}

TEST_F(LocalKeyStoreOpenTest, StoreWithAnotherNameHasItsKekBesideItToo) {
  const absl::StatusOr<std::unique_ptr<LocalKeyStore>> store = LocalKeyStore::Open({.path = directory_.Path("store")});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(std::filesystem::exists(directory_.Path("store.kek")));
}

TEST_F(LocalKeyStoreOpenTest, KekElsewhereGivesNoWarningAndIsNeverMade) {
  const std::string kek_file = directory_.Path("elsewhere");
  ExpectRefused("KEY_UNFIT", {kek_file + " does not exist", "head -c 32 /dev/urandom > " + kek_file}, kek_file);
  EXPECT_FALSE(std::filesystem::exists(kek_file));
  WriteFile(kek_file, other_kek_, 0400);
  const absl::StatusOr<std::unique_ptr<LocalKeyStore>> store = TryOpen(kek_file);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->Warnings().empty());
  EXPECT_FALSE(std::filesystem::exists(kek_path_));
}

TEST_F(LocalKeyStoreOpenTest, WrongKekIsRefused) {
  NewKeyIn(*OpenStore());
  WriteFile(kek_path_, other_kek_);
  ExpectRefused("KEY_UNFIT", {"the key-encryption key " + kek_path_ + " does not belong to the store " + path_});
}

TEST_F(LocalKeyStoreOpenTest, WrongKekIsRefusedEvenByAStoreWithoutKeys) {
  OpenStore();
  WriteFile(kek_path_, other_kek_);
  ExpectRefused("KEY_UNFIT", {"does not belong to the store"});
}

TEST_F(LocalKeyStoreOpenTest, MissingKekOfAStoreThatHadOneIsNeverMadeAgain) {
  NewKeyIn(*OpenStore());
  const std::string kek = ReadFile(kek_path_);
  std::filesystem::remove(kek_path_);
  ExpectRefused("KEY_UNFIT", {kek_path_, "is missing", "holds 1 keys", "restore it from a backup"});
  EXPECT_FALSE(std::filesystem::exists(kek_path_));

  WriteFile(kek_path_, kek);
  OpenStore();
}

TEST_F(LocalKeyStoreOpenTest, StoreWithKeysThatLostItsCheckRowIsRefused) {
  NewKeyIn(*OpenStore());
  ChangeStore("DELETE FROM kek_check");
  ExpectRefused("KEY_UNFIT", {"has lost its check row"});
  std::filesystem::remove(kek_path_);
  ExpectRefused("KEY_UNFIT", {"is missing"});
  EXPECT_FALSE(std::filesystem::exists(kek_path_));
}

TEST_F(LocalKeyStoreOpenTest, ChangedCheckRowIsRefused) {
  OpenStore();
  ChangeStore("UPDATE kek_check SET wrapped = CAST(substr(wrapped, 1, 27) AS BLOB)");
  ExpectRefused("KEY_UNFIT", {"does not belong to the store"});
}

TEST_F(LocalKeyStoreOpenTest, KekOpenToOthersIsRefused) {
  OpenStore();
  for (const mode_t mode : {mode_t{0640}, mode_t{0604}, mode_t{0620}, mode_t{0602}, mode_t{0644}, mode_t{0777}}) {
    ASSERT_EQ(chmod(kek_path_.c_str(), mode), 0);
    ExpectRefused("KEY_MANAGER_UNAVAILABLE", {kek_path_, "has mode 0", "chmod 600 " + kek_path_});
  }
}

TEST_F(LocalKeyStoreOpenTest, CredentialMayBeOpenToTheGroupForReadingOnly) {
  const std::string kek_file = directory_.Path("credential");
  WriteFile(kek_file, other_kek_, 0440);
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"has mode 0440"}, kek_file);
  const LocalKeyStoreOptions options = {.path = path_, .kek_file = kek_file, .kek_is_credential = true};
  EXPECT_TRUE(LocalKeyStore::Open(options).ok());
  for (const mode_t mode : {mode_t{0444}, mode_t{0460}}) {
    ASSERT_EQ(chmod(kek_file.c_str(), mode), 0);
    EXPECT_FALSE(LocalKeyStore::Open(options).ok());
  }
}

TEST_F(LocalKeyStoreOpenTest, KekOfAnotherLengthIsRefused) {
  for (const size_t size : {size_t{0}, size_t{31}, size_t{33}, size_t{64}, size_t{65536}}) {
    WriteFile(kek_path_, std::string(size, 'k'));
    ExpectRefused("KEY_UNFIT", {"has " + std::to_string(size) + " bytes", "exactly 32"});
  }
}

TEST_F(LocalKeyStoreOpenTest, KekOfZerosIsRefused) {
  WriteFile(kek_path_, std::string(32, '\0'));
  ExpectRefused("KEY_UNFIT", {"nothing but zeros"});
}

TEST_F(LocalKeyStoreOpenTest, KekThatIsNoRegularFileIsRefused) {
  WriteFile(directory_.Path("target"), other_kek_);
  std::filesystem::create_symlink(directory_.Path("target"), kek_path_);
  ExpectRefused("KEY_UNFIT", {"is a symbolic link"});
  std::filesystem::remove(kek_path_);
  std::filesystem::create_directory(kek_path_);
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"is not a regular file"});
  std::filesystem::remove(kek_path_);
  ASSERT_EQ(mkfifo(kek_path_.c_str(), 0600), 0);
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"is not a regular file"});
}

TEST_F(LocalKeyStoreOpenTest, FilesOfAnotherUserAreRefused) {
  OpenStore();
  for (const std::string& path : {kek_path_, path_, directory_.Path()}) {
    ASSERT_EQ(chown(path.c_str(), kNobody, kNobody), 0);
    ExpectRefused("KEY_MANAGER_UNAVAILABLE", {path + " belongs to uid 65534", "chown"});
    ASSERT_EQ(chown(path.c_str(), geteuid(), getegid()), 0);
  }
  OpenStore();
}

TEST_F(LocalKeyStoreOpenTest, LeftoverOfAnInterruptedKekCreationIsReplaced) {
  WriteFile(kek_path_ + ".new", "half");
  OpenStore();
  EXPECT_FALSE(std::filesystem::exists(kek_path_ + ".new"));
}

TEST_F(LocalKeyStoreOpenTest, KekThatWasMadeBeforeTheStoreBeganIsUsed) {
  WriteFile(kek_path_, other_kek_);
  WriteFile(path_, "");
  NewKeyIn(*OpenStore());
  EXPECT_TRUE(ReadFile(kek_path_) == other_kek_);
}

TEST_F(LocalKeyStoreOpenTest, DirectoryInWhichOthersMayWriteIsRefused) {
  for (const mode_t mode : {mode_t{0720}, mode_t{0702}, mode_t{01777}}) {
    ASSERT_EQ(chmod(directory_.Path().c_str(), mode), 0);
    ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"others may replace files in it", "chmod go-w " + directory_.Path()});
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LocalKeyStoreOpenTest, MissingDirectoryIsRefusedWithWhatToRun) {
  const absl::Status status = LocalKeyStore::Open({.path = directory_.Path("missing/keys.db")}).status();
  EXPECT_EQ(ReasonText(status), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not exist, run: install -d -m 0700"));
}

TEST_F(LocalKeyStoreOpenTest, StoreOpenToOthersIsRefused) {
  OpenStore();
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"the key store " + path_ + " has mode 0644", "chmod 600"});
}

TEST_F(LocalKeyStoreOpenTest, StoreThatIsALinkIsRefused) {
  WriteFile(directory_.Path("target"), "");
  std::filesystem::create_symlink(directory_.Path("target"), path_);
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"is not a regular file"});
}

TEST_F(LocalKeyStoreOpenTest, NewerSchemaIsRefused) {
  OpenStore();
  ChangeStore("PRAGMA user_version = 2");
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"newer volcrypt", "schema 2", "knows 1", "upgrade"});
}

TEST_F(LocalKeyStoreOpenTest, DatabaseOfAnotherProgramIsRefused) {
  WriteFile(path_, "");
  ChangeStore("CREATE TABLE theirs (x)");
  ChangeStore("PRAGMA journal_mode = DELETE");
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"is a database of another program"});
  EXPECT_FALSE(std::filesystem::exists(kek_path_));
}

TEST_F(LocalKeyStoreOpenTest, FileThatIsNoDatabaseIsRefused) {
  WriteFile(path_, std::string(8192, 'x'));
  ExpectRefused("KEY_MANAGER_UNAVAILABLE", {"file is not a database"});
}

TEST_F(LocalKeyStoreOpenTest, StoreThatIsHeldByAnotherProcessTimesOut) {
  OpenStore();
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> other = SqliteDatabase::Open(path_, Soon());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE").ok());
  const absl::Status status = LocalKeyStore::Open({.path = path_, .open_timeout = absl::Milliseconds(100)}).status();
  EXPECT_EQ(ReasonText(status), "KEY_MANAGER_TIMED_OUT") << status;
}

}  // namespace
}  // namespace volcrypt
