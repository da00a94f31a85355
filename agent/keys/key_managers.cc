#include "agent/keys/key_managers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/keys/key_id.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr char kFixedKeyType[] = "conf";

}  // namespace

absl::StatusOr<KeyManagers::Found> KeyManagers::Find(const std::string& name) const {
  const std::string& wanted = name.empty() ? default_name_ : name;
  const auto found = entries_.find(wanted);
  if (found != entries_.end()) return Found{.name = found->first, .manager = found->second.manager.get()};
  const std::string names =
      absl::StrJoin(entries_, ", ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); });
  return MakeError(Reason::kUnknownKeyManager,
                   absl::StrCat("there is no key manager ", wanted, "; configured: ", names),
                   {{"key_manager", wanted}, {"configured", names}});
}

absl::StatusOr<KeyManagers::Found> KeyManagers::FindFor(const KeyReference& key) const {
  if (!key.key_manager.empty() || key.key_id != kFixedKeyId) return Find(key.key_manager);
  const auto is_fixed = [](const auto& entry) { return entry.second.type == kFixedKeyType; };
  // Of several the default is meant; the configuration is refused when none of them is it.
  const auto standard = entries_.find(default_name_);
  if (standard != entries_.end() && is_fixed(*standard)) return Find(default_name_);
  const auto fixed = std::ranges::find_if(entries_, is_fixed);
  return Find(fixed == entries_.end() ? default_name_ : fixed->first);
}

absl::Status RefusalOf(const absl::Status& status, const std::string& key_manager) {
  if (!IsNotHeld(status)) return status;
  return MakeError(Reason::kInvalidField,
                   absl::StrCat("key manager ", key_manager, " cannot do this: ", status.message()),
                   {{"field", "key_manager"}, {"key_manager", key_manager}});
}

}  // namespace volcrypt
