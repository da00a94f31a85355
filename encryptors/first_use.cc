#include "encryptors/first_use.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/content_probe.h"
#include "encryptors/fail_point.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using Kind = VolumeRecords::Kind;

}  // namespace

absl::Status FormatBegun(const absl::Status& error) { return WithMetadata(error, kFormatBegun, "true"); }

FirstUse::FirstUse(const BackingDevice& device, std::string identity, const VolumeRecords& records,
                   const AttachRequest& request, const Key& key, const std::string& state_dir,
                   const std::function<bool()>& caller_has_gone)
    : device_(device),
      identity_(std::move(identity)),
      records_(records),
      request_(request),
      key_(key),
      state_dir_(state_dir),
      caller_has_gone_(caller_has_gone) {}

absl::StatusOr<CryptDevice> FirstUse::Run(UniqueFd exclusive, const VolumeContent& content,
                                          const std::optional<VolumeRecord>& intent) {
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(key_);
  if (!passphrase.ok()) return passphrase.status();
  MayFail(state_dir_, FailPoint::kLookedOnce);
  if (absl::Status status = ProveBlank(exclusive.Get(), content, intent); !status.ok()) return status;
  MayFail(state_dir_, FailPoint::kBlankProven);
  if (absl::Status status = StopIfCallerHasGone(); !status.ok()) return status;

  // From here on a crash leaves a device that only this intent allows to be formatted again.
  VolumeRecord begun = NewRecord();
  absl::StatusOr<std::string> lasting = device_.ReadLastingIdentity();
  if (!lasting.ok()) return lasting.status();
  begun.device = *std::move(lasting);
  // Random bytes of a LUKS1 wipe may be left until this format has written over them all.
  if (intent && content.content != Content::kBlank && intent->format == Format::kLuks1) begun.format = Format::kLuks1;
  if (absl::Status status = records_.Write(Kind::kIntent, begun); !status.ok()) return status;
  MayFail(state_dir_, FailPoint::kIntentWritten);
  absl::StatusOr<CryptDevice> crypt = WriteAndRecord(std::move(exclusive), *passphrase);
  if (!crypt.ok()) return FormatBegun(crypt.status());
  return crypt;
}

absl::StatusOr<CryptDevice> FirstUse::WriteAndRecord(UniqueFd exclusive, const SecretBytes& passphrase) {
  absl::StatusOr<CryptDevice> crypt = WriteHeader(std::move(exclusive), passphrase);
  if (!crypt.ok()) return crypt;
  const Encryption made = ReadLuksHeader(crypt->get()).encryption;
  VolumeRecord known = NewRecord();
  known.cipher = made.cipher;
  known.key_size_bits = made.key_size_bits;
  known.sector_size_bytes = made.sector_size_bytes;
  if (absl::Status status = records_.Write(Kind::kKnown, known); !status.ok()) return status;
  MayFail(state_dir_, FailPoint::kKnownRecorded);
  if (absl::Status status = records_.Remove(Kind::kIntent, request_.volume_id); !status.ok()) return status;
  MayFail(state_dir_, FailPoint::kIntentRemoved);
  return crypt;
}

// The caller has looked once; this is the second look, on the same descriptor. Two looks are no proof against storage
// that lies, which is why records forbid what a blank look would allow.
absl::Status FirstUse::ProveBlank(int direct, const VolumeContent& content, const std::optional<VolumeRecord>& intent) {
  absl::Status looked = content.content == Content::kBlank
                            ? LookAgainForData(direct)
                            : LookAgainForInterruptedFormat(direct, content, intent.value());
  if (!looked.ok()) return looked;
  const absl::StatusOr<std::string> identity = device_.ReadIdentity();
  if (!identity.ok()) return identity.status();
  if (*identity == identity_) return absl::OkStatus();
  return MakeError(Reason::kDeviceNotBlank,
                   absl::StrCat("device ", device_.Path(), " changed its identity from ", identity_, " to ", *identity,
                                "; nothing was written"),
                   {{"device", device_.Path()}});
}

absl::Status FirstUse::LookAgainForData(int direct) {
  const absl::StatusOr<std::vector<Signature>> signatures = ReadSignatures(device_);
  if (!signatures.ok()) return signatures.status();
  const absl::StatusOr<std::optional<uint64_t>> data = FindData(device_, direct, 0);
  if (!data.ok()) return data.status();
  if (signatures->empty() && !data->has_value()) return absl::OkStatus();
  const std::string found =
      signatures->empty() ? absl::StrCat("data at byte ", **data) : DescribeSignatures(*signatures);
  return MakeError(
      Reason::kDeviceNotBlank,
      absl::StrCat("device ", device_.Path(), " was blank a moment ago and now holds ", found, "; nothing was written"),
      {{"device", device_.Path()}, {"found", found}});
}

absl::Status FirstUse::LookAgainForInterruptedFormat(int direct, const VolumeContent& content,
                                                     const VolumeRecord& intent) {
  const absl::StatusOr<bool> interrupted = IsInterruptedFormat(device_, direct, content, intent);
  if (!interrupted.ok()) return interrupted.status();
  if (*interrupted) return absl::OkStatus();
  return MakeError(Reason::kFormatIncomplete,
                   absl::StrCat("device ", device_.Path(), " changed while it was looked at; nothing was written"),
                   {{"device", device_.Path()}});
}

absl::StatusOr<CryptDevice> FirstUse::WriteHeader(UniqueFd exclusive, const SecretBytes& passphrase) {
  if (absl::Status status = StopIfCallerHasGone(); !status.ok()) return status;
  exclusive.Reset();
  MayFail(state_dir_, FailPoint::kFormatBegins);
  absl::StatusOr<CryptDevice> crypt =
      FormatLuks(device_, request_.encryption, request_.format_as_uuid, request_.volume_id);
  if (!crypt.ok()) return crypt;
  MayFail(state_dir_, FailPoint::kFormatted);

  absl::StatusOr<UniqueFd> again = device_.OpenExclusive();
  if (!again.ok()) return again.status();
  if (absl::Status status = AddKeyslot(crypt->get(), passphrase, key_.high_entropy); !status.ok()) return status;
  MayFail(state_dir_, FailPoint::kKeyslotAdded);
  if (request_.encryption.format == Format::kLuks2) {
    const VolcryptToken token{.volume_id = request_.volume_id, .key = request_.key, .created_at = absl::Now()};
    if (absl::Status status = SetToken(crypt->get(), token); !status.ok()) return status;
    MayFail(state_dir_, FailPoint::kTokenSet);
  }
  // A header read back from the device, not the one in memory, must open with the key.
  absl::StatusOr<CryptDevice> read_back = LoadLuks(device_);
  if (!read_back.ok()) return read_back;
  if (!*read_back || request_.format_as_uuid != crypt_get_uuid(read_back->get())) {
    return MakeError(Reason::kDeviceIoError,
                     absl::StrCat("device ", device_.Path(), " does not return the header that was written to it"),
                     {{"device", device_.Path()}});
  }
  if (absl::Status status = VerifyPassphrase(read_back->get(), passphrase); !status.ok()) return status;
  MayFail(state_dir_, FailPoint::kOpenVerified);
  return read_back;
}

absl::Status FirstUse::StopIfCallerHasGone() const {
  if (!caller_has_gone_()) return absl::OkStatus();
  return MakeError(Reason::kDeviceTimedOut, "the caller has gone; the volume was not formatted");
}

VolumeRecord FirstUse::NewRecord() const {
  return {.volume_id = request_.volume_id,
          .luks_uuid = request_.format_as_uuid,
          .format = request_.encryption.format,
          .key = request_.key,
          .formatted_at = absl::Now(),
          .data_offset_bytes = kDataOffsetBytes};
}

}  // namespace volcrypt
