#include "agent/caller.h"

#include "absl/strings/str_cat.h"

namespace volcrypt {

std::string NameOf(const Caller& caller) {
  if (caller.process) return absl::StrCat("uid ", caller.process->uid);
  return absl::StrCat("certificate ",
                      caller.certificate_names.empty() ? "without names" : caller.certificate_names.front());
}

}  // namespace volcrypt
