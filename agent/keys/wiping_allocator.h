// malloc and its family for C libraries through which keys and tokens pass: what is given back is wiped first, so that
// nothing of a key is found in memory once the library is done with it.
#pragma once

#include <cstddef>

namespace volcrypt {

void* WipingMalloc(size_t size);
void* WipingCalloc(size_t count, size_t size);
void* WipingRealloc(void* memory, size_t size);
char* WipingStrdup(const char* text);
void WipingFree(void* memory);

// From now on OpenSSL wipes whatever it frees. False, and nothing is changed, when it has allocated memory before: the
// place for this is before the constructors of shared libraries (.preinit_array).
bool MakeOpenSslWipeFreedMemory();

}  // namespace volcrypt
