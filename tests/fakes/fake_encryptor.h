#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "encryptors/encryptor.h"
#include "encryptors/reason.h"

namespace volcrypt {

// An encryptor over devices that are rows of a map. Each On... hook, when set, answers in place of the fake's own
// behaviour, which is how tests inject failures; a hook may go on with AttachAsUsual. Hooks run without the fake's
// lock, so they may wait. Calls are recorded as "verb volume-or-device". Thread-safe once devices and hooks are set.
class FakeEncryptor : public Encryptor {
 public:
  struct FakeDevice {
    bool blank = true;
    std::string luks_uuid;
    std::string passphrase_key_hex;  // of the key that opens it; test keys only
    uint64_t size_bytes = uint64_t{64} << 20;
    Format format = Format::kLuks2;
    std::string token_volume_id;  // of the header's token
    KeyReference token_key;
    std::string resume_uuid;  // blank, but a format as this UUID had begun on this host
  };

  std::function<absl::StatusOr<AttachResult>(const AttachRequest&, const Key*)> on_attach;
  std::function<absl::StatusOr<DetachResult>(const DetachRequest&)> on_detach;
  std::function<absl::StatusOr<ExtendResult>(const ExtendRequest&, const Key*)> on_extend;
  std::function<absl::StatusOr<Inspection>(const std::string&)> on_inspect;
  std::function<absl::StatusOr<Mapping>(const std::string&)> on_query;
  std::function<absl::Status(const std::string&)> on_forget;

  std::map<std::string, FakeDevice> devices;
  std::map<std::string, std::string> links;  // to keys of devices
  std::map<std::string, Mapping> mapped;
  std::vector<std::string> calls;
  std::vector<AttachRequest> attach_requests;

  absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time) override {
    Record((request.format_as_uuid.empty() ? "attach " : "format ") + request.volume_id);
    {
      const std::lock_guard lock(mutex_);
      attach_requests.push_back(request);
    }
    return on_attach ? on_attach(request, key) : AttachAsUsual(request, key);
  }

  absl::StatusOr<AttachResult> AttachAsUsual(AttachRequest request, const Key* key) {
    const std::lock_guard lock(mutex_);
    request.device = Canonical(request.device);
    if (const auto it = mapped.find(request.volume_id); it != mapped.end()) {
      if (it->second.device != request.device) return MakeError(Reason::kAttachedDifferently, "over another device");
      if (request.leave_unmapped) return MakeError(Reason::kAttachedDifferently, "with a mapping");
      if (request.check_key && key == nullptr) return Answer(AttachOutcome::kKeyNeeded, {});
      if (request.check_key && devices[request.device].passphrase_key_hex != Hex(*key)) {
        return MakeError(Reason::kKeyRejected, "the key does not open the volume");
      }
      return Answer(AttachOutcome::kAlreadyAttached, it->second);
    }
    const auto found = devices.find(request.device);
    if (found == devices.end()) return MakeError(Reason::kDeviceNotFound, "no such device");
    for (const auto& [volume_id, taken] : request.decrypted_by_qemu) {
      if (Canonical(taken) == request.device) return MakeError(Reason::kDeviceInUse, "QEMU has it");
    }
    FakeDevice& device = found->second;
    const bool format = device.blank;
    if (format && !request.may_format) return MakeError(Reason::kVolumeNotFormatted, "first use is refused");
    if (format && request.format_as_uuid.empty()) {
      AttachResult blank;
      blank.outcome = AttachOutcome::kBlank;
      blank.mapping = {.device = request.device, .device_identity = IdentityOf(request.device)};
      blank.resume_uuid = device.resume_uuid;
      return blank;
    }
    if (!request.attached_as_uuid.empty()) {
      if (device.luks_uuid != request.attached_as_uuid)
        return MakeError(Reason::kAttachedDifferently, "another header");
      return Answer(AttachOutcome::kAlreadyAttached, Map(request, device));
    }
    if (key == nullptr) return Answer(AttachOutcome::kKeyNeeded, {});
    if (format) {
      device.blank = false;
      device.luks_uuid = request.format_as_uuid;
      device.passphrase_key_hex = Hex(*key);
      device.format = request.encryption.format;
      device.token_volume_id = request.volume_id;
      device.token_key = request.key;
    } else if (device.passphrase_key_hex != Hex(*key)) {
      return MakeError(Reason::kKeyRejected, "the key does not open the volume");
    }
    return Answer(format ? AttachOutcome::kFormatted : AttachOutcome::kOpened, Map(request, device));
  }

  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time) override {
    Record("detach " + (request.volume_id.empty() ? request.device : request.volume_id));
    if (on_detach) return on_detach(request);
    const std::lock_guard lock(mutex_);
    DetachResult result;
    result.volume_id = request.volume_id;
    result.device = Canonical(request.device);
    for (const auto& [volume_id, mapping] : mapped) {
      if (!request.device.empty() && mapping.device == result.device) result.volume_id = volume_id;
    }
    if (const auto it = mapped.find(result.volume_id); it != mapped.end()) {
      result.device = it->second.device;
      result.device_identity = it->second.device_identity;
      result.luks_uuid = it->second.luks_uuid;
      result.was_attached = true;
      mapped.erase(it);
    }
    return result;
  }

  absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time) override {
    Record("extend " + request.volume_id);
    if (on_extend) return on_extend(request, key);
    const std::lock_guard lock(mutex_);
    const auto it = mapped.find(request.volume_id);
    if (it == mapped.end()) return MakeError(Reason::kNotAttached, "not attached");
    if (key == nullptr && it->second.encryption.format != Format::kLuks1) {
      return MakeError(Reason::kKeyRequired, "LUKS2 needs the key");
    }
    ExtendResult result;
    result.mapping = it->second;
    result.previous_size_bytes = it->second.size_bytes;
    return result;
  }

  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time) override {
    Record("inspect " + device);
    if (on_inspect) return on_inspect(device);
    const std::lock_guard lock(mutex_);
    const auto it = devices.find(device);
    if (it == devices.end()) return MakeError(Reason::kDeviceNotFound, "no such device");
    Inspection inspection;
    inspection.device = device;
    inspection.size_bytes = it->second.size_bytes;
    inspection.content = it->second.blank ? Content::kBlank : Content::kLuks2;
    if (!it->second.blank) {
      LuksHeader& header = inspection.luks.emplace();
      header.uuid = it->second.luks_uuid;
      header.data_offset_bytes = uint64_t{2} << 20;
      header.volume_id = it->second.token_volume_id;
      header.key = it->second.token_key;
    }
    return inspection;
  }

  absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time) override {
    Record("query " + volume_id);
    if (on_query) return on_query(volume_id);
    const std::lock_guard lock(mutex_);
    const auto it = mapped.find(volume_id);
    if (it == mapped.end()) return MakeError(Reason::kNotAttached, "not attached");
    return it->second;
  }

  absl::Status Forget(const std::string& volume_id, absl::Time) override {
    Record("forget " + volume_id);
    if (on_forget) return on_forget(volume_id);
    const std::lock_guard lock(mutex_);
    if (mapped.contains(volume_id)) return MakeError(Reason::kDeviceInUse, "attached");
    return absl::OkStatus();
  }

 private:
  std::string Canonical(const std::string& path) const {
    const auto link = links.find(path);
    return link == links.end() ? path : link->second;
  }

  // Fine for the made-up keys of tests; nothing outside tests may do this.
  static std::string Hex(const Key& key) {
    std::string hex;
    for (const uint8_t byte : key.bytes.Bytes()) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
  }

  static AttachResult Answer(AttachOutcome outcome, Mapping mapping) {
    AttachResult result;
    result.outcome = outcome;
    result.mapping = std::move(mapping);
    return result;
  }

  static std::string IdentityOf(const std::string& device) { return "8:16 serial=of-" + device; }

  Mapping Map(const AttachRequest& request, const FakeDevice& device) {
    Mapping mapping;
    mapping.volume_id = request.volume_id;
    mapping.device = request.device;
    mapping.device_identity = IdentityOf(request.device);
    mapping.device_path = "/dev/mapper/volcrypt-" + request.volume_id;
    mapping.size_bytes = device.size_bytes - (uint64_t{2} << 20);
    mapping.luks_uuid = device.luks_uuid;
    mapping.encryption = request.encryption;
    mapping.encryption.format = device.format;
    mapping.read_only = request.read_only;
    mapping.key = request.key;
    if (request.leave_unmapped) {
      mapping.device_path.clear();
      return mapping;
    }
    mapped[request.volume_id] = mapping;
    return mapping;
  }

  void Record(const std::string& call) {
    const std::lock_guard lock(mutex_);
    calls.push_back(call);
  }

  std::mutex mutex_;
};

}  // namespace volcrypt
