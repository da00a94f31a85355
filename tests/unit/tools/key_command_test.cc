#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;

class KeyCommandTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    v1::CreateKeyResponse created;
    created.mutable_key()->set_key_manager("local");
    created.mutable_key()->set_key_id("k1");
    agent_.keys.create.AnswerWith(created);
    v1::GetKeyMetadataResponse metadata;
    *metadata.mutable_key() = created.key();
    metadata.set_secret_type("symmetric");
    metadata.set_algorithm("aes");
    metadata.set_bit_length(256);
    metadata.set_status("active");
    metadata.mutable_created_at()->set_seconds(1'000'000'000);
    metadata.add_formatted_volumes("v1");
    metadata.add_formatted_volumes("v2");
    agent_.keys.metadata.AnswerWith(metadata);
  }
};

TEST_F(KeyCommandTest, CreateSendsItsOptionsAndPrintsTheKey) {
  EXPECT_EQ(Run({"key", "create"}).out, "key: local:k1\n");
  EXPECT_EQ(Run({"key", "create", "--name", "a b", "--bits", "512", "--manager", "local", "-q"}).out, "k1\n");
  EXPECT_EQ(Run({"key", "create", "-o", "json"}).Json()["key"].dump(), R"({"key_manager":"local","key_id":"k1"})");
  const v1::CreateKeyRequest& plain = agent_.keys.create.requests[0];
  EXPECT_EQ(plain.bit_length(), 0U);
  EXPECT_EQ(plain.key_manager(), "");
  const v1::CreateKeyRequest& full = agent_.keys.create.requests[1];
  EXPECT_EQ(full.name(), "a b");
  EXPECT_EQ(full.bit_length(), 512U);
  EXPECT_EQ(full.key_manager(), "local");
}

TEST_F(KeyCommandTest, ShowPrintsTheMetadata) {
  EXPECT_EQ(Run({"key", "show", "local:k1"}).out,
            "key:               local:k1\n"
            "type:              symmetric\n"
            "algorithm:         aes\n"
            "length:            256 bits\n"
            "status:            active\n"
            "created at:        2001-09-09T01:46:40Z\n"
            "formatted volumes: v1, v2\n");
  EXPECT_EQ(agent_.keys.metadata.requests[0].key().key_manager(), "local");
  EXPECT_EQ(agent_.keys.metadata.requests[0].key().key_id(), "k1");
  EXPECT_EQ(Run({"key", "show", "k1", "-q"}).out, "active\n");
  EXPECT_EQ(Run({"key", "show", "k1", "-o", "json"}).Json()["formatted_volumes"][1], "v2");
}

TEST_F(KeyCommandTest, KeyIdMayHaveColonsBehindItsManager) {
  ASSERT_EQ(Run({"key", "show", "kmip:a:b"}).status, 0);
  EXPECT_EQ(agent_.keys.metadata.requests[0].key().key_manager(), "kmip");
  EXPECT_EQ(agent_.keys.metadata.requests[0].key().key_id(), "a:b");
}

TEST_F(KeyCommandTest, CopySendsItsOptionsAndPrintsTheCopy) {
  v1::CopyKeyResponse copied;
  copied.mutable_key()->set_key_manager("barbican");
  copied.mutable_key()->set_key_id("k2");
  agent_.keys.copy.AnswerWith(copied);
  EXPECT_EQ(Run({"key", "copy", "local:k1", "--to", "barbican"}).out, "key: barbican:k2\n");
  EXPECT_EQ(Run({"key", "copy", "k1", "--to", "barbican", "--name", "a b", "--owner-user-id", "u", "-q"}).out, "k2\n");
  EXPECT_EQ(Run({"key", "copy", "k1", "--to", "b", "-o", "json"}).Json()["key"]["key_id"], "k2");
  const v1::CopyKeyRequest& plain = agent_.keys.copy.requests[0];
  EXPECT_EQ(plain.source().key_manager(), "local");
  EXPECT_EQ(plain.source().key_id(), "k1");
  EXPECT_EQ(plain.key_manager(), "barbican");
  EXPECT_EQ(plain.name(), "");
  const v1::CopyKeyRequest& full = agent_.keys.copy.requests[1];
  EXPECT_EQ(full.name(), "a b");
  EXPECT_EQ(full.owner_user_id(), "u");
}

TEST_F(KeyCommandTest, CopyNeedsToKnowWhatAndWhereTo) {
  EXPECT_EQ(Run({"key", "copy", "local:k1"}).status, 1);
  EXPECT_EQ(Run({"key", "copy", "--to", "barbican"}).status, 1);
  EXPECT_TRUE(agent_.keys.copy.requests.empty());
}

TEST_F(KeyCommandTest, DeleteNeedsConfirmation) {
  EXPECT_EQ(Run({"key", "delete", "local:k1"}).status, 1);
  AnswerQuestions("no");
  EXPECT_EQ(Run({"key", "delete", "local:k1"}).status, 1);
  EXPECT_TRUE(agent_.keys.remove.requests.empty());
  AnswerQuestions("yes");
  const Result result = Run({"key", "delete", "local:k1"});
  EXPECT_EQ(result.out, "deleted key local:k1\n");
  EXPECT_THAT(result.err, HasSubstr("Delete key local:k1?"));
  ASSERT_EQ(agent_.keys.remove.requests.size(), 1U);
  EXPECT_FALSE(agent_.keys.remove.requests[0].force());
}

TEST_F(KeyCommandTest, ForceIsNoConfirmation) {
  EXPECT_EQ(Run({"key", "delete", "k1", "--force"}).status, 1);
  EXPECT_TRUE(agent_.keys.remove.requests.empty());
  EXPECT_EQ(Run({"key", "--yes", "delete", "k1", "--force", "-o", "json"}).Json().dump(),
            R"({"schema":"volcrypt/v1"})");
  EXPECT_TRUE(agent_.keys.remove.requests[0].force());
}

TEST_F(KeyCommandTest, KeyThatFormattedVolumesIsInUse) {
  agent_.keys.remove.FailWith(AgentError(grpc::FAILED_PRECONDITION, "KEY_IN_USE", "it formatted v1"));
  const Result result = Run({"key", "delete", "k1", "--yes"});
  EXPECT_EQ(result.status, 5);
  EXPECT_EQ(result.err, "volcryptctl: it formatted v1 (KEY_IN_USE)\n");
}

TEST_F(KeyCommandTest, WithoutASubcommandPrintsItsHelp) {
  const Result result = Run({"key"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("Usage: volcryptctl key"));
}

}  // namespace
}  // namespace volcrypt::ctl
