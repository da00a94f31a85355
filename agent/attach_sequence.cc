#include "agent/attach_sequence.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/error_precedence.h"
#include "agent/header_key.h"
#include "encryptors/passphrase.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// A record that is only bookkeeping must not cost a caller an attach that has succeeded.
constexpr absl::Duration kBookkeepingTime = absl::Seconds(5);

// The deadline less a share of what is left of it, which is kept for what must come afterwards.
absl::Time Before(absl::Time deadline, double share) {
  const absl::Time now = absl::Now();
  return now + (deadline - now) * (1 - share);
}

bool KeyManagerIsAway(const absl::Status& error) {
  return HasReason(error, Reason::kKeyManagerUnavailable) || HasReason(error, Reason::kKeyManagerTimedOut);
}

absl::Status BrokenPromise(const AttachRequest& request, const std::string& what) {
  return MakeError(Reason::kWorkerFailed, absl::StrCat("the worker for volume ", request.volume_id, " ", what),
                   {{"volume_id", request.volume_id}});
}

// Whether the worker's refusal to format ended it for certain, with nothing on the device that another host could
// stumble over. Everything that tells of somebody else's work, of an interrupted write, or that may come from a worker
// which still runs, proves nothing: then the claim stays, and this host alone can go on with it.
bool ProvesNothingWritten(const absl::Status& refusal) {
  if (MetadataOf(refusal).contains(std::string(kFormatBegun))) return false;
  switch (ReasonOf(refusal).value_or(Reason::kWorkerFailed)) {
    case Reason::kInvalidField:
    case Reason::kInvalidVolumeId:
    case Reason::kInvalidKeyId:
    case Reason::kDeviceNotAllowed:
    case Reason::kUnsupportedEncryption:
    case Reason::kUnknownKeyManager:
    case Reason::kKeyRequired:
    case Reason::kDeviceNotFound:
    case Reason::kNotAttached:
    case Reason::kAttachedDifferently:
    case Reason::kVolumeNotFormatted:
    case Reason::kDeviceNotBlank:
    case Reason::kHeaderDamaged:
    case Reason::kVolumeHeaderLost:
    case Reason::kVolumeErased:
    case Reason::kHeaderMismatch:
    case Reason::kHeaderRefused:
    case Reason::kDeviceTooSmall:
    case Reason::kDeviceReadOnly:
    case Reason::kStateNotWritable:
    case Reason::kKernelUnsupported:
    case Reason::kKeyNotFound:
    case Reason::kKeyAccessDenied:
    case Reason::kKeyUnfit:
    case Reason::kKeyInUse:
    case Reason::kDeviceIoError:  // after the first byte it would say so
      return true;
    case Reason::kDeviceInUse:
    case Reason::kMappingInUse:
    case Reason::kFormatIncomplete:
    case Reason::kKeyRejected:  // only the check of a keyslot that was written can say so
    case Reason::kKeyManagerUnavailable:
    case Reason::kLibvirtUnavailable:
    case Reason::kHelperUnavailable:
    case Reason::kDraining:
    case Reason::kOperationInProgress:
    case Reason::kTooManyOperations:
    case Reason::kOutOfMemory:
    case Reason::kDeviceTimedOut:
    case Reason::kKeyManagerTimedOut:
    case Reason::kCallerTokenRejected:
    case Reason::kCallerUnknown:
    case Reason::kCallerNotAllowed:
    case Reason::kWorkerFailed:
      return false;
  }
  return false;
}

}  // namespace

AttachSequence::AttachSequence(const Surroundings& surroundings, AttachRequest request, const KeyCall& call)
    : surroundings_(surroundings), request_(std::move(request)), key_call_(call), deadline_(call.deadline) {}

absl::StatusOr<AttachAnswer> AttachSequence::Run(bool mapped) {
  absl::StatusOr<AttachAnswer> answer = RunSteps(mapped);
  if (!answer.ok()) return answer;
  if (passphrase_.ok()) {
    answer->passphrase = *std::move(passphrase_);
  } else if (!answer->already_attached) {
    return CloseAfter(passphrase_.status());
  }
  return answer;
}

// What is wrong with a key that has just opened the volume is lack of memory.
void AttachSequence::LetGoOfKey() {
  if (surroundings_.keep_passphrase && key_ && key_->ok()) passphrase_ = PassphraseOf(**key_);
  key_.reset();
}

absl::StatusOr<AttachAnswer> AttachSequence::RunSteps(bool mapped) {
  absl::StatusOr<AttachResult> result = Open(mapped);
  if (!result.ok()) return Refused(result.status());
  // What comes after a volume was opened needs no key, and may wait for a key manager.
  if (result->outcome != AttachOutcome::kBlank) LetGoOfKey();
  switch (result->outcome) {
    case AttachOutcome::kAlreadyAttached:
      return AlreadyAttached(*std::move(result));
    case AttachOutcome::kOpened: {
      FirstUseDialogue first_use = Dialogue();
      return Opened(first_use, *std::move(result));
    }
    case AttachOutcome::kBlank:
      if (!request_.may_format) return BrokenPromise(request_, "offered to format what may not be formatted");
      return FormatBlank(*result);
    case AttachOutcome::kKeyNeeded:
      return BrokenPromise(request_, "asked for the key that it had been given");
    case AttachOutcome::kFormatted:
      return BrokenPromise(request_, "formatted without being told to");
  }
  return BrokenPromise(request_, "gave an answer that is not known");
}

// An idempotent repeat needs no key, so it must work while the key manager is away.
absl::StatusOr<AttachResult> AttachSequence::Open(bool mapped) {
  if (mapped) {
    absl::StatusOr<AttachResult> result = OpenWith(nullptr);
    if (!result.ok() || result->outcome != AttachOutcome::kKeyNeeded) return result;
  }
  if (absl::Status chosen = ChooseKey(); !chosen.ok()) return chosen;
  const absl::StatusOr<Key>& key = FetchedKey();
  if (key.ok()) return OpenWith(&*key);
  if (mapped || ComesBeforeDevice(key.status()) || absl::Now() >= deadline_) return key.status();
  absl::StatusOr<AttachResult> result = OpenWith(nullptr);
  if (result.ok() && result->outcome == AttachOutcome::kKeyNeeded) return key.status();
  return result;
}

absl::StatusOr<AttachResult> AttachSequence::OpenWith(const Key* key) {
  const absl::StatusOr<OperationSlots::Slot> slot = surroundings_.slots.Take(deadline_);
  if (!slot.ok()) return slot.status();
  return surroundings_.encryptor.Attach(request_, key, deadline_);
}

absl::Status AttachSequence::ChooseKey() {
  if (!request_.key.key_id.empty()) return absl::OkStatus();
  const absl::StatusOr<OperationSlots::Slot> slot = surroundings_.slots.Take(deadline_);
  if (!slot.ok()) return slot.status();
  const absl::StatusOr<Inspection> inspection = surroundings_.encryptor.Inspect(request_.device, deadline_);
  if (!inspection.ok()) return inspection.status();
  absl::StatusOr<KeyReference> key =
      KeyNamedByHeader(*inspection, request_.volume_id, surroundings_.default_key_manager);
  if (!key.ok()) return key.status();
  request_.key = *std::move(key);
  return absl::OkStatus();
}

const absl::StatusOr<Key>& AttachSequence::FetchedKey() {
  // A key manager that does not answer leaves time to say what else is wrong.
  if (!key_) key_ = surroundings_.key_manager.Get(request_.key.key_id, Until(Before(deadline_, 0.25)));
  return *key_;
}

// What another host's first use has written so far looks like damage or like somebody's data, and the advice for those
// would destroy it. Where it can be seen to be half of a header, only the record knows which host can finish.
absl::StatusOr<AttachAnswer> AttachSequence::Refused(const absl::Status& refusal) {
  if (!HasReason(refusal, Reason::kDeviceNotBlank) && !HasReason(refusal, Reason::kHeaderDamaged) &&
      !HasReason(refusal, Reason::kFormatIncomplete)) {
    return refusal;
  }
  if (request_.key.key_id.empty()) return refusal;
  const absl::Time deadline = std::min(Before(deadline_, 0.5), absl::Now() + kBookkeepingTime);
  FirstUseDialogue first_use = Dialogue();
  if (absl::Status begun = first_use.CheckBegunElsewhere(Until(deadline)); !begun.ok()) return begun;
  return OrFormattedMeanwhile(first_use, refusal);
}

// The refusal stands, unless another host ended the first use between the look at the device and that at the record:
// then a second look, which formats nothing, finds a volume that opens.
absl::StatusOr<AttachAnswer> AttachSequence::OrFormattedMeanwhile(FirstUseDialogue& first_use,
                                                                  const absl::Status& refusal) {
  if (!first_use.IsFormattedElsewhere() || !FetchedKey().ok()) return refusal;
  absl::StatusOr<AttachResult> result = OpenWith(&*FetchedKey());
  // What is open in this kernel is neither lost nor damaged.
  if (HasReason(result.status(), Reason::kAttachedDifferently)) return result.status();
  if (!result.ok() || result->outcome != AttachOutcome::kOpened) return refusal;
  LetGoOfKey();
  return Opened(first_use, *std::move(result));
}

absl::StatusOr<AttachAnswer> AttachSequence::FormatBlank(const AttachResult& blank) {
  FirstUseDialogue first_use = Dialogue();
  if (const absl::StatusOr<Key>& key = FetchedKey(); !key.ok()) {
    // Nothing is claimed that cannot be formatted; but what the record forbids is told before what the key lacks.
    if (ComesBeforeDevice(key.status()) || KeyManagerIsAway(key.status())) return key.status();
    absl::Status checked = first_use.Check(blank.resume_uuid, Until(deadline_));
    return checked.ok() ? key.status() : checked;
  }
  const absl::StatusOr<std::string> luks_uuid = first_use.Claim(blank.resume_uuid, Until(Before(deadline_, 0.25)));
  if (!luks_uuid.ok()) return OrFormattedMeanwhile(first_use, luks_uuid.status());
  if (absl::Status agreed = AskBeforeFormat(*luks_uuid, blank); !agreed.ok()) {
    return WithRollbackError(agreed, first_use.Withdraw(Until(deadline_)));
  }
  return Format(first_use, *luks_uuid);
}

absl::Status AttachSequence::AskBeforeFormat(const std::string& luks_uuid, const AttachResult& blank) const {
  if (!surroundings_.before_format) return absl::OkStatus();
  return surroundings_.before_format(
      {.will = blank.resume_uuid.empty() ? "formats the blank device"
                                         : "formats the device, on which this volume's first use was interrupted",
       .luks_uuid = luks_uuid,
       .device_identity = blank.mapping.device_identity});
}

absl::StatusOr<AttachAnswer> AttachSequence::Format(FirstUseDialogue& first_use, const std::string& luks_uuid) {
  AttachRequest request = request_;
  request.format_as_uuid = luks_uuid;
  std::optional<absl::StatusOr<OperationSlots::Slot>> slot = surroundings_.slots.Take(Before(deadline_, 0.25));
  // No worker has seen the request to format.
  if (!slot->ok()) return WithRollbackError(slot->status(), first_use.Withdraw(Until(deadline_)));
  absl::StatusOr<AttachResult> result = surroundings_.encryptor.Attach(request, &*FetchedKey(), deadline_);
  slot.reset();
  LetGoOfKey();
  if (!result.ok()) {
    if (!ProvesNothingWritten(result.status())) return result.status();
    return WithRollbackError(result.status(), first_use.Withdraw(Until(deadline_)));
  }
  switch (result->outcome) {
    case AttachOutcome::kFormatted:
      if (result->mapping.luks_uuid == luks_uuid) return Confirm(first_use, *std::move(result));
      return CloseAfter(BrokenPromise(request_, "formatted as another LUKS UUID than it was told"));
    case AttachOutcome::kOpened:
    case AttachOutcome::kAlreadyAttached:
      return Opened(first_use, *std::move(result));
    case AttachOutcome::kBlank:
    case AttachOutcome::kKeyNeeded:
      break;
  }
  return BrokenPromise(request_, "was told to format and neither did nor said why");
}

absl::StatusOr<AttachAnswer> AttachSequence::Confirm(FirstUseDialogue& first_use, AttachResult result) {
  absl::Status confirmed = first_use.Confirm(result.mapping.luks_uuid, Until(Before(deadline_, 0.25)));
  if (confirmed.ok()) return AnswerOf(std::move(result), first_use);
  if (KeyManagerIsAway(confirmed)) {
    confirmed = MakeError(Reason::kKeyManagerUnavailable,
                          absl::StrCat("volume ", request_.volume_id,
                                       " was formatted and is closed again, because its first-use record could not be "
                                       "confirmed: ",
                                       confirmed.message(), "; try again"),
                          MetadataOf(confirmed));
  }
  return CloseAfter(confirmed);
}

// Without a slot: what was opened must be closed however busy the host is, and no operation does this twice. Deferred:
// whoever probes the new mapping just then must not keep it open.
absl::Status AttachSequence::CloseAfter(const absl::Status& error) {
  const DetachRequest request{.volume_id = request_.volume_id, .device = "", .deferred = true};
  return WithRollbackError(error, surroundings_.encryptor.Detach(request, deadline_).status());
}

AttachAnswer AttachSequence::AlreadyAttached(AttachResult result) const {
  FirstUseDialogue first_use = Dialogue();
  if (!request_.key.key_id.empty()) {
    const absl::Time deadline = std::min(Before(deadline_, 0.5), absl::Now() + kBookkeepingTime);
    first_use.NoteAttached(result.mapping.luks_uuid, Until(deadline));
  }
  return AnswerOf(std::move(result), first_use);
}

AttachAnswer AttachSequence::Opened(FirstUseDialogue& first_use, AttachResult result) const {
  const absl::Time deadline = std::min(Before(deadline_, 0.5), absl::Now() + kBookkeepingTime);
  first_use.NoteOpened(result.mapping.luks_uuid, Until(deadline));
  return AnswerOf(std::move(result), first_use);
}

AttachAnswer AttachSequence::AnswerOf(AttachResult result, const FirstUseDialogue& first_use) const {
  AttachAnswer answer{.mapping = std::move(result.mapping),
                      .formatted = result.outcome == AttachOutcome::kFormatted,
                      .already_attached = result.outcome == AttachOutcome::kAlreadyAttached,
                      .warnings = std::move(result.warnings),
                      .record_error = first_use.RecordError(),
                      .key_manager = request_.key.key_manager};
  const std::vector<std::string>& more = first_use.Warnings();
  answer.warnings.insert(answer.warnings.end(), more.begin(), more.end());
  return answer;
}

FirstUseDialogue AttachSequence::Dialogue() const {
  return {surroundings_.key_manager, request_.key.key_id, request_.volume_id, surroundings_.host};
}

}  // namespace volcrypt
