#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/kmip_answers.h"
#include "agent/keys/kmip/kmip_client.h"

namespace volcrypt {

// The operations of one call, by one deadline. `key_id` is what the caller named, for errors. Errors are those of
// KmipClient and of RefusalOf. Not thread-safe.
class KmipConversation {
 public:
  // `client` outlives it.
  KmipConversation(KmipClient& client, absl::Time deadline) : client_(client), deadline_(deadline) {}

  // The unique identifier of the key that the caller means: "name:NAME" is looked for. None is KEY_NOT_FOUND, which may
  // also mean that the server hides it from us; several are KEY_UNFIT.
  absl::StatusOr<std::string> Resolve(const std::string& key_id);
  absl::StatusOr<KmipAttributes> Attributes(const std::string& uid, const std::string& key_id);
  // The same, and nothing where the server does not let us see them.
  absl::StatusOr<KmipAttributes> VisibleAttributes(const std::string& uid, const std::string& key_id);
  // The answer to one request; a refusal is an error.
  absl::StatusOr<KmipReply> Ask(const KmipRequest& request, KmipClient::Repeat repeat, const std::string& key_id);
  // Takes a new key into use; one that cannot be is destroyed again.
  absl::Status Activate(const std::string& uid);
  absl::Status Revoke(const std::string& uid, const std::string& key_id);
  absl::Status Destroy(const std::string& uid, const std::string& key_id);

 private:
  absl::Status ActivateOnly(const std::string& uid);

  KmipClient& client_;
  absl::Time deadline_;
};

}  // namespace volcrypt
