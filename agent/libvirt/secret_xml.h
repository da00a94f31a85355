// The XML of secrets (https://libvirt.org/formatsecret.html), made and read without libvirt.
#pragma once

#include <optional>
#include <string>

#include "agent/libvirt/secret_note.h"
#include "agent/libvirt/volume_secrets.h"

namespace volcrypt {

struct SecretDefinition {
  std::string uuid;  // empty: libvirt chooses
  std::string volume_id;
  SecretNote note;
  bool has_value = false;
  bool ephemeral = true;
};

// A private secret: nobody reads its value back, and QEMU is given it all the same.
std::string SecretXml(const SecretDefinition& definition);

// What the description in a secret's XML says; nothing unless it is one that SecretXml wrote.
std::optional<SecretDescription> ParseSecretXml(const std::string& xml);

// For <source> of a domain's disk that QEMU decrypts (https://libvirt.org/formatstorageencryption.html).
std::string DiskEncryptionXml(const std::string& secret_uuid);

}  // namespace volcrypt
