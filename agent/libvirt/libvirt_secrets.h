#pragma once

#include <memory>
#include <string>

#include "agent/libvirt/volume_secrets.h"

namespace volcrypt {

class LibvirtConnection;

// The secrets in a libvirtd.
//
// A value goes from SecretBytes straight to virSecretSetValue. libvirt's client (9.0) copies it into one message buffer
// of the heap, which it sends and frees without wiping; it keeps no other copy and logs none. While a value is set, the
// C library is told to overwrite what is freed (M_PERTURB), which takes that copy with it.
class LibvirtSecrets : public VolumeSecrets {
 public:
  // Ephemeral secrets live in libvirtd's memory and end with it; persistent ones are plain base64 on libvirt's disk.
  enum class Lifetime : uint8_t { kEphemeral, kPersistent };

  // After LoadLibvirt (libvirt_library.h). Does not connect yet. Of a qemu:/// URI only the place counts.
  LibvirtSecrets(const std::string& uri, Lifetime lifetime);
  ~LibvirtSecrets() override;

  absl::StatusOr<PutSecret> Put(const std::string& volume_id, const std::string& uuid, const SecretNote& note,
                                SecretBytes value, absl::Time deadline) override;
  absl::StatusOr<bool> Amend(const std::string& volume_id, const SecretNote& note, absl::Time deadline) override;
  absl::StatusOr<std::optional<VolumeSecret>> Find(const std::string& volume_id, absl::Time deadline) override;
  absl::StatusOr<bool> Remove(const std::string& volume_id, absl::Time deadline) override;
  absl::StatusOr<std::vector<VolumeSecret>> List(absl::Time deadline) override;

 private:
  const Lifetime lifetime_;
  const std::unique_ptr<LibvirtConnection> connection_;
};

}  // namespace volcrypt
