#include "agent/keys/lost_key.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::Status KeyMayExist(const absl::Status& error, const std::string& name, absl::string_view how) {
  ErrorMetadata metadata = MetadataOf(error);
  metadata["key_may_exist"] = "true";
  if (!name.empty()) metadata["name"] = name;
  return MakeError(ReasonOf(error).value_or(Reason::kKeyManagerUnavailable),
                   absl::StrCat(error.message(), "; the key may exist all the same: before you make another, ", how),
                   std::move(metadata));
}

}  // namespace volcrypt
