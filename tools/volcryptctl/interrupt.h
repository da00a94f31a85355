#pragma once

#include <mutex>

#include "grpcpp/client_context.h"

namespace volcrypt::ctl {

// Ctrl-C for calls: cancels the one that is under way and every later one that is watched. Thread-safe; not for use in
// a signal handler.
class Interrupt {
 public:
  void Trigger();
  bool triggered() const;

  // Registers a call for as long as it lives. One at a time.
  class Watch {
   public:
    Watch(Interrupt& interrupt, grpc::ClientContext& context);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Interrupt& interrupt_;
  };

 private:
  mutable std::mutex mutex_;
  bool triggered_ = false;
  grpc::ClientContext* context_ = nullptr;
};

}  // namespace volcrypt::ctl
