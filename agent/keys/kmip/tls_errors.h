// OpenSSL's words. Its queue of errors belongs to the thread.
#pragma once

#include <openssl/asn1.h>

#include <string>

#include "absl/time/time.h"

namespace volcrypt {

// The newest error in plain words; empties the queue.
std::string TakeTlsError();

absl::Time TimeOf(const ASN1_TIME* time);

}  // namespace volcrypt
