#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/volcryptctl/domain_disk.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// The command line of attach, as typed.
struct AttachOptions {
  std::string volume_id;
  std::string device;
  std::optional<v1::KeyReference> key;
  bool new_key = false;
  std::string key_manager;  // of the new key; empty: the default
  std::string format;       // luks2, luks1, plain; empty: as configured
  std::string cipher;
  uint32_t key_size_bits = 0;
  uint32_t sector_size_bytes = 0;
  std::string mode;       // host, libvirt
  std::string first_use;  // format-if-blank, refuse
  bool read_only = false;
  bool allow_discards = false;
  bool libvirt_secret = false;
  DomainOptions domain;
};

// The request without a new key. A relative path counts from the current directory.
v1::AttachVolumeRequest ToRequest(const AttachOptions& options);

}  // namespace volcrypt::ctl
