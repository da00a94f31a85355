#include "agent/keys/kmip/kmip_payloads.h"

#include <array>
#include <span>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "agent/keys/kmip/kmip_attribute_names.h"

namespace volcrypt {
namespace {

constexpr std::array<std::string_view, 6> kReadAttributes = {kKmipStateAttribute,     kKmipObjectTypeAttribute,
                                                             kKmipAlgorithmAttribute, kKmipLengthAttribute,
                                                             kKmipNameAttribute,      kKmipInitialDateAttribute};

void WriteAttribute(TtlvWriter& writer, std::string_view name, absl::FunctionRef<void()> value) {
  writer.Structure(KmipTag::kAttribute, [&] {
    writer.Text(KmipTag::kAttributeName, name);
    value();
  });
}

void WriteName(TtlvWriter& writer, const std::string& name) {
  WriteAttribute(writer, kKmipNameAttribute, [&] {
    writer.Structure(KmipTag::kAttributeValue, [&] {
      writer.Text(KmipTag::kNameValue, name);
      writer.Enumeration(KmipTag::kNameType, KmipNameType::kText);
    });
  });
}

void WriteUsageMask(TtlvWriter& writer, int32_t mask) {
  WriteAttribute(writer, kKmipUsageMaskAttribute, [&] { writer.Integer(KmipTag::kAttributeValue, mask); });
}

void WriteKeyBlock(TtlvWriter& writer, const Key& key) {
  writer.Structure(KmipTag::kKeyBlock, [&] {
    writer.Enumeration(KmipTag::kKeyFormatType, KmipKeyFormat::kRaw);
    writer.Structure(KmipTag::kKeyValue, [&] { writer.Bytes(KmipTag::kKeyMaterial, key.bytes.Bytes()); });
    if (key.type != KeyType::kSymmetric) return;
    writer.Enumeration(KmipTag::kCryptographicAlgorithm, KmipAlgorithm::kAes);
    writer.Integer(KmipTag::kCryptographicLength, static_cast<int32_t>(key.bytes.Size() * 8));
  });
}

void WriteRegisteredObject(TtlvWriter& writer, const Key& key) {
  switch (key.type) {
    case KeyType::kSymmetric:
      return writer.Structure(KmipTag::kSymmetricKey, [&] { WriteKeyBlock(writer, key); });
    case KeyType::kPassphrase:
      return writer.Structure(KmipTag::kSecretData, [&] {
        writer.Enumeration(KmipTag::kSecretDataType, KmipSecretDataType::kPassword);
        WriteKeyBlock(writer, key);
      });
    case KeyType::kOpaque:
      return writer.Structure(KmipTag::kOpaqueObject, [&] {
        writer.Enumeration(KmipTag::kOpaqueDataType, KmipOpaqueDataType::kNone);
        writer.Bytes(KmipTag::kOpaqueDataValue, key.bytes.Bytes());
      });
  }
}

KmipObjectType ObjectTypeOf(KeyType type) {
  switch (type) {
    case KeyType::kSymmetric:
      return KmipObjectType::kSymmetricKey;
    case KeyType::kPassphrase:
      return KmipObjectType::kSecretData;
    case KeyType::kOpaque:
      break;
  }
  return KmipObjectType::kOpaqueObject;
}

KmipRequest OfUid(KmipOperation operation, const std::string& uid) {
  return {operation, [uid](TtlvWriter& writer) { writer.Text(KmipTag::kUniqueIdentifier, uid); }};
}

}  // namespace

KmipRequest DiscoverVersionsRequest() {
  return {KmipOperation::kDiscoverVersions, [](TtlvWriter& writer) {
            for (const KmipVersion version : kKmipVersions) WriteVersion(writer, version);
          }};
}

KmipRequest QueryRequest() {
  return {KmipOperation::kQuery, [](TtlvWriter& writer) {
            writer.Enumeration(KmipTag::kQueryFunction, KmipQueryFunction::kOperations);
            writer.Enumeration(KmipTag::kQueryFunction, KmipQueryFunction::kServerInformation);
          }};
}

KmipRequest CreateRequest(uint32_t bit_length, const std::string& name) {
  return {KmipOperation::kCreate, [bit_length, name](TtlvWriter& writer) {
            writer.Enumeration(KmipTag::kObjectType, KmipObjectType::kSymmetricKey);
            writer.Structure(KmipTag::kTemplateAttribute, [&] {
              WriteAttribute(writer, kKmipAlgorithmAttribute,
                             [&] { writer.Enumeration(KmipTag::kAttributeValue, KmipAlgorithm::kAes); });
              WriteAttribute(writer, kKmipLengthAttribute,
                             [&] { writer.Integer(KmipTag::kAttributeValue, static_cast<int32_t>(bit_length)); });
              WriteUsageMask(writer, kKmipMayEncrypt | kKmipMayDecrypt);
              if (!name.empty()) WriteName(writer, name);
            });
          }};
}

KmipRequest RegisterRequest(const Key& key, const std::string& name) {
  return {KmipOperation::kRegister, [&key, name](TtlvWriter& writer) {
            writer.Enumeration(KmipTag::kObjectType, ObjectTypeOf(key.type));
            writer.Structure(KmipTag::kTemplateAttribute, [&] {
              // A password encrypts nothing; opaque objects have no mask.
              if (key.type == KeyType::kSymmetric) WriteUsageMask(writer, kKmipMayEncrypt | kKmipMayDecrypt);
              if (key.type == KeyType::kPassphrase) WriteUsageMask(writer, 0);
              if (!name.empty()) WriteName(writer, name);
            });
            WriteRegisteredObject(writer, key);
          }};
}

KmipRequest GetRequest(const std::string& uid) { return OfUid(KmipOperation::kGet, uid); }

KmipRequest GetAttributesRequest(const std::string& uid) {
  return {KmipOperation::kGetAttributes, [uid](TtlvWriter& writer) {
            writer.Text(KmipTag::kUniqueIdentifier, uid);
            for (const std::string_view name : kReadAttributes) writer.Text(KmipTag::kAttributeName, name);
          }};
}

KmipRequest LocateRequest(const std::string& name) {
  return {KmipOperation::kLocate, [name](TtlvWriter& writer) { WriteName(writer, name); }};
}

KmipRequest ActivateRequest(const std::string& uid) { return OfUid(KmipOperation::kActivate, uid); }

KmipRequest RevokeRequest(const std::string& uid) {
  return {KmipOperation::kRevoke, [uid](TtlvWriter& writer) {
            writer.Text(KmipTag::kUniqueIdentifier, uid);
            writer.Structure(KmipTag::kRevocationReason, [&] {
              writer.Enumeration(KmipTag::kRevocationReasonCode, KmipRevocationCode::kCessationOfOperation);
            });
          }};
}

KmipRequest DestroyRequest(const std::string& uid) { return OfUid(KmipOperation::kDestroy, uid); }

}  // namespace volcrypt
