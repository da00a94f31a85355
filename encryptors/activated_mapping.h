#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "encryptors/device_mapper.h"
#include "encryptors/encryptor.h"
#include "encryptors/inspection.h"

namespace volcrypt {

// In what the mapping that the kernel has made differs from the header that was checked, what was requested, and the
// backing device of this number and size; empty when in nothing. For people.
std::string DifferenceFrom(const LuksHeader& header, const AttachRequest& request, dev_t backing,
                           uint64_t backing_bytes, const DmDevice& made);

}  // namespace volcrypt
