#include "agent/keys/openstack/retry.h"
#include "agent/keys/openstack/http_status.h"

#include <thread>

namespace volcrypt {
namespace {

constexpr int kMaxAttempts = 3;
constexpr std::chrono::milliseconds kFirstPause(100);
constexpr int kPauseFactor = 4;

bool MayPass(const HttpAnswer& answer, Repeat repeat) {
  switch (answer.failure) {
    case HttpFailure::kNone:
      return repeat == Repeat::kSafe && IsServerTrouble(answer.status);
    case HttpFailure::kResolve:
    case HttpFailure::kConnect:
      return true;
    case HttpFailure::kBroken:
      return repeat == Repeat::kSafe;
    default:
      return false;
  }
}

}  // namespace

RetriedAnswer SendWithRetries(HttpClient& http, const HttpRequest& request, Repeat repeat,
                              const CallDeadline& deadline) {
  std::chrono::milliseconds pause = kFirstPause;
  for (int attempt = 1;; ++attempt, pause *= kPauseFactor) {
    HttpAnswer answer = http.Send(request, deadline);
    if (attempt == kMaxAttempts || !MayPass(answer, repeat) || deadline.Remaining() <= pause) {
      return {.answer = std::move(answer), .attempts = attempt};
    }
    std::this_thread::sleep_for(pause);
  }
}

bool IsServerTrouble(int status) {
  return status == http_status::kTooManyRequests || status >= http_status::kFirstServerError;
}

}  // namespace volcrypt
