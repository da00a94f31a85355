#include "encryptors/open_unmapped.h"

#include "absl/strings/str_cat.h"
#include "encryptors/device_identity.h"
#include "encryptors/luks.h"
#include "encryptors/passphrase.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::Status UnfitForQemu(const std::string& device, const std::string& luks_uuid) {
  return MakeError(Reason::kHeaderMismatch,
                   absl::StrCat("device ", device,
                                " is LUKS2, and QEMU opens LUKS1 alone; attach it with a mapping of this host "
                                "(MODE_HOST_MAPPING)"),
                   {{"device", device}, {"found", "luks2"}, {"luks_uuid", luks_uuid}});
}

absl::StatusOr<Mapping> OpenUnmapped(const BackingDevice& device, crypt_device* crypt, const LuksHeader& header,
                                     const AttachRequest& request, const Key& key) {
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(key);
  if (!passphrase.ok()) return passphrase.status();
  if (absl::Status opens = VerifyPassphrase(crypt, *passphrase); !opens.ok()) return opens;
  return DescribeUnmapped(device, header, request);
}

absl::StatusOr<Mapping> DescribeUnmapped(const BackingDevice& device, const LuksHeader& header,
                                         const AttachRequest& request) {
  if (header.data_offset_bytes >= device.SizeBytes()) {
    return MakeError(Reason::kDeviceTooSmall,
                     absl::StrCat("device ", device.Path(), " ends before the data of the volume begin"),
                     {{"device", device.Path()}});
  }
  return Mapping{.volume_id = request.volume_id,
                 .device = device.Path(),
                 .device_identity = ShownIdentity(device.Number()),
                 .size_bytes = device.SizeBytes() - header.data_offset_bytes,
                 .luks_uuid = header.uuid,
                 .encryption = header.encryption,
                 .read_only = request.read_only,
                 .key = request.key};
}

absl::StatusOr<Mapping> DescribeAttached(const BackingDevice& device, const LuksHeader& header,
                                         const AttachRequest& request) {
  if (header.uuid == request.attached_as_uuid) return DescribeUnmapped(device, header, request);
  return MakeError(Reason::kAttachedDifferently,
                   absl::StrCat("volume ", request.volume_id, " is already attached with another LUKS header (UUID ",
                                request.attached_as_uuid, "); detach it first"),
                   {{"volume_id", request.volume_id},
                    {"differs", "LUKS header"},
                    {"attached", request.attached_as_uuid},
                    {"device", device.Path()}});
}

}  // namespace volcrypt
