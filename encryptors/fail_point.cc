#include "encryptors/fail_point.h"

#ifdef VOLCRYPT_FAILPOINTS

#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

namespace volcrypt {

void MayFail(const std::string& state_dir, FailPoint point) {
  const std::string path = state_dir + "/failpoint";
  std::ifstream file(path);
  int wanted = 0;
  if (!(file >> wanted) || wanted != static_cast<int>(point)) return;
  std::string how;
  file >> how;
  unlink(path.c_str());
  kill(getpid(), how == "stop" ? SIGSTOP : SIGKILL);
}

}  // namespace volcrypt

#endif
