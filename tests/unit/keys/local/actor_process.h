#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "encryptors/unique_fd.h"

namespace volcrypt {

// A run of unit_keys_actor, which uses a store from a process of its own (store_actor.cc says what it can do). A fresh
// program rather than a fork: a fork may not touch the secrets that it inherits. Killed when destroyed.
class ActorProcess {
 public:
  explicit ActorProcess(std::vector<std::string> arguments);
  ActorProcess(const ActorProcess&) = delete;
  ActorProcess& operator=(const ActorProcess&) = delete;
  ~ActorProcess();

  // Next whole line of its output; nothing at the end of it. A line that was cut by the end is dropped.
  std::optional<std::string> ReadLine();
  // Lets an actor that waits go on.
  void Go();
  void Kill();
  // Exit status, or minus the signal that ended it.
  int Wait();

 private:
  pid_t pid_ = -1;
  UniqueFd input_;
  UniqueFd output_;
  std::string read_;
};

}  // namespace volcrypt
