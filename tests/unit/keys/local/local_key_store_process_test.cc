#include <signal.h>

#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/str_split.h"
#include "tests/unit/keys/local/actor_process.h"
#include "tests/unit/keys/local/key_digest.h"
#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

class LocalKeyStoreProcessTest : public StoreDirectory {
 protected:
  // Takes a line "ID DIGEST".
  void Expect(const std::string& line) {
    const std::pair<std::string, std::string> key = absl::StrSplit(line, ' ');
    expected_.insert(key);
  }

  void ExpectEveryKeyIsThere(LocalKeyStore& store) const {
    for (const auto& [id, digest] : expected_) {
      const absl::StatusOr<Key> key = store.Get(id, Soon());
      ASSERT_TRUE(key.ok()) << key.status();
      ASSERT_EQ(KeyDigest(key->bytes), digest);
    }
  }

  std::map<std::string, std::string> expected_;  // digests by key id
};

TEST_F(LocalKeyStoreProcessTest, EveryReportedKeySurvivesAKill) {
  for (int round = 0; round < 20; ++round) {
    ActorProcess actor({"create", path_});
    // From the first moments of a store to well into its life.
    for (int line = 0; line < (round * 7) % 31; ++line) {
      const std::optional<std::string> report = actor.ReadLine();
      ASSERT_TRUE(report.has_value());
      Expect(*report);
    }
    actor.Kill();
    ASSERT_EQ(actor.Wait(), -SIGKILL);
    while (const std::optional<std::string> report = actor.ReadLine()) Expect(*report);

    const std::unique_ptr<LocalKeyStore> store = OpenStore();
    ASSERT_NE(store, nullptr);
    ExpectEveryKeyIsThere(*store);
    NewKeyIn(*store);
  }
  EXPECT_GT(expected_.size(), 100U);
}

TEST_F(LocalKeyStoreProcessTest, ProcessesThatOpenANewStoreAtOnceShareOneKek) {
  for (int round = 0; round < 5; ++round) {
    std::vector<std::unique_ptr<ActorProcess>> actors;
    for (int i = 0; i < 4; ++i)
      actors.push_back(std::make_unique<ActorProcess>(std::vector<std::string>{"open", path_}));
    for (const auto& actor : actors) actor->Go();
    for (const auto& actor : actors) {
      const std::optional<std::string> report = actor->ReadLine();
      EXPECT_EQ(actor->Wait(), 0);
      ASSERT_TRUE(report.has_value());
      Expect(*report);
    }
    ASSERT_EQ(expected_.size(), 4U);
    ExpectEveryKeyIsThere(*OpenStore());
    expected_.clear();
    for (const auto& entry : std::filesystem::directory_iterator(directory_.Path())) std::filesystem::remove(entry);
  }
}

TEST_F(LocalKeyStoreProcessTest, ExactlyOneOfTwoProcessesWinsEachClaim) {
  constexpr int kVolumes = 200;
  const std::string key_id = NewKeyIn(*OpenStore());
  const std::string other_key_id = NewKeyIn(*OpenStore());
  ActorProcess red({"claim", path_, key_id, "red", std::to_string(kVolumes)});
  ActorProcess blue({"claim", path_, other_key_id, "blue", std::to_string(kVolumes)});
  ASSERT_EQ(red.ReadLine(), "ready");
  ASSERT_EQ(blue.ReadLine(), "ready");
  red.Go();
  blue.Go();
  std::map<std::string, std::string> winners;
  for (int i = 0; i < kVolumes; ++i) {
    const std::optional<std::string> says_red = red.ReadLine();
    const std::optional<std::string> says_blue = blue.ReadLine();
    ASSERT_TRUE(says_red.has_value());
    ASSERT_EQ(says_red, says_blue) << "volume " << i;
    winners["v" + std::to_string(i)] = *says_red;
  }
  EXPECT_EQ(red.Wait(), 0);
  EXPECT_EQ(blue.Wait(), 0);

  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  std::map<std::string, std::string> recorded;
  for (const std::string& id : {key_id, other_key_id}) {
    const absl::StatusOr<KeyMetadata> metadata = store->GetMetadata(id, Soon());
    ASSERT_TRUE(metadata.ok());
    for (const FirstUseRecord& record : metadata->first_uses) {
      EXPECT_TRUE(recorded.emplace(record.volume_id, record.host).second) << record.volume_id << " is recorded twice";
    }
  }
  EXPECT_EQ(recorded, winners);
}

TEST_F(LocalKeyStoreProcessTest, FullDiskIsReportedAndPasses) {
  ActorProcess actor({"fill", path_});
  std::string reason;
  while (const std::optional<std::string> line = actor.ReadLine()) {
    if (line->find(' ') == std::string::npos) {
      reason = *line;
    } else {
      Expect(*line);
    }
  }
  EXPECT_EQ(actor.Wait(), 0);
  EXPECT_EQ(reason, "KEY_MANAGER_UNAVAILABLE");
  EXPECT_GT(expected_.size(), 2U);
  ExpectEveryKeyIsThere(*OpenStore());
}

}  // namespace
}  // namespace volcrypt
