#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <type_traits>

#include "absl/status/statusor.h"

namespace volcrypt {

// The bytes of a key or passphrase: move-only, of a fixed size, wiped when destroyed. They live in one arena of locked
// pages that are left out of core files and of forked children (a child that touches an inherited secret faults).
// There is no way to copy, grow, print or turn them into a string.
class SecretBytes {
 public:
  // Largest secret: Barbican's largest payload (20000 bytes) as hexadecimal text, rounded up.
  static constexpr size_t kMaxSize = size_t{48} * 1024;

  // Zeroed bytes. OUT_OF_MEMORY when the arena is full or its pages cannot be locked. Sizes above kMaxSize are
  // KEY_UNFIT. Thread-safe.
  static absl::StatusOr<SecretBytes> Allocate(size_t size);

  SecretBytes() = default;
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  std::span<uint8_t> Bytes() { return {data_, size_}; }
  std::span<const uint8_t> Bytes() const { return {data_, size_}; }
  // For C interfaces that take text. Not terminated by NUL.
  const char* Text() const { return reinterpret_cast<const char*>(data_); }
  size_t Size() const { return size_; }
  bool IsEmpty() const { return size_ == 0; }

  // Wipes and gives the memory back; empty afterwards.
  void Clear();

 private:
  SecretBytes(uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Lower-case hexadecimal text of the bytes, as a secret of its own.
absl::StatusOr<SecretBytes> HexOf(const SecretBytes& secret);

// Compares in time that depends on the sizes alone.
bool SameSecret(const SecretBytes& a, const SecretBytes& b);

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_convertible_v<SecretBytes, std::string> && !std::is_constructible_v<std::string, SecretBytes>);
template <typename T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Streamable<SecretBytes>);

}  // namespace volcrypt
