#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace volcrypt::ctl {

// Aligned columns under headers. Cells are made printable; an empty one is shown as "-".
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> headers) : rows_{std::move(headers)} {}

  // As many cells as there are headers.
  void Add(const std::vector<std::string>& cells);
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace volcrypt::ctl
