// What is answered in each operation. Payloads are those of a success; a missing one is as good as an empty one.
// KEY_MANAGER_UNAVAILABLE when an answer is not what the operation answers, or is about another key than was asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/kmip_enumerations.h"
#include "agent/keys/kmip/kmip_response.h"
#include "agent/keys/kmip/kmip_version.h"
#include "encryptors/key.h"

namespace volcrypt {

// What GetAttributes told. Servers leave out what they do not have.
struct KmipAttributes {
  std::optional<KmipState> state;
  std::optional<KmipObjectType> object_type;
  std::optional<KmipAlgorithm> algorithm;
  std::optional<uint32_t> bit_length;
  std::string name;  // the first; any bytes
  std::optional<absl::Time> created_at;
};

struct KmipServerFacts {
  std::vector<KmipOperation> operations;
  std::string vendor;  // as it calls itself; any bytes
};

// The identifier that the server gave a new object: 1 to 255 printable ASCII characters without spaces.
absl::StatusOr<std::string> ReadNewUid(const KmipResponse& response);
// Of Activate, Revoke, Destroy.
absl::Status CheckUid(const KmipResponse& response, const std::string& uid);
// KEY_UNFIT for an object that cannot be a key: of another type, wrapped, not raw, or not as long as it says.
absl::StatusOr<Key> ReadKey(const KmipResponse& response, const std::string& uid);
absl::StatusOr<KmipAttributes> ReadAttributes(const KmipResponse& response, const std::string& uid);
absl::StatusOr<std::vector<std::string>> ReadLocated(const KmipResponse& response);
absl::StatusOr<std::vector<KmipVersion>> ReadVersions(const KmipResponse& response);
absl::StatusOr<KmipServerFacts> ReadServerFacts(const KmipResponse& response);

}  // namespace volcrypt
