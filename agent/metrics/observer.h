#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace volcrypt {

// What is worth counting of an operation besides how it ended.
struct OperationFacts {
  bool formatted = false;  // an attach that was the volume's first use
  // Of an attach that succeeded: why the first-use record beside its key could not be read or written, and who keeps
  // it.
  absl::Status record_error;
  std::string key_manager;
};

// Is told of everything that ends, by whoever did it, in the words of the log. The core and the key managers know this
// interface and nothing of how it is counted. Called on the thread of the operation, so it takes microseconds and never
// waits. Thread-safe.
class Observer {
 public:
  virtual ~Observer() = default;

  // `verb` is the call's name in the API: AttachVolume.
  virtual void OperationEnded(std::string_view verb, const absl::Status& outcome, absl::Duration took,
                              const OperationFacts& facts) = 0;
  // `call` is the method of KeyManager in lower case: get, claim_first_use.
  virtual void KeyCallEnded(std::string_view key_manager, std::string_view call, const absl::Status& outcome,
                            absl::Duration took) = 0;
  // One worker of the helper, from its request to its answer or to the deadline. `verb` is the method of Encryptor in
  // lower case.
  virtual void WorkerBegan() = 0;
  virtual void WorkerEnded(std::string_view verb, const absl::Status& outcome, absl::Duration took) = 0;
  virtual void HelperSeen(bool present) = 0;
  // A line of the audit did not reach the journal or the file.
  virtual void AuditFailed() = 0;
};

}  // namespace volcrypt
