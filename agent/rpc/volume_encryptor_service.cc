#include "agent/rpc/volume_encryptor_service.h"

#include "absl/strings/str_cat.h"
#include "agent/rpc/from_api.h"
#include "agent/rpc/page.h"
#include "agent/rpc/to_api.h"
#include "agent/volume_identity.h"

namespace volcrypt {

grpc::Status VolumeEncryptorService::AttachVolume(grpc::ServerContext* context, const v1::AttachVolumeRequest* request,
                                                  v1::AttachVolumeResponse* response) {
  const CallDescription description = {
      .method = "/volcrypt.v1.VolumeEncryptorService/AttachVolume",
      .about = {{"volume", request->volume_id()},
                {"device", request->device()},
                {"key", request->key().key_id()},
                {"key_manager", KeyManagerOf(request->key(), attacher_.AllKeyManagers())}},
      .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<AttachCall> attach = FromApi(*request, call.IsAdmin());
    if (!attach.ok()) return attach.status();
    const absl::StatusOr<AttachAnswer> answer = attacher_.Attach(
        *attach, call.ForKeys(),
        [&call](const FormatPlan& plan) { return call.before_lasting_step(plan.will, IdentityOf(plan)); });
    if (!answer.ok()) return answer.status();
    call.results = IdentityOf(answer->mapping);
    call.results.emplace_back("formatted", answer->formatted ? "true" : "false");
    if (request->key().key_id().empty() && answer->mapping.key) {
      call.results.emplace_back("key", answer->mapping.key->key_id);
      call.results.emplace_back("key_manager", answer->mapping.key->key_manager);
    }
    call.Warn(answer->warnings);
    call.facts = {
        .formatted = answer->formatted, .record_error = answer->record_error, .key_manager = answer->key_manager};
    Attachment attachment(answer->mapping);
    if (attach->mode == AttachMode::kLibvirtSecret) attachment.mode = AttachMode::kLibvirtSecret;
    attachment.libvirt_secret_uuid = answer->libvirt_secret_uuid;
    *response->mutable_attachment() = ToApi(attachment, Detail::kOne);
    response->set_formatted(answer->formatted);
    response->set_already_attached(answer->already_attached);
    return absl::OkStatus();
  });
}

grpc::Status VolumeEncryptorService::DetachVolume(grpc::ServerContext* context, const v1::DetachVolumeRequest* request,
                                                  v1::DetachVolumeResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.VolumeEncryptorService/DetachVolume",
                                       .about = {{"volume", request->volume_id()}, {"device", request->device()}}};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<DetachAnswer> result =
        attacher_.Detach(FromApi(*request), call.deadline, request->keep_libvirt_secret());
    if (!result.ok()) return result.status();
    call.Warn(result->warnings);
    call.results = IdentityOf(*result);
    call.results.emplace_back("was_attached", result->was_attached ? "true" : "false");
    if (request->volume_id().empty()) call.results.emplace_back("volume", result->volume_id);
    if (request->device().empty()) call.results.emplace_back("device", result->device);
    response->set_was_attached(result->was_attached);
    response->set_pending(result->pending);
    return absl::OkStatus();
  });
}

grpc::Status VolumeEncryptorService::ExtendVolume(grpc::ServerContext* context, const v1::ExtendVolumeRequest* request,
                                                  v1::ExtendVolumeResponse* response) {
  const CallDescription description = {
      .method = "/volcrypt.v1.VolumeEncryptorService/ExtendVolume",
      .about = {{"volume", request->volume_id()},
                {"key", request->key().key_id()},
                {"key_manager", KeyManagerOf(request->key(), attacher_.AllKeyManagers())}},
      .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<ExtendAnswer> result = attacher_.Extend(FromApi(*request, call.IsAdmin()), call.ForKeys());
    if (!result.ok()) return result.status();
    call.results = IdentityOf(result->mapping);
    call.results.emplace_back("device", result->mapping.device);
    call.results.emplace_back("previous_size_bytes", absl::StrCat(result->previous_size_bytes));
    Attachment attachment(result->mapping);
    if (!result->unmapped_secret_uuid.empty()) attachment.mode = AttachMode::kLibvirtSecret;
    attachment.libvirt_secret_uuid = result->unmapped_secret_uuid;
    *response->mutable_attachment() = ToApi(attachment, Detail::kOne);
    response->set_previous_size_bytes(result->previous_size_bytes);
    return absl::OkStatus();
  });
}

grpc::Status VolumeEncryptorService::GetAttachment(grpc::ServerContext* context,
                                                   const v1::GetAttachmentRequest* request,
                                                   v1::GetAttachmentResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.VolumeEncryptorService/GetAttachment",
                                       .kind = CallKind::kRead,
                                       .about = {{"volume", request->volume_id()}}};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<Attachment> attachment = attacher_.Get(request->volume_id(), call.deadline);
    if (!attachment.ok()) return attachment.status();
    *response->mutable_attachment() = ToApi(*attachment, Detail::kOne);
    return absl::OkStatus();
  });
}

grpc::Status VolumeEncryptorService::ListAttachments(grpc::ServerContext* context,
                                                     const v1::ListAttachmentsRequest* request,
                                                     v1::ListAttachmentsResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.VolumeEncryptorService/ListAttachments",
                                       .kind = CallKind::kRead};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    AttachmentList list = attacher_.List(call.deadline);
    const absl::StatusOr<Page> page = PageOf(std::move(list.attachments), request->page_size(), request->page_token());
    if (!page.ok()) return page.status();
    for (const Attachment& attachment : page->attachments) {
      *response->add_attachments() = ToApi(attachment, Detail::kList);
    }
    for (const std::string& source : list.unreachable) response->add_unreachable(source);
    response->set_next_page_token(page->next_token);
    return absl::OkStatus();
  });
}

}  // namespace volcrypt
