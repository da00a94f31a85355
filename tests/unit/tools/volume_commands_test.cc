#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

class VolumeCommandsTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    v1::Attachment attachment = SomeAttachment();
    attachment.set_state(v1::Attachment::STATE_SUSPENDED);
    attachment.set_state_reason("dmsetup suspend");
    attachment.set_open_count(0);
    attachment.mutable_key()->set_key_manager("local");
    attachment.mutable_key()->set_key_id("k1");
    attachment.mutable_formatted_at()->set_seconds(1'000'000'000);
    attachment.set_header_volume_id("parent");
    attachment.set_disk_encryption_xml("<encryption/>");
    v1::GetAttachmentResponse got;
    *got.mutable_attachment() = attachment;
    agent_.volumes.get.AnswerWith(got);
    v1::ExtendVolumeResponse extended;
    *extended.mutable_attachment() = attachment;
    extended.set_previous_size_bytes(uint64_t{126} << 20);
    agent_.volumes.extend.AnswerWith(extended);
    agent_.admin.inspect.AnswerWith(Inspection());
  }

  static v1::InspectVolumeResponse Inspection() {
    v1::InspectVolumeResponse response;
    response.set_device("/dev/sdb");
    response.set_size_bytes(1024);
    response.set_content(v1::InspectVolumeResponse::CONTENT_LUKS2);
    v1::Signature& signature = *response.add_signatures();
    signature.set_type("crypto_LUKS");
    signature.set_offset_bytes(16384);
    signature.set_label("a\x1b[2J\nb");
    v1::LuksHeader& luks = *response.mutable_luks();
    luks.set_uuid("u-1");
    luks.mutable_encryption()->set_format(v1::Encryption::FORMAT_LUKS2);
    luks.set_volume_id("v");
    luks.mutable_key()->set_key_id("k1");
    luks.set_data_offset_bytes(uint64_t{2} << 20);
    v1::Keyslot& keyslot = *luks.add_keyslots();
    keyslot.set_index(3);
    keyslot.set_pbkdf("argon2id");
    keyslot.set_iterations(4);
    keyslot.set_memory_kib(1024);
    keyslot.set_parallelism(2);
    response.set_mapped_as("volcrypt-v");
    response.set_attach_would("open it");
    return response;
  }
};

TEST_F(VolumeCommandsTest, ShowPrintsWhatIsKnown) {
  const Result result = Run({"show", kVolume});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(agent_.volumes.get.requests[0].volume_id(), kVolume);
  for (const char* line : {"state:           suspended: dmsetup suspend\n", "mode:            host-mapping\n",
                           "key:             local:k1\n", "header's volume: parent\n",
                           "formatted at:    2001-09-09T01:46:40Z\n", "open count:      0\n",
                           "key size:        512 bits\n", "sector size:     4096 bytes\n", "read-only:       no\n"}) {
    EXPECT_THAT(result.out, HasSubstr(line));
  }
  EXPECT_THAT(result.out, Not(HasSubstr("libvirt secret")));
  EXPECT_EQ(Run({"-q", "show", kVolume}).out, "/dev/mapper/volcrypt-" + std::string(kVolume) + "\n");
}

TEST_F(VolumeCommandsTest, ShowInJsonIsTheWholeAnswer) {
  const nlohmann::ordered_json attachment = Run({"show", kVolume, "-ojson"}).Json()["attachment"];
  EXPECT_EQ(attachment["disk_encryption_xml"], "<encryption/>");
  EXPECT_EQ(attachment["open_count"], "0");
  EXPECT_EQ(attachment["formatted_at"], "2001-09-09T01:46:40Z");
  EXPECT_EQ(attachment["key"].dump(), R"({"key_manager":"local","key_id":"k1"})");
}

TEST_F(VolumeCommandsTest, ExtendTellsBothSizes) {
  const Result result = Run({"extend", kVolume, "--key", "local:k1"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(agent_.volumes.extend.requests[0].volume_id(), kVolume);
  EXPECT_EQ(agent_.volumes.extend.requests[0].key().key_id(), "k1");
  EXPECT_THAT(result.out, HasSubstr("result:        extended\n"));
  EXPECT_THAT(result.out, HasSubstr("size:          254.0 MiB (266338304 bytes)\n"));
  EXPECT_THAT(result.out, HasSubstr("previous size: 126.0 MiB (132120576 bytes)\n"));
  EXPECT_EQ(Run({"extend", kVolume, "-q"}).out, "266338304\n");
  EXPECT_FALSE(agent_.volumes.extend.requests[1].has_key());
  EXPECT_EQ(Run({"extend", kVolume, "--output=json"}).Json()["previous_size_bytes"], "132120576");
}

TEST_F(VolumeCommandsTest, ExtendOfWhatDidNotGrowSaysSo) {
  v1::ExtendVolumeResponse same;
  *same.mutable_attachment() = SomeAttachment();
  same.set_previous_size_bytes(same.attachment().size_bytes());
  agent_.volumes.extend.AnswerWith(same);
  EXPECT_THAT(Run({"extend", kVolume}).out, HasSubstr("already as large as its device allows"));
}

TEST_F(VolumeCommandsTest, InspectShowsHeaderSignaturesAndIntent) {
  const Result result = Run({"inspect", "/dev/sdb"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(agent_.admin.inspect.requests[0].device(), "/dev/sdb");
  for (const char* line :
       {"content:         luks2\n", "luks uuid:       u-1\n", "header's volume: v\n", "header's key:    k1\n",
        "data offset:     2.0 MiB (2097152 bytes)\n", "keyslot 3:       argon2id, 4 iterations, 1024 KiB, 2 threads\n",
        "mapped as:       volcrypt-v\n", "attach would:    open it\n"}) {
    EXPECT_THAT(result.out, HasSubstr(line));
  }
  EXPECT_EQ(Run({"inspect", "/dev/sdb", "-q"}).out, "luks2\n");
  EXPECT_EQ(Run({"inspect", "/dev/sdb", "--output=json"}).Json()["content"], "CONTENT_LUKS2");
}

TEST_F(VolumeCommandsTest, LabelOfAHostileDiskCannotSteerTheTerminal) {
  const std::string out = Run({"inspect", "/dev/sdb"}).out;
  EXPECT_THAT(out, HasSubstr("crypto_LUKS at 16384, label a\\x1b[2J\\x0ab\n"));
  const Result json = Run({"inspect", "/dev/sdb", "-o", "json"});
  EXPECT_EQ(json.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(json.Json()["signatures"][0]["label"], "a\x1b[2J\nb");
}

TEST_F(VolumeCommandsTest, InspectTakesRelativePaths) {
  ASSERT_EQ(Run({"inspect", "disk.img"}).status, 0);
  EXPECT_EQ(agent_.admin.inspect.requests[0].device(), (std::filesystem::current_path() / "disk.img").string());
}

TEST_F(VolumeCommandsTest, ForgetNeedsConfirmation) {
  EXPECT_EQ(Run({"forget", "v"}).status, 1);
  AnswerQuestions("n");
  const Result declined = Run({"forget", "v"});
  EXPECT_EQ(declined.status, 1);
  EXPECT_THAT(declined.err, HasSubstr("Forget volume v?"));
  EXPECT_THAT(declined.err, HasSubstr("nothing was changed (NOT_CONFIRMED)"));
  EXPECT_TRUE(agent_.admin.forget.requests.empty());
  AnswerQuestions("y");
  EXPECT_EQ(Run({"forget", "v"}).out, "forgot volume v\n");
  ASSERT_EQ(agent_.admin.forget.requests.size(), 1U);
  EXPECT_EQ(agent_.admin.forget.requests[0].volume_id(), "v");
  EXPECT_FALSE(agent_.admin.forget.requests[0].has_key());
}

TEST_F(VolumeCommandsTest, YesForgetsWithoutAsking) {
  AnswerQuestions("n");
  EXPECT_EQ(Run({"forget", "v", "--key", "local:k1", "--yes", "-q"}).out, "");
  EXPECT_EQ(questions_, 0);
  EXPECT_EQ(agent_.admin.forget.requests[0].key().key_manager(), "local");
  EXPECT_EQ(Run({"--yes", "-o", "json", "forget", "v"}).Json().dump(), R"({"schema":"volcrypt/v1"})");
}

TEST_F(VolumeCommandsTest, EndOfInputIsNoConsent) {
  environment_.can_ask = true;
  EXPECT_EQ(Run({"forget", "v"}).status, 1);
  EXPECT_TRUE(agent_.admin.forget.requests.empty());
}

}  // namespace
}  // namespace volcrypt::ctl
