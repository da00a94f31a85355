#include "tools/volcryptctl/attachment_list.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {

absl::StatusOr<v1::ListAttachmentsResponse> ListAllAttachments(Client& client) {
  constexpr uint32_t kPageSize = 500;
  v1::ListAttachmentsRequest request;
  request.set_page_size(kPageSize);
  v1::ListAttachmentsResponse all;
  std::set<std::string> unreachable;
  for (int page = 0; page < kMaxListPages; ++page) {
    auto response = client.Call(&v1::VolumeEncryptorService::Stub::ListAttachments, request);
    if (!response.ok()) return response.status();
    all.mutable_attachments()->MergeFrom(response->attachments());
    unreachable.insert(response->unreachable().begin(), response->unreachable().end());
    if (response->next_page_token().empty()) {
      all.mutable_unreachable()->Assign(unreachable.begin(), unreachable.end());
      return all;
    }
    request.set_page_token(response->next_page_token());
  }
  return absl::InternalError(absl::StrCat("volcryptd's list did not end after ", kMaxListPages, " pages"));
}

}  // namespace volcrypt::ctl
