#include "encryptors/crypt_device.h"

#include <cstring>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// libcryptsetup's log callback is process-wide, and so is this: a worker runs one operation in one thread.
std::string& LastMessage() {
  static std::string& message = *new std::string;
  return message;
}

void KeepErrors(int level, const char* message, void*) {
  if (level == CRYPT_LOG_ERROR) LastMessage() = std::string(absl::StripAsciiWhitespace(message));
}

}  // namespace

void SetUpLibcryptsetup() {
  crypt_set_log_callback(nullptr, KeepErrors, nullptr);
  crypt_metadata_locking(nullptr, 0);
  crypt_token_external_disable();
}

std::string LastCryptMessage() { return LastMessage(); }

absl::StatusOr<CryptDevice> NewCryptDevice(const std::string& path) {
  crypt_device* device = nullptr;
  const int result = crypt_init(&device, path.c_str());
  if (result < 0) return MakeError(Reason::kDeviceIoError, CryptErrorText("opening the device", result));
  return CryptDevice(device);
}

std::string CryptErrorText(const std::string& what, int error) {
  const std::string line = LastCryptMessage();
  return absl::StrCat(what, ": ", strerror(-error), line.empty() ? "" : absl::StrCat(" (", line, ")"));
}

}  // namespace volcrypt
