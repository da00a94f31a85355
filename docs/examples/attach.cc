// Attaches a volume, prints its device and detaches it: attach SOCKET VOLUME_ID DEVICE KEY_ID
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>

#include "google_rpc/error_details.pb.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

int Fail(const grpc::Status& status) {
  google::rpc::Status error;
  google::rpc::ErrorInfo info;
  error.ParseFromString(status.error_details());
  for (const auto& detail : error.details()) detail.UnpackTo(&info);
  const std::string code = "code " + std::to_string(status.error_code());
  std::cerr << (info.reason().empty() ? code : info.reason()) << ": " << status.error_message() << "\n";
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto channel = grpc::CreateChannel(std::string("unix:") + argv[1], grpc::InsecureChannelCredentials());
  const auto agent = volcrypt::v1::VolumeEncryptorService::NewStub(channel);
  volcrypt::v1::AttachVolumeRequest attach;
  attach.set_volume_id(argv[2]);
  attach.set_device(argv[3]);
  attach.mutable_key()->set_key_id(argv[4]);
  volcrypt::v1::AttachVolumeResponse attached;
  grpc::ClientContext attaching;
  attaching.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  grpc::Status status = agent->AttachVolume(&attaching, attach, &attached);
  if (!status.ok()) return Fail(status);
  std::cout << attached.attachment().device_path() << "\n";

  volcrypt::v1::DetachVolumeRequest detach;
  detach.set_volume_id(argv[2]);
  volcrypt::v1::DetachVolumeResponse detached;
  grpc::ClientContext detaching;
  detaching.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  status = agent->DetachVolume(&detaching, detach, &detached);
  return status.ok() ? 0 : Fail(status);
}
