#include "encryptors/volume_encryptor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/attach_operation.h"
#include "encryptors/backing_device.h"
#include "encryptors/crypt_device.h"
#include "encryptors/device_mapper.h"
#include "encryptors/extend_operation.h"
#include "encryptors/inspect_operation.h"
#include "encryptors/loop_device.h"
#include "encryptors/mapping_description.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"
#include "encryptors/volume_lock.h"
#include "encryptors/volume_record.h"

namespace volcrypt {
namespace {

using Kind = VolumeRecords::Kind;

absl::Status NotAttached(const std::string& volume_id) {
  return MakeError(Reason::kNotAttached, absl::StrCat("volume ", volume_id, " is not attached"),
                   {{"volume_id", volume_id}});
}

// The volume whose mapping lies over the device, or is it; empty when there is none.
std::string VolumeOver(const ResolvedDevice& device) {
  std::vector<dev_t> below = {device.BlockNumber()};
  if (device.IsFile()) {
    below = LoopDevicesOverPath(device.Path());
  } else if (const std::optional<std::string> itself = VolumeIdOfMapping(DmNameOf(device.BlockNumber()))) {
    return *itself;
  }
  for (const dev_t number : below) {
    for (const std::string& holder : DmHoldersOf(number)) {
      if (const std::optional<std::string> volume_id = VolumeIdOfMapping(holder)) return *volume_id;
    }
  }
  return "";
}

}  // namespace

VolumeEncryptor::VolumeEncryptor(VolumeEncryptorOptions options, std::function<bool()> caller_has_gone)
    : options_(std::move(options)), caller_has_gone_(std::move(caller_has_gone)) {
  SetUpLibcryptsetup();
}

absl::StatusOr<AttachResult> VolumeEncryptor::Attach(const AttachRequest& request, const Key* key,
                                                     absl::Time deadline) {
  return AttachOperation(options_, caller_has_gone_, request, key, deadline).Run();
}

absl::StatusOr<DetachResult> VolumeEncryptor::Detach(const DetachRequest& request, absl::Time) {
  DetachResult result{.volume_id = request.volume_id};
  std::optional<ResolvedDevice> named;
  if (result.volume_id.empty()) {
    absl::StatusOr<ResolvedDevice> resolved = ResolvedDevice::Resolve(request.device, options_.device_prefixes);
    if (!resolved.ok()) return resolved.status();
    result.device = resolved->Path();
    result.volume_id = VolumeOver(*resolved);
    if (result.volume_id.empty()) return result;
    named = *std::move(resolved);
  }
  const absl::StatusOr<VolumeLock> lock = VolumeLock::Take(options_.lock_dir, result.volume_id);
  if (!lock.ok()) return lock.status();
  DeviceMapper mapper;
  const std::string name = MappingName(result.volume_id);
  const absl::StatusOr<std::optional<DmDevice>> device = mapper.Find(name);
  if (!device.ok()) return device.status();
  // A mapping of that name which is not ours is somebody else's business.
  if (!device->has_value() || !IsOurDmUuid((*device)->uuid, name)) return result;
  // Between the look at the device and the lock the volume may have been attached over another one.
  if (named && VolumeOver(*named) != result.volume_id) {
    return MakeError(Reason::kOperationInProgress, "the device's mapping changed meanwhile; retry",
                     {{"device", request.device}});
  }
  if (absl::Status awaited = StopIfCallerHasGone(); !awaited.ok()) return awaited;
  Mapping mapping = DescribeMapping(result.volume_id, **device, VolumeRecords(options_.state_dir));
  const absl::StatusOr<bool> pending = mapper.Remove(name, request.deferred);
  if (!pending.ok()) return WithMetadata(pending.status(), kDeviceIdentity, mapping.device_identity);
  result.device = std::move(mapping.device);
  result.device_identity = std::move(mapping.device_identity);
  result.luks_uuid = std::move(mapping.luks_uuid);
  result.was_attached = true;
  result.pending = *pending;
  return result;
}

absl::StatusOr<ExtendResult> VolumeEncryptor::Extend(const ExtendRequest& request, const Key* key, absl::Time) {
  const absl::StatusOr<VolumeLock> lock = VolumeLock::Take(options_.lock_dir, request.volume_id);
  if (!lock.ok()) return lock.status();
  if (absl::Status awaited = StopIfCallerHasGone(); !awaited.ok()) return awaited;
  DeviceMapper mapper;
  return ExtendMapping(mapper, VolumeRecords(options_.state_dir), request, key);
}

absl::StatusOr<Inspection> VolumeEncryptor::Inspect(const std::string& device, absl::Time) {
  return InspectDevice(device, options_.device_prefixes);
}

absl::StatusOr<Mapping> VolumeEncryptor::Query(const std::string& volume_id, absl::Time) {
  DeviceMapper mapper;
  const std::string name = MappingName(volume_id);
  const absl::StatusOr<std::optional<DmDevice>> device = mapper.Find(name);
  if (!device.ok()) return device.status();
  if (!device->has_value() || !IsOurDmUuid((*device)->uuid, name)) return NotAttached(volume_id);
  return DescribeMapping(volume_id, **device, VolumeRecords(options_.state_dir));
}

absl::Status VolumeEncryptor::Forget(const std::string& volume_id, absl::Time) {
  const absl::StatusOr<VolumeLock> lock = VolumeLock::Take(options_.lock_dir, volume_id);
  if (!lock.ok()) return lock.status();
  DeviceMapper mapper;
  const absl::StatusOr<std::optional<DmDevice>> device = mapper.Find(MappingName(volume_id));
  if (!device.ok()) return device.status();
  if (device->has_value()) {
    return MakeError(Reason::kDeviceInUse, absl::StrCat("volume ", volume_id, " is attached; detach it first"),
                     {{"volume_id", volume_id}});
  }
  if (absl::Status awaited = StopIfCallerHasGone(); !awaited.ok()) return awaited;
  const VolumeRecords records(options_.state_dir);
  if (absl::Status status = records.Remove(Kind::kIntent, volume_id); !status.ok()) return status;
  return records.Remove(Kind::kKnown, volume_id);
}

absl::Status VolumeEncryptor::StopIfCallerHasGone() const {
  if (!caller_has_gone_()) return absl::OkStatus();
  return MakeError(Reason::kDeviceTimedOut, "the caller has gone; nothing was changed");
}

}  // namespace volcrypt
