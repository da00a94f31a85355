#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// A secret that comes piece by piece: an answer's body, a request with a password in it. Grows by moving to larger
// SecretBytes, up to a limit. The first failure (OUT_OF_MEMORY, KEY_UNFIT for too much) makes it empty for good.
class SecretBuffer {
 public:
  explicit SecretBuffer(size_t max_bytes) : max_bytes_(max_bytes) {}

  SecretBuffer& Append(std::span<const uint8_t> bytes);
  SecretBuffer& Append(absl::string_view text);
  // With quotation marks, and escaped as RFC 8259 wants it. The bytes are UTF-8.
  SecretBuffer& AppendJsonString(std::span<const uint8_t> text);
  SecretBuffer& AppendJsonString(absl::string_view text);
  SecretBuffer& AppendBase64(std::span<const uint8_t> bytes);

  const absl::Status& GetStatus() const { return status_; }
  // What was collected, of exactly its size; the buffer is empty afterwards.
  absl::StatusOr<SecretBytes> Take();

 private:
  // Room for so many more bytes; null after a failure.
  uint8_t* Extend(size_t size);
  void Fail(absl::Status status);

  const size_t max_bytes_;
  SecretBytes bytes_;
  size_t used_ = 0;
  absl::Status status_;
};

}  // namespace volcrypt
