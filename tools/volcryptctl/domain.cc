#include "tools/volcryptctl/domain.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/exit_status.h"

namespace volcrypt::ctl {

struct Domain::Handles {
  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    if (domain != nullptr) virDomainFree(domain);
    if (connection != nullptr) virConnectClose(connection);
  }

  virConnectPtr connection = nullptr;
  virDomainPtr domain = nullptr;
};

namespace {

// A rollback after the deadline still gets this long.
constexpr absl::Duration kLeastTime = absl::Seconds(5);

void SayNothing(void*, virErrorPtr) {}

std::string Said() {
  const virError* const error = virGetLastError();
  return error == nullptr || error->message == nullptr ? "no reason given" : error->message;
}

absl::Status Unavailable(const std::string& message) {
  return OwnError(absl::StatusCode::kUnavailable, "LIBVIRT_UNAVAILABLE", message);
}

bool ConnectionIsLost() {
  const virError* const error = virGetLastError();
  return error != nullptr && (error->domain == VIR_FROM_RPC || error->domain == VIR_FROM_REMOTE);
}

absl::Status Refused(const std::string& what) {
  if (ConnectionIsLost()) return Unavailable(absl::StrCat("libvirt: ", Said()));
  return OwnError(absl::StatusCode::kFailedPrecondition, kDomainRefusedReason, absl::StrCat(what, ": ", Said()));
}

// libvirt's calls have no time limit of their own, so they run on a thread that is left behind when the time is up.
absl::Status Bounded(absl::Time deadline, std::function<absl::Status()> work) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable finished;
    bool is_done = false;
    absl::Status result;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, work = std::move(work)] {
    virResetLastError();
    absl::Status result = work();
    const std::lock_guard lock(shared->mutex);
    shared->result = std::move(result);
    shared->is_done = true;
    shared->finished.notify_all();
  }).detach();
  const absl::Duration patience = std::max(deadline - absl::Now(), kLeastTime);
  std::unique_lock lock(shared->mutex);
  const bool done =
      shared->finished.wait_for(lock, absl::ToChronoNanoseconds(patience), [&shared] { return shared->is_done; });
  if (done) return shared->result;
  return Unavailable("libvirt did not answer in time; what it did is not known; repeat the command");
}

unsigned int FlagOf(Domain::Part part) {
  return part == Domain::Part::kLive ? VIR_DOMAIN_AFFECT_LIVE : VIR_DOMAIN_AFFECT_CONFIG;
}

}  // namespace

absl::StatusOr<Domain> Domain::Open(const std::string& uri, const std::string& name, absl::Time deadline) {
  // Before that, even asking for the last error writes over another library's thread-specific data.
  if (virInitialize() < 0) return Unavailable("libvirt cannot be used here");
  virSetErrorFunc(nullptr, SayNothing);
  const auto handles = std::make_shared<Handles>();
  const absl::Status opened = Bounded(deadline, [handles, uri, name]() -> absl::Status {
    handles->connection = virConnectOpen(uri.empty() ? nullptr : uri.c_str());
    if (handles->connection == nullptr) return Unavailable(absl::StrCat("libvirt cannot be reached: ", Said()));
    handles->domain = virDomainLookupByName(handles->connection, name.c_str());
    if (handles->domain == nullptr) handles->domain = virDomainLookupByUUIDString(handles->connection, name.c_str());
    if (handles->domain != nullptr) return absl::OkStatus();
    if (ConnectionIsLost()) return Unavailable(absl::StrCat("libvirt: ", Said()));
    return OwnError(absl::StatusCode::kNotFound, kDomainNotFoundReason,
                    absl::StrCat("libvirt has no domain ", name, "; see virsh list --all"));
  });
  if (!opened.ok()) return opened;
  return Domain(handles, name, deadline);
}

absl::StatusOr<bool> Domain::Has(Part part) const {
  const auto answer = std::make_shared<int>(-1);
  const absl::Status done = Bounded(deadline_, [handles = handles_, answer, part, name = name_]() -> absl::Status {
    *answer = part == Part::kLive ? virDomainIsActive(handles->domain) : virDomainIsPersistent(handles->domain);
    return *answer >= 0 ? absl::OkStatus() : Refused(absl::StrCat("domain ", name, " cannot be looked at"));
  });
  if (!done.ok()) return done;
  return *answer == 1;
}

absl::StatusOr<std::string> Domain::ReadXml(Part part) const {
  const auto answer = std::make_shared<std::string>();
  const absl::Status done = Bounded(deadline_, [handles = handles_, answer, part, name = name_]() -> absl::Status {
    char* const xml = virDomainGetXMLDesc(handles->domain, part == Part::kLive ? 0 : VIR_DOMAIN_XML_INACTIVE);
    if (xml == nullptr) return Refused(absl::StrCat("domain ", name, " cannot be looked at"));
    *answer = xml;
    free(xml);
    return absl::OkStatus();
  });
  if (!done.ok()) return done;
  return *answer;
}

absl::Status Domain::Attach(Part part, const std::string& device_xml) const {
  return Bounded(deadline_, [handles = handles_, part, device_xml, name = name_]() -> absl::Status {
    if (virDomainAttachDeviceFlags(handles->domain, device_xml.c_str(), FlagOf(part)) == 0) return absl::OkStatus();
    return Refused(absl::StrCat("domain ", name, " does not take the disk"));
  });
}

absl::Status Domain::Detach(Part part, const std::string& device_xml) const {
  return Bounded(deadline_, [handles = handles_, part, device_xml, name = name_]() -> absl::Status {
    if (virDomainDetachDeviceFlags(handles->domain, device_xml.c_str(), FlagOf(part)) == 0) return absl::OkStatus();
    const virError* const error = virGetLastError();
    if (error != nullptr && error->code == VIR_ERR_DEVICE_MISSING) return absl::OkStatus();
    return Refused(absl::StrCat("domain ", name, " does not give the disk back"));
  });
}

}  // namespace volcrypt::ctl
