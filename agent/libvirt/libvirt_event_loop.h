#pragma once

namespace volcrypt {

// Keeps libvirt's event loop turning, in a thread, as long as there is one of these: keepalive needs it. The loop is
// the whole process's, so there is one thread however many hold it: of two, one could keep the other from ever having
// its turn.
class LibvirtEventLoop {
 public:
  LibvirtEventLoop();
  LibvirtEventLoop(const LibvirtEventLoop&) = delete;
  LibvirtEventLoop& operator=(const LibvirtEventLoop&) = delete;
  ~LibvirtEventLoop();
};

}  // namespace volcrypt
