#include "encryptors/fail_point.h"

#ifdef VOLCRYPT_FAILPOINTS

#include <unistd.h>

#include <csignal>
#include <fstream>

namespace volcrypt {

void MayFail(const std::string& state_dir, FailPoint point) {
  const std::string path = state_dir + "/failpoint";
  int wanted = 0;
  if (!(std::ifstream(path) >> wanted) || wanted != static_cast<int>(point)) return;
  unlink(path.c_str());
  kill(getpid(), SIGKILL);
}

}  // namespace volcrypt

#endif
