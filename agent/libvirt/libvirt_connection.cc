#include "agent/libvirt/libvirt_connection.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/libvirt/libvirt_library.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// A call that is under way fails kKeepaliveSeconds * (kKeepaliveCount + 1) after libvirtd has stopped answering, which
// is before kPatience ends.
constexpr int kKeepaliveSeconds = 1;
constexpr unsigned int kKeepaliveCount = 3;

struct Closer {
  void operator()(virConnectPtr connection) const { Libvirt().virConnectClose(connection); }
};
using Connection = std::unique_ptr<virConnect, Closer>;

absl::Status NoAnswer(const std::string& uri) {
  return MakeError(Reason::kLibvirtUnavailable, absl::StrCat("libvirt at ", uri, " did not answer in time; try again"),
                   {{"uri", uri}});
}

// The text of the remote side's death differs with the moment; nova tells it by the same codes and domains.
bool LastErrorIsOfTheConnection() {
  const virError* const error = Libvirt().virGetLastError();
  if (error == nullptr) return false;
  return error->domain == VIR_FROM_RPC || error->domain == VIR_FROM_REMOTE;
}

bool IsDenied(const virError& error) {
  return error.code == VIR_ERR_AUTH_FAILED || error.code == VIR_ERR_AUTH_CANCELLED ||
         error.code == VIR_ERR_AUTH_UNAVAILABLE || error.code == VIR_ERR_ACCESS_DENIED;
}

}  // namespace

// The thread's own.
struct LibvirtConnection::State {
  explicit State(std::string its_uri) : uri(std::move(its_uri)) {}

  absl::Status Do(LibvirtWork& work, const ExpendableThread::IsAwaited& is_awaited);
  absl::Status Open();

  const std::string uri;
  Connection connection;
};

LibvirtConnection::LibvirtConnection(std::string uri)
    : state_(std::make_shared<State>(std::move(uri))), thread_([state = state_] { state->connection.reset(); }) {}

absl::Status LibvirtConnection::Run(std::shared_ptr<LibvirtWork> work, absl::Time deadline) {
  const auto run = [state = state_, work = std::move(work)](const ExpendableThread::IsAwaited& is_awaited) {
    return state->Do(*work, is_awaited);
  };
  const absl::Duration patience = std::min(deadline - absl::Now(), kPatience);
  return thread_.Run(run, patience).value_or(NoAnswer(state_->uri));
}

absl::Status LibvirtConnection::State::Do(LibvirtWork& work, const ExpendableThread::IsAwaited& is_awaited) {
  absl::Status result;
  // The first loss may be old and only noticed now: libvirtd was restarted since the last call.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (absl::Status opened = Open(); !opened.ok()) return opened;
    if (!is_awaited()) return NoAnswer(uri);
    Libvirt().virResetLastError();
    result = work.Run(connection.get(), is_awaited);
    const bool lost =
        !result.ok() && (LastErrorIsOfTheConnection() || Libvirt().virConnectIsAlive(connection.get()) != 1);
    if (!lost) return result;
    connection.reset();
  }
  return result;
}

absl::Status LibvirtConnection::State::Open() {
  if (connection != nullptr && Libvirt().virConnectIsAlive(connection.get()) == 1) return absl::OkStatus();
  connection.reset();
  Libvirt().virResetLastError();
  Connection opened(Libvirt().virConnectOpen(uri.c_str()));
  if (opened == nullptr) return LibvirtError(absl::StrCat("libvirt at ", uri, " cannot be reached"));
  if (Libvirt().virConnectSetKeepAlive(opened.get(), kKeepaliveSeconds, kKeepaliveCount) < 0) {
    return LibvirtError(absl::StrCat("libvirt at ", uri, " takes no keepalive"));
  }
  connection = std::move(opened);
  return absl::OkStatus();
}

absl::Status LibvirtError(const std::string& what) {
  const virError* const error = Libvirt().virGetLastError();
  const std::string said = error == nullptr || error->message == nullptr ? "no reason given" : error->message;
  ErrorMetadata metadata;
  std::string remedy;
  if (error != nullptr) {
    metadata = {{"libvirt_code", absl::StrCat(error->code)}, {"libvirt_domain", absl::StrCat(error->domain)}};
    if (IsDenied(*error)) remedy = "; docs/libvirt.md tells what rights the agent's user needs";
  }
  return MakeError(Reason::kLibvirtUnavailable, absl::StrCat(what, ": ", said, remedy), metadata);
}

}  // namespace volcrypt
