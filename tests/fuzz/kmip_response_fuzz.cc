// A KMIP server's answer, which may be anything. The question is made up to fit, so that what comes is read to the end:
// operation, batch item id and unique identifier are taken from the answer itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include "agent/keys/kmip/kmip_answers.h"
#include "agent/keys/kmip/kmip_response.h"
#include "agent/keys/kmip/ttlv_item.h"
#include "encryptors/reason.h"

namespace {

using volcrypt::KmipTag;
using volcrypt::TtlvItem;

void Demand(bool condition) {
  if (!condition) abort();
}

// Every item lies within the input, and every error has a reason.
void Walk(const TtlvItem& item, std::span<const uint8_t> input) {
  Demand(item.Value().empty() || (item.Value().data() >= input.data() &&
                                  item.Value().data() + item.Value().size() <= input.data() + input.size()));
  for (const TtlvItem& member : item.Members()) {
    Demand(item.Find(member.Tag()).has_value());
    Walk(member, input);
  }
}

template <typename T>
void DemandReason(const absl::StatusOr<T>& result) {
  Demand(result.ok() || volcrypt::ReasonOf(result.status()).has_value());
}

void ReadAll(const volcrypt::KmipResponse& response, const std::string& uid) {
  const absl::StatusOr<volcrypt::Key> key = volcrypt::ReadKey(response, uid);
  DemandReason(key);
  Demand(!key.ok() || !key->bytes.IsEmpty());
  const absl::StatusOr<std::string> created = volcrypt::ReadNewUid(response);
  DemandReason(created);
  Demand(!created.ok() || (!created->empty() && created->size() <= 255));
  DemandReason(volcrypt::ReadAttributes(response, uid));
  DemandReason(volcrypt::ReadLocated(response));
  DemandReason(volcrypt::ReadVersions(response));
  DemandReason(volcrypt::ReadServerFacts(response));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> input(data, size);
  const absl::StatusOr<TtlvItem> message = TtlvItem::Parse(input);
  DemandReason(message);
  if (!message.ok()) return 0;
  Walk(*message, input);
  auto operation = volcrypt::KmipOperation::kGet;
  std::span<const uint8_t> item_id;
  std::string uid;
  if (const std::optional<TtlvItem> item = message->Find(KmipTag::kBatchItem)) {
    const std::optional<TtlvItem> answered = item->Find(KmipTag::kOperation);
    if (answered && answered->Enumeration()) operation = static_cast<volcrypt::KmipOperation>(*answered->Enumeration());
    if (const auto id = item->Find(KmipTag::kUniqueBatchItemId)) item_id = id->Value();
    const std::optional<TtlvItem> payload = item->Find(KmipTag::kResponsePayload);
    const std::optional<TtlvItem> object = payload ? payload->Find(KmipTag::kUniqueIdentifier) : std::nullopt;
    if (object) uid = std::string(object->Text().value_or(""));
  }
  const absl::StatusOr<volcrypt::KmipResponse> response = volcrypt::DecodeResponse(input, operation, item_id);
  DemandReason(response);
  if (response.ok()) ReadAll(*response, uid);
  return 0;
}
