#include "agent/rpc/page.h"

#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

std::vector<Attachment> Volumes(int first, int last) {
  std::vector<Attachment> volumes;
  for (int i = first; i <= last; ++i) {
    Attachment mapping;
    mapping.volume_id = absl::StrFormat("vol-%04d", i);
    volumes.push_back(mapping);
  }
  return volumes;
}

TEST(Page, AllVolumesArriveOnceInOrder) {
  std::vector<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const absl::StatusOr<Page> page = PageOf(Volumes(1, 7), 3, token);
    ASSERT_TRUE(page.ok());
    for (const Attachment& mapping : page->attachments) seen.push_back(mapping.volume_id);
    token = page->next_token;
    ++pages;
  } while (!token.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(seen.size(), 7U);
  EXPECT_EQ(seen.front(), "vol-0001");
  EXPECT_EQ(seen.back(), "vol-0007");
}

TEST(Page, SizesHaveADefaultAndALimit) {
  EXPECT_EQ(PageOf(Volumes(1, 600), 0, "")->attachments.size(), 100U);
  EXPECT_EQ(PageOf(Volumes(1, 600), 501, "")->attachments.size(), 500U);
  EXPECT_EQ(PageOf(Volumes(1, 600), UINT32_MAX, "")->attachments.size(), 500U);
}

TEST(Page, LastPageHasNoToken) {
  EXPECT_EQ(PageOf(Volumes(1, 3), 3, "")->next_token, "");
  EXPECT_NE(PageOf(Volumes(1, 4), 3, "")->next_token, "");
  EXPECT_EQ(PageOf({}, 3, "")->next_token, "");
}

TEST(Page, VolumesThatComeAndGoShiftNothing) {
  const std::string token = PageOf(Volumes(10, 20), 3, "")->next_token;
  // The last one seen, vol-0012, is gone, and others came before it.
  std::vector<Attachment> later = Volumes(1, 11);
  for (Attachment& mapping : Volumes(13, 20)) later.push_back(std::move(mapping));
  EXPECT_EQ(PageOf(later, 3, token)->attachments.front().volume_id, "vol-0013");
}

TEST(Page, TokenThatWeDidNotMakeIsAnInvalidField) {
  for (const std::string& token : {std::string("vol-0001"), std::string("%%%"), std::string("MTo"),
                                   std::string("MTouLi9ldGM"), std::string(1000, 'A')}) {
    const absl::Status status = PageOf(Volumes(1, 3), 1, token).status();
    EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << token;
    EXPECT_EQ(MetadataOf(status)["field"], "page_token");
  }
}

}  // namespace
}  // namespace volcrypt
