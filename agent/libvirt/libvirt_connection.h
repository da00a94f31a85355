#pragma once

#include <libvirt/libvirt.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/expendable_thread.h"
#include "agent/libvirt/libvirt_event_loop.h"

namespace volcrypt {

// What a call to libvirt may do. Runs on the connection's own thread, so it owns all that it uses. After a
// failure, libvirt's last error of this thread tells whether the connection was lost.
class LibvirtWork {
 public:
  virtual ~LibvirtWork() = default;
  // `is_awaited`: whether the caller still waits for it. May run again, on a new connection.
  virtual absl::Status Run(virConnectPtr connection, const ExpendableThread::IsAwaited& is_awaited) = 0;
};

// One connection to libvirtd, opened when it is needed, kept, and opened again after it was lost. libvirt's calls have
// no time limit and opening has not even a keepalive, so all of them are made by an expendable thread.
class LibvirtConnection {
 public:
  explicit LibvirtConnection(std::string uri);
  LibvirtConnection(const LibvirtConnection&) = delete;
  LibvirtConnection& operator=(const LibvirtConnection&) = delete;

  // LIBVIRT_UNAVAILABLE: there is no connection, or no answer by the deadline (or in kPatience, if that is sooner).
  // Work that was not begun by then is not done; work that was may still end, and finds that nobody waits for it.
  absl::Status Run(std::shared_ptr<LibvirtWork> work, absl::Time deadline);

  static constexpr absl::Duration kPatience = absl::Seconds(6);

 private:
  struct State;

  LibvirtEventLoop event_loop_;
  const std::shared_ptr<State> state_;
  ExpendableThread thread_;
};

// LIBVIRT_UNAVAILABLE with what libvirt said about its last call on this thread.
absl::Status LibvirtError(const std::string& what);

}  // namespace volcrypt
