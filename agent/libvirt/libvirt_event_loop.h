#pragma once

#include <atomic>
#include <thread>

namespace volcrypt {

// Runs libvirt's event loop in a thread for as long as it lives; keepalive works only with it. To be made before the
// first connection is opened.
class LibvirtEventLoop {
 public:
  LibvirtEventLoop();
  LibvirtEventLoop(const LibvirtEventLoop&) = delete;
  LibvirtEventLoop& operator=(const LibvirtEventLoop&) = delete;
  ~LibvirtEventLoop();

 private:
  std::atomic<bool> stopping_ = false;
  int timer_ = -1;
  std::thread thread_;
};

}  // namespace volcrypt
