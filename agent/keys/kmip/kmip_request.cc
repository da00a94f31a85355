#include "agent/keys/kmip/kmip_request.h"

namespace volcrypt {
namespace {

void WriteCredential(TtlvWriter& writer, const KmipCredential& credential) {
  writer.Structure(KmipTag::kAuthentication, [&] {
    writer.Structure(KmipTag::kCredential, [&] {
      writer.Enumeration(KmipTag::kCredentialType, KmipCredentialType::kUsernameAndPassword);
      writer.Structure(KmipTag::kCredentialValue, [&] {
        writer.Text(KmipTag::kUsername, credential.username);
        if (!credential.password.IsEmpty()) writer.Text(KmipTag::kPassword, credential.password.Bytes());
      });
    });
  });
}

void WriteRequest(TtlvWriter& writer, const KmipRequest& request, KmipVersion version, const KmipCredential* credential,
                  std::span<const uint8_t> item_id) {
  writer.Structure(KmipTag::kRequestMessage, [&] {
    writer.Structure(KmipTag::kRequestHeader, [&] {
      WriteVersion(writer, version);
      if (credential != nullptr) WriteCredential(writer, *credential);
      writer.Integer(KmipTag::kBatchCount, 1);
    });
    writer.Structure(KmipTag::kBatchItem, [&] {
      writer.Enumeration(KmipTag::kOperation, request.operation);
      if (!item_id.empty()) writer.Bytes(KmipTag::kUniqueBatchItemId, item_id);
      writer.Structure(KmipTag::kRequestPayload, [&] { request.payload(writer); });
    });
  });
}

}  // namespace

absl::StatusOr<SecretBytes> EncodeRequest(const KmipRequest& request, KmipVersion version,
                                          const KmipCredential* credential, std::span<const uint8_t> item_id) {
  TtlvWriter measure;
  WriteRequest(measure, request, version, credential, item_id);
  absl::StatusOr<SecretBytes> message = SecretBytes::Allocate(measure.Size());
  if (!message.ok()) return message;
  TtlvWriter writer(message->Bytes());
  WriteRequest(writer, request, version, credential, item_id);
  return message;
}

void WriteVersion(TtlvWriter& writer, KmipVersion version) {
  writer.Structure(KmipTag::kProtocolVersion, [&] {
    writer.Integer(KmipTag::kProtocolVersionMajor, version.major);
    writer.Integer(KmipTag::kProtocolVersionMinor, version.minor);
  });
}

}  // namespace volcrypt
