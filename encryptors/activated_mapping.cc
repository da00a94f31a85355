#include "encryptors/activated_mapping.h"

#include "encryptors/mapping_description.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr uint64_t kSectorBytes = 512;  // of device-mapper tables

bool IsElsewhere(const LuksHeader& header, uint64_t backing_bytes, const DmDevice& made) {
  return made.crypt->offset_sectors * kSectorBytes != header.data_offset_bytes || made.crypt->iv_offset_sectors != 0 ||
         (made.size_sectors + made.crypt->offset_sectors) * kSectorBytes > backing_bytes;
}

}  // namespace

std::string DifferenceFrom(const LuksHeader& header, const AttachRequest& request, dev_t backing,
                           uint64_t backing_bytes, const DmDevice& made) {
  if (!made.crypt || !IsOurDmUuid(made.uuid, MappingName(request.volume_id))) {
    return "it is not one crypt target of ours";
  }
  const CryptTable& table = *made.crypt;
  const Encryption& encryption = header.encryption;
  if (LuksUuidOfDmUuid(made.uuid) != header.uuid) return "another LUKS UUID";
  if (BackingNumber(table) != backing) return "another backing device";
  if (table.cipher != encryption.cipher || table.key_size_bits != encryption.key_size_bits) return "another cipher";
  if (table.key_in_keyring != (encryption.format == Format::kLuks2)) {
    return "the volume key in the table instead of the keyring, or the other way round";
  }
  if (IsElsewhere(header, backing_bytes, made)) return "another place on the device";
  if (table.sector_size_bytes != encryption.sector_size_bytes) return "another sector size";
  if (table.allow_discards != request.allow_discards || !table.other_options.empty()) {
    return "options that nobody asked for";
  }
  if (made.read_only != request.read_only) return "another read-only flag";
  return "";
}

}  // namespace volcrypt
