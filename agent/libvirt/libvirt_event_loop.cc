#include "agent/libvirt/libvirt_event_loop.h"
#include "agent/libvirt/libvirt_library.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <csignal>
#include <mutex>

namespace volcrypt {
namespace {

// The loop must wake up by itself now and then to see that it should end.
constexpr int kTickMilliseconds = 1000;

// Of the whole process, and never undone.
void SetUpLibvirt() {
  static std::once_flag done;
  std::call_once(done, [] {
    // A write to a connection that the other side has closed would end the process.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    // Errors are returned; by default libvirt also prints them.
    Libvirt().virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
    Libvirt().virInitialize();
    Libvirt().virEventRegisterDefaultImpl();
  });
}

void DoNothing(int, void*) {}

}  // namespace

LibvirtEventLoop::LibvirtEventLoop() {
  SetUpLibvirt();
  timer_ = Libvirt().virEventAddTimeout(kTickMilliseconds, DoNothing, nullptr, nullptr);
  thread_ = std::thread([this] {
    while (!stopping_) Libvirt().virEventRunDefaultImpl();
  });
}

LibvirtEventLoop::~LibvirtEventLoop() {
  stopping_ = true;
  if (timer_ >= 0) Libvirt().virEventUpdateTimeout(timer_, 0);
  thread_.join();
  if (timer_ >= 0) Libvirt().virEventRemoveTimeout(timer_);
}

}  // namespace volcrypt
