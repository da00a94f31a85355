#include "agent/rpc/to_api.h"

#include <gtest/gtest.h>

namespace volcrypt {
namespace {

Mapping SomeMapping() {
  Mapping mapping;
  mapping.volume_id = "vol-1";
  mapping.state = MappingState::kSuspended;
  mapping.state_reason = "suspended by somebody";
  mapping.device = "/dev/sdb";
  mapping.device_path = "/dev/mapper/volcrypt-vol-1";
  mapping.size_bytes = 62 << 20;
  mapping.luks_uuid = "uuid";
  mapping.encryption = {
      .format = Format::kLuks2, .cipher = "aes-xts-plain64", .key_size_bits = 512, .sector_size_bytes = 4096};
  mapping.read_only = true;
  mapping.open_count = 0;
  mapping.header_volume_id = "vol-0";
  mapping.key = KeyReference{.key_manager = "local", .key_id = "key-1"};
  mapping.formatted_at = absl::FromUnixSeconds(1000) + absl::Nanoseconds(5);
  return mapping;
}

TEST(ToApi, OneAttachmentHasEverything) {
  const v1::Attachment attachment = ToApi(SomeMapping(), Detail::kOne);
  EXPECT_EQ(attachment.volume_id(), "vol-1");
  EXPECT_EQ(attachment.state(), v1::Attachment::STATE_SUSPENDED);
  EXPECT_EQ(attachment.state_reason(), "suspended by somebody");
  EXPECT_EQ(attachment.mode(), v1::MODE_HOST_MAPPING);
  EXPECT_EQ(attachment.device(), "/dev/sdb");
  EXPECT_EQ(attachment.device_path(), "/dev/mapper/volcrypt-vol-1");
  EXPECT_EQ(attachment.size_bytes(), uint64_t{62} << 20);
  EXPECT_EQ(attachment.luks_uuid(), "uuid");
  EXPECT_EQ(attachment.encryption().format(), v1::Encryption::FORMAT_LUKS2);
  EXPECT_EQ(attachment.encryption().cipher(), "aes-xts-plain64");
  EXPECT_EQ(attachment.encryption().key_size_bits(), 512U);
  EXPECT_EQ(attachment.encryption().sector_size_bytes(), 4096U);
  EXPECT_TRUE(attachment.read_only());
  EXPECT_TRUE(attachment.has_open_count());
  EXPECT_EQ(attachment.header_volume_id(), "vol-0");
  EXPECT_EQ(attachment.key().key_manager(), "local");
  EXPECT_EQ(attachment.key().key_id(), "key-1");
  EXPECT_EQ(attachment.formatted_at().seconds(), 1000);
  EXPECT_EQ(attachment.formatted_at().nanos(), 5);
}

TEST(ToApi, ListsLeaveOutWhatOnlyTheHelperKnows) {
  const v1::Attachment attachment = ToApi(SomeMapping(), Detail::kList);
  EXPECT_EQ(attachment.volume_id(), "vol-1");
  EXPECT_FALSE(attachment.has_open_count());
  EXPECT_FALSE(attachment.has_key());
  EXPECT_FALSE(attachment.has_formatted_at());
}

TEST(ToApi, UnknownKeyAndTimeAreAbsentInsteadOfEmpty) {
  Mapping mapping = SomeMapping();
  mapping.key.reset();
  mapping.formatted_at.reset();
  const v1::Attachment attachment = ToApi(mapping, Detail::kOne);
  EXPECT_FALSE(attachment.has_key());
  EXPECT_FALSE(attachment.has_formatted_at());
}

TEST(ToApi, TimeBefore1970HasNanosecondsThatCountForward) {
  Mapping mapping = SomeMapping();
  mapping.formatted_at = absl::FromUnixSeconds(-1) + absl::Milliseconds(250);
  const v1::Attachment attachment = ToApi(mapping, Detail::kOne);
  EXPECT_EQ(attachment.formatted_at().seconds(), -1);
  EXPECT_EQ(attachment.formatted_at().nanos(), 250'000'000);
}

TEST(ToApi, EveryStateHasItsOwnName) {
  const std::vector<std::pair<MappingState, std::string>> cases = {
      {MappingState::kActive, "STATE_ACTIVE"},
      {MappingState::kSuspended, "STATE_SUSPENDED"},
      {MappingState::kBroken, "STATE_BROKEN"},
      {MappingState::kDetaching, "STATE_DETACHING"},
  };
  for (const auto& [state, name] : cases) {
    Mapping mapping;
    mapping.state = state;
    EXPECT_EQ(v1::Attachment::State_Name(ToApi(mapping, Detail::kList).state()), name);
  }
}

TEST(ToApi, DevicePathThatIsNotTextIsStillAnAnswer) {
  Mapping mapping;
  mapping.device = "/var/\xff.img";
  EXPECT_EQ(ToApi(mapping, Detail::kOne).device(), "/var/?.img");
}

TEST(ToApi, EveryContentHasItsOwnNameAndSaysWhatAttachWouldDo) {
  const std::vector<std::tuple<Content, std::string, std::string>> cases = {
      {Content::kBlank, "CONTENT_BLANK", "format it"},
      {Content::kLuks1, "CONTENT_LUKS1", "open it"},
      {Content::kLuks2, "CONTENT_LUKS2", "open it"},
      {Content::kForeign, "CONTENT_FOREIGN", "DEVICE_NOT_BLANK"},
      {Content::kUnreadable, "CONTENT_UNREADABLE", "DEVICE_IO_ERROR"},
      {Content::kIncompleteFormat, "CONTENT_INCOMPLETE_FORMAT", "continue"},
      {Content::kErased, "CONTENT_ERASED", "VOLUME_ERASED"},
      {Content::kDamagedHeader, "CONTENT_DAMAGED_HEADER", "HEADER_DAMAGED"},
  };
  for (const auto& [content, name, words] : cases) {
    Inspection inspection;
    inspection.content = content;
    const v1::InspectVolumeResponse response = ToApi(inspection);
    EXPECT_EQ(v1::InspectVolumeResponse::Content_Name(response.content()), name);
    EXPECT_NE(response.attach_would().find(words), std::string::npos) << response.attach_would();
  }
}

TEST(ToApi, AnOpenMappingDecidesWhatAttachWouldDo) {
  Inspection inspection;
  inspection.content = Content::kLuks2;
  inspection.mapped_as = "crypt-backup";
  EXPECT_NE(ToApi(inspection).attach_would().find("crypt-backup"), std::string::npos);
}

TEST(ToApi, InspectionArrivesWhole) {
  Inspection inspection;
  inspection.device = "/dev/sdb";
  inspection.size_bytes = 4096;
  inspection.content = Content::kLuks2;
  inspection.signatures = {{.type = "crypto_LUKS", .offset_bytes = 16, .uuid = "u", .label = "l"}};
  LuksHeader& luks = inspection.luks.emplace();
  luks.uuid = "header";
  luks.encryption.format = Format::kLuks2;
  luks.keyslots = {
      {.index = 1, .pbkdf = "argon2id", .iterations = 4, .memory_kib = 1024, .parallelism = 2, .cipher = "c"}};
  luks.volume_id = "vol-1";
  luks.key = {.key_manager = "local", .key_id = "key-1"};
  luks.label = "label";
  luks.data_offset_bytes = 2 << 20;

  const v1::InspectVolumeResponse response = ToApi(inspection);
  EXPECT_EQ(response.device(), "/dev/sdb");
  EXPECT_EQ(response.size_bytes(), 4096U);
  ASSERT_EQ(response.signatures_size(), 1);
  EXPECT_EQ(response.signatures(0).type(), "crypto_LUKS");
  EXPECT_EQ(response.signatures(0).offset_bytes(), 16U);
  EXPECT_EQ(response.signatures(0).uuid(), "u");
  EXPECT_EQ(response.signatures(0).label(), "l");
  EXPECT_EQ(response.luks().uuid(), "header");
  EXPECT_EQ(response.luks().encryption().format(), v1::Encryption::FORMAT_LUKS2);
  ASSERT_EQ(response.luks().keyslots_size(), 1);
  EXPECT_EQ(response.luks().keyslots(0).index(), 1U);
  EXPECT_EQ(response.luks().keyslots(0).pbkdf(), "argon2id");
  EXPECT_EQ(response.luks().keyslots(0).iterations(), 4U);
  EXPECT_EQ(response.luks().keyslots(0).memory_kib(), 1024U);
  EXPECT_EQ(response.luks().keyslots(0).parallelism(), 2U);
  EXPECT_EQ(response.luks().keyslots(0).cipher(), "c");
  EXPECT_EQ(response.luks().volume_id(), "vol-1");
  EXPECT_EQ(response.luks().key().key_id(), "key-1");
  EXPECT_EQ(response.luks().label(), "label");
  EXPECT_EQ(response.luks().data_offset_bytes(), uint64_t{2} << 20);
}

TEST(ToApi, KeyMetadataArrivesWhole) {
  KeyMetadata metadata;
  metadata.type = KeyType::kPassphrase;
  metadata.algorithm = "aes";
  metadata.bit_length = 256;
  metadata.status = "active";
  metadata.created_at = absl::FromUnixSeconds(1000);
  metadata.first_uses = {{.volume_id = "vol-1"}, {.volume_id = "vol-2"}};
  const v1::GetKeyMetadataResponse response = ToApi({.key_manager = "local", .key_id = "key-1"}, metadata);
  EXPECT_EQ(response.key().key_manager(), "local");
  EXPECT_EQ(response.key().key_id(), "key-1");
  EXPECT_EQ(response.secret_type(), "passphrase");
  EXPECT_EQ(response.algorithm(), "aes");
  EXPECT_EQ(response.bit_length(), 256U);
  EXPECT_EQ(response.status(), "active");
  EXPECT_EQ(response.created_at().seconds(), 1000);
  ASSERT_EQ(response.formatted_volumes_size(), 2);
  EXPECT_EQ(response.formatted_volumes(1), "vol-2");
}

}  // namespace
}  // namespace volcrypt
