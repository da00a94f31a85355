#pragma once

#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/temp_directory.h"
#include "tests/unit/tools/fake_agent.h"
#include "tests/unit/tools/watched_buffer.h"
#include "tools/volcryptctl/run.h"

namespace volcrypt::ctl {

inline constexpr const char* kVolume = "3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10";

// The whole program against a fake agent on a socket of its own.
class CliTest : public testing::Test {
 protected:
  struct Result {
    int status = 0;
    std::string out;
    std::string err;

    nlohmann::ordered_json Json() const { return nlohmann::ordered_json::parse(out, nullptr, false); }
    // The object behind the text of an error: the last line of stderr.
    nlohmann::ordered_json ErrorJson() const {
      const size_t start = err.rfind('\n', err.size() - 2);
      return nlohmann::ordered_json::parse(start == std::string::npos ? err : err.substr(start + 1), nullptr, false);
    }
  };

  void SetUp() override {
    environment_.default_endpoint = "unix:" + directory_.Path("agent.sock");
    environment_.interrupt = &interrupt_;
    agent_.Serve(environment_.default_endpoint);
    ASSERT_TRUE(agent_.serving());
  }

  Result Run(const std::vector<std::string>& args) {
    std::ostringstream out;
    std::ostream err(&err_);
    const size_t before = err_.text().size();
    const int status = RunVolcryptctl(args, out, err, environment_);
    return {.status = status, .out = out.str(), .err = err_.text().substr(before)};
  }

  // Somebody at a terminal who types `answer`.
  void AnswerQuestions(const std::string& answer) {
    environment_.can_ask = true;
    environment_.read_line = [this, answer]() -> std::optional<std::string> {
      ++questions_;
      return answer;
    };
  }

  TempDirectory directory_;
  FakeAgent agent_;
  Interrupt interrupt_;
  WatchedBuffer err_;
  Environment environment_;
  int questions_ = 0;
};

inline v1::Attachment SomeAttachment(const std::string& volume_id = kVolume) {
  v1::Attachment attachment;
  attachment.set_volume_id(volume_id);
  attachment.set_state(v1::Attachment::STATE_ACTIVE);
  attachment.set_mode(v1::MODE_HOST_MAPPING);
  attachment.set_device("/dev/sdb");
  attachment.set_device_path("/dev/mapper/volcrypt-" + volume_id);
  attachment.set_size_bytes(uint64_t{254} << 20);
  attachment.set_luks_uuid("0d8e5f0a-7e3c-4c1e-8f57-7a4b0c9d1e2f");
  attachment.mutable_encryption()->set_format(v1::Encryption::FORMAT_LUKS2);
  attachment.mutable_encryption()->set_cipher("aes-xts-plain64");
  attachment.mutable_encryption()->set_key_size_bits(512);
  attachment.mutable_encryption()->set_sector_size_bytes(4096);
  return attachment;
}

}  // namespace volcrypt::ctl
