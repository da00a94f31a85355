#include "agent/header_key.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

Inspection InspectionOf(const std::string& volume_id, const KeyReference& key) {
  Inspection inspection;
  inspection.device = "/dev/sdb";
  inspection.content = Content::kLuks2;
  LuksHeader& header = inspection.luks.emplace();
  header.volume_id = volume_id;
  header.key = key;
  return inspection;
}

TEST(HeaderKeyTest, TokenOfTheVolumeWithAKeyOfTheDefaultManagerIsTaken) {
  for (const char* manager : {"", "local"}) {
    const absl::StatusOr<KeyReference> key =
        KeyNamedByHeader(InspectionOf("vol-1", {.key_manager = manager, .key_id = "key-1"}), "vol-1", "local");
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->key_manager, "local");
    EXPECT_EQ(key->key_id, "key-1");
  }
}

TEST(HeaderKeyTest, AnythingElseRequiresTheKey) {
  Inspection blank;
  blank.content = Content::kBlank;
  const std::vector<Inspection> others = {
      blank,
      InspectionOf("", {.key_manager = "", .key_id = "key-1"}),
      InspectionOf("vol-2", {.key_manager = "", .key_id = "key-1"}),
      InspectionOf("VOL-1", {.key_manager = "", .key_id = "key-1"}),
      InspectionOf("vol-1", {.key_manager = "other", .key_id = "key-1"}),
      InspectionOf("vol-1", {.key_manager = "local", .key_id = ""}),
      InspectionOf("vol-1", {.key_manager = "local", .key_id = "a key"}),
  };
  for (const Inspection& inspection : others) {
    EXPECT_TRUE(HasReason(KeyNamedByHeader(inspection, "vol-1", "local").status(), Reason::kKeyRequired))
        << (inspection.luks ? inspection.luks->volume_id + " " + inspection.luks->key.key_id : "blank");
  }
}

}  // namespace
}  // namespace volcrypt
