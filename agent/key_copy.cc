#include "agent/key_copy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Kept of the deadline for taking the copy back.
constexpr absl::Duration kMostRollbackTime = absl::Seconds(5);

KeyCall WithRoomForRollback(const KeyCall& call) {
  const absl::Duration left = call.deadline - absl::Now();
  return call.Until(call.deadline - std::min(left / 4, kMostRollbackTime));
}

KeyCopy DescriptionOf(const CopyKeyCall& request, const Key& key, const KeyMetadata& metadata) {
  return {.algorithm = metadata.algorithm,
          .bit_length = static_cast<uint32_t>(key.bytes.Size() * 8),
          .name = request.name.empty() ? metadata.name : request.name,
          .owner_user_id = request.owner_user_id};
}

absl::Status CarryRecords(const std::vector<FirstUseRecord>& records, KeyManager& target, const std::string& key_id,
                          const KeyCall& call) {
  for (const FirstUseRecord& record : records) {
    if (absl::Status carried = target.RecordFirstUse(key_id, record, call); !carried.ok()) return carried;
  }
  return absl::OkStatus();
}

std::string NotCarried(const KeyMetadata& source, const std::string& target, const absl::Status& why) {
  return absl::StrCat("the ", source.first_uses.size(), " first-use record(s) of key ", source.key_id,
                      " were not carried over to key manager ", target, ": ", why.message());
}

absl::Status WithCopyDeleted(const absl::Status& error, KeyManager& target, const KeyReference& copy,
                             const KeyCall& call) {
  ErrorMetadata metadata = MetadataOf(error);
  metadata["copy"] = absl::StrCat(copy.key_manager, ":", copy.key_id);
  const absl::Status first =
      MakeError(ReasonOf(error).value_or(Reason::kWorkerFailed),
                absl::StrCat("the key was copied as ", copy.key_id, " to key manager ", copy.key_manager,
                             " and the copy is deleted again, because its "
                             "first-use records could not be carried over: ",
                             error.message()),
                metadata);
  // Forced: some of the records may be there already.
  return WithRollbackError(first, target.Delete(copy.key_id, /*force=*/true, call));
}

}  // namespace

absl::StatusOr<CopiedKey> CopyKey(const KeyManagers& key_managers, const CopyKeyCall& request, const KeyCall& call) {
  const absl::StatusOr<KeyManagers::Found> source = key_managers.FindFor(request.source);
  if (!source.ok()) return source.status();
  const absl::StatusOr<KeyManagers::Found> target = key_managers.Find(request.key_manager);
  if (!target.ok()) return target.status();
  const KeyCall most = WithRoomForRollback(call);
  const std::string& source_id = request.source.key_id;
  const absl::StatusOr<KeyMetadata> metadata = source->manager->GetMetadata(source_id, most);
  if (!metadata.ok()) return metadata.status();
  const absl::StatusOr<Key> key = source->manager->Get(source_id, most);
  if (!key.ok()) return key.status();

  absl::StatusOr<std::string> key_id = target->manager->Import(*key, DescriptionOf(request, *key, *metadata), most);
  if (!key_id.ok()) return RefusalOf(key_id.status(), target->name);
  CopiedKey copied{.key = {.key_manager = target->name, .key_id = *std::move(key_id)}, .warnings = {}};
  const absl::Status carried = CarryRecords(metadata->first_uses, *target->manager, copied.key.key_id, most);
  if (carried.ok()) return copied;
  if (!IsNotHeld(carried)) return WithCopyDeleted(carried, *target->manager, copied.key, call);
  copied.warnings.push_back(NotCarried(*metadata, target->name, carried));
  return copied;
}

}  // namespace volcrypt
