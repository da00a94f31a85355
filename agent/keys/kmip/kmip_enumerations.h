// Numbers that stand for things in KMIP. Source: OASIS KMIP Specification 1.4, section 9.1.3.2. A value read from an
// answer may be none of those named here.
#pragma once

#include <cstdint>

namespace volcrypt {

enum class KmipOperation : uint32_t {
  kCreate = 0x01,
  kRegister = 0x03,
  kLocate = 0x08,
  kGet = 0x0A,
  kGetAttributes = 0x0B,
  kActivate = 0x12,
  kRevoke = 0x13,
  kDestroy = 0x14,
  kQuery = 0x18,
  kDiscoverVersions = 0x1E,
};

enum class KmipResultStatus : uint32_t { kSuccess = 0, kOperationFailed = 1, kOperationPending = 2, kUndone = 3 };

enum class KmipResultReason : uint32_t {
  kItemNotFound = 0x01,
  kResponseTooLarge = 0x02,
  kAuthenticationNotSuccessful = 0x03,
  kInvalidMessage = 0x04,
  kOperationNotSupported = 0x05,
  kMissingData = 0x06,
  kInvalidField = 0x07,
  kFeatureNotSupported = 0x08,
  kOperationCanceled = 0x09,
  kCryptographicFailure = 0x0A,
  kIllegalOperation = 0x0B,
  kPermissionDenied = 0x0C,
  kObjectArchived = 0x0D,
  kIndexOutOfBounds = 0x0E,
  kNamespaceNotSupported = 0x0F,
  kKeyFormatTypeNotSupported = 0x10,
  kKeyCompressionTypeNotSupported = 0x11,
  kEncodingOptionError = 0x12,
  kKeyValueNotPresent = 0x13,
  kAttestationRequired = 0x14,
  kAttestationFailed = 0x15,
  kGeneralFailure = 0x100,
};

enum class KmipObjectType : uint32_t { kSymmetricKey = 2, kSecretData = 7, kOpaqueObject = 8 };

enum class KmipSecretDataType : uint32_t { kPassword = 1, kSeed = 2 };

enum class KmipKeyFormat : uint32_t { kRaw = 1, kOpaque = 2 };

enum class KmipAlgorithm : uint32_t { kAes = 3 };

enum class KmipState : uint32_t {
  kPreActive = 1,
  kActive = 2,
  kDeactivated = 3,
  kCompromised = 4,
  kDestroyed = 5,
  kDestroyedCompromised = 6,
};

enum class KmipQueryFunction : uint32_t { kOperations = 1, kServerInformation = 3 };

enum class KmipCredentialType : uint32_t { kUsernameAndPassword = 1 };

enum class KmipNameType : uint32_t { kText = 1 };

enum class KmipOpaqueDataType : uint32_t { kNone = 0x80000000 };  // KMIP names none itself: the range of extensions

enum class KmipRevocationCode : uint32_t { kCessationOfOperation = 6 };

// Bits of the Cryptographic Usage Mask.
inline constexpr int32_t kKmipMayEncrypt = 0x4;
inline constexpr int32_t kKmipMayDecrypt = 0x8;

}  // namespace volcrypt
