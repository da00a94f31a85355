#pragma once

#include <memory>
#include <string>

#include "volcrypt/v1/key.grpc.pb.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::bench {

// volcryptd as a compute service calls it: one channel, kept.
class VolcryptClient {
 public:
  explicit VolcryptClient(const std::string& endpoint);

  std::string CreateKey();
  void Attach(const std::string& volume_id, const std::string& device, const std::string& key_id,
              v1::Encryption::Format format);
  void Detach(const std::string& volume_id);

 private:
  std::unique_ptr<v1::VolumeEncryptorService::Stub> volumes_;
  std::unique_ptr<v1::KeyService::Stub> keys_;
};

}  // namespace volcrypt::bench
