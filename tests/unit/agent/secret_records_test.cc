#include "agent/secret_records.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/temp_directory.h"

namespace volcrypt {
namespace {

class SecretRecordsTest : public testing::Test {
 protected:
  static SecretRecords::Record Sample(const std::string& volume_id) {
    return {.secret = {.volume_id = volume_id,
                       .uuid = "uuid-1",
                       .note = {.is_attachment = true, .device = "/dev/a b\n", .size_bytes = 7, .luks_uuid = "u"}}};
  }

  TempDirectory directory_;
  const SecretRecords records_{directory_.Path("records"), "boot-1"};
};

TEST_F(SecretRecordsTest, WhatWasWrittenIsReadAsLost) {
  ASSERT_TRUE(records_.Write(Sample("vol-2")).ok());
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  const std::vector<SecretRecords::Record> all = records_.List();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].secret.volume_id, "vol-1");
  EXPECT_EQ(all[0].secret.uuid, "uuid-1");
  EXPECT_EQ(all[0].secret.note, Sample("").secret.note);
  EXPECT_TRUE(all[0].secret.is_lost);
  EXPECT_FALSE(all[0].secret.has_value);
  EXPECT_FALSE(all[0].is_left);
}

TEST_F(SecretRecordsTest, LastWriteCountsAndRemovalIsIdempotent) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  SecretRecords::Record left = Sample("vol-1");
  left.is_left = true;
  ASSERT_TRUE(records_.Write(left).ok());
  EXPECT_TRUE(records_.Find("vol-1")->is_left);
  records_.Remove("vol-1");
  records_.Remove("vol-1");
  EXPECT_FALSE(records_.Find("vol-1"));
}

TEST_F(SecretRecordsTest, AnotherBootsCountForNothing) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  EXPECT_TRUE(SecretRecords(directory_.Path("records"), "boot-2").List().empty());
}

TEST_F(SecretRecordsTest, DamagedOnesAreAsIfNotThere) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  const std::string head = "volcrypt-libvirt-secret 1\nboot-1\n";
  for (const std::string& text : {std::string(), std::string("x"), head, head + "\nattached\nvolcrypt mode=host\n",
                                  head + "u\nsomething\nvolcrypt mode=host\n", head + "u\nattached\nvolcrypt\n",
                                  head + "u\nattached\nvolcrypt mode=host\nmore\n", std::string(100000, '\n')}) {
    directory_.Write("records/vol-1", text);
    EXPECT_TRUE(records_.List().empty()) << text.substr(0, 100);
  }
}

TEST_F(SecretRecordsTest, NothingOutsideTheDirectoryIsNamed) {
  directory_.Write("outside", "kept");
  records_.Remove("../outside");
  EXPECT_FALSE(records_.Find("../outside"));
  EXPECT_EQ(access(directory_.Path("outside").c_str(), F_OK), 0);
}

TEST_F(SecretRecordsTest, WhatCannotBeWrittenIsSaid) {
  const SecretRecords nowhere(directory_.Path("none/records"), "boot-1");
  EXPECT_FALSE(nowhere.Write(Sample("vol-1")).ok());
  EXPECT_TRUE(nowhere.List().empty());
  EXPECT_TRUE(SecretRecords().Write(Sample("vol-1")).ok());
}

}  // namespace
}  // namespace volcrypt
