#include "agent/first_use.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/uuid.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using State = FirstUseRecord::State;

const FirstUseRecord* FindRecord(const KeyMetadata& metadata, const std::string& volume_id) {
  // Barbican keeps the names of metadata in lower case.
  const auto found = std::ranges::find_if(metadata.first_uses, [&volume_id](const FirstUseRecord& record) {
    return absl::EqualsIgnoreCase(record.volume_id, volume_id);
  });
  return found == metadata.first_uses.end() ? nullptr : &*found;
}

// Whether a record that cannot be had is done without: not while its key manager is merely away.
bool IsDispensable(const absl::Status& error) { return HasReason(error, Reason::kKeyAccessDenied) || IsNotHeld(error); }

}  // namespace

FirstUseDialogue::FirstUseDialogue(KeyManager& key_manager, std::string key_id, std::string volume_id, std::string host)
    : key_manager_(key_manager), key_id_(std::move(key_id)), volume_id_(std::move(volume_id)), host_(std::move(host)) {}

absl::StatusOr<std::string> FirstUseDialogue::Claim(const std::string& resume_uuid, const KeyCall& call) {
  const FirstUseRecord claim{.volume_id = volume_id_,
                             .state = State::kClaimed,
                             .host = host_,
                             .luks_uuid = resume_uuid.empty() ? RandomUuid() : resume_uuid};
  const absl::StatusOr<FirstUseRecord> standing = key_manager_.ClaimFirstUse(key_id_, claim, call);
  if (!standing.ok()) {
    if (absl::Status away = WarnIfDispensable("cannot be claimed", standing.status()); !away.ok()) return away;
    return ClaimWithoutPermission(claim, resume_uuid, call);
  }
  absl::StatusOr<std::string> luks_uuid = Judge(*standing, resume_uuid);
  // A UUID to resume may have stood there already, so only one that nobody else can know proves a fresh claim.
  if (luks_uuid.ok() && resume_uuid.empty() && *luks_uuid == claim.luks_uuid) claimed_uuid_ = *luks_uuid;
  return luks_uuid;
}

// Who may not write the record may still be allowed to read it, and what another host wrote counts.
absl::StatusOr<std::string> FirstUseDialogue::ClaimWithoutPermission(const FirstUseRecord& claim,
                                                                     const std::string& resume_uuid,
                                                                     const KeyCall& call) {
  const absl::StatusOr<KeyMetadata> metadata = key_manager_.GetMetadata(key_id_, call);
  if (!metadata.ok()) {
    if (!IsDispensable(metadata.status())) return metadata.status();
    return claim.luks_uuid;
  }
  const FirstUseRecord* const standing = FindRecord(*metadata, volume_id_);
  return standing == nullptr ? claim.luks_uuid : Judge(*standing, resume_uuid);
}

absl::Status FirstUseDialogue::Check(const std::string& resume_uuid, const KeyCall& call) {
  const absl::StatusOr<KeyMetadata> metadata = key_manager_.GetMetadata(key_id_, call);
  if (!metadata.ok()) return absl::OkStatus();
  const FirstUseRecord* const standing = FindRecord(*metadata, volume_id_);
  return standing == nullptr ? absl::OkStatus() : Judge(*standing, resume_uuid).status();
}

absl::Status FirstUseDialogue::CheckBegunElsewhere(const KeyCall& call) {
  const absl::StatusOr<KeyMetadata> metadata = key_manager_.GetMetadata(key_id_, call);
  if (!metadata.ok()) return absl::OkStatus();
  const FirstUseRecord* const standing = FindRecord(*metadata, volume_id_);
  if (standing == nullptr) return absl::OkStatus();
  NoteFormattedElsewhere(*standing);
  const bool begun = standing->state == State::kClaimed && standing->host != host_;
  return begun ? Judge(*standing, "").status() : absl::OkStatus();
}

void FirstUseDialogue::NoteFormattedElsewhere(const FirstUseRecord& standing) {
  is_formatted_elsewhere_ = standing.state == State::kFormatted && standing.host != host_;
}

absl::StatusOr<std::string> FirstUseDialogue::Judge(const FirstUseRecord& standing, const std::string& resume_uuid) {
  NoteFormattedElsewhere(standing);
  const ErrorMetadata metadata = {
      {"volume_id", volume_id_}, {"host", standing.host}, {"luks_uuid", standing.luks_uuid}, {"key_id", key_id_}};
  if (standing.state == State::kFormatted) {
    return MakeError(
        Reason::kVolumeHeaderLost,
        absl::StrCat("volume ", volume_id_, " reads as blank, but its key's first-use record says that host ",
                     standing.host, " formatted it as LUKS ", standing.luks_uuid,
                     "; check the device, and forget the volume only if its data may be lost"),
        metadata);
  }
  const std::string first_use = absl::StrCat("the first use of volume ", volume_id_, " was begun by host ",
                                             standing.host, " as LUKS ", standing.luks_uuid);
  if (standing.host != host_) {
    return MakeError(Reason::kFormatIncomplete,
                     absl::StrCat(first_use, "; attach it there, or forget the volume once that host has stopped"),
                     metadata);
  }
  if (!IsCanonicalUuid(standing.luks_uuid)) {
    return MakeError(Reason::kFormatIncomplete, absl::StrCat(first_use, ", which is no UUID; forget the volume"),
                     metadata);
  }
  if (!resume_uuid.empty() && resume_uuid != standing.luks_uuid) {
    return MakeError(Reason::kFormatIncomplete,
                     absl::StrCat(first_use, ", but a format as ", resume_uuid,
                                  " is found begun; inspect the device, then forget the volume"),
                     metadata);
  }
  return standing.luks_uuid;
}

absl::Status FirstUseDialogue::Withdraw(const KeyCall& call) {
  if (claimed_uuid_.empty()) return absl::OkStatus();
  const std::string luks_uuid = std::exchange(claimed_uuid_, "");
  // Meanwhile somebody may have opened the volume by another path, found no record and written one: that must stay.
  const absl::StatusOr<KeyMetadata> metadata = key_manager_.GetMetadata(key_id_, call);
  if (!metadata.ok()) return metadata.status();
  const FirstUseRecord* const standing = FindRecord(*metadata, volume_id_);
  if (standing == nullptr || standing->state != State::kClaimed || standing->luks_uuid != luks_uuid) {
    return absl::OkStatus();
  }
  absl::Status dropped = key_manager_.DropFirstUse(key_id_, volume_id_, call);
  return IsNotHeld(dropped) ? absl::OkStatus() : dropped;
}

absl::Status FirstUseDialogue::Confirm(const std::string& luks_uuid, const KeyCall& call) {
  claimed_uuid_.clear();
  return WarnIfDispensable("cannot be confirmed",
                           key_manager_.RecordFirstUse(key_id_, FormattedRecord(luks_uuid, nullptr), call));
}

void FirstUseDialogue::NoteOpened(const std::string& luks_uuid, const KeyCall& call) {
  claimed_uuid_.clear();
  if (luks_uuid.empty()) return;
  const absl::StatusOr<KeyMetadata> metadata = key_manager_.GetMetadata(key_id_, call);
  if (!metadata.ok()) return Warn("cannot be read", metadata.status());
  const FirstUseRecord* const standing = FindRecord(*metadata, volume_id_);
  if (standing != nullptr && standing->state == State::kFormatted && standing->luks_uuid == luks_uuid) return;
  const absl::Status recorded = key_manager_.RecordFirstUse(key_id_, FormattedRecord(luks_uuid, standing), call);
  if (!recorded.ok()) Warn("is missing and cannot be written", recorded);
}

void FirstUseDialogue::NoteAttached(const std::string& luks_uuid, const KeyCall& call) {
  const absl::StatusOr<KeyMetadata> metadata = key_manager_.GetMetadata(key_id_, call);
  if (!metadata.ok()) return Warn("cannot be read", metadata.status());
  const FirstUseRecord* const standing = FindRecord(*metadata, volume_id_);
  if (standing == nullptr || standing->state != State::kClaimed || standing->luks_uuid != luks_uuid) return;
  const absl::Status recorded = key_manager_.RecordFirstUse(key_id_, FormattedRecord(luks_uuid, standing), call);
  if (!recorded.ok()) Warn("is claimed and cannot be confirmed", recorded);
}

FirstUseRecord FirstUseDialogue::FormattedRecord(const std::string& luks_uuid, const FirstUseRecord* standing) const {
  // The host that began with this UUID is the one that formatted.
  const bool same = standing != nullptr && standing->luks_uuid == luks_uuid;
  return {.volume_id = volume_id_,
          .state = State::kFormatted,
          .host = same ? standing->host : host_,
          .luks_uuid = luks_uuid};
}

absl::Status FirstUseDialogue::WarnIfDispensable(const std::string& what, const absl::Status& error) {
  if (!IsDispensable(error)) return error;
  Warn(what, error);
  return absl::OkStatus();
}

// That there is no place for records is said once.
void FirstUseDialogue::Warn(const std::string& what, const absl::Status& error) {
  record_error_.Update(error);
  if (IsNotHeld(error) && std::exchange(warned_not_held_, true)) return;
  warnings_.push_back(
      absl::StrCat("the first-use record of volume ", volume_id_, " beside its key ", what, ": ", error.message()));
}

}  // namespace volcrypt
