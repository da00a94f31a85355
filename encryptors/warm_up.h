#pragma once

namespace volcrypt {

// Makes libcryptsetup, OpenSSL and json-c do in this process what they do once per process, by formatting, loading and
// unlocking a throw-away LUKS2 image in memory. A worker that is forked afterwards inherits the result; without it,
// loading crypto providers costs each of them more than opening the volume. Failing is harmless.
void WarmUpLuks();

}  // namespace volcrypt
