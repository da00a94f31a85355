// The metadata of a LUKS2 header, under binary headers whose checksums are right: as whoever holds the disk can make
// them. Reading and judging it must survive whatever libcryptsetup loads, and nothing but our own layout may pass.
// Format: LUKS2 On-Disk Format Specification 1.1.1, section 2.
#include <openssl/sha.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "encryptors/crypt_device.h"
#include "encryptors/header_policy.h"
#include "encryptors/luks_header.h"
#include "encryptors/unique_fd.h"

namespace {

constexpr size_t kBinaryBytes = 4096;
constexpr size_t kHeaderBytes = volcrypt::kLuks2MetadataBytes;
constexpr size_t kChecksumOffset = 448;
constexpr off_t kImageBytes = off_t{4} << 20;

void Put64(std::span<uint8_t> header, size_t at, uint64_t value) {
  for (size_t i = 0; i < 8; ++i) header[at + i] = static_cast<uint8_t>(value >> (56 - (8 * i)));
}

void PutText(std::span<uint8_t> header, size_t at, const char* text) {
  std::copy_n(reinterpret_cast<const uint8_t*>(text), strlen(text), header.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<uint8_t> Header(const char* magic, uint64_t offset, std::span<const uint8_t> json) {
  std::vector<uint8_t> header(kHeaderBytes);
  PutText(header, 0, magic);
  header[7] = 2;  // version
  Put64(header, 8, kHeaderBytes);
  Put64(header, 16, 1);  // sequence number
  PutText(header, 72, "sha256");
  std::fill_n(header.begin() + 104, 64, static_cast<uint8_t>(magic[0]));  // salt
  PutText(header, 168, "0f4e1b2c-5d6a-4b7c-8d9e-0a1b2c3d4e5f");
  Put64(header, 256, offset);
  std::copy_n(json.begin(), std::min(json.size(), kHeaderBytes - kBinaryBytes - 1), header.begin() + kBinaryBytes);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> checksum{};
  SHA256(header.data(), header.size(), checksum.data());
  std::ranges::copy(checksum, header.begin() + kChecksumOffset);
  return header;
}

bool WriteImage(int image, std::span<const uint8_t> json) {
  const std::vector<uint8_t> first = Header("LUKS\xba\xbe", 0, json);
  const std::vector<uint8_t> second = Header("SKUL\xba\xbe", kHeaderBytes, json);
  return ftruncate(image, kImageBytes) == 0 && pwrite(image, first.data(), first.size(), 0) > 0 &&
         pwrite(image, second.data(), second.size(), kHeaderBytes) > 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  volcrypt::SetUpLibcryptsetup();
  const volcrypt::UniqueFd image(memfd_create("luks2-header", MFD_CLOEXEC));
  if (!WriteImage(image.Get(), {data, size})) abort();
  crypt_device* raw = nullptr;
  if (crypt_init(&raw, ("/proc/self/fd/" + std::to_string(image.Get())).c_str()) != 0) abort();
  const volcrypt::CryptDevice crypt(raw);
  if (crypt_load(raw, CRYPT_LUKS2, nullptr) != 0) return 0;
  const volcrypt::LuksHeader header = volcrypt::ReadLuksHeader(raw);
  if (!volcrypt::CheckHeader(raw, {.allowed_ciphers = {"aes-xts-plain64"}}).ok()) return 0;
  if (header.encryption.cipher != "aes-xts-plain64" || header.data_offset_bytes < 2 * kHeaderBytes) abort();
  return 0;
}
