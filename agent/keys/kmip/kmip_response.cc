#include "agent/keys/kmip/kmip_response.h"

#include <algorithm>

#include "agent/keys/kmip/malformed_answer.h"

namespace volcrypt {
namespace {

absl::StatusOr<uint32_t> EnumerationIn(const TtlvItem& structure, KmipTag tag) {
  const absl::StatusOr<TtlvItem> item = structure.Only(tag);
  if (!item.ok()) return item.status();
  const std::optional<uint32_t> value = item->Enumeration();
  if (!value) return MalformedAnswer("a number is of the wrong type");
  return *value;
}

absl::StatusOr<KmipVersion> CheckHeader(const TtlvItem& message) {
  const absl::StatusOr<TtlvItem> header = message.Only(KmipTag::kResponseHeader);
  if (!header.ok()) return header.status();
  const absl::StatusOr<TtlvItem> count = header->Only(KmipTag::kBatchCount);
  if (!count.ok()) return count.status();
  if (count->Integer() != 1) return MalformedAnswer("it does not hold exactly one result");
  const absl::StatusOr<TtlvItem> version = header->Only(KmipTag::kProtocolVersion);
  if (!version.ok()) return version.status();
  return ReadVersion(*version);
}

// What says whose answer it is. A failure may leave it out: the server may not have understood what was asked.
absl::Status CheckBelongs(const TtlvItem& item, bool failed, KmipOperation operation,
                          std::span<const uint8_t> item_id) {
  const std::optional<TtlvItem> answered = item.Find(KmipTag::kOperation);
  if (answered ? answered->Enumeration() != static_cast<uint32_t>(operation) : !failed) {
    return MalformedAnswer("it is for another operation");
  }
  const std::optional<TtlvItem> echoed = item.Find(KmipTag::kUniqueBatchItemId);
  const std::optional<std::span<const uint8_t>> id = echoed ? echoed->ByteString() : std::nullopt;
  const bool same = id && std::ranges::equal(*id, item_id);
  const bool absent_as_it_should = !echoed && (failed || item_id.empty());
  if (!same && !absent_as_it_should) return MalformedAnswer("it is for another request");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<KmipVersion> ReadVersion(const TtlvItem& item) {
  const absl::StatusOr<TtlvItem> major = item.Only(KmipTag::kProtocolVersionMajor);
  if (!major.ok()) return major.status();
  const absl::StatusOr<TtlvItem> minor = item.Only(KmipTag::kProtocolVersionMinor);
  if (!minor.ok()) return minor.status();
  const KmipVersion version{.major = major->Integer().value_or(-1), .minor = minor->Integer().value_or(-1)};
  if (version.major < 0 || version.minor < 0) return MalformedAnswer("a protocol version is not two numbers");
  return version;
}

absl::StatusOr<KmipResponse> DecodeResponse(std::span<const uint8_t> message, KmipOperation operation,
                                            std::span<const uint8_t> item_id) {
  const absl::StatusOr<TtlvItem> root = TtlvItem::Parse(message);
  if (!root.ok()) return root.status();
  if (root->Tag() != KmipTag::kResponseMessage) return MalformedAnswer("it is not a response message");
  const absl::StatusOr<KmipVersion> version = CheckHeader(*root);
  if (!version.ok()) return version.status();
  const absl::StatusOr<TtlvItem> item = root->Only(KmipTag::kBatchItem);
  if (!item.ok()) return item.status();
  const absl::StatusOr<uint32_t> status = EnumerationIn(*item, KmipTag::kResultStatus);
  if (!status.ok()) return status.status();

  const bool failed = *status == static_cast<uint32_t>(KmipResultStatus::kOperationFailed);
  if (!failed && *status != static_cast<uint32_t>(KmipResultStatus::kSuccess)) {
    return MalformedAnswer("the operation is neither done nor refused");
  }
  if (absl::Status belongs = CheckBelongs(*item, failed, operation, item_id); !belongs.ok()) return belongs;
  KmipResponse response{.version = *version};
  if (failed) {
    const std::optional<TtlvItem> reason = item->Find(KmipTag::kResultReason);
    const std::optional<uint32_t> code = reason ? reason->Enumeration() : std::nullopt;
    response.error = code ? static_cast<KmipResultReason>(*code) : KmipResultReason::kGeneralFailure;
  } else {
    response.payload = item->Find(KmipTag::kResponsePayload);
  }
  return response;
}

}  // namespace volcrypt
