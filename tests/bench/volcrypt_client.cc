#include "bench/volcrypt_client.h"

#include <grpcpp/grpcpp.h>

#include "bench/samples.h"

namespace volcrypt::bench {
namespace {

void Check(const grpc::Status& status, const char* what) {
  if (!status.ok()) Fail(std::string(what) + ": " + status.error_message());
}

}  // namespace

VolcryptClient::VolcryptClient(const std::string& endpoint) {
  const auto channel = grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials());
  volumes_ = v1::VolumeEncryptorService::NewStub(channel);
  keys_ = v1::KeyService::NewStub(channel);
}

std::string VolcryptClient::CreateKey() {
  grpc::ClientContext context;
  v1::CreateKeyResponse response;
  Check(keys_->CreateKey(&context, v1::CreateKeyRequest(), &response), "CreateKey");
  return response.key().key_id();
}

void VolcryptClient::Attach(const std::string& volume_id, const std::string& device, const std::string& key_id,
                            v1::Encryption::Format format) {
  grpc::ClientContext context;
  v1::AttachVolumeRequest request;
  request.set_volume_id(volume_id);
  request.set_device(device);
  request.mutable_key()->set_key_id(key_id);
  request.mutable_encryption()->set_format(format);
  v1::AttachVolumeResponse response;
  Check(volumes_->AttachVolume(&context, request, &response), "AttachVolume");
}

void VolcryptClient::Detach(const std::string& volume_id) {
  grpc::ClientContext context;
  v1::DetachVolumeRequest request;
  request.set_volume_id(volume_id);
  v1::DetachVolumeResponse response;
  Check(volumes_->DetachVolume(&context, request, &response), "DetachVolume");
  if (!response.was_attached()) Fail("DetachVolume: was not attached");
}

}  // namespace volcrypt::bench
