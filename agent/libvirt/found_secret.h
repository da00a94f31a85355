// A secret in libvirtd, looked up and read. Errors are LIBVIRT_UNAVAILABLE.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/libvirt/libvirt_library.h"
#include "agent/libvirt/volume_secrets.h"

namespace volcrypt {

struct SecretFree {
  void operator()(virSecretPtr secret) const { Libvirt().virSecretFree(secret); }
};
using Secret = std::unique_ptr<virSecret, SecretFree>;

inline constexpr unsigned int kNoFlags = 0;

struct FoundSecret {
  VolumeSecret secret;
  bool is_ours = false;
};

// Of libvirt's last call on this thread.
bool LastErrorIs(int code);

absl::StatusOr<std::string> UuidOf(virSecretPtr secret);

// Null: there is none of this usage.
absl::StatusOr<Secret> LookUpSecret(virConnectPtr connection, const std::string& volume_id);

// Nothing: it vanished meanwhile.
absl::StatusOr<std::optional<FoundSecret>> ReadSecret(virSecretPtr secret, const std::string& volume_id);

// False: it was gone already, which is as good.
absl::StatusOr<bool> UndefineSecret(virSecretPtr secret, const std::string& volume_id);

}  // namespace volcrypt
