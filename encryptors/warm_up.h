#pragma once

#include "encryptors/unique_fd.h"

namespace volcrypt {

// Makes libcryptsetup, OpenSSL and json-c do what they do once per process, by means of a throw-away LUKS2 image in
// memory. Nothing here can fail in a way that matters: what was not done in advance is done when it is needed.
class WarmUp {
 public:
  // Formats, loads and unlocks the image. Workers that are forked afterwards inherit the result; without it, loading
  // crypto providers costs each of them more than opening a volume.
  WarmUp();

  // In a worker that has nothing to do yet: touches what an attach will touch, so that the pages which the fork left
  // shared are its own by then, and the memory for secrets is there.
  void Repeat() const;

 private:
  void Unlock() const;

  UniqueFd image_;
};

}  // namespace volcrypt
