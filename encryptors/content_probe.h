#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/inspection.h"

namespace volcrypt {

// Everything that libblkid recognises on the device, with offsets. DEVICE_IO_ERROR when anything could not be read:
// "nothing found" and "could not look" are told apart here, which the blkid program does not do.
absl::StatusOr<std::vector<Signature>> ReadSignatures(const BackingDevice& device);

// Where a device must read as zeros before it may be formatted: its first 16 MiB, its last 1 MiB and spread samples
// between; the whole device when it is smaller than that.
inline constexpr uint64_t kBlankHeadBytes = uint64_t{16} << 20;
inline constexpr uint64_t kBlankTailBytes = uint64_t{1} << 20;
inline constexpr uint64_t kBlankSamples = 256;
inline constexpr uint64_t kBlankSampleBytes = 4096;

struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// The ranges that are read of a device of `size` bytes from `from` on, in ascending order without overlap, aligned to
// kBlankSampleBytes but for the end of the device.
std::vector<ByteRange> BlankProofRanges(uint64_t size, uint64_t from);

// Reads those ranges past every cache (O_DIRECT descriptor `direct`). The offset of the first byte that is not zero,
// or nothing. DEVICE_IO_ERROR when a read fails or comes short.
absl::StatusOr<std::optional<uint64_t>> FindData(const BackingDevice& device, int direct, uint64_t from);

// The same for every byte of one range.
absl::StatusOr<std::optional<uint64_t>> FindDataIn(const BackingDevice& device, int direct, ByteRange range);

// Reads `size` bytes at `offset`, both multiples of the logical block size.
absl::StatusOr<std::vector<uint8_t>> ReadDirect(const BackingDevice& device, int direct, uint64_t offset, size_t size);

// "ext4 at 1080, gpt at 268434944".
std::string DescribeSignatures(const std::vector<Signature>& signatures);

}  // namespace volcrypt
