#include <google/protobuf/util/message_differencer.h>

#include <thread>

#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class AttachCommandTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    *response_.mutable_attachment() = SomeAttachment();
    agent_.volumes.attach.AnswerWith(response_);
  }
  v1::AttachVolumeResponse response_;
};

TEST_F(AttachCommandTest, OptionsLeftOutAreLeftToTheAgent) {
  ASSERT_EQ(Run({"attach", kVolume, "/dev/sdb"}).status, 0);
  v1::AttachVolumeRequest expected;
  expected.set_volume_id(kVolume);
  expected.set_device("/dev/sdb");
  expected.mutable_encryption();
  ASSERT_EQ(agent_.volumes.attach.requests.size(), 1U);
  EXPECT_TRUE(MessageDifferencer::Equals(agent_.volumes.attach.requests[0], expected));
}

TEST_F(AttachCommandTest, EveryOptionReachesItsField) {
  ASSERT_EQ(Run({"attach",
                 kVolume,
                 "/dev/sdb",
                 "--key",
                 "barbican:k1",
                 "--format",
                 "luks1",
                 "--cipher",
                 "c",
                 "--key-size",
                 "256",
                 "--sector-size",
                 "4096",
                 "--mode",
                 "libvirt",
                 "--first-use",
                 "refuse",
                 "--read-only",
                 "--allow-discards",
                 "--libvirt-secret"})
                .status,
            0);
  v1::AttachVolumeRequest expected;
  expected.set_volume_id(kVolume);
  expected.set_device("/dev/sdb");
  expected.mutable_key()->set_key_manager("barbican");
  expected.mutable_key()->set_key_id("k1");
  expected.mutable_encryption()->set_format(v1::Encryption::FORMAT_LUKS1);
  expected.mutable_encryption()->set_cipher("c");
  expected.mutable_encryption()->set_key_size_bits(256);
  expected.mutable_encryption()->set_sector_size_bytes(4096);
  expected.set_mode(v1::MODE_LIBVIRT_SECRET);
  expected.set_first_use(v1::AttachVolumeRequest::FIRST_USE_REFUSE);
  expected.set_read_only(true);
  expected.set_allow_discards(true);
  expected.set_register_libvirt_secret(true);
  ASSERT_EQ(agent_.volumes.attach.requests.size(), 1U);
  EXPECT_TRUE(MessageDifferencer::Equals(agent_.volumes.attach.requests[0], expected));
}

TEST_F(AttachCommandTest, EveryWordMeansItsEnumerator) {
  const std::vector<std::pair<std::string, v1::Encryption::Format>> formats = {{"luks2", v1::Encryption::FORMAT_LUKS2},
                                                                               {"luks1", v1::Encryption::FORMAT_LUKS1}};
  for (const auto& [word, format] : formats) {
    ASSERT_EQ(Run({"attach", kVolume, "/d", "--format", word, "--mode=host", "--first-use=format-if-blank"}).status, 0);
    const v1::AttachVolumeRequest& request = agent_.volumes.attach.requests.back();
    EXPECT_EQ(request.encryption().format(), format) << word;
    EXPECT_EQ(request.mode(), v1::MODE_HOST_MAPPING);
    EXPECT_EQ(request.first_use(), v1::AttachVolumeRequest::FIRST_USE_FORMAT_IF_BLANK);
  }
}

TEST_F(AttachCommandTest, KeyWithoutManagerLeavesTheDefaultToTheAgent) {
  ASSERT_EQ(Run({"attach", kVolume, "/d", "--key", "k1"}).status, 0);
  EXPECT_EQ(agent_.volumes.attach.requests[0].key().key_manager(), "");
  EXPECT_EQ(agent_.volumes.attach.requests[0].key().key_id(), "k1");
}

TEST_F(AttachCommandTest, RelativeDeviceCountsFromTheCurrentDirectory) {
  ASSERT_EQ(Run({"attach", kVolume, "disk.img"}).status, 0);
  EXPECT_EQ(agent_.volumes.attach.requests[0].device(), (std::filesystem::current_path() / "disk.img").string());
}

TEST_F(AttachCommandTest, VolumeMayBeNamedLikeACommand) {
  ASSERT_EQ(Run({"attach", "list", "/dev/sdb"}).status, 0);
  EXPECT_EQ(agent_.volumes.attach.requests[0].volume_id(), "list");
}

TEST_F(AttachCommandTest, OnlyLibvirtModeNeedsNoDevice) {
  EXPECT_EQ(Run({"attach", kVolume}).status, 1);
  EXPECT_EQ(Run({"attach", kVolume, "--mode", "libvirt"}).status, 0);
  EXPECT_EQ(agent_.volumes.attach.requests.size(), 1U);
}

TEST_F(AttachCommandTest, WrongOptionsAreWrongUsageAndReachNobody) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--key", "k", "--new-key"}, {"--key-manager", "local"}, {"--format", "luks3"},       {"--mode", "qemu"},
      {"--first-use", "always"},   {"--sector-size", "1024"},  {"--key-size", "-1"},        {"--key", ":k"},
      {"--key", "local:"},         {"--key-size", "many"},     {"--no-such-option", "more"}};
  for (const auto& options : wrong) {
    std::vector<std::string> args = {"attach", kVolume, "/dev/sdb"};
    args.insert(args.end(), options.begin(), options.end());
    const Result result = Run(args);
    EXPECT_EQ(result.status, 1) << options[0];
    EXPECT_THAT(result.err, HasSubstr("volcryptctl attach --help (USAGE)"));
    EXPECT_EQ(result.out, "");
  }
  EXPECT_TRUE(agent_.volumes.attach.requests.empty());
}

TEST_F(AttachCommandTest, TableTellsWhatHappened) {
  const std::string lines = Run({"attach", kVolume, "/dev/sdb"}).out;
  EXPECT_THAT(lines, HasSubstr("result:      attached\n"));
  EXPECT_THAT(lines, HasSubstr("path:        /dev/mapper/volcrypt-" + std::string(kVolume) + "\n"));
  EXPECT_THAT(lines, HasSubstr("size:        254.0 MiB (266338304 bytes)\n"));
  EXPECT_THAT(lines, HasSubstr("format:      luks2\n"));
  response_.set_formatted(true);
  agent_.volumes.attach.AnswerWith(response_);
  EXPECT_THAT(Run({"attach", kVolume, "/dev/sdb"}).out, HasSubstr("result:      formatted and attached\n"));
  response_.set_formatted(false);
  response_.set_already_attached(true);
  agent_.volumes.attach.AnswerWith(response_);
  EXPECT_THAT(Run({"attach", kVolume, "/dev/sdb"}).out, HasSubstr("result:      already attached"));
}

TEST_F(AttachCommandTest, QuietPrintsThePathAlone) {
  const Result result = Run({"-q", "attach", kVolume, "/dev/sdb"});
  EXPECT_EQ(result.out, "/dev/mapper/volcrypt-" + std::string(kVolume) + "\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(AttachCommandTest, QuietPrintsTheSecretWhereThereIsNoPath) {
  response_.mutable_attachment()->clear_device_path();
  response_.mutable_attachment()->set_libvirt_secret_uuid("secret-1");
  agent_.volumes.attach.AnswerWith(response_);
  EXPECT_EQ(Run({"-q", "attach", kVolume, "--mode", "libvirt"}).out, "secret-1\n");
}

TEST_F(AttachCommandTest, JsonHasSchemaProtoNamesEnumNamesAndDefaults) {
  const nlohmann::ordered_json json = Run({"attach", kVolume, "/dev/sdb", "-o", "json"}).Json();
  EXPECT_EQ(json.begin().key(), "schema");
  EXPECT_EQ(json["schema"], "volcrypt/v1");
  EXPECT_EQ(json["formatted"], false);
  EXPECT_EQ(json["already_attached"], false);
  EXPECT_EQ(json["attachment"]["state"], "STATE_ACTIVE");
  EXPECT_EQ(json["attachment"]["size_bytes"], "266338304");
  EXPECT_EQ(json["attachment"]["encryption"]["format"], "FORMAT_LUKS2");
  EXPECT_EQ(json["attachment"]["libvirt_secret_uuid"], "");
  EXPECT_FALSE(json.contains("new_key"));
}

TEST_F(AttachCommandTest, SaysAtATerminalThatItWaits) {
  environment_.error_is_terminal = true;
  environment_.waiting_note_after = absl::Milliseconds(1);
  bool seen = false;
  agent_.volumes.attach.answer = [&](grpc::ServerContext&, const v1::AttachVolumeRequest&, v1::AttachVolumeResponse&) {
    seen = err_.WaitFor("waiting for volcryptd ...\n", std::chrono::seconds(10));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"attach", kVolume, "/dev/sdb"}).status, 0);
  EXPECT_TRUE(seen);
}

TEST_F(AttachCommandTest, WaitsSilentlyWithoutATerminalAndWhenQuiet) {
  environment_.waiting_note_after = absl::Milliseconds(1);
  bool seen = false;
  agent_.volumes.attach.answer = [&](grpc::ServerContext&, const v1::AttachVolumeRequest&, v1::AttachVolumeResponse&) {
    seen = seen || err_.WaitFor("waiting", std::chrono::milliseconds(50));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"attach", kVolume, "/dev/sdb"}).status, 0);
  environment_.error_is_terminal = true;
  EXPECT_EQ(Run({"attach", kVolume, "/dev/sdb", "-q"}).status, 0);
  EXPECT_FALSE(seen);
}

TEST_F(AttachCommandTest, AQuickAnswerNeedsNoWaitingNote) {
  environment_.error_is_terminal = true;
  environment_.waiting_note_after = absl::Hours(1);
  EXPECT_EQ(Run({"attach", kVolume, "/dev/sdb"}).err, "");
}

}  // namespace
}  // namespace volcrypt::ctl
