#include "agent/keys/openstack/secret_buffer.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Most keys and all tokens of Keystone's fernet provider fit without growing.
constexpr size_t kFirstSize = 256;
constexpr uint8_t kFirstPrintable = 0x20;

std::span<const uint8_t> BytesOf(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

SecretBuffer& SecretBuffer::Append(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return *this;
  uint8_t* const room = Extend(bytes.size());
  if (room != nullptr) std::memcpy(room, bytes.data(), bytes.size());
  return *this;
}

SecretBuffer& SecretBuffer::Append(absl::string_view text) { return Append(BytesOf(text)); }

SecretBuffer& SecretBuffer::AppendJsonString(std::span<const uint8_t> text) {
  constexpr absl::string_view kDigits = "0123456789abcdef";
  Append("\"");
  for (const uint8_t byte : text) {
    if (byte < kFirstPrintable) {
      Append("\\u00").Append(kDigits.substr(byte >> 4, 1)).Append(kDigits.substr(byte & 15, 1));
      continue;
    }
    if (byte == '"' || byte == '\\') Append("\\");
    Append(std::span(&byte, 1));
  }
  return Append("\"");
}

SecretBuffer& SecretBuffer::AppendJsonString(absl::string_view text) { return AppendJsonString(BytesOf(text)); }

SecretBuffer& SecretBuffer::AppendBase64(std::span<const uint8_t> bytes) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) / 2) {
    Fail(MakeError(Reason::kKeyUnfit, "the secret is larger than volcrypt accepts"));
    return *this;
  }
  const size_t length = (bytes.size() + 2) / 3 * 4;
  // OpenSSL ends the text with a NUL, which is then given up again.
  uint8_t* const room = Extend(length + 1);
  if (room == nullptr) return *this;
  EVP_EncodeBlock(room, bytes.data(), static_cast<int>(bytes.size()));
  --used_;
  return *this;
}

absl::StatusOr<SecretBytes> SecretBuffer::Take() {
  if (!status_.ok()) return status_;
  const size_t size = std::exchange(used_, 0);
  if (size == bytes_.Size()) return std::move(bytes_);
  absl::StatusOr<SecretBytes> taken = SecretBytes::Allocate(size);
  if (taken.ok() && size > 0) std::memcpy(taken->Bytes().data(), bytes_.Bytes().data(), size);
  bytes_.Clear();
  return taken;
}

uint8_t* SecretBuffer::Extend(size_t size) {
  if (!status_.ok()) return nullptr;
  if (size > max_bytes_ - used_) {
    Fail(MakeError(Reason::kKeyUnfit, absl::StrCat("the secret is longer than the ", max_bytes_, " bytes expected")));
    return nullptr;
  }
  if (size > bytes_.Size() - used_) {
    const size_t wanted = std::min(std::max({used_ + size, bytes_.Size() * 2, kFirstSize}), max_bytes_);
    absl::StatusOr<SecretBytes> larger = SecretBytes::Allocate(wanted);
    if (!larger.ok()) {
      Fail(larger.status());
      return nullptr;
    }
    if (used_ > 0) std::memcpy(larger->Bytes().data(), bytes_.Bytes().data(), used_);
    bytes_ = *std::move(larger);
  }
  uint8_t* const room = bytes_.Bytes().data() + used_;
  used_ += size;
  return room;
}

void SecretBuffer::Fail(absl::Status status) {
  bytes_.Clear();
  used_ = 0;
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace volcrypt
