#pragma once

#include <string>

#include "encryptors/device_mapper.h"
#include "encryptors/encryptor.h"
#include "encryptors/volume_record.h"

namespace volcrypt {

// A mapping of ours in the words of the interface, from what the kernel says of it and this host's record.
Mapping DescribeMapping(const std::string& volume_id, const DmDevice& device, const VolumeRecords& records);

// The number of the block device under a dm-crypt table ("MAJOR:MINOR"); 0 when the text is none.
dev_t BackingNumber(const CryptTable& table);

// /dev/<kernel name> of a block device; empty when the kernel no longer has it.
std::string KernelNodeOf(dev_t number);

// The canonical path of a block device by number, or of the file when it is a loop device that we put over one; empty
// when the kernel no longer has it.
std::string BackingPath(dev_t number);

}  // namespace volcrypt
