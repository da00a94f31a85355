#pragma once

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace volcrypt {

// The first line of a record in a file: what it is, and the version of its format. A release that adds something which
// an older one must not overlook counts the version up; the older one then refuses the record instead of misreading it.
struct FormatLine {
  absl::string_view name;
  uint32_t version = 1;
};

inline std::string ToText(const FormatLine& line) { return absl::StrCat(line.name, " ", line.version); }

// Whether the line is that of a format newer than `known`.
inline bool IsNewer(absl::string_view line, const FormatLine& known) {
  uint32_t version = 0;
  return absl::ConsumePrefix(&line, known.name) && absl::ConsumePrefix(&line, " ") &&
         absl::SimpleAtoi(line, &version) && version > known.version;
}

// For messages about such a record.
inline std::string WrittenByNewer(absl::string_view line, const FormatLine& known) {
  return absl::StrCat("was written by a newer volcrypt (", line, ", this one knows ", known.version,
                      "): install that release again");
}

}  // namespace volcrypt
