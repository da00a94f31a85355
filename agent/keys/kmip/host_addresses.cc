#include "agent/keys/kmip/host_addresses.h"

#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxAddresses = 8;
constexpr int kMaxLookups = 32;

std::atomic<int> running_lookups = 0;

// Shared by the caller and the thread, whichever ends last.
struct Lookup {
  std::string host;
  std::string port;
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  int error = 0;
  std::vector<SocketAddress> addresses;
};

int LookUp(const std::string& host, const std::string& port, int flags, std::vector<SocketAddress>& addresses) {
  const addrinfo hints = {.ai_flags = flags | AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return error;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (const addrinfo* info = found; info != nullptr && addresses.size() < kMaxAddresses; info = info->ai_next) {
    SocketAddress address{.size = std::min<socklen_t>(info->ai_addrlen, sizeof(sockaddr_storage))};
    std::memcpy(&address.address, info->ai_addr, address.size);
    addresses.push_back(address);
  }
  return 0;
}

void RunLookup(const std::shared_ptr<Lookup>& lookup) {
  std::vector<SocketAddress> addresses;
  const int error = LookUp(lookup->host, lookup->port, 0, addresses);
  {
    const std::lock_guard lock(lookup->mutex);
    lookup->done = true;
    lookup->error = error;
    lookup->addresses = std::move(addresses);
  }
  lookup->ended.notify_all();
  --running_lookups;
}

absl::Status StartLookup(const std::shared_ptr<Lookup>& lookup) {
  if (++running_lookups > kMaxLookups) {
    --running_lookups;
    return MakeError(Reason::kKeyManagerUnavailable,
                     "too many look-ups of host names are unanswered; check the host's DNS servers");
  }
  try {
    std::thread(RunLookup, lookup).detach();
  } catch (const std::system_error& error) {
    --running_lookups;
    return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat("no thread for a look-up: ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SocketAddress>> ResolveHost(const KmipEndpoint& endpoint, absl::Time deadline) {
  const auto lookup = std::make_shared<Lookup>();
  lookup->host = endpoint.host;
  lookup->port = absl::StrCat(endpoint.port);
  // An address needs no look-up.
  if (LookUp(lookup->host, lookup->port, AI_NUMERICHOST, lookup->addresses) == 0) return lookup->addresses;
  if (absl::Status started = StartLookup(lookup); !started.ok()) return started;
  std::unique_lock lock(lookup->mutex);
  if (!lookup->ended.wait_until(lock, absl::ToChronoTime(deadline), [&] { return lookup->done; })) {
    return MakeError(
        Reason::kKeyManagerTimedOut,
        absl::StrCat("the look-up of host ", endpoint.host, " was not answered in time; check the host's DNS servers"));
  }
  if (lookup->error == 0 && !lookup->addresses.empty()) return std::move(lookup->addresses);
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("host ", endpoint.host, " cannot be resolved: ",
                                lookup->error == 0 ? "it has no address" : gai_strerror(lookup->error)));
}

}  // namespace volcrypt
