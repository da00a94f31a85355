#pragma once

#include <string>

#include "tools/volcryptctl/key_values.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// active, broken, ...
std::string StateWord(const v1::Attachment& attachment);

// All that is known of an attachment, except the disk XML, which JSON output has.
void AddAttachment(KeyValues& lines, const v1::Attachment& attachment);

// Format, cipher, key and sector size, each where it is known.
void AddEncryption(KeyValues& lines, const v1::Encryption& encryption);

}  // namespace volcrypt::ctl
