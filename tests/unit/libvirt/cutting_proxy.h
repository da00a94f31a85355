#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace volcrypt {

// Stands between a client and libvirtd, and cuts the first connection after so many of the client's messages. The last
// of them still reaches libvirtd; its answer never comes back.
class CuttingProxy {
 public:
  // Messages of keepalive are not counted.
  CuttingProxy(std::string path, std::string libvirtd_path, int messages);
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy();

  // Refuses all further connections.
  void RefuseFurther() { refuses_ = true; }
  bool HasCut() const { return has_cut_; }

 private:
  void Serve();
  void Relay(int client, int daemon);

  const std::string path_;
  const std::string libvirtd_path_;
  const int messages_;
  int listener_ = -1;
  std::atomic<bool> refuses_ = false;
  std::atomic<bool> has_cut_ = false;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace volcrypt
