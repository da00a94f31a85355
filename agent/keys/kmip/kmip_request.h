#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "agent/keys/kmip/kmip_enumerations.h"
#include "agent/keys/kmip/kmip_version.h"
#include "agent/keys/kmip/ttlv_writer.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Names the client beside its certificate, in every request. KMIP 1.4, section 2.1.2.
struct KmipCredential {
  std::string username;
  SecretBytes password;
};

// One operation. Requests are not batched: an operation without a unique identifier takes whatever the server's
// "ID placeholder" holds, which can be another client's object.
struct KmipRequest {
  KmipOperation operation;
  // Writes the request payload's items. It is run twice, the first time to measure.
  std::function<void(TtlvWriter&)> payload;
};

// The whole message, in locked memory because it may hold a password or a key. Without `credential` and with an empty
// `item_id` it has neither.
absl::StatusOr<SecretBytes> EncodeRequest(const KmipRequest& request, KmipVersion version,
                                          const KmipCredential* credential, std::span<const uint8_t> item_id);

void WriteVersion(TtlvWriter& writer, KmipVersion version);

}  // namespace volcrypt
