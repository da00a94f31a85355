#include "agent/pending_volumes.h"

#include <algorithm>
#include <utility>

namespace volcrypt {

void PendingVolumes::SetWaiting(WaitingVolumes volumes) {
  const std::lock_guard lock(mutex_);
  waiting_ = std::move(volumes);
}

void PendingVolumes::StillWaits(const std::string& volume_id, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(volume_id);
  if (found != waiting_.end()) found->second.state_reason = why;
}

void PendingVolumes::WaitsNoMore(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(volume_id);
}

WaitingVolumes PendingVolumes::Waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

PendingVolumes::Making::Making(PendingVolumes& volumes, std::string volume_id)
    : volumes_(volumes), volume_id_(std::move(volume_id)) {
  const std::lock_guard lock(volumes_.mutex_);
  volumes_.in_the_making_.insert(volume_id_);
  for (Look* const look : volumes_.looks_) look->made_.insert(volume_id_);
}

PendingVolumes::Making::~Making() {
  const std::lock_guard lock(volumes_.mutex_);
  volumes_.in_the_making_.erase(volumes_.in_the_making_.find(volume_id_));
}

PendingVolumes::Look::Look(PendingVolumes& volumes) : volumes_(volumes), waiting_before_(volumes.Waiting()) {
  const std::lock_guard lock(volumes_.mutex_);
  made_.insert(volumes_.in_the_making_.begin(), volumes_.in_the_making_.end());
  volumes_.looks_.insert(this);
}

PendingVolumes::Look::~Look() {
  const std::lock_guard lock(volumes_.mutex_);
  volumes_.looks_.erase(this);
}

bool PendingVolumes::Look::SawMaking(const std::string& volume_id) const {
  const std::lock_guard lock(volumes_.mutex_);
  return made_.contains(volume_id);
}

WaitingVolumes PendingVolumes::Look::Waiting() const {
  WaitingVolumes waiting = volumes_.Waiting();
  waiting.insert(waiting_before_.begin(), waiting_before_.end());
  return waiting;
}

void ApplyPending(const PendingVolumes::Look& look, std::vector<Attachment>& attachments) {
  std::erase_if(attachments, [&look](const Attachment& found) { return look.SawMaking(found.volume_id); });
  for (auto& [volume_id, waiting] : look.Waiting()) {
    const auto place = std::ranges::lower_bound(attachments, volume_id, {}, &Attachment::volume_id);
    if (place == attachments.end() || place->volume_id != volume_id) attachments.insert(place, waiting);
  }
}

}  // namespace volcrypt
