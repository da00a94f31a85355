#include "agent/busy_volumes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {

BusyVolumes::Hold::Hold(Hold&& other) noexcept
    : volumes_(std::exchange(other.volumes_, nullptr)), volume_id_(std::move(other.volume_id_)) {}

BusyVolumes::Hold::~Hold() {
  if (volumes_ == nullptr) return;
  const std::lock_guard lock(volumes_->mutex_);
  volumes_->held_.erase(volume_id_);
}

absl::StatusOr<BusyVolumes::Hold> BusyVolumes::Take(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  if (held_.insert(volume_id).second) return Hold(this, volume_id);
  return MakeError(Reason::kOperationInProgress,
                   absl::StrCat("another operation on volume ", volume_id, " is running; try again later"),
                   {{"volume_id", volume_id}});
}

}  // namespace volcrypt
