// The tags of KMIP that volcrypt reads or writes. Source: OASIS KMIP Specification 1.4, section 9.1.3.1.
#pragma once

#include <cstdint>

namespace volcrypt {

// Others occur in answers and are skipped.
enum class KmipTag : uint32_t {
  kAttribute = 0x420008,
  kAttributeName = 0x42000A,
  kAttributeValue = 0x42000B,
  kAuthentication = 0x42000C,
  kBatchCount = 0x42000D,
  kBatchItem = 0x42000F,
  kCredential = 0x420023,
  kCredentialType = 0x420024,
  kCredentialValue = 0x420025,
  kCryptographicAlgorithm = 0x420028,
  kCryptographicLength = 0x42002A,
  kKeyBlock = 0x420040,
  kKeyCompressionType = 0x420041,
  kKeyFormatType = 0x420042,
  kKeyMaterial = 0x420043,
  kKeyValue = 0x420045,
  kKeyWrappingData = 0x420046,
  kMaximumItems = 0x42004F,
  kNameType = 0x420054,
  kNameValue = 0x420055,
  kObjectType = 0x420057,
  kOpaqueDataType = 0x420059,
  kOpaqueDataValue = 0x42005A,
  kOpaqueObject = 0x42005B,
  kOperation = 0x42005C,
  kProtocolVersion = 0x420069,
  kProtocolVersionMajor = 0x42006A,
  kProtocolVersionMinor = 0x42006B,
  kQueryFunction = 0x420074,
  kRequestHeader = 0x420077,
  kRequestMessage = 0x420078,
  kRequestPayload = 0x420079,
  kResponseHeader = 0x42007A,
  kResponseMessage = 0x42007B,
  kResponsePayload = 0x42007C,
  kResultReason = 0x42007E,
  kResultStatus = 0x42007F,
  kRevocationReason = 0x420081,
  kRevocationReasonCode = 0x420082,
  kSecretData = 0x420085,
  kSecretDataType = 0x420086,
  kSymmetricKey = 0x42008F,
  kTemplateAttribute = 0x420091,
  kUniqueBatchItemId = 0x420093,
  kUniqueIdentifier = 0x420094,
  kUsername = 0x420099,
  kVendorIdentification = 0x42009D,
  kPassword = 0x4200A1,
};

}  // namespace volcrypt
