// What is asked in each operation. KMIP 1.4, section 4. Where an operation is about a key, its unique identifier always
// goes along.
#pragma once

#include <string>

#include "agent/keys/kmip/kmip_request.h"
#include "encryptors/key.h"

namespace volcrypt {

// For kKmipVersions.
KmipRequest DiscoverVersionsRequest();
// For the operations that the server offers, and who made it.
KmipRequest QueryRequest();

// An AES key for encryption and decryption; `name` may be empty.
KmipRequest CreateRequest(uint32_t bit_length, const std::string& name);
// `key` outlives the request, which holds no copy of it. Symmetric keys are registered as AES keys, passphrases as
// secret data, others as opaque objects.
KmipRequest RegisterRequest(const Key& key, const std::string& name);

KmipRequest GetRequest(const std::string& uid);
// For what KmipAttributes holds.
KmipRequest GetAttributesRequest(const std::string& uid);
// For all objects of this name.
KmipRequest LocateRequest(const std::string& name);

KmipRequest ActivateRequest(const std::string& uid);
// Because it is no longer needed.
KmipRequest RevokeRequest(const std::string& uid);
KmipRequest DestroyRequest(const std::string& uid);

}  // namespace volcrypt
