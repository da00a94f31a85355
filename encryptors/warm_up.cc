#include "encryptors/warm_up.h"

#include <libcryptsetup.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "encryptors/crypt_device.h"
#include "encryptors/device_mapper.h"
#include "encryptors/secret_bytes.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

constexpr off_t kImageBytes = off_t{4} << 20;
constexpr uint64_t kMetadataBytes = uint64_t{16} << 10;
constexpr uint64_t kKeyslotsBytes = uint64_t{256} << 10;
constexpr uint64_t kDataOffsetSectors = 2048;
constexpr size_t kVolumeKeyBytes = 32;

// Protects nothing: the image holds no data and goes with its descriptor.
constexpr char kPassphrase[] = "warm";
constexpr size_t kPassphraseSize = sizeof(kPassphrase) - 1;

constexpr size_t kMaxOwnedBytes = size_t{8} << 20;
constexpr char kNoMapping[] = "volcrypt-warm-up";

std::string PathOf(const UniqueFd& image) { return "/proc/self/fd/" + std::to_string(image.Get()); }

// Gives this process its own copies of the pages that the fork left shared. Lines of proc_pid_maps(5) begin
// "7f0c3a000000-7f0c3a021000 rw-p".
void OwnWritablePages() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    const char* const last = line.data() + line.size();
    const char* const dash = std::from_chars(line.data(), last, begin, 16).ptr;
    if (dash == last) continue;
    const char* const blank = std::from_chars(dash + 1, last, end, 16).ptr;
    if (!std::string_view(blank, last).starts_with(" rw-p") || end - begin > kMaxOwnedBytes) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel tells addresses as text
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
  }
}

bool FormatImage(const std::string& path) {
  crypt_pbkdf_type pbkdf = {};
  pbkdf.type = CRYPT_KDF_PBKDF2;
  pbkdf.hash = "sha256";
  pbkdf.iterations = 1000;
  pbkdf.flags = CRYPT_PBKDF_NO_BENCHMARK;
  crypt_params_luks2 params = {};
  params.pbkdf = &pbkdf;
  params.sector_size = 512;
  crypt_device* raw = nullptr;
  if (crypt_init(&raw, path.c_str()) != 0) return false;
  const CryptDevice crypt(raw);
  return crypt_set_metadata_size(raw, kMetadataBytes, kKeyslotsBytes) == 0 &&
         crypt_set_data_offset(raw, kDataOffsetSectors) == 0 &&
         crypt_format(raw, CRYPT_LUKS2, "aes", "xts-plain64", nullptr, nullptr, kVolumeKeyBytes, &params) == 0 &&
         crypt_keyslot_add_by_volume_key(raw, 0, nullptr, 0, kPassphrase, kPassphraseSize) >= 0;
}

}  // namespace

WarmUp::WarmUp() {
  SetUpLibcryptsetup();
  UniqueFd image(memfd_create("volcrypt-warm-up", MFD_CLOEXEC));
  if (!image.IsValid() || ftruncate(image.Get(), kImageBytes) != 0 || !FormatImage(PathOf(image))) return;
  image_ = std::move(image);
  Unlock();
}

void WarmUp::Repeat() const {
  Unlock();
  SecretBytes::Allocate(1).status().IgnoreError();
  DeviceMapper().Find(kNoMapping).status().IgnoreError();
  OwnWritablePages();
}

void WarmUp::Unlock() const {
  crypt_device* raw = nullptr;
  if (!image_.IsValid() || crypt_init(&raw, PathOf(image_).c_str()) != 0) return;
  const CryptDevice crypt(raw);
  if (crypt_load(raw, CRYPT_LUKS, nullptr) != 0) return;
  (void)crypt_activate_by_passphrase(raw, nullptr, CRYPT_ANY_SLOT, kPassphrase, kPassphraseSize, 0);
}

}  // namespace volcrypt
