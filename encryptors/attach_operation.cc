#include "encryptors/attach_operation.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "encryptors/activated_mapping.h"
#include "encryptors/content_probe.h"
#include "encryptors/device_admission.h"
#include "encryptors/device_identity.h"
#include "encryptors/existing_mapping.h"
#include "encryptors/fail_point.h"
#include "encryptors/first_use.h"
#include "encryptors/header_policy.h"
#include "encryptors/key_check.h"
#include "encryptors/loop_device.h"
#include "encryptors/mapping_description.h"
#include "encryptors/open_unmapped.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"
#include "encryptors/volume_lock.h"

namespace volcrypt {
namespace {

using Kind = VolumeRecords::Kind;

// Room for data behind the header; less than this is a mistake, not a volume.
constexpr uint64_t kMinDataBytes = uint64_t{1} << 20;

// How long udev's probe of the device may keep its lock before we call it somebody else's.
constexpr absl::Duration kUdevPatience = absl::Seconds(3);

}  // namespace

AttachOperation::AttachOperation(const VolumeEncryptorOptions& options, const std::function<bool()>& caller_has_gone,
                                 AttachRequest request, const Key* key, absl::Time deadline)
    : options_(options),
      caller_has_gone_(caller_has_gone),
      request_(std::move(request)),
      key_(key),
      deadline_(deadline),
      mapping_name_(MappingName(request_.volume_id)),
      records_(options.state_dir) {}

absl::StatusOr<AttachResult> AttachOperation::Run() {
  const absl::StatusOr<VolumeLock> lock = VolumeLock::Take(options_.lock_dir, request_.volume_id);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<std::optional<DmDevice>> existing = mapper_.Find(mapping_name_);
  if (!existing.ok()) return existing.status();
  const absl::StatusOr<ResolvedDevice> resolved = ResolvedDevice::Resolve(request_.device, options_.device_prefixes);
  if (existing->has_value()) return AnswerFromMapping(**existing, resolved);
  if (!resolved.ok()) return resolved.status();
  if (absl::Status admitted = CheckAdmitted(request_, *resolved); !admitted.ok()) return admitted;
  const absl::StatusOr<BackingDevice> device = BackingDevice::Open(
      *resolved, request_.read_only ? BackingDevice::Access::kReadOnly : BackingDevice::Access::kReadWrite,
      /*lock=*/true, std::min(deadline_, absl::Now() + kUdevPatience));
  if (!device.ok()) return device.status();
  absl::StatusOr<UniqueFd> exclusive = device->OpenExclusive();
  absl::StatusOr<AttachResult> result =
      exclusive.ok() ? Decide(*device, *std::move(exclusive)) : absl::StatusOr<AttachResult>(exclusive.status());
  if (result.ok()) return result;
  return WithMetadata(result.status(), kDeviceIdentity, ShownIdentity(device->Number()));
}

absl::StatusOr<AttachResult> AttachOperation::AnswerFromMapping(const DmDevice& existing,
                                                                const absl::StatusOr<ResolvedDevice>& resolved) {
  if (absl::Status status = CheckSameAttachment(existing, request_, resolved); !status.ok()) return status;
  if (request_.check_key) {
    if (key_ == nullptr) return AttachResult{.outcome = AttachOutcome::kKeyNeeded};
    absl::Status opens =
        CheckKeyOpens(BackingNumber(*existing.crypt), LuksUuidOfDmUuid(existing.uuid), request_.allowed_ciphers, *key_);
    if (!opens.ok()) return opens;
  }
  if (existing.deferred_remove) {
    if (caller_has_gone_()) return MakeError(Reason::kDeviceTimedOut, "the caller has gone; nothing was changed");
    if (absl::Status status = mapper_.CancelDeferredRemove(mapping_name_); !status.ok()) return status;
  }
  const absl::StatusOr<std::optional<DmDevice>> now = mapper_.Find(mapping_name_);
  if (!now.ok()) return now.status();
  if (!now->has_value()) {
    return MakeError(Reason::kOperationInProgress, "the mapping went away while it was looked at; retry",
                     {{"mapping", mapping_name_}});
  }
  return AttachResult{.outcome = AttachOutcome::kAlreadyAttached,
                      .mapping = DescribeMapping(request_.volume_id, **now, records_)};
}

absl::StatusOr<AttachResult> AttachOperation::Decide(const BackingDevice& device, UniqueFd exclusive) {
  absl::StatusOr<std::string> identity = device.ReadIdentity();
  if (!identity.ok()) return identity.status();
  identity_ = *std::move(identity);
  absl::StatusOr<std::optional<VolumeRecord>> intent = records_.Read(Kind::kIntent, request_.volume_id);
  absl::StatusOr<std::optional<VolumeRecord>> known = records_.Read(Kind::kKnown, request_.volume_id);
  records_status_.Update(intent.status());
  records_status_.Update(known.status());
  if (intent.ok()) intent_ = *std::move(intent);
  if (known.ok()) known_ = *std::move(known);
  // The first operation of a first use permits nothing: the second, which writes, proves the device blank, twice.
  const bool second_will_prove = key_ != nullptr && request_.may_format && !request_.read_only &&
                                 request_.format_as_uuid.empty() && !known_ && !intent_ && records_status_.ok();
  absl::StatusOr<VolumeContent> content =
      ExamineContent(device, exclusive.Get(), second_will_prove ? Look::kGlance : Look::kProof);
  if (!content.ok()) return content.status();

  // Somebody else has formatted this volume since: what was begun here is over, whatever comes next.
  if (intent_ && content->header && content->header->uuid != intent_->luks_uuid) {
    if (absl::Status status = records_.Remove(Kind::kIntent, request_.volume_id); !status.ok()) return status;
    intent_.reset();
  }
  if (content->content == Content::kLuks1 || content->content == Content::kLuks2) {
    return OpenFormatted(device, std::move(exclusive), *std::move(content));
  }
  return BeginFirstUse(device, std::move(exclusive), *std::move(content));
}

absl::StatusOr<AttachResult> AttachOperation::OpenFormatted(const BackingDevice& device, UniqueFd exclusive,
                                                            VolumeContent content) {
  if (request_.leave_unmapped && content.content != Content::kLuks1) {
    return UnfitForQemu(device.Path(), content.header->uuid);
  }
  HeaderPolicy policy{.allowed_ciphers = request_.allowed_ciphers};
  if (known_ && known_->luks_uuid == content.header->uuid) {
    policy.data_offset_bytes = known_->data_offset_bytes;
    policy.known_encryption = {.format = known_->format,
                               .cipher = known_->cipher,
                               .key_size_bits = known_->key_size_bits,
                               .sector_size_bytes = known_->sector_size_bytes};
  }
  if (absl::Status status = CheckHeader(content.crypt.get(), policy); !status.ok()) return status;
  if (content.content == Content::kLuks1) {
    const absl::StatusOr<std::vector<uint8_t>> sector = ReadDirect(device, exclusive.Get(), 0, 4096);
    if (!sector.ok()) return sector.status();
    if (absl::Status status = CheckLuks1Sector(*sector); !status.ok()) return status;
  }
  if (!request_.attached_as_uuid.empty()) {
    absl::StatusOr<Mapping> attached = DescribeAttached(device, *content.header, request_);
    if (!attached.ok()) return attached.status();
    return AttachResult{.outcome = AttachOutcome::kAlreadyAttached, .mapping = *std::move(attached)};
  }
  if (key_ == nullptr) return AttachResult{.outcome = AttachOutcome::kKeyNeeded};
  if (absl::Status status = CompleteInterruptedFormat(content); !status.ok()) return status;
  if (!request_.leave_unmapped) exclusive.Reset();  // libcryptsetup claims the device itself while it activates
  absl::StatusOr<Mapping> mapping = request_.leave_unmapped
                                        ? OpenUnmapped(device, content.crypt.get(), *content.header, request_, *key_)
                                        : ActivateAndVerify(device, content.crypt.get(), *content.header);
  if (!mapping.ok()) return mapping.status();
  RecordOpened(*content.header);
  return AttachResult{
      .outcome = AttachOutcome::kOpened, .mapping = *std::move(mapping), .warnings = std::move(warnings_)};
}

// A first use that died between keyslot and token: once the key has proven the volume to be what the intent says, the
// token that is missing is part of that same first use.
absl::Status AttachOperation::CompleteInterruptedFormat(const VolumeContent& content) {
  if (!intent_ || request_.read_only || content.content != Content::kLuks2 || !content.header->volume_id.empty()) {
    return absl::OkStatus();
  }
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(*key_);
  if (!passphrase.ok()) return passphrase.status();
  if (absl::Status status = VerifyPassphrase(content.crypt.get(), *passphrase); !status.ok()) return status;
  if (caller_has_gone_()) return MakeError(Reason::kDeviceTimedOut, "the caller has gone; nothing was changed");
  return SetToken(content.crypt.get(),
                  {.volume_id = request_.volume_id, .key = request_.key, .created_at = absl::Now()});
}

absl::StatusOr<AttachResult> AttachOperation::BeginFirstUse(const BackingDevice& device, UniqueFd exclusive,
                                                            VolumeContent content) {
  bool may_continue = content.content == Content::kBlank;
  if (!may_continue && intent_) {
    const absl::StatusOr<bool> interrupted = IsInterruptedFormat(device, exclusive.Get(), content, *intent_);
    if (!interrupted.ok()) return interrupted.status();
    may_continue = *interrupted;
  }
  if (!may_continue) return RefuseContent(device, content);
  if (request_.encryption.sector_size_bytes == 0) {
    request_.encryption.sector_size_bytes = device.LogicalBlockBytes();
  }
  if (absl::Status status = CheckFirstUseAllowed(device, content); !status.ok()) return status;
  if (request_.format_as_uuid.empty()) {
    return AttachResult{.outcome = AttachOutcome::kBlank,
                        .mapping = {.device = device.Path(), .device_identity = ShownIdentity(device.Number())},
                        .resume_uuid = intent_ ? intent_->luks_uuid : ""};
  }
  if (intent_ && intent_->luks_uuid != request_.format_as_uuid) {
    return MakeError(Reason::kFormatIncomplete,
                     absl::StrCat("a format of this volume as ", intent_->luks_uuid, " began here; the request wants ",
                                  request_.format_as_uuid),
                     {{"luks_uuid", intent_->luks_uuid}});
  }
  if (key_ == nullptr) return AttachResult{.outcome = AttachOutcome::kKeyNeeded};

  FirstUse first_use(device, identity_, records_, request_, *key_, options_.state_dir, caller_has_gone_);
  const absl::StatusOr<CryptDevice> crypt = first_use.Run(std::move(exclusive), content, intent_);
  if (!crypt.ok()) return crypt.status();
  const LuksHeader header = ReadLuksHeader(crypt->get());
  const HeaderPolicy policy{.allowed_ciphers = request_.allowed_ciphers, .data_offset_bytes = kDataOffsetBytes};
  if (absl::Status status = CheckHeader(crypt->get(), policy); !status.ok()) return FormatBegun(status);
  MayFail(options_.state_dir, FailPoint::kActivating);
  absl::StatusOr<Mapping> mapping = request_.leave_unmapped ? DescribeUnmapped(device, header, request_)
                                                            : ActivateAndVerify(device, crypt->get(), header);
  if (!mapping.ok()) return FormatBegun(mapping.status());
  MayFail(options_.state_dir, FailPoint::kActivated);
  return AttachResult{
      .outcome = AttachOutcome::kFormatted, .mapping = *std::move(mapping), .warnings = std::move(warnings_)};
}

absl::Status AttachOperation::CheckFirstUseAllowed(const BackingDevice& device, const VolumeContent& content) {
  const ErrorMetadata metadata = {{"device", device.Path()}, {"volume_id", request_.volume_id}};
  if (known_) {
    return MakeError(Reason::kVolumeHeaderLost,
                     absl::StrCat("device ", device.Path(), " reads as ", content.detail, ", but volume ",
                                  request_.volume_id, " was formatted as LUKS UUID ", known_->luks_uuid, " (record ",
                                  records_.PathOf(Kind::kKnown, request_.volume_id),
                                  "); check the path to the storage, or forget the volume if it was really made anew"),
                     metadata);
  }
  if (!records_status_.ok()) return records_status_;
  if (request_.leave_unmapped && request_.encryption.format != Format::kLuks1) {
    return MakeError(Reason::kUnsupportedEncryption, "QEMU opens LUKS1 alone; nothing else is made for it",
                     {{"field", "encryption.format"}});
  }
  if (request_.read_only || !request_.may_format) {
    return MakeError(Reason::kVolumeNotFormatted,
                     absl::StrCat("device ", device.Path(), " is not formatted, and this request may not format it"),
                     metadata);
  }
  if (device.SizeBytes() < kDataOffsetBytes + kMinDataBytes) {
    return MakeError(Reason::kDeviceTooSmall,
                     absl::StrCat("device ", device.Path(), " has ", device.SizeBytes(), " bytes; a volume needs ",
                                  kDataOffsetBytes + kMinDataBytes),
                     metadata);
  }
  const Encryption& wanted = request_.encryption;
  if ((wanted.format != Format::kLuks1 && wanted.format != Format::kLuks2) ||
      !IsAllowedEncryption(wanted, request_.allowed_ciphers)) {
    return MakeError(
        Reason::kUnsupportedEncryption,
        absl::StrCat("cipher ", wanted.cipher, " with a volume key of ", wanted.key_size_bits, " bits is not allowed"),
        {{"field", "encryption"}});
  }
  const uint32_t sector = wanted.sector_size_bytes;
  if (sector < device.LogicalBlockBytes() || device.SizeBytes() % sector != 0) {
    return MakeError(
        Reason::kUnsupportedEncryption,
        absl::StrCat("encryption sectors of ", sector, " bytes do not fit device ", device.Path(), " with blocks of ",
                     device.LogicalBlockBytes(), " and ", device.SizeBytes(), " bytes"),
        {{"field", "encryption.sector_size_bytes"}, {"device", device.Path()}});
  }
  return absl::OkStatus();
}

absl::Status AttachOperation::RefuseContent(const BackingDevice& device, const VolumeContent& content) const {
  const std::string found = absl::StrCat("device ", device.Path(), " holds ", content.detail);
  const ErrorMetadata metadata = {{"device", device.Path()}, {"found", content.detail}};
  switch (content.content) {
    case Content::kDamagedHeader:
      return MakeError(Reason::kHeaderDamaged, found + "; nothing was written; restore the header from a backup",
                       metadata);
    case Content::kErased:
      return MakeError(Reason::kVolumeErased, found + "; its data cannot be opened again", metadata);
    case Content::kIncompleteFormat:
      if (known_ && content.header && known_->luks_uuid == content.header->uuid) {
        return MakeError(Reason::kVolumeErased, found + "; this host once formatted it completely", metadata);
      }
      return MakeError(Reason::kFormatIncomplete,
                       found + "; the host that began to format it can finish, others refuse", metadata);
    default:
      return MakeError(Reason::kDeviceNotBlank,
                       found + "; nothing was written; wipe the device if its data is not wanted", metadata);
  }
}

absl::StatusOr<Mapping> AttachOperation::ActivateAndVerify(const BackingDevice& device, crypt_device* crypt,
                                                           const LuksHeader& header) {
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(*key_);
  if (!passphrase.ok()) return passphrase.status();
  if (caller_has_gone_()) return MakeError(Reason::kDeviceTimedOut, "the caller has gone; nothing was activated");
  const absl::Status activated = Activate(
      crypt, *passphrase,
      {.mapping_name = mapping_name_, .read_only = request_.read_only, .allow_discards = request_.allow_discards});
  if (!activated.ok()) return activated;
  absl::Status failure;
  const absl::StatusOr<std::optional<DmDevice>> made = mapper_.Find(mapping_name_);
  if (!made.ok()) {
    failure = made.status();
  } else if (!made->has_value()) {
    failure = MakeError(Reason::kKernelUnsupported, "the mapping vanished as soon as it was made");
  } else {
    failure = CheckActivated(device, header, **made);
  }
  if (!failure.ok()) return WithRollbackError(failure, mapper_.Remove(mapping_name_, /*deferred=*/true).status());
  Mapping mapping = DescribeMapping(request_.volume_id, **made, records_);
  if (!header.volume_id.empty() && header.volume_id != request_.volume_id) mapping.header_volume_id = header.volume_id;
  return mapping;
}

// The kernel's table is what counts: it must say what the checked header said, and nothing more.
absl::Status AttachOperation::CheckActivated(const BackingDevice& device, const LuksHeader& header,
                                             const DmDevice& made) const {
  const std::string wrong = DifferenceFrom(header, request_, device.Number(), device.SizeBytes(), made);
  if (wrong.empty()) return absl::OkStatus();
  return MakeError(
      Reason::kHeaderRefused,
      absl::StrCat("the kernel's mapping differs from the header that was checked: ", wrong, "; it was removed again"),
      {{"device", device.Path()}, {"differs", wrong}});
}

// What has been opened with its key is what it is: the intent is done with, and the record follows the header (a backup
// restored over the volume changes its UUID).
void AttachOperation::RecordOpened(const LuksHeader& header) {
  if (intent_) {
    const absl::Status removed = records_.Remove(Kind::kIntent, request_.volume_id);
    if (!removed.ok()) warnings_.emplace_back(removed.message());
  }
  const bool same = known_ && known_->luks_uuid == header.uuid;
  if (known_ && !same) {
    warnings_.push_back(absl::StrCat("volume ", request_.volume_id, " was LUKS ", known_->luks_uuid,
                                     " when this host last opened it, and is LUKS ", header.uuid, " now"));
  }
  const bool same_key =
      known_ && known_->key.key_id == request_.key.key_id && known_->key.key_manager == request_.key.key_manager;
  if (same && same_key && !known_->cipher.empty()) return;
  VolumeRecord record{.volume_id = request_.volume_id,
                      .luks_uuid = header.uuid,
                      .format = header.encryption.format,
                      .cipher = header.encryption.cipher,
                      .key_size_bits = header.encryption.key_size_bits,
                      .sector_size_bytes = header.encryption.sector_size_bytes,
                      .key = request_.key};
  if (same) {
    record.formatted_at = known_->formatted_at;
    record.data_offset_bytes = known_->data_offset_bytes;
  } else if (intent_ && intent_->luks_uuid == header.uuid) {
    record.formatted_at = intent_->formatted_at;
    record.data_offset_bytes = intent_->data_offset_bytes;
  }
  const absl::Status written = records_.Write(Kind::kKnown, record);
  if (!written.ok()) warnings_.emplace_back(written.message());
}

}  // namespace volcrypt
