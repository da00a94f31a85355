#include "agent/libvirt/libvirt_event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>

#include "agent/libvirt/libvirt_library.h"

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

struct LoopThread {
  std::mutex mutex;  // held while the thread begins and while it ends, so that never two turn the loop
  int holders = 0;
  std::atomic<bool> stopping = false;
  int timer = -1;
  std::thread thread;
};

// Never destroyed: what holds the loop may be static itself.
LoopThread& TheThread() {
  static auto* const loop = new LoopThread;
  return *loop;
}

}  // namespace

LibvirtEventLoop::LibvirtEventLoop() {
  SetUpLibvirt();
  LoopThread& loop = TheThread();
  const std::lock_guard lock(loop.mutex);
  if (loop.holders++ > 0) return;
  loop.stopping = false;
  loop.timer = Libvirt().virEventAddTimeout(kTickMilliseconds, DoNothing, nullptr, nullptr);
  loop.thread = std::thread([&loop] {
    while (!loop.stopping) Libvirt().virEventRunDefaultImpl();
  });
}

LibvirtEventLoop::~LibvirtEventLoop() {
  LoopThread& loop = TheThread();
  const std::lock_guard lock(loop.mutex);
  if (--loop.holders > 0) return;
  loop.stopping = true;
  if (loop.timer >= 0) Libvirt().virEventUpdateTimeout(loop.timer, 0);
  loop.thread.join();
  if (loop.timer >= 0) Libvirt().virEventRemoveTimeout(loop.timer);
}

}  // namespace volcrypt
