#include "bench/floor.h"

#include <fcntl.h>
#include <libcryptsetup.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "bench/samples.h"
#include "encryptors/content_probe.h"
#include "encryptors/crypt_device.h"
#include "encryptors/luks_header.h"
#include "encryptors/unique_fd.h"

namespace volcrypt::bench {
namespace {

constexpr char kMapping[] = "bench-floor";
constexpr char kPassphrase[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr size_t kPassphraseSize = sizeof(kPassphrase) - 1;

void Check(int result, const char* what) {
  if (result < 0) Fail(std::string(what) + " failed: " + std::to_string(result));
}

CryptDevice Open(const std::string& device) {
  crypt_device* raw = nullptr;
  Check(crypt_init(&raw, device.c_str()), "crypt_init");
  return CryptDevice(raw);
}

uint32_t Flags(crypt_device* crypt) {
  return std::string(crypt_get_type(crypt)) == CRYPT_LUKS2 ? CRYPT_ACTIVATE_KEYRING_KEY : 0;
}

void Activate(crypt_device* crypt) {
  Check(crypt_activate_by_passphrase(crypt, kMapping, CRYPT_ANY_SLOT, kPassphrase, kPassphraseSize, Flags(crypt)),
        "crypt_activate_by_passphrase");
}

}  // namespace

void Floor::ReadBlankTwice() const {
  const UniqueFd fd(open(device_.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  uint64_t size = 0;
  if (!fd.IsValid() || ioctl(fd.Get(), BLKGETSIZE64, &size) != 0) Fail("opening " + device_);
  constexpr size_t kChunk = size_t{1} << 20;
  const std::unique_ptr<void, void (*)(void*)> buffer(aligned_alloc(4096, kChunk), free);
  for (int pass = 0; pass < 2; ++pass) {
    for (const ByteRange& range : BlankProofRanges(size, 0)) {
      for (uint64_t at = range.begin; at < range.end; at += kChunk) {
        const size_t wanted = static_cast<size_t>(std::min<uint64_t>(kChunk, range.end - at));
        if (pread(fd.Get(), buffer.get(), wanted, static_cast<off_t>(at)) != static_cast<ssize_t>(wanted)) {
          Fail("reading " + device_);
        }
      }
    }
  }
}

void Floor::FormatAndActivate(const std::string& type) const {
  const CryptDevice crypt = Open(device_);
  crypt_pbkdf_type pbkdf = {};
  pbkdf.type = CRYPT_KDF_PBKDF2;
  pbkdf.hash = "sha256";
  pbkdf.iterations = 1000;
  pbkdf.flags = CRYPT_PBKDF_NO_BENCHMARK;
  crypt_params_luks1 luks1 = {};
  luks1.hash = "sha256";
  crypt_params_luks2 luks2 = {};
  luks2.pbkdf = &pbkdf;
  luks2.sector_size = 512;
  Check(crypt_set_pbkdf_type(crypt.get(), &pbkdf), "crypt_set_pbkdf_type");
  void* params = &luks1;
  if (type == CRYPT_LUKS2) {
    params = &luks2;
    Check(crypt_set_metadata_size(crypt.get(), kLuks2MetadataBytes, kLuks2KeyslotsBytes), "crypt_set_metadata_size");
    Check(crypt_set_data_offset(crypt.get(), kDataOffsetBytes / 512), "crypt_set_data_offset");
  }
  Check(crypt_format(crypt.get(), type.c_str(), "aes", "xts-plain64", nullptr, nullptr, 64, params), "crypt_format");
  Check(crypt_keyslot_add_by_volume_key(crypt.get(), 0, nullptr, 0, kPassphrase, kPassphraseSize),
        "crypt_keyslot_add_by_volume_key");
  Activate(crypt.get());
}

void Floor::LoadAndActivate() const {
  const CryptDevice crypt = Open(device_);
  Check(crypt_load(crypt.get(), CRYPT_LUKS, nullptr), "crypt_load");
  Activate(crypt.get());
}

void Floor::Deactivate() const { Check(crypt_deactivate(nullptr, kMapping), "crypt_deactivate"); }

}  // namespace volcrypt::bench
