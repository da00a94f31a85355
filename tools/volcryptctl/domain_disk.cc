#include "tools/volcryptctl/domain_disk.h"

#include <algorithm>
#include <array>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/disk_xml.h"
#include "tools/volcryptctl/domain.h"
#include "tools/volcryptctl/exit_status.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

using Part = Domain::Part;

constexpr std::array kParts = {Part::kLive, Part::kConfig};
constexpr absl::Duration kPollInterval = absl::Milliseconds(100);

struct DomainPart {
  Part part;
  std::string xml;
  std::vector<Disk> disks;
};

absl::StatusOr<DomainPart> ReadPart(const Domain& domain, Part part) {
  absl::StatusOr<std::string> xml = domain.ReadXml(part);
  if (!xml.ok()) return xml.status();
  std::vector<Disk> disks = DisksOf(*xml);
  return DomainPart{.part = part, .xml = *std::move(xml), .disks = std::move(disks)};
}

// Those that the domain has: live first, since there is where it may fail.
absl::StatusOr<std::vector<DomainPart>> ReadParts(const Domain& domain) {
  std::vector<DomainPart> parts;
  for (const Part part : kParts) {
    const absl::StatusOr<bool> has = domain.Has(part);
    if (!has.ok()) return has.status();
    if (!*has) continue;
    absl::StatusOr<DomainPart> read = ReadPart(domain, part);
    if (!read.ok()) return read.status();
    parts.push_back(*std::move(read));
  }
  return parts;
}

// By the serial number that we gave it, or by the path: it may have been attached by hand.
std::optional<Disk> FindDisk(const std::vector<Disk>& disks, const std::string& volume_id, const std::string& source) {
  const auto found = std::ranges::find_if(
      disks, [&](const Disk& disk) { return disk.serial == volume_id || (!source.empty() && disk.source == source); });
  return found == disks.end() ? std::nullopt : std::optional<Disk>(*found);
}

std::string SourceOf(const v1::Attachment& attachment) {
  return attachment.device_path().empty() ? attachment.device() : attachment.device_path();
}

Disk DiskFor(const v1::Attachment& attachment) {
  const std::string source = SourceOf(attachment);
  return {.source = source,
          .is_block = absl::StartsWith(source, "/dev/"),
          .encryption_xml = attachment.disk_encryption_xml(),
          .serial = attachment.volume_id(),
          .target = "",
          .read_only = attachment.read_only()};
}

absl::Status WithRollback(const absl::Status& error, const absl::Status& rollback, absl::string_view what) {
  if (rollback.ok()) return error;
  return WithNote(error, absl::StrCat(what, " failed too: ", rollback.message()));
}

absl::Status AwaitRelease(const Domain& domain, const Disk& disk) {
  for (;;) {
    const absl::StatusOr<DomainPart> live = ReadPart(domain, Part::kLive);
    if (!live.ok()) return live.status();
    if (!FindDisk(live->disks, disk.serial, disk.source)) return absl::OkStatus();
    if (absl::Now() >= domain.Deadline()) {
      return OwnError(absl::StatusCode::kFailedPrecondition, kDiskNotReleasedReason,
                      absl::StrCat("the guest of domain ", domain.Name(), " has not released disk ", disk.target,
                                   "; nothing else was changed; have the guest let go of it, then repeat the command"));
    }
    absl::SleepFor(kPollInterval);
  }
}

absl::Status DetachPart(const Domain& domain, Part part, const Disk& disk) {
  absl::Status asked = domain.Detach(part, ToXml(disk));
  if (part == Part::kConfig) return asked;
  // An earlier request may still be under way, which is as good.
  if (!asked.ok() && !absl::StrContains(asked.message(), "in the process of unplug")) return asked;
  return AwaitRelease(domain, disk);
}

// Reversed, as they were attached.
absl::Status DetachParts(const Domain& domain, const std::vector<Part>& parts, const Disk& disk) {
  absl::Status first;
  for (const Part part : std::ranges::reverse_view(parts)) first.Update(DetachPart(domain, part, disk));
  return first;
}

struct Removed {
  Part part;
  Disk disk;
};

absl::Status AttachAgain(const Domain& domain, const std::vector<Removed>& removed) {
  absl::Status first;
  for (const Removed& one : std::ranges::reverse_view(removed)) {
    first.Update(domain.Attach(one.part, ToXml(one.disk)));
  }
  return first;
}

// The target of the disk: what it has, what was asked for, or one that is free in both parts.
std::string ChooseTarget(const std::vector<DomainPart>& parts, const std::string& asked, const Disk& disk) {
  std::vector<Disk> all;
  for (const DomainPart& part : parts) {
    if (const auto there = FindDisk(part.disks, disk.serial, disk.source)) return there->target;
    all.insert(all.end(), part.disks.begin(), part.disks.end());
  }
  if (!asked.empty() || parts.empty()) return asked;
  return FreeTarget(parts.front().xml, all);
}

absl::StatusOr<std::string> AttachDisk(const Domain& domain, const std::string& asked_target, Disk disk) {
  const absl::StatusOr<std::vector<DomainPart>> parts = ReadParts(domain);
  if (!parts.ok()) return parts.status();
  disk.target = ChooseTarget(*parts, asked_target, disk);
  std::vector<Part> attached;
  for (const DomainPart& part : *parts) {
    if (const auto there = FindDisk(part.disks, disk.serial, disk.source)) {
      if (there->source == disk.source && there->read_only == disk.read_only) continue;
      const absl::Status differs =
          OwnError(absl::StatusCode::kAlreadyExists, "ATTACHED_DIFFERENTLY",
                   absl::StrCat("domain ", domain.Name(), " has the volume as disk ", there->target, " over ",
                                there->source, "; detach that first"));
      return WithRollback(differs, DetachParts(domain, attached, disk), "taking the disk from the domain");
    }
    const absl::Status done = domain.Attach(part.part, ToXml(disk));
    if (!done.ok()) return WithRollback(done, DetachParts(domain, attached, disk), "taking the disk from the domain");
    attached.push_back(part.part);
  }
  return disk.target;
}

absl::StatusOr<v1::DetachVolumeResponse> DetachVolume(Session& session, const v1::DetachVolumeRequest& request) {
  return session.client.Call(&v1::VolumeEncryptorService::Stub::DetachVolume, request, Interruptible::kNo);
}

absl::Status UndoAttach(Session& session, const v1::AttachVolumeResponse& attached, const absl::Status& error) {
  if (attached.already_attached()) return error;
  v1::DetachVolumeRequest request;
  request.set_volume_id(attached.attachment().volume_id());
  return WithRollback(error, DetachVolume(session, request).status(), "detaching the volume again");
}

// What the agent knows of it; nothing when it is not attached.
absl::StatusOr<std::string> SourceOfVolume(Session& session, const std::string& volume_id) {
  v1::GetAttachmentRequest request;
  request.set_volume_id(volume_id);
  const auto response = session.client.Call(&v1::VolumeEncryptorService::Stub::GetAttachment, request);
  if (response.ok()) return SourceOf(response->attachment());
  if (ErrorInfoOf(response.status()).reason() == "NOT_ATTACHED") return "";
  return response.status();
}

}  // namespace

absl::StatusOr<std::string> GiveToDomain(Session& session, const DomainOptions& options,
                                         const v1::AttachVolumeResponse& attached) {
  const absl::StatusOr<Domain> domain = Domain::Open(options.uri, options.name, absl::Now() + session.timeout);
  if (!domain.ok()) return UndoAttach(session, attached, domain.status());
  absl::StatusOr<std::string> target = AttachDisk(*domain, options.target, DiskFor(attached.attachment()));
  if (target.ok()) return target;
  // Nobody knows whether the domain has the disk, and what it has must stay.
  if (ErrorInfoOf(target.status()).reason() == "LIBVIRT_UNAVAILABLE") {
    return WithNote(target.status(), "the volume stays attached");
  }
  return UndoAttach(session, attached, target.status());
}

absl::StatusOr<v1::DetachVolumeResponse> TakeFromDomain(Session& session, const DomainOptions& options,
                                                        const v1::DetachVolumeRequest& request) {
  const absl::StatusOr<std::string> source = SourceOfVolume(session, request.volume_id());
  if (!source.ok()) return source.status();
  const absl::StatusOr<Domain> domain = Domain::Open(options.uri, options.name, absl::Now() + session.timeout);
  if (!domain.ok()) return domain.status();
  const absl::StatusOr<std::vector<DomainPart>> parts = ReadParts(*domain);
  if (!parts.ok()) return parts.status();
  std::vector<Removed> removed;
  for (const DomainPart& part : *parts) {
    const std::optional<Disk> disk = FindDisk(part.disks, request.volume_id(), *source);
    if (!disk) continue;
    const absl::Status done = DetachPart(*domain, part.part, *disk);
    if (!done.ok()) return WithRollback(done, AttachAgain(*domain, removed), "giving the disk back to the domain");
    removed.push_back({.part = part.part, .disk = *disk});
  }
  absl::StatusOr<v1::DetachVolumeResponse> response = DetachVolume(session, request);
  if (response.ok()) return response;
  return WithRollback(response.status(), AttachAgain(*domain, removed), "giving the disk back to the domain");
}

}  // namespace volcrypt::ctl
