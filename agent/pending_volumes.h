#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/attachment.h"

namespace volcrypt {

// By volume id: state kWaiting, and the reason why.
using WaitingVolumes = std::map<std::string, Attachment>;

// The volumes that are not attached yet, whatever the kernel already shows of them: those that the agent is to attach
// by itself, which wait, and those that an attach is at work on. Thread-safe.
class PendingVolumes {
 public:
  void SetWaiting(WaitingVolumes volumes);
  // Why it waits on; nothing when it does not wait.
  void StillWaits(const std::string& volume_id, const std::string& why);
  void WaitsNoMore(const std::string& volume_id);
  WaitingVolumes Waiting() const;

  // Lasts as long as an attach that found nothing attached. A mapping comes before its table, and a whole one may be
  // undone when a later step fails.
  class Making {
   public:
    Making(PendingVolumes& volumes, std::string volume_id);
    ~Making();
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;

   private:
    PendingVolumes& volumes_;
    const std::string volume_id_;
  };

  // Made before the kernel is asked what is attached, it tells afterwards what not to take for attached.
  class Look {
   public:
    explicit Look(PendingVolumes& volumes);
    ~Look();
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;

    // An attach has been at work on the volume at some time since.
    bool SawMaking(const std::string& volume_id) const;
    // Those that wait now, and those that did and have been attached since.
    WaitingVolumes Waiting() const;

   private:
    friend class Making;
    PendingVolumes& volumes_;
    std::set<std::string> made_;  // volume ids; under volumes_.mutex_
    const WaitingVolumes waiting_before_;
  };

 private:
  mutable std::mutex mutex_;
  WaitingVolumes waiting_;
  std::multiset<std::string> in_the_making_;  // volume ids
  std::set<Look*> looks_;
};

// Takes out of a list what is not attached yet, and puts in what waits. The list is in the order of volume ids and
// stays so.
void ApplyPending(const PendingVolumes::Look& look, std::vector<Attachment>& attachments);

}  // namespace volcrypt
