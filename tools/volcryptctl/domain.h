#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace volcrypt::ctl {

// A virtual machine, by the administrator's own connection to libvirt: the agent's has no right to touch one.
//
// Errors, with reasons of volcryptctl's own: LIBVIRT_UNAVAILABLE, also when libvirt does not answer by the deadline,
// and then what it did is not known; DOMAIN_NOT_FOUND; DOMAIN_REFUSED with what libvirt said.
class Domain {
 public:
  enum class Part : uint8_t { kLive, kConfig };

  // An empty URI is libvirt's own choice. All that this domain is asked ends at the deadline.
  static absl::StatusOr<Domain> Open(const std::string& uri, const std::string& name, absl::Time deadline);

  // Whether it is running (kLive), and whether it is defined (kConfig).
  absl::StatusOr<bool> Has(Part part) const;
  absl::StatusOr<std::string> ReadXml(Part part) const;
  absl::Status Attach(Part part, const std::string& device_xml) const;
  // Live, this asks the guest, which may release the device later or never: only its XML tells.
  absl::Status Detach(Part part, const std::string& device_xml) const;

  const std::string& Name() const { return name_; }
  absl::Time Deadline() const { return deadline_; }

 private:
  struct Handles;
  Domain(std::shared_ptr<Handles> handles, std::string name, absl::Time deadline)
      : handles_(std::move(handles)), name_(std::move(name)), deadline_(deadline) {}

  std::shared_ptr<Handles> handles_;
  std::string name_;
  absl::Time deadline_;
};

}  // namespace volcrypt::ctl
