#include "agent/secret_records.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "encryptors/reason.h"
#include "tests/unit/temp_directory.h"

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
  const std::vector<SecretRecords::Record> all = records_.List().value();
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
  EXPECT_TRUE(records_.Find("vol-1").value()->is_left);
  records_.Remove("vol-1");
  records_.Remove("vol-1");
  EXPECT_FALSE(records_.Find("vol-1").value());
}

TEST_F(SecretRecordsTest, AnotherBootsCountForNothing) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  EXPECT_TRUE(SecretRecords(directory_.Path("records"), "boot-2").List()->empty());
}

TEST_F(SecretRecordsTest, ThoseOfOtherBootsAreRemovedAndNoOthers) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  ASSERT_TRUE(SecretRecords(directory_.Path("records"), "boot-0").Write(Sample("vol-2")).ok());
  directory_.Write("records/vol-3", "volcrypt-libvirt-secret 2\nboot-0\n");
  directory_.Write("records/vol-4", "somebody's own\nboot-0\n");
  SecretRecords(directory_.Path("records"), "").RemoveThoseOfOtherBoots();
  EXPECT_TRUE(std::filesystem::exists(directory_.Path("records/vol-2"))) << "which boot this is is not known";
  records_.RemoveThoseOfOtherBoots();
  for (const auto& [name, is_kept] :
       std::map<std::string, bool>{{"vol-1", true}, {"vol-2", false}, {"vol-3", false}, {"vol-4", true}}) {
    EXPECT_EQ(std::filesystem::exists(directory_.Path("records/" + name)), is_kept) << name;
  }
}

TEST_F(SecretRecordsTest, DamagedOnesAreAsIfNotThere) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  const std::string head = "volcrypt-libvirt-secret 1\nboot-1\n";
  for (const std::string& text : {std::string(), std::string("x"), head, head + "\nattached\nvolcrypt mode=host\n",
                                  head + "u\nsomething\nvolcrypt mode=host\n", head + "u\nattached\nvolcrypt\n",
                                  head + "u\nattached\nvolcrypt mode=host\nmore\n", std::string(100000, '\n')}) {
    directory_.Write("records/vol-1", text);
    EXPECT_TRUE(records_.List()->empty()) << text.substr(0, 100);
  }
}

TEST_F(SecretRecordsTest, OneOfANewerReleaseIsToldFromADamagedOne) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  for (const char* const known :
       {"", "x\n", "volcrypt-libvirt-secret\nboot-1\n", "volcrypt-libvirt-secret 1\nboot-1\n",
        "volcrypt-libvirt-secret 2\nboot-2\n", "volcrypt-libvirt-secret 2 x\nboot-1\n", "other 2\nboot-1\n"}) {
    directory_.Write("records/vol-2", known);
    EXPECT_TRUE(records_.List().ok()) << known;
  }
  directory_.Write("records/vol-2", "volcrypt-libvirt-secret 2\nboot-1\nsomething else\n");
  const absl::Status refused = records_.List().status();
  EXPECT_TRUE(HasReason(refused, Reason::kStateNotWritable));
  EXPECT_NE(refused.message().find("newer volcrypt (volcrypt-libvirt-secret 2, this one knows 1)"), std::string::npos);
  EXPECT_EQ(records_.Find("vol-2").status(), refused);
  EXPECT_TRUE(records_.Find("vol-1").value());
}

TEST_F(SecretRecordsTest, WhatCannotBeReadIsNotTakenForNone) {
  ASSERT_TRUE(records_.Write(Sample("vol-1")).ok());
  directory_.Write("records/vol-2/in-the-files-place", "");
  EXPECT_TRUE(HasReason(records_.Find("vol-2").status(), Reason::kStateNotWritable));
  EXPECT_TRUE(HasReason(records_.List().status(), Reason::kStateNotWritable));
  directory_.Write("file", "in the directory's place");
  EXPECT_TRUE(HasReason(SecretRecords(directory_.Path("file"), "boot-1").List().status(), Reason::kStateNotWritable));
}

TEST_F(SecretRecordsTest, NothingOutsideTheDirectoryIsNamed) {
  directory_.Write("outside", "kept");
  records_.Remove("../outside");
  EXPECT_FALSE(records_.Find("../outside").value());
  EXPECT_EQ(access(directory_.Path("outside").c_str(), F_OK), 0);
}

TEST_F(SecretRecordsTest, WhatCannotBeWrittenIsSaid) {
  const SecretRecords nowhere(directory_.Path("none/records"), "boot-1");
  EXPECT_FALSE(nowhere.Write(Sample("vol-1")).ok());
  EXPECT_TRUE(nowhere.List()->empty());
  EXPECT_TRUE(SecretRecords().Write(Sample("vol-1")).ok());
}

}  // namespace
}  // namespace volcrypt
