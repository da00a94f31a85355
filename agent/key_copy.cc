#include "agent/key_copy.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Kept of the deadline for taking the copy back.
constexpr absl::Duration kMostRollbackTime = absl::Seconds(5);
// Each is one more than the records that came during the one before need.
constexpr int kMostReadings = 8;
constexpr size_t kRandomBytes = 16;

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

// As the target is asked: it may belong to another cloud, which must not see the caller's tokens.
KeyCall CallOfTarget(const KeyCall& call, bool is_source) {
  KeyCall of_target = call;
  if (!is_source) of_target.tokens = nullptr;
  return of_target;
}

// The type says to whoever reads the copy that the key is random.
void KeepUnvouched(Key& key) {
  if (key.type == KeyType::kSymmetric && !key.high_entropy && key.bytes.Size() >= kRandomBytes) {
    key.type = KeyType::kOpaque;
  }
}

using Records = std::map<std::string, FirstUseRecord>;  // by volume

Records ByVolume(const std::vector<FirstUseRecord>& records) {
  Records by_volume;
  for (const FirstUseRecord& record : records) by_volume[record.volume_id] = record;
  return by_volume;
}

bool IsSame(const FirstUseRecord& one, const FirstUseRecord& other) {
  return one.volume_id == other.volume_id && one.state == other.state && one.host == other.host &&
         one.luks_uuid == other.luks_uuid;
}

// Writes what differs from what was carried before, and takes away what was withdrawn.
absl::Status CarryRecords(const Records& records, const Records& before, KeyManager& target, const std::string& key_id,
                          const KeyCall& call) {
  for (const auto& [volume_id, record] : records) {
    const auto carried = before.find(volume_id);
    if (carried != before.end() && IsSame(carried->second, record)) continue;
    if (absl::Status written = target.RecordFirstUse(key_id, record, call); !written.ok()) return written;
  }
  for (const auto& [volume_id, record] : before) {
    if (records.contains(volume_id)) continue;
    if (absl::Status dropped = target.DropFirstUse(key_id, volume_id, call); !dropped.ok()) return dropped;
  }
  return absl::OkStatus();
}

struct Side {
  KeyManager& manager;
  const std::string& key_id;
  KeyCall call;
};

// Until two readings agree. `records` is what was read last.
absl::Status CarryAllRecords(const Side& source, const Side& target, Records& records) {
  Records carried;
  for (int reading = 0; reading < kMostReadings; ++reading) {
    if (absl::Status written = CarryRecords(records, carried, target.manager, target.key_id, target.call);
        !written.ok()) {
      return written;
    }
    carried = records;
    const absl::StatusOr<KeyMetadata> metadata = source.manager.GetMetadata(source.key_id, source.call);
    if (!metadata.ok()) return metadata.status();
    records = ByVolume(metadata->first_uses);
    if (std::ranges::equal(records, carried,
                           [](const auto& one, const auto& other) { return IsSame(one.second, other.second); })) {
      return absl::OkStatus();
    }
  }
  return MakeError(Reason::kKeyInUse, "the records of the source are changed all the time; copy it when it is at rest");
}

std::string NotCarried(size_t records, const std::string& key_id, const std::string& target, const absl::Status& why) {
  return absl::StrCat("the ", records, " first-use record(s) of key ", key_id, " were not carried over to key manager ",
                      target, ": ", why.message());
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
  const KeyCall of_target = CallOfTarget(most, source->manager == target->manager);
  const std::string& source_id = request.source.key_id;
  const absl::StatusOr<KeyMetadata> metadata = source->manager->GetMetadata(source_id, most);
  if (!metadata.ok()) return metadata.status();
  absl::StatusOr<Key> key = source->manager->Get(source_id, most);
  if (!key.ok()) return key.status();
  KeepUnvouched(*key);

  absl::StatusOr<std::string> key_id =
      target->manager->Import(*key, DescriptionOf(request, *key, *metadata), of_target);
  if (!key_id.ok()) return RefusalOf(key_id.status(), target->name);
  CopiedKey copied{.key = {.key_manager = target->name, .key_id = *std::move(key_id)}, .warnings = {}};
  Records records = ByVolume(metadata->first_uses);
  const absl::Status carried =
      CarryAllRecords({.manager = *source->manager, .key_id = source_id, .call = most},
                      {.manager = *target->manager, .key_id = copied.key.key_id, .call = of_target}, records);
  if (carried.ok()) return copied;
  if (!IsNotHeld(carried)) {
    return WithCopyDeleted(carried, *target->manager, copied.key, of_target.Until(call.deadline));
  }
  copied.warnings.push_back(NotCarried(records.size(), metadata->key_id, target->name, carried));
  return copied;
}

}  // namespace volcrypt
