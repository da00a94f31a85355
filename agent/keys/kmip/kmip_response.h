#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "agent/keys/kmip/kmip_enumerations.h"
#include "agent/keys/kmip/kmip_version.h"
#include "agent/keys/kmip/ttlv_item.h"

namespace volcrypt {

// A server's answer to one operation: views into the message, which outlives them.
struct KmipResponse {
  KmipVersion version;                    // of its header; a server that understands nothing answers as 1.0
  std::optional<KmipResultReason> error;  // none: success. The server's text is not kept: it may say anything.
  std::optional<TtlvItem> payload;        // of a success
};

// `message` is one whole message. KEY_MANAGER_UNAVAILABLE when it is not the answer to one `operation` whose batch item
// had this id (empty: none was sent).
absl::StatusOr<KmipResponse> DecodeResponse(std::span<const uint8_t> message, KmipOperation operation,
                                            std::span<const uint8_t> item_id);

// KEY_MANAGER_UNAVAILABLE when `item` is no version.
absl::StatusOr<KmipVersion> ReadVersion(const TtlvItem& item);

}  // namespace volcrypt
