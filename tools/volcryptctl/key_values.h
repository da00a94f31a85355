#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace volcrypt::ctl {

// "key: value" lines with aligned values. Values are made printable; an empty one leaves its line out.
class KeyValues {
 public:
  void Add(absl::string_view key, absl::string_view value);
  void Print(std::ostream& out) const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace volcrypt::ctl
