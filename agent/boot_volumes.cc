#include "agent/boot_volumes.h"

#include <toml++/toml.h>

#include <exception>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/config_files.h"
#include "agent/config_table.h"
#include "agent/config_values.h"
#include "agent/encryption_rules.h"
#include "agent/request_fields.h"

namespace volcrypt {
namespace {

constexpr uint32_t kMaxKeySizeBits = 4096;
constexpr uint32_t kMaxSectorSizeBytes = 65536;

std::string WhatIsWrong(const absl::Status& status) { return status.ok() ? "" : std::string(status.message()); }

std::string WrongWithVolumeId(const std::string& volume_id) { return WhatIsWrong(CheckVolumeId(volume_id)); }
std::string WrongWithDevice(const std::string& device) { return WhatIsWrong(CheckDevicePath(device)); }
// Not repeated: somebody may have put the key itself there.
std::string WrongWithKeyId(const std::string& key_id) {
  return ParseKeyId(key_id).ok() ? "" : "is no key id; name the key, and never write it here";
}
std::string Anything(const std::string& /*value*/) { return ""; }

void ReadEncryption(ConfigTable& table, Encryption& encryption) {
  std::string format;
  if (table.Read("format", format, OneOf({"luks1", "luks2"}))) {
    encryption.format = format == "luks1" ? Format::kLuks1 : Format::kLuks2;
  }
  table.Read("cipher", encryption.cipher, Anything);
  table.Read("key_size_bits", encryption.key_size_bits, 1, kMaxKeySizeBits);
  table.Read("sector_size_bytes", encryption.sector_size_bytes, 0, kMaxSectorSizeBytes);
}

AttachCall ReadVolume(ConfigTable& table, const std::string& file) {
  AttachCall call;
  call.volume_id = std::filesystem::path(file).stem();
  if (!table.Has("volume_id") && !WrongWithVolumeId(call.volume_id).empty()) {
    table.FailTable("has a name that is no volume id; set volume_id");
  }
  table.Read("volume_id", call.volume_id, WrongWithVolumeId);
  table.Read("device", call.device, WrongWithDevice);
  if (!table.Has("device"))
    table.FailTable("has no device; name the backing device, best by its link in /dev/disk/by-id");
  KeyReference key;
  table.Read("key", key.key_id, WrongWithKeyId);
  if (!table.Has("key")) table.FailTable("has no key; name the id of the volume's key");
  key.key_id = ParseKeyId(key.key_id).value_or("");
  table.Read("key_manager", key.key_manager, WrongWithKeyManagerName);
  call.key = std::move(key);
  ReadEncryption(table, call.encryption);
  table.Read("read_only", call.read_only);
  table.Read("allow_discards", call.allow_discards);
  // Nobody looks on while a host boots, so nothing is formatted unless the file says so.
  std::string first_use = "refuse";
  table.Read("first_use", first_use, OneOf({"format-if-blank", "refuse"}));
  call.first_use = first_use == "refuse" ? FirstUsePolicy::kRefuse : FirstUsePolicy::kFormatIfBlank;
  table.Finish();
  return call;
}

void Add(BootVolumes& all, BootVolumes one) {
  for (ConfigError& error : one.errors) all.errors.push_back(std::move(error));
  for (BootVolume& volume : one.volumes) all.volumes.push_back(std::move(volume));
}

// Of files that describe one volume nobody knows which is meant.
void DropRepeated(BootVolumes& all) {
  std::map<std::string, std::vector<std::string>> files;  // by volume id
  for (const BootVolume& volume : all.volumes) files[volume.call.volume_id].push_back(volume.file);
  for (const auto& [volume_id, described_by] : files) {
    if (described_by.size() == 1) continue;
    all.errors.push_back({.file = described_by.back(),
                          .line = 0,
                          .key = "volume_id",
                          .what = absl::StrCat("volume ", volume_id, " is described by more than one file (",
                                               absl::StrJoin(described_by, ", "), "); all of them are left out")});
  }
  std::erase_if(all.volumes, [&files](const BootVolume& volume) { return files[volume.call.volume_id].size() > 1; });
}

}  // namespace

std::string BootVolumesDirectory(const std::string& config_path) {
  return std::filesystem::path(config_path).parent_path() / "volumes.d";
}

BootVolumes ParseBootVolume(std::string_view text, const std::string& file) {
  ConfigReport report;
  BootVolume volume{.call = {}, .file = file};
  try {
    const toml::table table = toml::parse(text, std::string_view(file));
    ConfigTable whole(table, file, "", report);
    volume.call = ReadVolume(whole, file);
  } catch (const toml::parse_error& error) {
    const std::string description(error.description());
    report.Fail({.file = file, .line = error.source().begin.line}, "", absl::StrCat("is not TOML: ", description));
  } catch (const std::exception& error) {
    report.Fail({.file = file}, "", absl::StrCat("can not be read: ", error.what()));
  }
  BootVolumes parsed{.volumes = {}, .errors = report.Errors()};
  if (parsed.errors.empty()) parsed.volumes.push_back(std::move(volume));
  return parsed;
}

BootVolumes LoadBootVolumes(const std::string& directory) {
  BootVolumes all;
  ConfigReport report;
  for (const std::string& path : TomlFilesIn(directory, report)) {
    if (const std::optional<std::string> text = ReadConfigText(path, report)) Add(all, ParseBootVolume(*text, path));
  }
  for (const ConfigError& error : report.Errors()) all.errors.push_back(error);
  DropRepeated(all);
  if (all.volumes.size() > kMaxBootVolumes) {
    all.errors.push_back(
        {.file = directory,
         .line = 0,
         .key = "",
         .what = absl::StrCat("describes more than ", kMaxBootVolumes, " volumes; the last ones are left out")});
    all.volumes.resize(kMaxBootVolumes);
  }
  return all;
}

}  // namespace volcrypt
