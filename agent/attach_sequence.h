#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/first_use.h"
#include "agent/keys/key_manager.h"
#include "agent/operation_slots.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

struct AttachAnswer {
  Mapping mapping;
  bool formatted = false;
  bool already_attached = false;
  std::vector<std::string> warnings;  // for the log
  // Why the first-use record beside the key could not be read or written, and whose it is: the name of its section.
  absl::Status record_error;
  std::string key_manager;
  SecretBytes passphrase;           // that opens it; where it was asked to be kept
  std::string libvirt_secret_uuid;  // empty: none
};

struct FormatPlan {
  std::string_view will;  // what will be done, in words
  std::string luks_uuid;
  std::string device_identity;  // as Mapping::device_identity
};

// Asked before a device is formatted. An error keeps it from being done.
using BeforeFormat = std::function<absl::Status(const FormatPlan& plan)>;

// One attach: the order in which the encryptor and the key manager are asked. Errors keep their precedence (request,
// caller, attachment state, device, header, key, kernel) although the key is fetched before the device is looked at,
// which spares the usual attach a second worker. A slot is held while the encryptor works and never while a key manager
// is asked, so that one which hangs holds up nobody else. Runs once.
class AttachSequence {
 public:
  struct Surroundings {
    Encryptor& encryptor;
    OperationSlots& slots;
    KeyManager& key_manager;  // of the request's key; the default one when it names none
    const std::string& default_key_manager;
    const std::string& host;
    const BeforeFormat& before_format;
    bool keep_passphrase = false;
  };

  AttachSequence(const Surroundings& surroundings, AttachRequest request, const KeyCall& call);

  // `mapped`: the kernel has a mapping of this volume.
  absl::StatusOr<AttachAnswer> Run(bool mapped);

 private:
  absl::StatusOr<AttachAnswer> RunSteps(bool mapped);
  absl::StatusOr<AttachResult> Open(bool mapped);
  absl::StatusOr<AttachResult> OpenWith(const Key* key);
  absl::Status ChooseKey();
  const absl::StatusOr<Key>& FetchedKey();
  void LetGoOfKey();

  absl::StatusOr<AttachAnswer> Refused(const absl::Status& refusal);
  absl::StatusOr<AttachAnswer> OrFormattedMeanwhile(FirstUseDialogue& first_use, const absl::Status& refusal);
  absl::StatusOr<AttachAnswer> FormatBlank(const AttachResult& blank);
  absl::Status AskBeforeFormat(const std::string& luks_uuid, const AttachResult& blank) const;
  absl::StatusOr<AttachAnswer> Format(FirstUseDialogue& first_use, const std::string& luks_uuid);
  absl::StatusOr<AttachAnswer> Confirm(FirstUseDialogue& first_use, AttachResult result);
  absl::Status CloseAfter(const absl::Status& error);
  AttachAnswer AlreadyAttached(AttachResult result) const;
  AttachAnswer Opened(FirstUseDialogue& first_use, AttachResult result) const;
  AttachAnswer AnswerOf(AttachResult result, const FirstUseDialogue& first_use) const;
  FirstUseDialogue Dialogue() const;
  KeyCall Until(absl::Time deadline) const { return key_call_.Until(deadline); }

  const Surroundings surroundings_;
  AttachRequest request_;
  const KeyCall key_call_;
  const absl::Time deadline_;
  std::optional<absl::StatusOr<Key>> key_;  // once it was asked for
  absl::StatusOr<SecretBytes> passphrase_ = SecretBytes();
};

}  // namespace volcrypt
