#include "agent/keys/wiping_allocator.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <cstring>

// NOLINTBEGIN(cppcoreguidelines-no-malloc): this is malloc
namespace volcrypt {
namespace {

void* OpenSslMalloc(size_t size, const char*, int) { return WipingMalloc(size); }
void* OpenSslRealloc(void* memory, size_t size, const char*, int) { return WipingRealloc(memory, size); }
void OpenSslFree(void* memory, const char*, int) { WipingFree(memory); }

}  // namespace

void* WipingMalloc(size_t size) { return std::malloc(size); }

void* WipingCalloc(size_t count, size_t size) { return std::calloc(count, size); }

void* WipingRealloc(void* memory, size_t size) {
  if (memory == nullptr) return std::malloc(size);
  if (size == 0) {
    WipingFree(memory);
    return nullptr;
  }
  const size_t old_size = malloc_usable_size(memory);
  // realloc() would leave the old bytes behind where it moves them.
  void* const moved = std::malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, old_size < size ? old_size : size);
  WipingFree(memory);
  return moved;
}

char* WipingStrdup(const char* text) { return strdup(text); }

void WipingFree(void* memory) {
  if (memory == nullptr) return;
  explicit_bzero(memory, malloc_usable_size(memory));
  std::free(memory);
}

bool MakeOpenSslWipeFreedMemory() { return CRYPTO_set_mem_functions(OpenSslMalloc, OpenSslRealloc, OpenSslFree) == 1; }

}  // namespace volcrypt
// NOLINTEND(cppcoreguidelines-no-malloc)
