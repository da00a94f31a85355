#include "agent/keys/key_managers.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::StatusOr<KeyManager*> KeyManagers::Find(const std::string& name) const {
  const std::string& wanted = name.empty() ? default_name_ : name;
  const auto found = entries_.find(wanted);
  if (found != entries_.end()) return found->second.manager.get();
  const std::string names =
      absl::StrJoin(entries_, ", ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); });
  return MakeError(Reason::kUnknownKeyManager,
                   absl::StrCat("there is no key manager ", wanted, "; configured: ", names),
                   {{"key_manager", wanted}, {"configured", names}});
}

}  // namespace volcrypt
