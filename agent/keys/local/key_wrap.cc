#include "agent/keys/local/key_wrap.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

#include "agent/keys/local/random_bytes.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

struct CipherContextFree {
  // Wipes the key schedule too.
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree>;

void AppendNumber(uint32_t number, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((number >> shift) & 0xFF);
}

const uint8_t* BytesOf(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

absl::Status CipherFailed() {
  ERR_clear_error();
  return MakeError(Reason::kKeyManagerUnavailable, "the cryptographic library refused AES-256-GCM");
}

}  // namespace

std::string AssociatedData(const KeyBinding& binding) {
  std::string data;
  for (const std::string_view text :
       {std::string_view("volcrypt key 1"), binding.key_id, binding.type, binding.algorithm}) {
    AppendNumber(static_cast<uint32_t>(text.size()), data);
    data += text;
  }
  AppendNumber(binding.bit_length, data);
  return data;
}

absl::StatusOr<std::vector<uint8_t>> WrapSecret(const SecretBytes& kek, const SecretBytes& secret,
                                                std::string_view associated_data) {
  if (kek.Size() != kKekBytes) return CipherFailed();
  std::vector<uint8_t> wrapped(kNonceBytes + secret.Size() + kTagBytes);
  FillRandom(std::span(wrapped).first(kNonceBytes));
  uint8_t* const ciphertext = wrapped.data() + kNonceBytes;
  uint8_t* const tag = ciphertext + secret.Size();

  const CipherContext context(EVP_CIPHER_CTX_new());
  int length = 0;
  if (context == nullptr ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, kek.Bytes().data(), wrapped.data()) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &length, BytesOf(associated_data),
                        static_cast<int>(associated_data.size())) != 1) {
    return CipherFailed();
  }
  if (!secret.IsEmpty() && EVP_EncryptUpdate(context.get(), ciphertext, &length, secret.Bytes().data(),
                                             static_cast<int>(secret.Size())) != 1) {
    return CipherFailed();
  }
  if (EVP_EncryptFinal_ex(context.get(), tag, &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes), tag) != 1) {
    return CipherFailed();
  }
  return wrapped;
}

absl::StatusOr<SecretBytes> UnwrapSecret(const SecretBytes& kek, std::span<const uint8_t> wrapped,
                                         std::string_view associated_data) {
  if (kek.Size() != kKekBytes) return CipherFailed();
  if (wrapped.size() < kNonceBytes + kTagBytes) return MakeError(Reason::kKeyUnfit, "the wrapped key is cut short");
  const std::span<const uint8_t> ciphertext = wrapped.subspan(kNonceBytes, wrapped.size() - kNonceBytes - kTagBytes);
  std::vector<uint8_t> tag(wrapped.end() - kTagBytes, wrapped.end());
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(ciphertext.size());
  if (!secret.ok()) return secret;

  const CipherContext context(EVP_CIPHER_CTX_new());
  int length = 0;
  if (context == nullptr ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, kek.Bytes().data(), wrapped.data()) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &length, BytesOf(associated_data),
                        static_cast<int>(associated_data.size())) != 1) {
    return CipherFailed();
  }
  if (!ciphertext.empty() && EVP_DecryptUpdate(context.get(), secret->Bytes().data(), &length, ciphertext.data(),
                                               static_cast<int>(ciphertext.size())) != 1) {
    return CipherFailed();
  }
  uint8_t nothing = 0;  // GCM has no last block
  if (EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagBytes), tag.data()) != 1) {
    return CipherFailed();
  }
  if (EVP_DecryptFinal_ex(context.get(), &nothing, &length) != 1) {
    ERR_clear_error();
    return MakeError(Reason::kKeyUnfit, "the wrapped key does not pass its integrity check");
  }
  return secret;
}

}  // namespace volcrypt
