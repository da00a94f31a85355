#include "tools/volcryptctl/printable.h"

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace volcrypt::ctl {

std::string Printable(absl::string_view text) {
  std::string printable;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isprint(byte)) {
      printable += c;
    } else {
      absl::StrAppendFormat(&printable, "\\x%02x", byte);
    }
  }
  return printable;
}

std::string HumanSize(uint64_t bytes) {
  constexpr std::array<absl::string_view, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double size = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", size, kUnits[unit]);
}

std::string ExactSize(uint64_t bytes) {
  return bytes < 1024 ? absl::StrCat(bytes, " bytes") : absl::StrCat(HumanSize(bytes), " (", bytes, " bytes)");
}

std::string EnumWord(absl::string_view name, absl::string_view prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", "-"}});
}

std::string FormatWord(v1::Encryption::Format format) {
  if (format == v1::Encryption::FORMAT_UNSPECIFIED) return "";
  return EnumWord(v1::Encryption::Format_Name(format), "FORMAT_");
}

std::string KeyText(const v1::KeyReference& key) {
  if (key.key_id().empty() || key.key_manager().empty()) return key.key_id();
  return absl::StrCat(key.key_manager(), ":", key.key_id());
}

std::string YesNo(bool value) { return value ? "yes" : "no"; }

}  // namespace volcrypt::ctl
