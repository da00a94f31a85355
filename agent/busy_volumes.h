#pragma once

#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace volcrypt {

// The volumes that an operation of this process works on. The worker's lock ends with each worker; a first use takes
// two of them and talks to the key manager in between, and nothing else may happen to the volume meanwhile.
// Thread-safe.
class BusyVolumes {
 public:
  // The right to work on one volume; given back when destroyed, which must be before the BusyVolumes are.
  class Hold {
   public:
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();

   private:
    friend class BusyVolumes;
    Hold(BusyVolumes* volumes, std::string volume_id) : volumes_(volumes), volume_id_(std::move(volume_id)) {}
    BusyVolumes* volumes_;
    std::string volume_id_;
  };

  // Never waits: OPERATION_IN_PROGRESS while another holds the volume.
  absl::StatusOr<Hold> Take(const std::string& volume_id);

 private:
  std::mutex mutex_;
  std::set<std::string> held_;
};

}  // namespace volcrypt
