#include "agent/libvirt/libvirt_connection.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
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

// What a thread in the middle of a usual call needs to come to its end.
constexpr auto kGoodbye = std::chrono::seconds(2);

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

struct LibvirtConnection::Shared {
  struct Call {
    explicit Call(std::shared_ptr<LibvirtWork> call_work) : work(std::move(call_work)) {}
    const std::shared_ptr<LibvirtWork> work;
    bool abandoned = false;
    bool done = false;
    absl::Status result;
    std::condition_variable finished;
  };

  explicit Shared(std::string its_uri) : uri(std::move(its_uri)) {}

  bool IsAwaited(const Call& call) {
    const std::lock_guard lock(mutex);
    return !call.abandoned;
  }

  // The thread's own.
  absl::Status Do(Call& call);
  absl::Status Open();

  const std::string uri;
  Connection connection;

  std::mutex mutex;
  std::condition_variable changed;
  std::list<std::shared_ptr<Call>> waiting;
  bool stopping = false;
  bool ended = false;
};

LibvirtConnection::LibvirtConnection(std::string uri)
    : shared_(std::make_shared<Shared>(std::move(uri))), thread_([shared = shared_] { Serve(shared); }) {}

LibvirtConnection::~LibvirtConnection() {
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->changed.notify_all();
  const bool ended = shared_->changed.wait_for(lock, kGoodbye, [this] { return shared_->ended; });
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

absl::Status LibvirtConnection::Run(std::shared_ptr<LibvirtWork> work, absl::Time deadline) {
  const auto call = std::make_shared<Shared::Call>(std::move(work));
  const absl::Duration patience = std::min(deadline - absl::Now(), kPatience);
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience);
  std::unique_lock lock(shared_->mutex);
  if (shared_->stopping) return NoAnswer(shared_->uri);
  shared_->waiting.push_back(call);
  shared_->changed.notify_all();
  if (call->finished.wait_until(lock, until, [&call] { return call->done; })) return call->result;
  call->abandoned = true;
  shared_->waiting.remove(call);
  return NoAnswer(shared_->uri);
}

void LibvirtConnection::Serve(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&shared] { return shared->stopping || !shared->waiting.empty(); });
    if (shared->stopping) break;
    const std::shared_ptr<Shared::Call> call = shared->waiting.front();
    shared->waiting.pop_front();
    lock.unlock();
    absl::Status result = shared->Do(*call);
    lock.lock();
    call->result = std::move(result);
    call->done = true;
    call->finished.notify_all();
  }
  lock.unlock();
  shared->connection.reset();
  lock.lock();
  shared->ended = true;
  shared->changed.notify_all();
}

absl::Status LibvirtConnection::Shared::Do(Call& call) {
  const std::function<bool()> is_awaited = [this, &call] { return IsAwaited(call); };
  absl::Status result;
  // The first loss may be old and only noticed now: libvirtd was restarted since the last call.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (absl::Status opened = Open(); !opened.ok()) return opened;
    if (!is_awaited()) return NoAnswer(uri);
    Libvirt().virResetLastError();
    result = call.work->Run(connection.get(), is_awaited);
    const bool lost =
        !result.ok() && (LastErrorIsOfTheConnection() || Libvirt().virConnectIsAlive(connection.get()) != 1);
    if (!lost) return result;
    connection.reset();
  }
  return result;
}

absl::Status LibvirtConnection::Shared::Open() {
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
