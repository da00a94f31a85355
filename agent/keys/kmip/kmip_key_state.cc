#include "agent/keys/kmip/kmip_key_state.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

absl::Status Unfit(const std::string& key_id, KmipState state, absl::string_view what) {
  return MakeError(Reason::kKeyUnfit,
                   absl::StrCat("key ", key_id, " is ", StateName(state), " in the KMIP server", what),
                   {{"key_id", key_id}, {"state", StateName(state)}});
}

}  // namespace

std::string StateName(KmipState state) {
  switch (state) {
    case KmipState::kPreActive:
      return "pre-active";
    case KmipState::kActive:
      return "active";
    case KmipState::kDeactivated:
      return "deactivated";
    case KmipState::kCompromised:
      return "compromised";
    case KmipState::kDestroyed:
      return "destroyed";
    case KmipState::kDestroyedCompromised:
      return "destroyed, compromised";
  }
  return absl::StrCat("state ", static_cast<uint32_t>(state));
}

bool IsDestroyed(const KmipAttributes& attributes) {
  return attributes.state == KmipState::kDestroyed || attributes.state == KmipState::kDestroyedCompromised;
}

absl::Status KeyWasDestroyed(const std::string& key_id) {
  return MakeError(Reason::kKeyNotFound, absl::StrCat("key ", key_id, " was destroyed in the KMIP server"),
                   {{"key_id", key_id}});
}

absl::Status CheckMayOpen(const KmipAttributes& attributes, const std::string& key_id) {
  switch (attributes.state.value_or(KmipState::kActive)) {
    case KmipState::kActive:
    case KmipState::kDeactivated:
    case KmipState::kCompromised:
      return absl::OkStatus();
    case KmipState::kDestroyed:
    case KmipState::kDestroyedCompromised:
      return KeyWasDestroyed(key_id);
    case KmipState::kPreActive:
      return Unfit(key_id, *attributes.state, "; activate it there");
  }
  return Unfit(key_id, *attributes.state, ", which volcrypt does not know");
}

std::string WarningAbout(const KmipAttributes& attributes, const std::string& key_id) {
  const KmipState state = attributes.state.value_or(KmipState::kActive);
  if (state != KmipState::kDeactivated && state != KmipState::kCompromised) return "";
  return absl::StrCat("key ", key_id, " is ", StateName(state),
                      " in the KMIP server: give what it protects another key");
}

absl::Status CheckMayProtect(const KmipAttributes& attributes, const std::string& key_id) {
  if (absl::Status fit = CheckMayOpen(attributes, key_id); !fit.ok()) return fit;
  if (attributes.state.value_or(KmipState::kActive) == KmipState::kActive) return absl::OkStatus();
  return Unfit(key_id, *attributes.state, " and may not be used for a new volume; use an active key");
}

}  // namespace volcrypt
