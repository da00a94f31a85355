#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

// What one attach says to the key manager about the first-use record of its volume. The record forbids: it is claimed
// before the first byte is written and confirmed before the caller hears of success. Where permission is lacking, or
// the key manager has no place for records, it is done without, with a warning; whatever can be read is obeyed all the
// same. Not thread-safe.
class FirstUseDialogue {
 public:
  FirstUseDialogue(KeyManager& key_manager, std::string key_id, std::string volume_id, std::string host);

  // Claims the first use for this host. The answer is the LUKS UUID to format as: that of a claim of ours that stands,
  // else `resume_uuid` (of a format that began on this host, may be empty), else a fresh one. FORMAT_INCOMPLETE: begun
  // by another host, or as another UUID than the one to resume. VOLUME_HEADER_LOST: the volume was formatted before.
  absl::StatusOr<std::string> Claim(const std::string& resume_uuid, const KeyCall& call);
  // The errors of Claim without claiming. OK also when nothing can be read.
  absl::Status Check(const std::string& resume_uuid, const KeyCall& call);
  // FORMAT_INCOMPLETE when another host has begun the first use and not confirmed it. OK also when nothing can be read.
  absl::Status CheckBegunElsewhere(const KeyCall& call);
  // Whether the record that one of the above read last says that another host has formatted the volume.
  bool IsFormattedElsewhere() const { return is_formatted_elsewhere_; }
  // Takes back the claim if it was made by this dialogue and not found standing.
  absl::Status Withdraw(const KeyCall& call);
  // The volume was formatted and is open.
  absl::Status Confirm(const std::string& luks_uuid, const KeyCall& call);
  // An existing volume was opened: writes the record if it is missing. Failures are warnings.
  void NoteOpened(const std::string& luks_uuid, const KeyCall& call);
  // The volume is attached already, which proves nothing about the key: confirms a claim of this very volume that was
  // left standing when its first use was cut short after the mapping had appeared. Failures are warnings.
  void NoteAttached(const std::string& luks_uuid, const KeyCall& call);

  const std::vector<std::string>& Warnings() const { return warnings_; }
  // The first of the errors behind the warnings; OK without any.
  const absl::Status& RecordError() const { return record_error_; }

 private:
  absl::StatusOr<std::string> ClaimWithoutPermission(const FirstUseRecord& claim, const std::string& resume_uuid,
                                                     const KeyCall& call);
  absl::StatusOr<std::string> Judge(const FirstUseRecord& standing, const std::string& resume_uuid);
  void NoteFormattedElsewhere(const FirstUseRecord& standing);
  FirstUseRecord FormattedRecord(const std::string& luks_uuid, const FirstUseRecord* standing) const;
  void Warn(const std::string& what, const absl::Status& error);
  absl::Status WarnIfDispensable(const std::string& what, const absl::Status& error);

  KeyManager& key_manager_;
  const std::string key_id_;
  const std::string volume_id_;
  const std::string host_;
  std::string claimed_uuid_;  // of a claim that this dialogue made and may take back
  bool is_formatted_elsewhere_ = false;
  bool warned_not_held_ = false;
  std::vector<std::string> warnings_;
  absl::Status record_error_;
};

}  // namespace volcrypt
