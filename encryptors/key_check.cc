#include "encryptors/key_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "encryptors/crypt_device.h"
#include "encryptors/header_policy.h"
#include "encryptors/luks.h"
#include "encryptors/mapping_description.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kSectorBytes = 512;

absl::Status Unreadable(const std::string& path, const std::string& what) {
  return MakeError(Reason::kDeviceIoError, absl::StrCat("device ", path, ": ", what), {{"device", path}});
}

absl::StatusOr<CryptDevice> LoadHeader(const UniqueFd& fd, const std::string& path) {
  absl::StatusOr<CryptDevice> crypt = NewCryptDevice(absl::StrCat("/proc/self/fd/", fd.Get()));
  if (!crypt.ok()) return crypt;
  const int result = crypt_load(crypt->get(), CRYPT_LUKS, nullptr);
  if (result == 0) return crypt;
  if (result == -ENOMEM) return MakeError(Reason::kOutOfMemory, CryptErrorText("reading the LUKS header", result));
  if (result != -EINVAL && result != -ENOENT) {
    return Unreadable(path, CryptErrorText("reading the LUKS header", result));
  }
  return MakeError(
      Reason::kHeaderDamaged,
      absl::StrCat("the volume is attached, but ", path, " no longer has a LUKS header that can be loaded"),
      {{"device", path}});
}

}  // namespace

absl::Status CheckKeyOpens(dev_t backing, const std::string& luks_uuid, const std::vector<std::string>& allowed_ciphers,
                           const Key& key) {
  const std::string path = KernelNodeOf(backing);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd.IsValid() || fstat(fd.Get(), &status) != 0) return Unreadable(path, strerror(errno));
  if (!S_ISBLK(status.st_mode) || status.st_rdev != backing) {
    return Unreadable(path, "is not the device that is mapped");
  }
  return CheckKeyOpens(fd, path, luks_uuid, allowed_ciphers, key);
}

absl::Status CheckKeyOpens(const UniqueFd& fd, const std::string& path, const std::string& luks_uuid,
                           const std::vector<std::string>& allowed_ciphers, const Key& key) {
  const absl::StatusOr<CryptDevice> crypt = LoadHeader(fd, path);
  if (!crypt.ok()) return crypt.status();
  if (luks_uuid != crypt_get_uuid(crypt->get())) {
    return MakeError(Reason::kAttachedDifferently,
                     absl::StrCat("the volume is attached as LUKS ", luks_uuid, ", but the header on ", path, " is of ",
                                  crypt_get_uuid(crypt->get()), "; detach it first"),
                     {{"device", path}, {"attached", luks_uuid}});
  }
  if (absl::Status sound = CheckHeader(crypt->get(), {.allowed_ciphers = allowed_ciphers}); !sound.ok()) return sound;
  if (strcmp(crypt_get_type(crypt->get()), CRYPT_LUKS1) == 0) {
    std::array<uint8_t, kSectorBytes> sector{};
    if (pread(fd.Get(), sector.data(), sector.size(), 0) != static_cast<ssize_t>(sector.size())) {
      return Unreadable(path, "its first sector cannot be read");
    }
    if (absl::Status sound = CheckLuks1Sector(sector); !sound.ok()) return sound;
  }
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(key);
  if (!passphrase.ok()) return passphrase.status();
  return VerifyPassphrase(crypt->get(), *passphrase);
}

}  // namespace volcrypt
