#include "agent/rpc/page.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/escaping.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

// Encoded, so that nobody takes the token for an id and begins to make their own; the prefix leaves room for others.
constexpr std::string_view kTokenPrefix = "1:";

std::string TokenOf(const std::string& volume_id) {
  return absl::WebSafeBase64Escape(std::string(kTokenPrefix).append(volume_id));
}

absl::StatusOr<std::string> LastVolumeOf(const std::string& token) {
  std::string text;
  if (absl::WebSafeBase64Unescape(token, &text) && text.starts_with(kTokenPrefix)) {
    std::string volume_id = text.substr(kTokenPrefix.size());
    if (IsValidVolumeId(volume_id)) return volume_id;
  }
  return MakeError(Reason::kInvalidField, "page_token: not one that a list returned; begin with an empty one",
                   {{"field", "page_token"}});
}

}  // namespace

absl::StatusOr<Page> PageOf(std::vector<Attachment> all, uint32_t page_size, const std::string& token) {
  auto first = all.begin();
  if (!token.empty()) {
    const absl::StatusOr<std::string> last = LastVolumeOf(token);
    if (!last.ok()) return last.status();
    first = std::ranges::upper_bound(all, *last, {}, &Attachment::volume_id);
  }
  const uint32_t size = page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize);
  const auto left = static_cast<size_t>(std::distance(first, all.end()));
  Page page;
  page.attachments.assign(std::make_move_iterator(first),
                          std::make_move_iterator(first + static_cast<ptrdiff_t>(std::min<size_t>(size, left))));
  if (left > size) page.next_token = TokenOf(page.attachments.back().volume_id);
  return page;
}

}  // namespace volcrypt
