#pragma once

#include <sys/types.h>

#include <string>

namespace volcrypt {

// Both are one line, printable, of at most 512 bytes, whatever the device is called.

// What a block device says of itself: WWN, serial and dm UUID, of those that it has not nothing but the name. May ask
// the device, and hang with it. Part of records: what is compared later stays as it is.
std::string HardwareIdentity(dev_t number);

// For people: the number, and what of that the kernel knows without asking the device, as far as the device has it:
// "8:32 wwid=naa.600140512345 serial=0042".
std::string ShownIdentity(dev_t number);

}  // namespace volcrypt
