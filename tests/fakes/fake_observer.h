#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/metrics/observer.h"
#include "encryptors/reason.h"

namespace volcrypt {

// Remembers what it is told, one line each. Thread-safe.
class FakeObserver : public Observer {
 public:
  void OperationEnded(std::string_view verb, const absl::Status& outcome, absl::Duration,
                      const OperationFacts& facts) override {
    std::string line = "operation " + std::string(verb) + " " + Name(outcome);
    if (facts.formatted) line += " formatted";
    if (!facts.key_manager.empty()) line += " key_manager=" + facts.key_manager;
    if (!facts.record_error.ok()) line += " record_error=" + Name(facts.record_error);
    Add(line);
  }
  void KeyCallEnded(std::string_view key_manager, std::string_view call, const absl::Status& outcome,
                    absl::Duration) override {
    Add("key " + std::string(key_manager) + " " + std::string(call) + " " + Name(outcome));
  }
  void WorkerBegan() override { Add("worker"); }
  void WorkerEnded(std::string_view verb, const absl::Status& outcome, absl::Duration) override {
    Add("worker " + std::string(verb) + " " + Name(outcome));
  }
  void HelperSeen(bool present) override { Add(present ? "helper there" : "helper away"); }
  void AuditFailed() override { Add("audit failed"); }

  // And forgets it.
  std::vector<std::string> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  static std::string Name(const absl::Status& status) {
    if (status.ok()) return "OK";
    const auto reason = ReasonOf(status);
    return reason ? std::string(ReasonName(*reason)) : absl::StatusCodeToString(status.code());
  }

  void Add(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }

  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace volcrypt
