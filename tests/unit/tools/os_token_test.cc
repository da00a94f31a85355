#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "tests/unit/tools/cli_test.h"
#include "tools/volcryptctl/os_token.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

class OsTokenTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    agent_.volumes.list.answer = [this](grpc::ServerContext& context, const v1::ListAttachmentsRequest&,
                                        v1::ListAttachmentsResponse&) {
      const auto [first, last] = context.client_metadata().equal_range("x-auth-token");
      received_ = first == last ? "none" : std::string(first->second.data(), first->second.size());
      return grpc::Status::OK;
    };
  }
  std::string Write(const std::string& content, mode_t mode = 0600) const {
    const std::string path = directory_.Path("token");
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string received_;
};

TEST_F(OsTokenTest, TokenIsSentWithEveryCall) {
  for (const std::string end : {"", "\n"}) {
    EXPECT_EQ(Run({"list", "--os-token-file", Write("gAAAA-made_up=" + end)}).status, 0);
    EXPECT_EQ(received_, "gAAAA-made_up=");
  }
}

TEST_F(OsTokenTest, WithoutTheOptionNoneIsSent) {
  EXPECT_EQ(Run({"list"}).status, 0);
  EXPECT_EQ(received_, "none");
}

// As the shell's <(openstack token issue -f value -c id) is.
TEST_F(OsTokenTest, PipeIsReadToItsEnd) {
  const std::string pipe = directory_.Path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0644), 0);
  std::thread writer([&pipe] { std::ofstream(pipe) << "gAAAA\n"; });
  EXPECT_EQ(Run({"list", "--os-token-file", pipe}).status, 0);
  writer.join();
  EXPECT_EQ(received_, "gAAAA");
}

TEST_F(OsTokenTest, WhatIsNoTokenIsWrongUsageAndNotRepeated) {
  for (const std::string& content : {std::string(), std::string("\n"), std::string("gAAAA\ngAAAA\n"),
                                     std::string("gAAAA x"), std::string("gAAAA\0", 6), std::string(16385, 'g')}) {
    const Result result = Run({"list", "--os-token-file", Write(content)});
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("must have the token as its one line"));
    EXPECT_THAT(result.err, Not(HasSubstr("gAAAA")));
  }
}

TEST_F(OsTokenTest, LongestTokenIsRead) {
  const absl::StatusOr<std::string> token = ReadOsToken(Write(std::string(16384, 'g') + "\n"));
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->size(), 16384U);
}

TEST_F(OsTokenTest, FileThatOthersMayReadIsRefused) {
  const Result result = Run({"list", "--os-token-file", Write("gAAAA", 0640)});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("chmod 600"));
  EXPECT_EQ(received_, "");
}

TEST_F(OsTokenTest, MissingFileIsWrongUsage) {
  const Result result = Run({"list", "--os-token-file", directory_.Path("absent")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("absent cannot be opened: No such file"));
}

}  // namespace
}  // namespace volcrypt::ctl
