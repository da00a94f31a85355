#include "agent/keys/openstack/service_url.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxUrlBytes = 2048;

bool IsUrlCharacter(char c) { return c > ' ' && c <= '~' && !absl::StrContains("\"<>\\^`{|}?#@", c); }

}  // namespace

absl::StatusOr<std::string> ServiceUrl(absl::string_view url, const std::string& field) {
  absl::string_view rest = url;
  const bool has_scheme = absl::ConsumePrefix(&rest, "https://") || absl::ConsumePrefix(&rest, "http://");
  if (!has_scheme || rest.empty() || rest.front() == '/' || rest.front() == ':' || url.size() > kMaxUrlBytes ||
      !std::ranges::all_of(rest, IsUrlCharacter)) {
    // Not repeated: there may be a password in it.
    return MakeError(Reason::kInvalidField,
                     absl::StrCat(field, ": is no URL of the form https://HOST:PORT/PATH without user and query"),
                     {{"field", field}});
  }
  while (absl::EndsWith(url, "/")) url.remove_suffix(1);
  return std::string(url);
}

std::string WithVersion1(const std::string& url) { return absl::EndsWith(url, "/v1") ? url : absl::StrCat(url, "/v1"); }

std::string LastSegment(absl::string_view reference) {
  while (absl::EndsWith(reference, "/")) reference.remove_suffix(1);
  const size_t slash = reference.rfind('/');
  return std::string(slash == absl::string_view::npos ? reference : reference.substr(slash + 1));
}

}  // namespace volcrypt
