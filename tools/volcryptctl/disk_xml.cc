#include "tools/volcryptctl/disk_xml.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace volcrypt::ctl {
namespace {

// Of the longest prefix: & first, so that what replaces others is left alone.
constexpr std::array<std::pair<absl::string_view, absl::string_view>, 5> kEntities = {
    {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&apos;"}, {"\"", "&quot;"}}};

std::string Escape(const std::string& text) { return absl::StrReplaceAll(text, kEntities); }

std::string Unescape(absl::string_view text) {
  std::array<std::pair<absl::string_view, absl::string_view>, kEntities.size()> entities;
  std::ranges::transform(kEntities, entities.begin(), [](const auto& row) { return std::pair(row.second, row.first); });
  return absl::StrReplaceAll(text, entities);
}

// What lies between two texts, after `from`, which is moved behind it; nothing at the end.
std::optional<absl::string_view> Between(absl::string_view text, absl::string_view begin, absl::string_view end,
                                         size_t& from) {
  const size_t first = text.find(begin, from);
  if (first == absl::string_view::npos) return std::nullopt;
  const size_t inside = first + begin.size();
  const size_t last = text.find(end, inside);
  if (last == absl::string_view::npos) return std::nullopt;
  from = last + end.size();
  return text.substr(inside, last - inside);
}

std::optional<absl::string_view> Between(absl::string_view text, absl::string_view begin, absl::string_view end) {
  size_t from = 0;
  return Between(text, begin, end, from);
}

// libvirt puts values in single quotes.
std::string Attribute(absl::string_view element, absl::string_view name) {
  return Unescape(Between(element, absl::StrCat(" ", name, "='"), "'").value_or(""));
}

Disk DiskOf(absl::string_view xml) {
  Disk disk;
  // libvirt prints the disk's own source before those of its backing files.
  const absl::string_view source = Between(xml, "<source", ">").value_or("");
  disk.source = Attribute(source, "dev");
  disk.is_block = !disk.source.empty();
  if (!disk.is_block) disk.source = Attribute(source, "file");
  disk.target = Attribute(Between(xml, "<target", ">").value_or(""), "dev");
  disk.serial = Unescape(Between(xml, "<serial>", "</serial>").value_or(""));
  disk.read_only = absl::StrContains(xml, "<readonly/>");
  if (const auto encryption = Between(xml, "<encryption ", "</encryption>")) {
    disk.encryption_xml = absl::StrCat("<encryption ", *encryption, "</encryption>");
  }
  return disk;
}

}  // namespace

std::string ToXml(const Disk& disk) {
  const bool is_scsi = absl::StartsWith(disk.target, "sd");
  // As nova does: the guest decides what reaches the disk. A file may lie where there is no direct I/O.
  return absl::StrCat(
      "<disk type='", disk.is_block ? "block" : "file", "' device='disk'><driver name='qemu' type='raw'",
      disk.is_block ? " cache='none'" : "", "/><source ", disk.is_block ? "dev" : "file", "='", Escape(disk.source),
      "'>", disk.encryption_xml, "</source><target dev='", Escape(disk.target), "' bus='", is_scsi ? "scsi" : "virtio",
      "'/>", disk.read_only ? "<readonly/>" : "", "<serial>", Escape(disk.serial), "</serial></disk>");
}

std::vector<Disk> DisksOf(const std::string& domain_xml) {
  std::vector<Disk> disks;
  const absl::string_view devices = Between(domain_xml, "<devices>", "</devices>").value_or("");
  size_t from = 0;
  while (const auto disk = Between(devices, "<disk ", "</disk>", from)) disks.push_back(DiskOf(*disk));
  return disks;
}

std::string FreeTarget(const std::string& domain_xml, const std::vector<Disk>& disks) {
  const char* const prefix = absl::StrContains(domain_xml, "<controller type='scsi'") ? "sd" : "vd";
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    std::string target = absl::StrCat(prefix, std::string(1, letter));
    if (std::ranges::find(disks, target, &Disk::target) == disks.end()) return target;
  }
  return "";
}

}  // namespace volcrypt::ctl
