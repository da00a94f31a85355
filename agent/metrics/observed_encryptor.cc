#include "agent/metrics/observed_encryptor.h"

#include <string_view>

#include "absl/time/clock.h"

namespace volcrypt {
namespace {

const absl::Status& StatusOf(const absl::Status& status) { return status; }

template <typename Result>
const absl::Status& StatusOf(const absl::StatusOr<Result>& result) {
  return result.status();
}

template <typename Work>
auto Observe(Observer& observer, std::string_view verb, const Work& work) {
  observer.WorkerBegan();
  const absl::Time begin = absl::Now();
  auto result = work();
  observer.WorkerEnded(verb, StatusOf(result), absl::Now() - begin);
  return result;
}

}  // namespace

absl::StatusOr<AttachResult> ObservedEncryptor::Attach(const AttachRequest& request, const Key* key,
                                                       absl::Time deadline) {
  return Observe(observer_, "attach", [&] { return encryptor_.Attach(request, key, deadline); });
}

absl::StatusOr<DetachResult> ObservedEncryptor::Detach(const DetachRequest& request, absl::Time deadline) {
  return Observe(observer_, "detach", [&] { return encryptor_.Detach(request, deadline); });
}

absl::StatusOr<ExtendResult> ObservedEncryptor::Extend(const ExtendRequest& request, const Key* key,
                                                       absl::Time deadline) {
  return Observe(observer_, "extend", [&] { return encryptor_.Extend(request, key, deadline); });
}

absl::StatusOr<Inspection> ObservedEncryptor::Inspect(const std::string& device, absl::Time deadline) {
  return Observe(observer_, "inspect", [&] { return encryptor_.Inspect(device, deadline); });
}

absl::StatusOr<Mapping> ObservedEncryptor::Query(const std::string& volume_id, absl::Time deadline) {
  return Observe(observer_, "query", [&] { return encryptor_.Query(volume_id, deadline); });
}

absl::Status ObservedEncryptor::Forget(const std::string& volume_id, absl::Time deadline) {
  return Observe(observer_, "forget", [&] { return encryptor_.Forget(volume_id, deadline); });
}

}  // namespace volcrypt
