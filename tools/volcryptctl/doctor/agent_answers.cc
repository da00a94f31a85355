#include "tools/volcryptctl/doctor/agent_answers.h"

#include "absl/time/clock.h"
#include "grpc_health/health.grpc.pb.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/exit_status.h"
#include "volcrypt/v1/agent.grpc.pb.h"
#include "volcrypt/v1/key.grpc.pb.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

constexpr int kMaxPages = 20;
constexpr uint32_t kPageSize = 500;
constexpr int kMaxKeyManagers = 16;
constexpr int kMaxMappingsAsked = 100;
constexpr absl::Duration kBudget = absl::Minutes(1);

absl::StatusOr<v1::ListAttachmentsResponse> ListAll(Client& client, absl::Time end) {
  v1::ListAttachmentsResponse all;
  v1::ListAttachmentsRequest request;
  request.set_page_size(kPageSize);
  for (int page = 0; page < kMaxPages && absl::Now() < end; ++page) {
    const auto response = client.Call(&v1::VolumeEncryptorService::Stub::ListAttachments, request);
    if (!response.ok()) return response.status();
    all.MergeFrom(*response);
    request.set_page_token(response->next_page_token());
    if (response->next_page_token().empty()) break;
  }
  return all;
}

std::vector<AgentAnswers::KeyManager> CheckAll(Client& client, const v1::GetInfoResponse& info, absl::Time end) {
  std::vector<AgentAnswers::KeyManager> all;
  for (const v1::KeyManagerInfo& manager : info.key_managers()) {
    if (all.size() == kMaxKeyManagers) break;
    AgentAnswers::KeyManager& one = all.emplace_back();
    one.name = manager.name();
    one.type = manager.type();
    one.check = absl::DeadlineExceededError("not checked: the others took the time");
    if (absl::Now() >= end) continue;
    v1::CheckKeyManagerRequest request;
    request.set_key_manager(manager.name());
    one.check = client.Call(&v1::KeyService::Stub::CheckKeyManager, request);
  }
  return all;
}

// A list does not say it.
std::vector<std::string> Detaching(Client& client, const v1::ListAttachmentsResponse& list, absl::Time end) {
  std::vector<std::string> detaching;
  int asked = 0;
  for (const v1::Attachment& listed : list.attachments()) {
    if (listed.mode() != v1::MODE_HOST_MAPPING || listed.state() != v1::Attachment::STATE_ACTIVE) continue;
    if (++asked > kMaxMappingsAsked || absl::Now() >= end) break;
    v1::GetAttachmentRequest request;
    request.set_volume_id(listed.volume_id());
    const auto one = client.Call(&v1::VolumeEncryptorService::Stub::GetAttachment, request);
    if (!HasAnswered(one.status())) break;
    if (one.ok() && one->attachment().state() == v1::Attachment::STATE_DETACHING) {
      detaching.push_back(listed.volume_id());
    }
  }
  return detaching;
}

}  // namespace

bool HasAnswered(const absl::Status& status) {
  if (status.ok()) return true;
  const std::string reason = ErrorInfoOf(status).reason();
  return !reason.empty() && reason != kUnreachableReason;
}

AgentAnswers AskAgent(Client& client) {
  const absl::Time end = absl::Now() + kBudget;
  AgentAnswers answers;
  answers.info = client.Call(&v1::AgentService::Stub::GetInfo, v1::GetInfoRequest());
  if (!answers.info.ok()) {
    answers.health = answers.info.status();
    answers.attachments = answers.info.status();
    return answers;
  }
  answers.health = client.Call(&grpc::health::v1::Health::Stub::Check, grpc::health::v1::HealthCheckRequest());
  answers.attachments = ListAll(client, end);
  if (answers.attachments.ok()) answers.detaching = Detaching(client, *answers.attachments, end);
  answers.key_managers = CheckAll(client, *answers.info, end);
  return answers;
}

}  // namespace volcrypt::ctl
