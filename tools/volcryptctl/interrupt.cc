#include "tools/volcryptctl/interrupt.h"

namespace volcrypt::ctl {

void Interrupt::Trigger() {
  const std::lock_guard lock(mutex_);
  triggered_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

bool Interrupt::triggered() const {
  const std::lock_guard lock(mutex_);
  return triggered_;
}

Interrupt::Watch::Watch(Interrupt& interrupt, grpc::ClientContext& context) : interrupt_(interrupt) {
  const std::lock_guard lock(interrupt_.mutex_);
  interrupt_.context_ = &context;
  if (interrupt_.triggered_) context.TryCancel();
}

Interrupt::Watch::~Watch() {
  const std::lock_guard lock(interrupt_.mutex_);
  interrupt_.context_ = nullptr;
}

}  // namespace volcrypt::ctl
