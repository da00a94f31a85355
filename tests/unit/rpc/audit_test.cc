// What the audit has of calls, from the socket to its file.
#include "agent/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "agent/keys/key_id.h"
#include "nlohmann/json.hpp"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class AuditTest : public RpcTest {
 protected:
  AuditTest() {
    std::filesystem::create_directory(directory_.Path("audit"));
    const absl::Status opened = audit_.File().Open(path_);
    EXPECT_TRUE(opened.ok()) << opened;
  }

  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  std::vector<Json> Lines() const {
    std::vector<Json> lines;
    std::istringstream text(Text());
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  // "begins VERB what will be done", "done VERB reason".
  std::vector<std::string> Summaries() const {
    std::vector<std::string> all;
    for (const Json& line : Lines()) {
      all.push_back(line["event"].get<std::string>() + " " + line["verb"].get<std::string>() + " " +
                    line.value(line.contains("will") ? "will" : "reason", "?"));
    }
    return all;
  }

  // As when somebody removes the directory of logs.
  void TakeFileAway() const { std::filesystem::remove_all(directory_.Path("audit")); }

  grpc::Status Attach(const std::string& device, const std::string& key_id = kKey,
                      const std::string& token = "") const {
    v1::AttachVolumeRequest request;
    request.set_volume_id(kVolume);
    request.set_device(device);
    request.mutable_key()->set_key_id(key_id);
    v1::AttachVolumeResponse response;
    const auto context = Patient();
    if (!token.empty()) context->AddMetadata("x-auth-token", token);
    return v1::VolumeEncryptorService::NewStub(channel_)->AttachVolume(context.get(), request, &response);
  }
  grpc::Status DeleteKey(const std::shared_ptr<grpc::Channel>& channel, const std::string& key_id,
                         bool force = false) const {
    v1::DeleteKeyRequest request;
    request.mutable_key()->set_key_id(key_id);
    request.set_force(force);
    v1::DeleteKeyResponse response;
    return v1::KeyService::NewStub(channel)->DeleteKey(Patient().get(), request, &response);
  }
  grpc::Status Forget() const {
    v1::ForgetVolumeRequest request;
    request.set_volume_id(kVolume);
    request.mutable_key()->set_key_id(kKey);
    v1::ForgetVolumeResponse response;
    return v1::VolumeAdminService::NewStub(channel_)->ForgetVolume(Patient().get(), request, &response);
  }

  const std::string path_ = directory_.Path("audit/audit.log");
};

using Summary = std::vector<std::string>;

TEST_F(AuditTest, OperationIsOneLineWithWhoWhatAndHowItEnded) {
  ASSERT_EQ(RpcOutcome(Attach(kFormatted)), "OK");
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  const Json& line = lines[0];
  EXPECT_EQ(line["event"], "done");
  EXPECT_EQ(line["verb"], "AttachVolume");
  EXPECT_EQ(line["caller"], (Json{{"uid", 0}, {"pid", getpid()}}));
  EXPECT_EQ(line["role"], "admin");
  EXPECT_EQ(line["volume"], kVolume);
  EXPECT_EQ(line["device"], kFormatted);
  EXPECT_EQ(line["key"], kKey);
  EXPECT_EQ(line["key_manager"], "local");
  EXPECT_EQ(line["device_identity"], std::string("8:16 serial=of-") + kFormatted);
  EXPECT_EQ(line["luks_uuid"], kUuid);
  EXPECT_EQ(line["size_bytes"], std::to_string(encryptor_.mapped.at(kVolume).size_bytes));
  EXPECT_EQ(line["formatted"], "false");
  EXPECT_EQ(line["result"], "OK");
  EXPECT_EQ(line["reason"], "");
  EXPECT_TRUE(line["duration_ms"].is_number_integer());
}

TEST_F(AuditTest, KeyThatTheHeaderNamedIsTold) {
  ASSERT_EQ(RpcOutcome(Attach(kFormatted, "")), "OK");
  EXPECT_EQ(Lines().at(0)["key"], kKey);
  EXPECT_EQ(Lines().at(0)["key_manager"], "local");
}

TEST_F(AuditTest, FixedKeyIsItsOwnKeyManagers) {
  EXPECT_EQ(RpcOutcome(Attach(kFormatted, kFixedKeyId)), "KEY_NOT_FOUND");
  EXPECT_EQ(Lines().at(0)["key_manager"], "fixed");
}

TEST_F(AuditTest, FailureHasCodeAndReason) {
  EXPECT_EQ(RpcOutcome(Attach("/dev/absent")), "DEVICE_NOT_FOUND");
  EXPECT_EQ(Lines().at(0)["result"], "NOT_FOUND");
  EXPECT_EQ(Lines().at(0)["reason"], "DEVICE_NOT_FOUND");
}

// Names of devices are used again; what they say of themselves is not.
TEST_F(AuditTest, FailureAfterTheDeviceWasOpenedSaysWhichItWas) {
  encryptor_.on_attach = [](const AttachRequest&, const Key*) {
    return MakeError(Reason::kDeviceNotBlank, "holds data", {{std::string(kDeviceIdentity), "8:32 serial=0042"}});
  };
  EXPECT_EQ(RpcOutcome(Attach(kFormatted)), "DEVICE_NOT_BLANK");
  EXPECT_EQ(Lines().at(0)["device_identity"], "8:32 serial=0042");
  EXPECT_FALSE(Lines().at(0).contains("luks_uuid"));
}

TEST_F(AuditTest, DetachSaysWhatWasAttached) {
  ASSERT_EQ(RpcOutcome(Attach(kFormatted)), "OK");
  ASSERT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  ASSERT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  const std::vector<Json> lines = Lines();
  const Json& line = lines.at(1);
  EXPECT_EQ(line["volume"], kVolume);
  EXPECT_EQ(line["device"], kFormatted);
  EXPECT_EQ(line["device_identity"], std::string("8:16 serial=of-") + kFormatted);
  EXPECT_EQ(line["luks_uuid"], kUuid);
  EXPECT_EQ(line["was_attached"], "true");
  EXPECT_FALSE(lines.at(2).contains("device_identity")) << "of what was not attached nothing is known";
}

TEST_F(AuditTest, FirstUseIsToldBeforeAndAfter) {
  std::string at_format = "no format";
  encryptor_.on_attach = [&](const AttachRequest& request, const Key* key) {
    if (!request.format_as_uuid.empty()) at_format = Text();
    return encryptor_.AttachAsUsual(request, key);
  };
  ASSERT_EQ(RpcOutcome(Attach(kBlank)), "OK");
  EXPECT_EQ(Summaries(), (Summary{"begins AttachVolume formats the blank device", "done AttachVolume "}));
  const std::vector<Json> lines = Lines();
  EXPECT_EQ(at_format, Text().substr(0, Text().find('\n') + 1)) << "before the device is touched";
  EXPECT_EQ(lines[0]["volume"], kVolume);
  EXPECT_EQ(lines[0]["device"], kBlank);
  EXPECT_EQ(lines[0]["key"], kKey);
  EXPECT_FALSE(lines[0].contains("result"));
  EXPECT_EQ(lines[0]["luks_uuid"], lines[1]["luks_uuid"]);
  EXPECT_EQ(lines[0]["device_identity"], std::string("8:16 serial=of-") + kBlank);
  EXPECT_EQ(lines[1]["formatted"], "true");
}

TEST_F(AuditTest, FirstUseThatFailsSaysOfWhat) {
  FailFormat(Reason::kDeviceIoError);
  EXPECT_EQ(RpcOutcome(Attach(kBlank)), "DEVICE_IO_ERROR");
  EXPECT_EQ(Summaries(),
            (Summary{"begins AttachVolume formats the blank device", "done AttachVolume DEVICE_IO_ERROR"}));
  EXPECT_EQ(Lines().at(0)["luks_uuid"], Lines().at(1)["luks_uuid"]);
  EXPECT_FALSE(Lines().at(1).contains("formatted"));
}

TEST_F(AuditTest, FirstUseThatGoesOnSaysSo) {
  encryptor_.devices[kBlank].resume_uuid = kUuid;
  ASSERT_EQ(RpcOutcome(Attach(kBlank)), "OK");
  EXPECT_EQ(Summaries().at(0),
            "begins AttachVolume formats the device, on which this volume's first use was interrupted");
  EXPECT_EQ(Lines().at(0)["luks_uuid"], kUuid);
}

TEST_F(AuditTest, WithoutItsLineNoDeviceIsFormatted) {
  TakeFileAway();
  const grpc::Status refused = Attach(kBlank);
  EXPECT_EQ(RpcOutcome(refused), "STATE_NOT_WRITABLE");
  EXPECT_THAT(refused.error_message(), HasSubstr(path_));
  EXPECT_TRUE(encryptor_.devices[kBlank].blank);
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"}));
  EXPECT_EQ(RecordOf(), "none") << "the claim is withdrawn";
  EXPECT_THAT(LogText(), HasSubstr("the audit file lacks a line reason=STATE_NOT_WRITABLE"));
  EXPECT_THAT(LogText(), HasSubstr("formats the blank device"));
  EXPECT_THAT(observer_.Take(), testing::Contains("audit failed").Times(2)) << "before and after";

  std::filesystem::create_directory(directory_.Path("audit"));
  EXPECT_EQ(RpcOutcome(Attach(kBlank)), "OK");
  EXPECT_EQ(Summaries().size(), 2U) << "without a reload";
}

TEST_F(AuditTest, WithoutItsLineNoKeyIsDeletedAndNoRecordDropped) {
  PutRecord(State::kFormatted, kHost, kUuid);
  TakeFileAway();
  EXPECT_EQ(RpcOutcome(DeleteKey(channel_, kKey, /*force=*/true)), "STATE_NOT_WRITABLE");
  EXPECT_EQ(RpcOutcome(Forget()), "STATE_NOT_WRITABLE");
  EXPECT_EQ(keys_->calls, Calls{});
  EXPECT_EQ(encryptor_.calls, Calls{});
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
}

TEST_F(AuditTest, WithoutItsLineWhatDestroysNothingIsDone) {
  TakeFileAway();
  EXPECT_EQ(RpcOutcome(Attach(kFormatted)), "OK");
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  EXPECT_THAT(observer_.Take(), testing::Contains("audit failed").Times(2));
}

TEST_F(AuditTest, DeletedKeysAndDroppedRecordsAreToldBeforehand) {
  PutRecord(State::kFormatted, kHost, kUuid);
  EXPECT_EQ(RpcOutcome(DeleteKey(channel_, kKey)), "KEY_IN_USE");
  EXPECT_EQ(RpcOutcome(Forget()), "OK");
  EXPECT_EQ(RpcOutcome(DeleteKey(channel_, kKey, /*force=*/true)), "OK");
  EXPECT_EQ(Summaries(),
            (Summary{"begins DeleteKey deletes the key, unless it has formatted volumes", "done DeleteKey KEY_IN_USE",
                     "begins ForgetVolume drops the records that keep the volume from being formatted again",
                     "done ForgetVolume ", "begins DeleteKey deletes the key, whatever volumes it has formatted",
                     "done DeleteKey "}));
  for (const Json& line : Lines())
    EXPECT_EQ(line["key"].get<std::string>() + line["key_manager"].get<std::string>(), "key-1local");
}

TEST_F(AuditTest, RequestThatIsWrongDestroysNothingAndBeginsNothing) {
  EXPECT_EQ(RpcOutcome(DeleteKey(channel_, "")), "KEY_REQUIRED");
  EXPECT_EQ(Summaries(), Summary{"done DeleteKey KEY_REQUIRED"});
}

TEST_F(AuditTest, ReadsAreLeftOutUnlessTheyAreDenied) {
  EXPECT_TRUE(GetInfo(channel_).ok());
  EXPECT_EQ(Summaries(), Summary{});
  const auto stranger = ChannelAs({.uid = 4001, .gid = 4001, .groups = {}});
  EXPECT_FALSE(GetInfo(stranger).ok());
  EXPECT_FALSE(DeleteKey(stranger, kUuid).ok());
  EXPECT_EQ(Summaries(), (Summary{"done GetInfo CALLER_UNKNOWN", "done DeleteKey CALLER_UNKNOWN"}));
  EXPECT_EQ(Lines().at(1)["caller"]["uid"], 4001);
  EXPECT_EQ(Lines().at(1)["role"], "none");
  EXPECT_EQ(Lines().at(1)["key"], kUuid);
}

TEST_F(AuditTest, ConfiguredComputeCallerThatIsNotAllowedIsDeniedByName) {
  access_.Set(std::make_shared<const AccessRules>(
      std::vector<AccessConfig>{{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}},
      0));
  EXPECT_FALSE(DeleteKey(ChannelAs({.uid = 4001, .gid = 4001, .groups = {}}), kUuid).ok());
  EXPECT_EQ(Summaries(), Summary{"done DeleteKey CALLER_NOT_ALLOWED"});
  EXPECT_EQ(Lines().at(0)["role"], "compute");
}

TEST_F(AuditTest, TextThatCallersSendStaysInItsFieldAndIsCut) {
  v1::DetachVolumeRequest request;
  request.set_volume_id("a\"}\n{\"event\":\"done\x01");
  request.set_device("/dev/" + std::string(5000, 'x'));
  v1::DetachVolumeResponse response;
  EXPECT_EQ(
      RpcOutcome(v1::VolumeEncryptorService::NewStub(channel_)->DetachVolume(Patient().get(), request, &response)),
      "INVALID_FIELD");
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["volume"], request.volume_id());
  EXPECT_EQ(lines[0]["device"].get<std::string>().size(), 256U);
}

// The hex, base64 and raw spellings of which any would give the key away, and a token.
std::vector<std::string> Spellings(const std::string& key, const std::string& token) {
  const std::string hex = absl::BytesToHexString(key);
  return {key, hex, absl::AsciiStrToUpper(hex), absl::Base64Escape(key), absl::WebSafeBase64Escape(key), token};
}

std::vector<std::string> Found(const std::string& text, const std::vector<std::string>& secrets) {
  std::vector<std::string> found;
  for (const std::string& secret : secrets) {
    if (text.find(secret) != std::string::npos) found.push_back(secret);
  }
  return found;
}

TEST_F(AuditTest, NoKeyAndNoTokenIsEverInIt) {
  const std::string key = "not for the audit: 32 bytes long";
  const std::string token = "gAAAAABofTheCallersOwn";
  const std::vector<std::string> secrets = Spellings(key, token);
  const std::string hex = secrets[1];
  keys_->keys[kKey].assign(key.begin(), key.end());
  keys_->on_check_key_id = [](const std::string& id) {
    return id.size() < 32 ? absl::OkStatus() : MakeError(Reason::kInvalidKeyId, "not a UUID");
  };
  keys_->on_get = keys_->on_check_key_id;
  ASSERT_EQ(RpcOutcome(Attach(kBlank, kKey, token)), "OK");
  // The key itself in the id's place.
  for (const std::string& id : {hex, absl::Base64Escape(key), "https://host/" + hex}) {
    EXPECT_EQ(RpcOutcome(Attach(kFormatted, id, token)), "INVALID_KEY_ID");
    EXPECT_EQ(RpcOutcome(DeleteKey(channel_, id, true)), "INVALID_KEY_ID");
    EXPECT_EQ(RpcOutcome(DeleteKey(ChannelAs({.uid = 4001, .gid = 4001, .groups = {}}), id)), "CALLER_UNKNOWN");
  }
  EXPECT_EQ(Lines().size(), 11U);
  EXPECT_EQ(Found(Text(), secrets), Summary{});
  EXPECT_THAT(Text(), HasSubstr("invalid (64 bytes)"));
  EXPECT_THAT(Text(), HasSubstr("unchecked (64 bytes)"));

  // What the search would find, if it were there.
  EXPECT_FALSE(Attach("/dev/" + hex + token).ok());
  EXPECT_EQ(Found(Text(), secrets), (Summary{hex, token}));
}

}  // namespace
}  // namespace volcrypt
