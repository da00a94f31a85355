#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google_rpc/error_details.pb.h"
#include "grpc_health/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "volcrypt/v1/agent.grpc.pb.h"
#include "volcrypt/v1/key.grpc.pb.h"
#include "volcrypt/v1/volume_admin.grpc.pb.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {

// An error as the agent sends it.
inline grpc::Status AgentError(grpc::StatusCode code, const std::string& reason, const std::string& message,
                               const std::map<std::string, std::string>& metadata = {}) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("volcrypt");
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return {code, message, details.SerializeAsString()};
}

// One method: remembers its requests and answers as `answer` says, by default with an empty OK.
template <typename Request, typename Response>
struct FakeMethod {
  std::vector<Request> requests;
  std::function<grpc::Status(grpc::ServerContext&, const Request&, Response&)> answer =
      [](grpc::ServerContext&, const Request&, Response&) { return grpc::Status::OK; };

  void AnswerWith(Response response) {
    answer = [response = std::move(response)](grpc::ServerContext&, const Request&, Response& out) {
      out = response;
      return grpc::Status::OK;
    };
  }
  void FailWith(grpc::Status status) {
    answer = [status = std::move(status)](grpc::ServerContext&, const Request&, Response&) { return status; };
  }
  grpc::Status operator()(grpc::ServerContext* context, const Request* request, Response* response) {
    requests.push_back(*request);
    return answer(*context, *request, *response);
  }
};

class FakeVolumes final : public v1::VolumeEncryptorService::Service {
 public:
  FakeMethod<v1::AttachVolumeRequest, v1::AttachVolumeResponse> attach;
  FakeMethod<v1::DetachVolumeRequest, v1::DetachVolumeResponse> detach;
  FakeMethod<v1::ExtendVolumeRequest, v1::ExtendVolumeResponse> extend;
  FakeMethod<v1::GetAttachmentRequest, v1::GetAttachmentResponse> get;
  FakeMethod<v1::ListAttachmentsRequest, v1::ListAttachmentsResponse> list;

 private:
  using Context = grpc::ServerContext;
  grpc::Status AttachVolume(Context* c, const v1::AttachVolumeRequest* q, v1::AttachVolumeResponse* r) override {
    return attach(c, q, r);
  }
  grpc::Status DetachVolume(Context* c, const v1::DetachVolumeRequest* q, v1::DetachVolumeResponse* r) override {
    return detach(c, q, r);
  }
  grpc::Status ExtendVolume(Context* c, const v1::ExtendVolumeRequest* q, v1::ExtendVolumeResponse* r) override {
    return extend(c, q, r);
  }
  grpc::Status GetAttachment(Context* c, const v1::GetAttachmentRequest* q, v1::GetAttachmentResponse* r) override {
    return get(c, q, r);
  }
  grpc::Status ListAttachments(Context* c, const v1::ListAttachmentsRequest* q,
                               v1::ListAttachmentsResponse* r) override {
    return list(c, q, r);
  }
};

class FakeAdmin final : public v1::VolumeAdminService::Service {
 public:
  FakeMethod<v1::InspectVolumeRequest, v1::InspectVolumeResponse> inspect;
  FakeMethod<v1::ForgetVolumeRequest, v1::ForgetVolumeResponse> forget;

 private:
  using Context = grpc::ServerContext;
  grpc::Status InspectVolume(Context* c, const v1::InspectVolumeRequest* q, v1::InspectVolumeResponse* r) override {
    return inspect(c, q, r);
  }
  grpc::Status ForgetVolume(Context* c, const v1::ForgetVolumeRequest* q, v1::ForgetVolumeResponse* r) override {
    return forget(c, q, r);
  }
};

class FakeKeys final : public v1::KeyService::Service {
 public:
  FakeMethod<v1::CreateKeyRequest, v1::CreateKeyResponse> create;
  FakeMethod<v1::GetKeyMetadataRequest, v1::GetKeyMetadataResponse> metadata;
  FakeMethod<v1::DeleteKeyRequest, v1::DeleteKeyResponse> remove;
  FakeMethod<v1::CopyKeyRequest, v1::CopyKeyResponse> copy;
  FakeMethod<v1::CheckKeyManagerRequest, v1::CheckKeyManagerResponse> check;

 private:
  using Context = grpc::ServerContext;
  grpc::Status CreateKey(Context* c, const v1::CreateKeyRequest* q, v1::CreateKeyResponse* r) override {
    return create(c, q, r);
  }
  grpc::Status GetKeyMetadata(Context* c, const v1::GetKeyMetadataRequest* q, v1::GetKeyMetadataResponse* r) override {
    return metadata(c, q, r);
  }
  grpc::Status DeleteKey(Context* c, const v1::DeleteKeyRequest* q, v1::DeleteKeyResponse* r) override {
    return remove(c, q, r);
  }
  grpc::Status CopyKey(Context* c, const v1::CopyKeyRequest* q, v1::CopyKeyResponse* r) override {
    return copy(c, q, r);
  }
  grpc::Status CheckKeyManager(Context* c, const v1::CheckKeyManagerRequest* q,
                               v1::CheckKeyManagerResponse* r) override {
    return check(c, q, r);
  }
};

class FakeInfo final : public v1::AgentService::Service {
 public:
  FakeMethod<v1::GetInfoRequest, v1::GetInfoResponse> info;
  FakeMethod<v1::SetMaintenanceRequest, v1::SetMaintenanceResponse> set_maintenance;

 private:
  grpc::Status SetMaintenance(grpc::ServerContext* c, const v1::SetMaintenanceRequest* q,
                              v1::SetMaintenanceResponse* r) override {
    return set_maintenance(c, q, r);
  }
  grpc::Status GetInfo(grpc::ServerContext* c, const v1::GetInfoRequest* q, v1::GetInfoResponse* r) override {
    return info(c, q, r);
  }
};

class FakeHealth final : public grpc::health::v1::Health::Service {
 public:
  FakeMethod<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse> check;

 private:
  grpc::Status Check(grpc::ServerContext* c, const grpc::health::v1::HealthCheckRequest* q,
                     grpc::health::v1::HealthCheckResponse* r) override {
    return check(c, q, r);
  }
};

// volcryptd's services over a real socket, answering as each test says.
class FakeAgent {
 public:
  FakeVolumes volumes;
  FakeAdmin admin;
  FakeKeys keys;
  FakeInfo agent;
  FakeHealth health;

  void Serve(const std::string& endpoint) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(endpoint, grpc::InsecureServerCredentials());
    builder.RegisterService(&volumes);
    builder.RegisterService(&admin);
    builder.RegisterService(&keys);
    builder.RegisterService(&agent);
    builder.RegisterService(&health);
    server_ = builder.BuildAndStart();
  }
  // Returns when no handler runs any more.
  void Stop() { server_.reset(); }
  bool serving() const { return server_ != nullptr; }

 private:
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace volcrypt::ctl
