#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/attachment.h"

namespace volcrypt {

inline constexpr uint32_t kDefaultPageSize = 100;
inline constexpr uint32_t kMaxPageSize = 500;

struct Page {
  std::vector<Attachment> attachments;
  std::string next_token;  // empty on the last page
};

// The page of `all`, which is in the order of volume ids, that follows the one that gave the token. A token names the
// last volume of its page, so it outlives restarts, and what comes or goes between two pages shifts nothing.
// INVALID_FIELD for a token that we did not make.
absl::StatusOr<Page> PageOf(std::vector<Attachment> all, uint32_t page_size, const std::string& token);

}  // namespace volcrypt
