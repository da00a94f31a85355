#include "encryptors/luks.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// The least that LUKS2 takes and that NIST SP 800-132 recommends. A slow derivation protects guessable passphrases; for
// 128 random bits it would only cost every attach two seconds.
constexpr uint32_t kFastIterations = 1000;

constexpr uint32_t kSlowPbkdf2Iterations = 3'000'000;  // LUKS1 knows nothing else
constexpr uint32_t kSlowArgon2Passes = 4;
constexpr uint32_t kSlowArgon2MemoryKib = uint32_t{256} << 10;
constexpr uint32_t kSlowArgon2Threads = 2;

constexpr size_t kMaxLabel = 47;  // LUKS2 header: 48 bytes with the NUL

crypt_pbkdf_type FastPbkdf() {
  crypt_pbkdf_type pbkdf = {};
  pbkdf.type = CRYPT_KDF_PBKDF2;
  pbkdf.hash = "sha256";
  pbkdf.iterations = kFastIterations;
  // Without the flag libcryptsetup measures this machine for a second first.
  pbkdf.flags = CRYPT_PBKDF_NO_BENCHMARK;
  return pbkdf;
}

crypt_pbkdf_type SlowPbkdf(bool luks2) {
  crypt_pbkdf_type pbkdf = FastPbkdf();
  if (!luks2) {
    pbkdf.iterations = kSlowPbkdf2Iterations;
    return pbkdf;
  }
  pbkdf.type = CRYPT_KDF_ARGON2ID;
  pbkdf.iterations = kSlowArgon2Passes;
  pbkdf.max_memory_kb = kSlowArgon2MemoryKib;
  pbkdf.parallel_threads = kSlowArgon2Threads;
  return pbkdf;
}

absl::Status HeaderIoError(const BackingDevice& device, const std::string& what) {
  return MakeError(Reason::kDeviceIoError,
                   absl::StrCat("device ", device.Path(), ": ", what, "; check the path to the storage"),
                   {{"device", device.Path()}});
}

bool IsLuks2(crypt_device* device) { return strcmp(crypt_get_type(device), CRYPT_LUKS2) == 0; }

int FormatLuks2(crypt_device* crypt, const Encryption& encryption, const std::pair<std::string, std::string>& cipher,
                const std::string& luks_uuid, const std::string& volume_id) {
  const crypt_pbkdf_type pbkdf = FastPbkdf();
  crypt_params_luks2 params = {};
  params.pbkdf = &pbkdf;
  params.sector_size = encryption.sector_size_bytes;
  params.label = volume_id.size() <= kMaxLabel ? volume_id.c_str() : nullptr;
  params.subsystem = "volcrypt";
  int result = crypt_set_metadata_size(crypt, kLuks2MetadataBytes, kLuks2KeyslotsBytes);
  if (result == 0) result = crypt_set_data_offset(crypt, kDataOffsetBytes / 512);
  if (result != 0) return result;
  return crypt_format(crypt, CRYPT_LUKS2, cipher.first.c_str(), cipher.second.c_str(), luks_uuid.c_str(), nullptr,
                      encryption.key_size_bits / 8, &params);
}

int FormatLuks1(crypt_device* crypt, const Encryption& encryption, const std::pair<std::string, std::string>& cipher,
                const std::string& luks_uuid) {
  const crypt_pbkdf_type pbkdf = FastPbkdf();
  crypt_params_luks1 params = {};
  params.hash = "sha256";
  params.data_alignment = kDataOffsetBytes / 512;
  const int result = crypt_set_pbkdf_type(crypt, &pbkdf);
  if (result != 0) return result;
  return crypt_format(crypt, CRYPT_LUKS1, cipher.first.c_str(), cipher.second.c_str(), luks_uuid.c_str(), nullptr,
                      encryption.key_size_bits / 8, &params);
}

absl::Status UnlockError(crypt_device* device, const std::string& what, int error) {
  if (error == -EPERM || error == -ENOENT) {
    return MakeError(Reason::kKeyRejected,
                     absl::StrCat("the key does not open the volume with LUKS UUID ", crypt_get_uuid(device),
                                  "; check which key it belongs to"),
                     {{"luks_uuid", crypt_get_uuid(device)}});
  }
  const std::string text = CryptErrorText(what, error);
  if (error == -EBUSY || error == -EEXIST) return MakeError(Reason::kDeviceInUse, text);
  if (error == -EIO) return MakeError(Reason::kDeviceIoError, text);
  if (error == -ENOMEM) return MakeError(Reason::kOutOfMemory, text);
  return MakeError(Reason::kKernelUnsupported, text);
}

}  // namespace

absl::StatusOr<CryptDevice> LoadLuks(const BackingDevice& device) {
  absl::StatusOr<CryptDevice> crypt = NewCryptDevice(device.PinnedPath());
  if (!crypt.ok()) return crypt;
  const int result = crypt_load(crypt->get(), CRYPT_LUKS, nullptr);
  if (result == 0) return crypt;
  if (result == -EIO) return HeaderIoError(device, CryptErrorText("reading the LUKS header", result));
  if (result == -ENOMEM) return MakeError(Reason::kOutOfMemory, CryptErrorText("reading the LUKS header", result));
  return CryptDevice();
}

absl::StatusOr<CryptDevice> FormatLuks(const BackingDevice& device, const Encryption& encryption,
                                       const std::string& luks_uuid, const std::string& volume_id) {
  absl::StatusOr<CryptDevice> crypt = NewCryptDevice(device.PinnedPath());
  if (!crypt.ok()) return crypt;
  // "aes-xts-plain64": libcryptsetup wants cipher and mode apart.
  const std::pair<std::string, std::string> cipher = absl::StrSplit(encryption.cipher, absl::MaxSplits('-', 1));
  const int result = encryption.format == Format::kLuks1
                         ? FormatLuks1(crypt->get(), encryption, cipher, luks_uuid)
                         : FormatLuks2(crypt->get(), encryption, cipher, luks_uuid, volume_id);
  if (result == 0) return crypt;
  const std::string text = CryptErrorText("formatting", result);
  if (result == -EBUSY) return MakeError(Reason::kDeviceInUse, text);
  if (result == -ENOMEM) return MakeError(Reason::kOutOfMemory, text);
  // -EINVAL is what a LUKS1 header that does not read back gives; all else that it may mean was checked before.
  if (result == -EIO || result == -EINVAL) return HeaderIoError(device, text);
  return MakeError(Reason::kKernelUnsupported, text);
}

absl::Status AddKeyslot(crypt_device* device, const SecretBytes& passphrase, bool high_entropy) {
  const crypt_pbkdf_type pbkdf = high_entropy ? FastPbkdf() : SlowPbkdf(IsLuks2(device));
  // libcryptsetup does not keep the setting in the header: without this it would benchmark and take its default.
  if (const int result = crypt_set_pbkdf_type(device, &pbkdf); result != 0) {
    return MakeError(Reason::kKernelUnsupported, CryptErrorText("setting the key derivation", result));
  }
  const int slot = crypt_keyslot_add_by_volume_key(device, 0, nullptr, 0, passphrase.Text(), passphrase.Size());
  if (slot < 0) {
    return MakeError(slot == -ENOMEM ? Reason::kOutOfMemory : Reason::kDeviceIoError,
                     CryptErrorText("adding the keyslot", slot));
  }
  return absl::OkStatus();
}

absl::Status SetToken(crypt_device* device, const VolcryptToken& token) {
  const int result = crypt_token_json_set(device, CRYPT_ANY_TOKEN, ToTokenJson(token).c_str());
  if (result < 0) return MakeError(Reason::kDeviceIoError, CryptErrorText("writing the token", result));
  return absl::OkStatus();
}

absl::Status VerifyPassphrase(crypt_device* device, const SecretBytes& passphrase) {
  const uint32_t flags = IsLuks2(device) ? CRYPT_ACTIVATE_KEYRING_KEY | CRYPT_ACTIVATE_SERIALIZE_MEMORY_HARD_PBKDF : 0;
  const int slot =
      crypt_activate_by_passphrase(device, nullptr, CRYPT_ANY_SLOT, passphrase.Text(), passphrase.Size(), flags);
  return slot >= 0 ? absl::OkStatus() : UnlockError(device, "unlocking", slot);
}

absl::Status Activate(crypt_device* device, const SecretBytes& passphrase, const Activation& activation) {
  uint32_t flags = CRYPT_ACTIVATE_IGNORE_PERSISTENT;
  // LUKS1 has no place in the kernel keyring; its volume key is in the dm table, readable by root.
  if (IsLuks2(device)) flags |= CRYPT_ACTIVATE_KEYRING_KEY | CRYPT_ACTIVATE_SERIALIZE_MEMORY_HARD_PBKDF;
  if (activation.read_only) flags |= CRYPT_ACTIVATE_READONLY;
  if (activation.allow_discards) flags |= CRYPT_ACTIVATE_ALLOW_DISCARDS;
  const int slot = crypt_activate_by_passphrase(device, activation.mapping_name.c_str(), CRYPT_ANY_SLOT,
                                                passphrase.Text(), passphrase.Size(), flags);
  return slot >= 0 ? absl::OkStatus() : UnlockError(device, "activating the mapping", slot);
}

}  // namespace volcrypt
