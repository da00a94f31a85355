#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "encryptors/encryptor.h"
#include "encryptors/reason.h"

namespace volcrypt {

// An encryptor over devices that are rows of a map. Each On... hook, when set, answers in place of the fake's own
// behaviour, which is how tests inject failures. Calls are recorded as "verb volume-or-device".
class FakeEncryptor : public Encryptor {
 public:
  struct FakeDevice {
    bool blank = true;
    std::string luks_uuid;
    std::string passphrase_key_hex;  // of the key that opens it; test keys only
    uint64_t size_bytes = uint64_t{64} << 20;
  };

  std::function<absl::StatusOr<AttachResult>(const AttachRequest&, const Key*)> on_attach;
  std::function<absl::StatusOr<DetachResult>(const DetachRequest&)> on_detach;
  std::function<absl::StatusOr<ExtendResult>(const ExtendRequest&, const Key*)> on_extend;
  std::function<absl::StatusOr<Inspection>(const std::string&)> on_inspect;
  std::function<absl::StatusOr<Mapping>(const std::string&)> on_query;
  std::function<absl::Status(const std::string&)> on_forget;

  std::map<std::string, FakeDevice> devices;
  std::map<std::string, Mapping> mapped;
  std::vector<std::string> calls;

  absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back((request.format_as_uuid.empty() ? "attach " : "format ") + request.volume_id);
    if (on_attach) return on_attach(request, key);
    if (const auto it = mapped.find(request.volume_id); it != mapped.end()) {
      if (it->second.device != request.device) return MakeError(Reason::kAttachedDifferently, "over another device");
      return AttachResult{.outcome = AttachOutcome::kAlreadyAttached, .mapping = it->second};
    }
    const auto device = devices.find(request.device);
    if (device == devices.end()) return MakeError(Reason::kDeviceNotFound, "no such device");
    const bool format = device->second.blank;
    if (format && !request.may_format) return MakeError(Reason::kVolumeNotFormatted, "first use is refused");
    if (format && request.format_as_uuid.empty()) return AttachResult{.outcome = AttachOutcome::kBlank};
    if (key == nullptr) return AttachResult{.outcome = AttachOutcome::kKeyNeeded};
    if (format) {
      device->second = {.blank = false,
                        .luks_uuid = request.format_as_uuid,
                        .passphrase_key_hex = Hex(*key),
                        .size_bytes = device->second.size_bytes};
    } else if (device->second.passphrase_key_hex != Hex(*key)) {
      return MakeError(Reason::kKeyRejected, "the key does not open the volume");
    }
    Mapping mapping{.volume_id = request.volume_id,
                    .device = request.device,
                    .device_path = "/dev/mapper/volcrypt-" + request.volume_id,
                    .size_bytes = device->second.size_bytes - (uint64_t{2} << 20),
                    .luks_uuid = device->second.luks_uuid,
                    .encryption = request.encryption,
                    .read_only = request.read_only};
    mapped[request.volume_id] = mapping;
    return AttachResult{.outcome = format ? AttachOutcome::kFormatted : AttachOutcome::kOpened, .mapping = mapping};
  }

  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("detach " + (request.volume_id.empty() ? request.device : request.volume_id));
    if (on_detach) return on_detach(request);
    return DetachResult{.was_attached = mapped.erase(request.volume_id) == 1, .volume_id = request.volume_id};
  }

  absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("extend " + request.volume_id);
    if (on_extend) return on_extend(request, key);
    const auto it = mapped.find(request.volume_id);
    if (it == mapped.end()) return MakeError(Reason::kNotAttached, "not attached");
    if (key == nullptr) return MakeError(Reason::kKeyRequired, "LUKS2 needs the key");
    return ExtendResult{.mapping = it->second, .previous_size_bytes = it->second.size_bytes};
  }

  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("inspect " + device);
    if (on_inspect) return on_inspect(device);
    const auto it = devices.find(device);
    if (it == devices.end()) return MakeError(Reason::kDeviceNotFound, "no such device");
    return Inspection{.device = device,
                      .size_bytes = it->second.size_bytes,
                      .content = it->second.blank ? Content::kBlank : Content::kLuks2};
  }

  absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("query " + volume_id);
    if (on_query) return on_query(volume_id);
    const auto it = mapped.find(volume_id);
    if (it == mapped.end()) return MakeError(Reason::kNotAttached, "not attached");
    return it->second;
  }

  absl::Status Forget(const std::string& volume_id, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("forget " + volume_id);
    if (on_forget) return on_forget(volume_id);
    return absl::OkStatus();
  }

 private:
  // Fine for the made-up keys of tests; nothing outside tests may do this.
  static std::string Hex(const Key& key) {
    std::string hex;
    for (const uint8_t byte : key.bytes.Bytes()) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
  }

  std::mutex mutex_;
};

}  // namespace volcrypt
