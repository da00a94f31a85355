#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "encryptors/crypt_device.h"

namespace volcrypt {

// A regular file that libcryptsetup takes for a device: headers can be made and read without device-mapper.
class LuksImage {
 public:
  explicit LuksImage(uint64_t size_bytes = uint64_t{32} << 20) {
    SetUpLibcryptsetup();
    const int fd = mkstemp(path_.data());
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(size_bytes)) != 0) abort();
    close(fd);
  }
  ~LuksImage() { unlink(path_.c_str()); }
  LuksImage(const LuksImage&) = delete;
  LuksImage& operator=(const LuksImage&) = delete;

  const std::string& Path() const { return path_; }

  // Formats with cheap parameters and one keyslot for `passphrase`.
  CryptDevice Format(const char* type, const std::string& passphrase, const char* cipher = "aes",
                     const char* mode = "xts-plain64", size_t key_bytes = 64) {
    CryptDevice crypt = Open();
    crypt_pbkdf_type pbkdf = {};
    pbkdf.type = CRYPT_KDF_PBKDF2;
    pbkdf.hash = "sha256";
    pbkdf.iterations = 1000;
    pbkdf.flags = CRYPT_PBKDF_NO_BENCHMARK;
    if (crypt_set_pbkdf_type(crypt.get(), &pbkdf) != 0 ||
        crypt_format(crypt.get(), type, cipher, mode, nullptr, nullptr, key_bytes, nullptr) != 0 ||
        crypt_keyslot_add_by_volume_key(crypt.get(), 0, nullptr, 0, passphrase.data(), passphrase.size()) != 0) {
      abort();
    }
    return crypt;
  }

  CryptDevice Open() const {
    crypt_device* crypt = nullptr;
    if (crypt_init(&crypt, path_.c_str()) != 0) abort();
    return CryptDevice(crypt);
  }

 private:
  std::string path_ = "/tmp/volcrypt-image-XXXXXX";
};

}  // namespace volcrypt
