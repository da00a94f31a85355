#include "encryptors/volume_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "encryptors/reason.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using Kind = VolumeRecords::Kind;

VolumeRecord Example() {
  return {.volume_id = "vol-1",
          .luks_uuid = "0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11",
          .format = Format::kLuks2,
          .cipher = "aes-xts-plain64",
          .key_size_bits = 512,
          .sector_size_bytes = 4096,
          .key = {"local", "key-1"},
          .formatted_at = absl::FromUnixSeconds(1000000000),
          .data_offset_bytes = 2097152,
          .device = "size=20971520 wwid=naa.5000 serial= dm="};
}

TEST(VolumeRecordTest, ReadsBackWhatItWrote) {
  const absl::StatusOr<VolumeRecord> record = ParseVolumeRecord(ToText(Example()));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(ToText(*record), ToText(Example()));
  EXPECT_EQ(record->format, Format::kLuks2);
  EXPECT_EQ(record->formatted_at, Example().formatted_at);
  EXPECT_EQ(record->data_offset_bytes, Example().data_offset_bytes);
  EXPECT_EQ(record->cipher, Example().cipher);
  EXPECT_EQ(record->key_size_bits, 512U);
  EXPECT_EQ(record->sector_size_bytes, 4096U);
  EXPECT_EQ(record->device, Example().device);
}

TEST(VolumeRecordTest, EveryTruncationIsRefused) {
  const std::string text = ToText({.volume_id = "v", .luks_uuid = Example().luks_uuid});
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(ParseVolumeRecord(text.substr(0, length)).ok()) << length;
  }
}

class MalformedRecordTest : public testing::TestWithParam<const char*> {};

TEST_P(MalformedRecordTest, IsRefused) { EXPECT_FALSE(ParseVolumeRecord(GetParam()).ok()); }

INSTANTIATE_TEST_SUITE_P(
    Texts, MalformedRecordTest,
    testing::Values("volcrypt-record 2\nvolume_id v\nluks_uuid 0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11\n",
                    "volcrypt-record 1\n", "volcrypt-record 1\nvolume_id v\n",
                    "volcrypt-record 1\nvolume_id ../v\nluks_uuid 0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11\n",
                    "volcrypt-record 1\nvolume_id v\nluks_uuid short\n",
                    "volcrypt-record 1\nvolume_id v\nluks_uuid 0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11\nunknown x\n",
                    "volcrypt-record 1\nvolume_id v\nluks_uuid 0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11\nformat luks3\n",
                    "volcrypt-record 1\nvolume_id v\nluks_uuid 0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11\n\n"));

class VolumeRecordsTest : public testing::Test {
 protected:
  TempDirectory directory_;
};

TEST_F(VolumeRecordsTest, KeepsKnownVolumesAndIntentsApart) {
  const VolumeRecords records(directory_.Path());
  ASSERT_TRUE(records.Write(Kind::kIntent, Example()).ok());
  EXPECT_FALSE((*records.Read(Kind::kKnown, "vol-1")).has_value());
  ASSERT_TRUE((*records.Read(Kind::kIntent, "vol-1")).has_value());
  EXPECT_TRUE(records.Remove(Kind::kIntent, "vol-1").ok());
  EXPECT_TRUE(records.Remove(Kind::kIntent, "vol-1").ok());
  EXPECT_FALSE((*records.Read(Kind::kIntent, "vol-1")).has_value());
}

TEST_F(VolumeRecordsTest, OnlyTheOwnerMayReadThem) {
  const VolumeRecords records(directory_.Path());
  ASSERT_TRUE(records.Write(Kind::kKnown, Example()).ok());
  struct stat status = {};
  ASSERT_EQ(stat(records.PathOf(Kind::kKnown, "vol-1").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(VolumeRecordsTest, ADamagedRecordIsNotNoRecord) {
  const VolumeRecords records(directory_.Path());
  ASSERT_TRUE(records.Write(Kind::kKnown, Example()).ok());
  std::ofstream(records.PathOf(Kind::kKnown, "vol-1")) << "";
  EXPECT_TRUE(HasReason(records.Read(Kind::kKnown, "vol-1").status(), Reason::kStateNotWritable));
}

TEST_F(VolumeRecordsTest, OneOfANewerReleaseIsRefusedAndNotCalledDamaged) {
  const VolumeRecords records(directory_.Path());
  ASSERT_TRUE(records.Write(Kind::kKnown, Example()).ok());
  std::ofstream(records.PathOf(Kind::kKnown, "vol-1")) << "volcrypt-record 2\nsomething else\n";
  const absl::Status refused = records.Read(Kind::kKnown, "vol-1").status();
  EXPECT_TRUE(HasReason(refused, Reason::kStateNotWritable));
  EXPECT_THAT(std::string(refused.message()),
              testing::HasSubstr("newer volcrypt (volcrypt-record 2, this one knows 1)"));
  EXPECT_THAT(std::string(refused.message()), testing::Not(testing::HasSubstr("damaged")));
}

TEST_F(VolumeRecordsTest, ARecordUnderAnotherVolumesNameIsRefused) {
  const VolumeRecords records(directory_.Path());
  ASSERT_TRUE(records.Write(Kind::kKnown, Example()).ok());
  std::filesystem::rename(records.PathOf(Kind::kKnown, "vol-1"), records.PathOf(Kind::kKnown, "vol-2"));
  EXPECT_TRUE(HasReason(records.Read(Kind::kKnown, "vol-2").status(), Reason::kStateNotWritable));
}

TEST_F(VolumeRecordsTest, AStateDirectoryThatIsGoneIsReported) {
  const VolumeRecords records(directory_.Path("missing"));
  EXPECT_TRUE(HasReason(records.Write(Kind::kIntent, Example()), Reason::kStateNotWritable));
}

}  // namespace
}  // namespace volcrypt
