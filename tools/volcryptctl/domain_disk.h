// attach --domain and detach --domain: a volume as a disk of a virtual machine, live and in its configuration.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/volcryptctl/session.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

struct DomainOptions {
  std::string name;    // empty: no domain
  std::string target;  // sda, vdb; empty: the first that is free
  std::string uri;     // of libvirt; empty: its own choice
};

// Gives the attached volume to the domain and answers its target. A disk that the domain has already stays. After a
// failure the domain is as it was, and the volume is detached again unless it was attached before.
absl::StatusOr<std::string> GiveToDomain(Session& session, const DomainOptions& options,
                                         const v1::AttachVolumeResponse& attached);

// Takes the volume's disk from the domain, waits until the guest has released it, and then detaches the volume. After a
// failure the domain has the disk again. DISK_NOT_RELEASED when the guest keeps it; it may release it later.
absl::StatusOr<v1::DetachVolumeResponse> TakeFromDomain(Session& session, const DomainOptions& options,
                                                        const v1::DetachVolumeRequest& request);

}  // namespace volcrypt::ctl
