#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;

class ListCommandTest : public CliTest {
 protected:
  // Pages of one volume each: "v0" is followed by the token "1", and so on.
  void ServePages(int pages) {
    agent_.volumes.list.answer = [pages](grpc::ServerContext&, const v1::ListAttachmentsRequest& request,
                                         v1::ListAttachmentsResponse& response) {
      const int page = request.page_token().empty() ? 0 : std::stoi(request.page_token());
      *response.add_attachments() = SomeAttachment("v" + std::to_string(page));
      response.add_unreachable("libvirt");
      if (page + 1 < pages) response.set_next_page_token(std::to_string(page + 1));
      return grpc::Status::OK;
    };
  }
};

TEST_F(ListCommandTest, TableIsAligned) {
  v1::ListAttachmentsResponse list;
  *list.add_attachments() = SomeAttachment("a");
  v1::Attachment& broken = *list.add_attachments();
  broken = SomeAttachment("volume-2");
  broken.set_state(v1::Attachment::STATE_BROKEN);
  broken.set_read_only(true);
  broken.clear_device();
  broken.clear_size_bytes();
  agent_.volumes.list.AnswerWith(list);
  const Result result = Run({"list"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out,
            "VOLUME    STATE   FORMAT  SIZE       RO   DEVICE    PATH\n"
            "a         active  luks2   254.0 MiB  no   /dev/sdb  /dev/mapper/volcrypt-a\n"
            "volume-2  broken  luks2   -          yes  -         /dev/mapper/volcrypt-volume-2\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(ListCommandTest, EmptyListSaysSoUnlessQuiet) {
  const Result result = Run({"list"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "volcryptctl: no volume is attached\n");
  EXPECT_EQ(Run({"list", "--quiet"}).err, "");
}

TEST_F(ListCommandTest, AllPagesAreOneList) {
  ServePages(3);
  const Result result = Run({"list", "-q"});
  EXPECT_EQ(result.out, "v0\nv1\nv2\n");
  ASSERT_EQ(agent_.volumes.list.requests.size(), 3U);
  EXPECT_EQ(agent_.volumes.list.requests[0].page_size(), 500U);
  EXPECT_EQ(agent_.volumes.list.requests[2].page_token(), "2");
}

TEST_F(ListCommandTest, JsonHasAllPagesAndEachUnreachableSourceOnce) {
  ServePages(2);
  const Result result = Run({"list", "-o", "json"});
  const nlohmann::ordered_json json = result.Json();
  EXPECT_EQ(json["schema"], "volcrypt/v1");
  ASSERT_EQ(json["attachments"].size(), 2U);
  EXPECT_EQ(json["attachments"][1]["volume_id"], "v1");
  EXPECT_EQ(json["next_page_token"], "");
  EXPECT_EQ(json["unreachable"].dump(), R"(["libvirt"])");
  EXPECT_THAT(result.err, HasSubstr("may be incomplete, no answer from: libvirt"));
}

TEST_F(ListCommandTest, EmptyJsonListHasItsFields) {
  EXPECT_EQ(Run({"list", "-o", "json"}).Json().dump(),
            R"({"schema":"volcrypt/v1","attachments":[],"next_page_token":"","unreachable":[]})");
}

TEST_F(ListCommandTest, EndlessListIsAnError) {
  ServePages(1'000'000);
  const Result result = Run({"list"});
  EXPECT_EQ(result.status, 70);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(agent_.volumes.list.requests.size(), 1000U);
}

TEST_F(ListCommandTest, ErrorOnALaterPageIsAnError) {
  agent_.volumes.list.answer = [](grpc::ServerContext&, const v1::ListAttachmentsRequest& request,
                                  v1::ListAttachmentsResponse& response) {
    if (!request.page_token().empty()) return AgentError(grpc::UNAVAILABLE, "HELPER_UNAVAILABLE", "away");
    *response.add_attachments() = SomeAttachment("v0");
    response.set_next_page_token("1");
    return grpc::Status::OK;
  };
  const Result result = Run({"list"});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.out, "");
}

}  // namespace
}  // namespace volcrypt::ctl
