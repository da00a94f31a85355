#pragma once

#include <sys/types.h>

#include <string>

#include "tests/unit/temp_directory.h"

namespace volcrypt {

// A libvirtd of its own in session mode, all of whose state is in a directory that goes with it.
class LibvirtdProcess {
 public:
  LibvirtdProcess();  // runs and answers, or the test ends
  ~LibvirtdProcess();

  void Start();
  void Kill();  // SIGKILL
  void Stop();  // SIGSTOP: the kernel accepts connections, and nobody answers
  void Continue();

  std::string Socket() const { return directory_.Path("run/libvirt/libvirt-sock"); }
  std::string Uri() const { return "secret:///session?socket=" + Socket(); }
  std::string SecretsDirectory() const { return directory_.Path("config/libvirt/secrets"); }

 private:
  void PrepareDirectory();

  TempDirectory directory_;
  pid_t pid_ = -1;
};

}  // namespace volcrypt
