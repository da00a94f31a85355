#include "encryptors/existing_mapping.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "encryptors/crypt_device.h"
#include "encryptors/loop_device.h"
#include "encryptors/mapping_description.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

absl::Status Differs(const std::string& volume_id, const std::string& what, const std::string& found) {
  return MakeError(
      Reason::kAttachedDifferently,
      absl::StrCat("volume ", volume_id, " is already attached with another ", what, " (", found, "); detach it first"),
      {{"volume_id", volume_id}, {"differs", what}, {"attached", found}});
}

// The LUKS UUID that the header on a mapped device has now. Opened by number's node or through the resolved path; the
// mapping itself keeps it from being reused.
absl::StatusOr<std::string> ReadUuidAgain(const ResolvedDevice& resolved, const DmDevice& existing) {
  const std::string path = resolved.IsFile() ? absl::StrCat("/dev/loop", minor(BackingNumber(*existing.crypt)))
                                             : absl::StrCat("/proc/self/fd/", resolved.PathFd());
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.IsValid()) return MakeError(Reason::kDeviceIoError, absl::StrCat("device ", path, " cannot be opened"));
  absl::StatusOr<CryptDevice> crypt = NewCryptDevice(absl::StrCat("/proc/self/fd/", fd.Get()));
  if (!crypt.ok()) return crypt.status();
  const int result = crypt_load(crypt->get(), CRYPT_LUKS, nullptr);
  if (result == 0) return std::string(crypt_get_uuid(crypt->get()));
  if (result == -ENOMEM) return MakeError(Reason::kOutOfMemory, CryptErrorText("reading the LUKS header", result));
  if (result != -EINVAL && result != -ENOENT) {
    return MakeError(Reason::kDeviceIoError, CryptErrorText("reading the LUKS header", result));
  }
  return MakeError(Reason::kHeaderDamaged,
                   absl::StrCat("the volume is attached, but ", resolved.Path(),
                                " no longer has a LUKS header that can be loaded; save the data through the mapping"),
                   {{"device", resolved.Path()}});
}

absl::Status CheckSameDevice(const DmDevice& existing, const std::string& volume_id,
                             const absl::StatusOr<ResolvedDevice>& resolved) {
  const dev_t backing = BackingNumber(*existing.crypt);
  const std::string backing_path = BackingPath(backing);
  if (!resolved.ok()) return Differs(volume_id, "device", absl::StrCat("over ", backing_path));
  // A caller may have pointed its own link at the mapping that it got from us.
  if (!resolved->IsFile() && resolved->BlockNumber() == existing.number) return absl::OkStatus();
  const bool same =
      resolved->IsFile() ? IsLoopDeviceOver(backing, resolved->Path()) : resolved->BlockNumber() == backing;
  if (!same) return Differs(volume_id, "device", absl::StrCat("over ", backing_path));
  const absl::StatusOr<std::string> uuid = ReadUuidAgain(*resolved, existing);
  if (!uuid.ok()) return uuid.status();
  if (*uuid != LuksUuidOfDmUuid(existing.uuid)) {
    return Differs(volume_id, "LUKS header", absl::StrCat("UUID ", LuksUuidOfDmUuid(existing.uuid)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSameAttachment(const DmDevice& existing, const AttachRequest& request,
                                 const absl::StatusOr<ResolvedDevice>& resolved) {
  const std::string mapping_name = MappingName(request.volume_id);
  if (!IsOurDmUuid(existing.uuid, mapping_name) || !existing.crypt) {
    return MakeError(Reason::kMappingInUse,
                     absl::StrCat("a mapping named ", mapping_name, " exists that volcrypt did not make (UUID \"",
                                  existing.uuid, "\"); remove or rename it"),
                     {{"mapping", mapping_name}});
  }
  if (request.leave_unmapped) return Differs(request.volume_id, "mode", "a mapping of this host");
  if (absl::Status status = CheckSameDevice(existing, request.volume_id, resolved); !status.ok()) return status;
  if (existing.read_only != request.read_only) {
    return Differs(request.volume_id, "read-only flag", existing.read_only ? "read-only" : "read-write");
  }
  return absl::OkStatus();
}

}  // namespace volcrypt
