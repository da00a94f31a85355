#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/left_workers.h"
#include "agent/mappings.h"
#include "agent/metrics/observer.h"
#include "agent/operation_slots.h"
#include "agent/pending_volumes.h"

namespace volcrypt {

// Counts what it is told and shows it to Prometheus. docs/metrics.md names every metric. Labels are words of this
// program and names of the configuration: never a volume, a key, a caller or anything else that a request brings along.
class Metrics final : public Observer {
 public:
  // What else is shown: read whenever somebody asks. The references outlive this.
  struct Sources {
    const Mappings& mappings;
    const OperationSlots& slots;
    LeftWorkers& left_workers;
    PendingVolumes& pending_volumes;
    uint32_t max_operations = 0;
    std::vector<std::string> key_managers;  // names of sections
  };

  explicit Metrics(const Sources& sources);
  ~Metrics() override;

  // Serves http://ADDRESS/metrics until destroyed, on threads of its own. `address` is as ParseLoopbackAddress takes
  // it. An error names the address, for instance because somebody else listens there.
  absl::Status Listen(const std::string& address);

  // What a scrape answers, in the text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
  std::string Text() const;

  void OperationEnded(std::string_view verb, const absl::Status& outcome, absl::Duration took,
                      const OperationFacts& facts) override;
  void KeyCallEnded(std::string_view key_manager, std::string_view call, const absl::Status& outcome,
                    absl::Duration took) override;
  void WorkerBegan() override;
  void WorkerEnded(std::string_view verb, const absl::Status& outcome, absl::Duration took) override;
  void HelperSeen(bool present) override;
  void AuditFailed() override;

 private:
  class Registered;
  class Server;
  std::shared_ptr<Registered> registered_;
  std::unique_ptr<Server> server_;  // null: nobody can ask
};

}  // namespace volcrypt
