// Preloaded into linux.uml where the processor's register state is larger than that kernel knows (AMX: 11008 bytes).
//
// User Mode Linux 6.1 keeps 2696 bytes of every process's extended registers. Since 6.x the host takes them back with
// PTRACE_SETREGSET only as a whole, so on such a processor the node's first process dies with "ptrace set fp regs
// failed, errno = 14". What lies beyond the bytes that it keeps are the AMX tiles, which nothing in the node may use
// (a process must ask its kernel first, and the node's kernel does not know how), so they are given back as initial.
#include <dlfcn.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstring>

namespace {

using Ptrace = long (*)(int, pid_t, void*, void*);

constexpr size_t kFeaturesOffset = 512;  // XSTATE_BV: which parts of the buffer are not in their initial state
constexpr uint64_t kAmxFeatures = 0x60000;
constexpr size_t kLargest = 65536;

long SetWholeState(Ptrace real, pid_t pid, void* what, const iovec& known) {
  alignas(64) static std::array<char, kLargest> whole;
  static size_t whole_size = 0;
  if (whole_size == 0) {
    iovec all{.iov_base = whole.data(), .iov_len = whole.size()};
    if (real(PTRACE_GETREGSET, pid, what, &all) < 0) {
      return -1;
    }
    whole_size = all.iov_len;
    whole.fill(0);
  }
  if (known.iov_len >= whole_size) {
    iovec same = known;
    return real(PTRACE_SETREGSET, pid, what, &same);
  }
  std::memcpy(whole.data(), known.iov_base, known.iov_len);
  uint64_t features = 0;
  std::memcpy(&features, whole.data() + kFeaturesOffset, sizeof(features));
  features &= ~kAmxFeatures;
  std::memcpy(whole.data() + kFeaturesOffset, &features, sizeof(features));
  iovec all{.iov_base = whole.data(), .iov_len = whole_size};
  return real(PTRACE_SETREGSET, pid, what, &all);
}

}  // namespace

// The C library declares ptrace with variable arguments; all callers pass four.
extern "C" long ptrace(enum __ptrace_request request, ...) noexcept {
  static const auto real = reinterpret_cast<Ptrace>(dlsym(RTLD_NEXT, "ptrace"));
  va_list arguments;
  va_start(arguments, request);
  const pid_t pid = va_arg(arguments, pid_t);
  void* const address = va_arg(arguments, void*);
  void* const data = va_arg(arguments, void*);
  va_end(arguments);
  if (request == PTRACE_SETREGSET && reinterpret_cast<uintptr_t>(address) == NT_X86_XSTATE) {
    return SetWholeState(real, pid, address, *static_cast<const iovec*>(data));
  }
  return real(request, pid, address, data);
}
