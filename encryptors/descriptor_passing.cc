#include "encryptors/descriptor_passing.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace volcrypt {
namespace {

// A control message holds one descriptor, and a message of a socket has at least one byte of data.
struct Message {
  Message() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }

  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr header = {};
};

}  // namespace

bool SendDescriptor(int channel, int descriptor) {
  Message message;
  cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(control), &descriptor, sizeof(int));
  return sendmsg(channel, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

UniqueFd ReceiveDescriptor(int channel) {
  Message message;
  ssize_t received = -1;
  do {
    received = recvmsg(channel, &message.header, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  const cmsghdr* const control = received == 1 ? CMSG_FIRSTHDR(&message.header) : nullptr;
  if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) return {};
  int descriptor = -1;
  memcpy(&descriptor, CMSG_DATA(control), sizeof(int));
  return UniqueFd(descriptor);
}

}  // namespace volcrypt
