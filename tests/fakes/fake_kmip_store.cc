#include "tests/fakes/fake_kmip_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/kmip/kmip_attribute_names.h"
#include "agent/keys/kmip/kmip_request.h"
#include "agent/keys/kmip/kmip_response.h"

namespace volcrypt {
namespace {

using Operation = KmipOperation;

std::string TextIn(const std::optional<TtlvItem>& structure, KmipTag tag) {
  const std::optional<TtlvItem> item = structure ? structure->Find(tag) : std::nullopt;
  return std::string(item ? item->Text().value_or("") : "");
}

std::optional<TtlvItem> In(const std::optional<TtlvItem>& structure, KmipTag tag) {
  return structure ? structure->Find(tag) : std::nullopt;
}

// The value of an attribute in a list of them.
std::optional<TtlvItem> AttributeIn(const std::optional<TtlvItem>& list, std::string_view name) {
  if (!list) return std::nullopt;
  for (const TtlvItem& item : list->Members()) {
    if (item.Tag() == KmipTag::kAttribute && TextIn(item, KmipTag::kAttributeName) == name) {
      return item.Find(KmipTag::kAttributeValue);
    }
  }
  return std::nullopt;
}

void WriteAttribute(TtlvWriter& writer, std::string_view name, const std::function<void()>& value) {
  writer.Structure(KmipTag::kAttribute, [&] {
    writer.Text(KmipTag::kAttributeName, name);
    value();
  });
}

void WriteObject(TtlvWriter& writer, const FakeKmipObject& object) {
  if (object.type == KmipObjectType::kOpaqueObject) {
    return writer.Structure(KmipTag::kOpaqueObject, [&] {
      writer.Enumeration(KmipTag::kOpaqueDataType, KmipOpaqueDataType::kNone);
      writer.Bytes(KmipTag::kOpaqueDataValue, object.bytes);
    });
  }
  const bool symmetric = object.type == KmipObjectType::kSymmetricKey;
  writer.Structure(symmetric ? KmipTag::kSymmetricKey : KmipTag::kSecretData, [&] {
    if (!symmetric) writer.Enumeration(KmipTag::kSecretDataType, object.secret_type);
    writer.Structure(KmipTag::kKeyBlock, [&] {
      writer.Enumeration(KmipTag::kKeyFormatType, object.format);
      writer.Structure(KmipTag::kKeyValue, [&] { writer.Bytes(KmipTag::kKeyMaterial, object.bytes); });
      const auto bits = static_cast<int32_t>(object.bytes.size() * 8);
      if (symmetric) writer.Enumeration(KmipTag::kCryptographicAlgorithm, KmipAlgorithm::kAes);
      if (symmetric) writer.Integer(KmipTag::kCryptographicLength, object.stated_bits.value_or(bits));
      if (object.is_wrapped) writer.Structure(KmipTag::kKeyWrappingData, [] {});
    });
  });
}

void WriteAttributes(TtlvWriter& writer, const FakeKmipObject& object) {
  WriteAttribute(writer, kKmipObjectTypeAttribute, [&] { writer.Enumeration(KmipTag::kAttributeValue, object.type); });
  if (object.state) {
    WriteAttribute(writer, kKmipStateAttribute, [&] { writer.Enumeration(KmipTag::kAttributeValue, *object.state); });
  }
  WriteAttribute(writer, kKmipNameAttribute, [&] {
    writer.Structure(KmipTag::kAttributeValue, [&] {
      writer.Text(KmipTag::kNameValue, object.name);
      writer.Enumeration(KmipTag::kNameType, KmipNameType::kText);
    });
  });
  if (object.type != KmipObjectType::kSymmetricKey) return;
  WriteAttribute(writer, kKmipAlgorithmAttribute,
                 [&] { writer.Enumeration(KmipTag::kAttributeValue, KmipAlgorithm::kAes); });
  WriteAttribute(writer, kKmipLengthAttribute,
                 [&] { writer.Integer(KmipTag::kAttributeValue, static_cast<int32_t>(object.bytes.size() * 8)); });
}

}  // namespace

void FakeKmipStore::Refuse(KmipOperation operation, std::optional<KmipResultReason> reason) {
  refusals_.erase(operation);
  if (reason) refusals_[operation] = *reason;
}

void FakeKmipStore::Speak(const std::vector<KmipVersion>& versions, bool can_tell) {
  versions_ = versions;
  tells_versions_ = can_tell;
}

FakeKmipQuestion FakeKmipQuestion::Of(const TtlvItem& message) {
  const std::optional<TtlvItem> header = message.Find(KmipTag::kRequestHeader);
  const std::optional<TtlvItem> item = message.Find(KmipTag::kBatchItem);
  FakeKmipQuestion question{.payload = In(item, KmipTag::kRequestPayload)};
  const std::optional<TtlvItem> operation = In(item, KmipTag::kOperation);
  if (operation) question.operation = static_cast<Operation>(operation->Enumeration().value_or(0));
  const std::optional<TtlvItem> version = In(header, KmipTag::kProtocolVersion);
  if (version) question.version = ReadVersion(*version).value_or(KmipVersion{});
  if (const auto id = In(item, KmipTag::kUniqueBatchItemId)) {
    question.item_id.assign(id->Value().begin(), id->Value().end());
  }
  if (In(question.payload, KmipTag::kUniqueIdentifier)) {
    question.uid = TextIn(question.payload, KmipTag::kUniqueIdentifier);
  }
  const std::optional<TtlvItem> value =
      In(In(In(header, KmipTag::kAuthentication), KmipTag::kCredential), KmipTag::kCredentialValue);
  if (value)
    question.credential = absl::StrCat(TextIn(value, KmipTag::kUsername), ":", TextIn(value, KmipTag::kPassword));
  return question;
}

FakeKmipResult FakeKmipStore::CarryOut(const FakeKmipQuestion& question) {
  ++requests_[question.operation];
  const bool understood = std::ranges::find(versions_, question.version) != versions_.end();
  if (!understood) return {.reason = KmipResultReason::kInvalidMessage, .understood = false};
  if (const auto refusal = refusals_.find(question.operation); refusal != refusals_.end()) {
    return {.reason = refusal->second};
  }
  if (!credential_.empty() && question.credential != credential_) {
    return {.reason = KmipResultReason::kAuthenticationNotSuccessful};
  }
  switch (question.operation) {
    case Operation::kDiscoverVersions:
      return Discover(question);
    case Operation::kQuery:
      return {.reason = std::nullopt, .payload = [](TtlvWriter& writer) {
                for (const Operation operation :
                     {Operation::kCreate, Operation::kRegister, Operation::kLocate, Operation::kGet,
                      Operation::kGetAttributes, Operation::kActivate, Operation::kRevoke, Operation::kDestroy}) {
                  writer.Enumeration(KmipTag::kOperation, operation);
                }
              }};
    case Operation::kLocate:
      return Locate(question);
    case Operation::kCreate:
    case Operation::kRegister:
      return Add(question);
    default:
      return Change(question);
  }
}

FakeKmipResult FakeKmipStore::Discover(const FakeKmipQuestion& question) const {
  if (!tells_versions_) return {.reason = KmipResultReason::kOperationNotSupported};
  std::vector<KmipVersion> common;
  if (question.payload) {
    for (const TtlvItem& item : question.payload->Members()) {
      const KmipVersion asked = ReadVersion(item).value_or(KmipVersion{});
      if (std::ranges::find(versions_, asked) != versions_.end()) common.push_back(asked);
    }
  }
  return {.reason = std::nullopt, .payload = [common](TtlvWriter& writer) {
            for (const KmipVersion version : common) WriteVersion(writer, version);
          }};
}

FakeKmipResult FakeKmipStore::Locate(const FakeKmipQuestion& question) const {
  const std::string name = TextIn(AttributeIn(question.payload, kKmipNameAttribute), KmipTag::kNameValue);
  std::vector<std::string> uids;
  for (const auto& [uid, object] : objects_) {
    if (object.name == name) uids.push_back(uid);
  }
  return {.reason = std::nullopt, .payload = [uids](TtlvWriter& writer) {
            for (const std::string& uid : uids) writer.Text(KmipTag::kUniqueIdentifier, uid);
          }};
}

FakeKmipResult FakeKmipStore::Add(const FakeKmipQuestion& question) {
  const std::optional<TtlvItem> attributes = In(question.payload, KmipTag::kTemplateAttribute);
  FakeKmipObject object{.name = TextIn(AttributeIn(attributes, kKmipNameAttribute), KmipTag::kNameValue),
                        .state = KmipState::kPreActive};
  if (const auto type = In(question.payload, KmipTag::kObjectType)) {
    object.type = static_cast<KmipObjectType>(type->Enumeration().value_or(0));
  }
  if (question.operation == Operation::kCreate) {
    const std::optional<TtlvItem> length = AttributeIn(attributes, kKmipLengthAttribute);
    object.bytes.assign(static_cast<size_t>(length ? length->Integer().value_or(0) : 0) / 8, 0x5A);
  } else {
    std::optional<TtlvItem> material = In(In(question.payload, KmipTag::kOpaqueObject), KmipTag::kOpaqueDataValue);
    for (const KmipTag tag : {KmipTag::kSymmetricKey, KmipTag::kSecretData}) {
      const auto value = In(In(In(question.payload, tag), KmipTag::kKeyBlock), KmipTag::kKeyValue);
      if (value) material = value->Find(KmipTag::kKeyMaterial);
    }
    if (material) object.bytes.assign(material->Value().begin(), material->Value().end());
  }
  if (object.type == KmipObjectType::kOpaqueObject) object.state.reset();
  const std::string uid = absl::StrCat(uid_prefix_, next_uid_++);
  objects_[uid] = object;
  return {.reason = std::nullopt,
          .payload = [uid](TtlvWriter& writer) { writer.Text(KmipTag::kUniqueIdentifier, uid); }};
}

// The operations about one object.
FakeKmipResult FakeKmipStore::Change(const FakeKmipQuestion& question) {
  all_named_ = all_named_ && question.uid.has_value();
  const std::string uid = question.uid.value_or("");
  const auto found = objects_.find(uid);
  if (found == objects_.end()) return {.reason = KmipResultReason::kItemNotFound};
  FakeKmipObject& object = found->second;
  const FakeKmipObject shown = object;
  if (question.operation == Operation::kActivate) {
    if (object.state != KmipState::kPreActive) return {.reason = KmipResultReason::kPermissionDenied};
    object.state = KmipState::kActive;
  } else if (question.operation == Operation::kRevoke) {
    object.state = KmipState::kDeactivated;
  } else if (question.operation == Operation::kDestroy) {
    if (object.state == KmipState::kActive) return {.reason = KmipResultReason::kPermissionDenied};
    objects_.erase(found);
  }
  const std::string answered = answer_for_another_ == question.operation ? uid + "0" : uid;
  return {.reason = std::nullopt, .payload = [shown, answered, operation = question.operation](TtlvWriter& writer) {
            if (operation == Operation::kGet) writer.Enumeration(KmipTag::kObjectType, shown.type);
            writer.Text(KmipTag::kUniqueIdentifier, answered);
            if (operation == Operation::kGet) WriteObject(writer, shown);
            if (operation == Operation::kGetAttributes) WriteAttributes(writer, shown);
          }};
}

}  // namespace volcrypt
