#include "encryptors/content_probe.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kDirectAlignment = 4096;
constexpr int kMaxSignatures = 64;

struct ProbeDeleter {
  void operator()(blkid_struct_probe* probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<blkid_struct_probe, ProbeDeleter>;

struct FreeDeleter {
  void operator()(uint8_t* memory) const { free(memory); }
};
using AlignedBuffer = std::unique_ptr<uint8_t, FreeDeleter>;

AlignedBuffer NewBuffer(size_t size) {
  return AlignedBuffer(static_cast<uint8_t*>(aligned_alloc(kDirectAlignment, size)));
}

absl::Status ReadError(const BackingDevice& device, uint64_t offset, const std::string& what) {
  return MakeError(Reason::kDeviceIoError,
                   absl::StrCat("device ", device.Path(), " cannot be read at byte ", offset, ": ", what,
                                "; nothing was written; check the path to the storage"),
                   {{"device", device.Path()}, {"offset", absl::StrCat(offset)}});
}

std::string Value(blkid_probe probe, const char* name) {
  const char* value = nullptr;
  size_t size = 0;
  if (blkid_probe_lookup_value(probe, name, &value, &size) != 0 || size == 0) return "";
  // libblkid's length counts the NUL of texts; a label is whatever the disk's last owner wrote.
  std::string text(value, strnlen(value, size));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

Signature CurrentSignature(blkid_probe probe) {
  Signature signature{.type = Value(probe, "TYPE"), .uuid = Value(probe, "UUID"), .label = Value(probe, "LABEL")};
  std::string offset = Value(probe, "SBMAGIC_OFFSET");
  if (signature.type.empty()) {
    signature.type = Value(probe, "PTTYPE");
    signature.uuid = Value(probe, "PTUUID");
    offset = Value(probe, "PTMAGIC_OFFSET");
  }
  if (!absl::SimpleAtoi(offset, &signature.offset_bytes)) signature.offset_bytes = 0;
  return signature;
}

Probe NewProbe(const BackingDevice& device) {
  Probe probe(blkid_new_probe());
  if (!probe || blkid_probe_set_device(probe.get(), device.Fd(), 0, 0) != 0) return nullptr;
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL |
                                                     BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
  blkid_probe_enable_partitions(probe.get(), 1);
  // FORCE_GPT: a GPT counts without its protective MBR too, be it only the backup at the end.
  blkid_probe_set_partitions_flags(probe.get(), BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
  return probe;
}

}  // namespace

absl::StatusOr<std::vector<Signature>> ReadSignatures(const BackingDevice& device) {
  // What an earlier reader left in the cache must not stand for the disk.
  (void)posix_fadvise(device.Fd(), 0, 0, POSIX_FADV_DONTNEED);
  const Probe probe = NewProbe(device);
  if (!probe) return ReadError(device, 0, "libblkid cannot probe it");
  std::vector<Signature> signatures;
  for (int i = 0; i < kMaxSignatures; ++i) {
    const int result = blkid_do_probe(probe.get());
    if (result == 1) return signatures;
    if (result < 0) return ReadError(device, 0, "libblkid could not read where signatures may stand");
    signatures.push_back(CurrentSignature(probe.get()));
  }
  return signatures;
}

std::vector<ByteRange> BlankProofRanges(uint64_t size, uint64_t from) {
  std::vector<ByteRange> ranges;
  if (from >= size) return ranges;
  const uint64_t head_end = from + kBlankHeadBytes;
  const uint64_t tail_begin =
      size > kBlankTailBytes ? (size - kBlankTailBytes) / kBlankSampleBytes * kBlankSampleBytes : 0;
  if (head_end >= tail_begin) return {{from, size}};
  ranges.push_back({from, head_end});
  const uint64_t stride = (tail_begin - head_end) / kBlankSamples;
  uint64_t previous_end = head_end;
  for (uint64_t i = 0; i < kBlankSamples && stride > 0; ++i) {
    // The middle of each stretch.
    const uint64_t begin = (head_end + (stride * i) + (stride / 2)) / kBlankSampleBytes * kBlankSampleBytes;
    if (begin < previous_end || begin + kBlankSampleBytes > tail_begin) continue;
    ranges.push_back({begin, begin + kBlankSampleBytes});
    previous_end = begin + kBlankSampleBytes;
  }
  ranges.push_back({tail_begin, size});
  return ranges;
}

absl::StatusOr<std::optional<uint64_t>> FindDataIn(const BackingDevice& device, int direct, ByteRange range) {
  const AlignedBuffer buffer = NewBuffer(kReadBytes);
  if (!buffer) return MakeError(Reason::kOutOfMemory, "no memory for reading the device");
  for (uint64_t at = range.begin; at < range.end;) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(kReadBytes, range.end - at));
    const ssize_t got = pread(direct, buffer.get(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ReadError(device, at, strerror(errno));
    if (static_cast<size_t>(got) != wanted) return ReadError(device, at, "the device ends before its size");
    // Zero everywhere: the first byte is, and each equals its neighbour. memcmp runs at the speed of memory.
    if (buffer.get()[0] != 0 || memcmp(buffer.get(), buffer.get() + 1, wanted - 1) != 0) {
      const uint8_t* data = std::find_if(buffer.get(), buffer.get() + wanted, [](uint8_t byte) { return byte != 0; });
      return at + static_cast<uint64_t>(data - buffer.get());
    }
    at += wanted;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<uint64_t>> FindData(const BackingDevice& device, int direct, uint64_t from) {
  for (const ByteRange& range : BlankProofRanges(device.SizeBytes(), from)) {
    absl::StatusOr<std::optional<uint64_t>> data = FindDataIn(device, direct, range);
    if (!data.ok() || data->has_value()) return data;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<uint8_t>> ReadDirect(const BackingDevice& device, int direct, uint64_t offset, size_t size) {
  const AlignedBuffer buffer = NewBuffer((size + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment);
  if (!buffer) return MakeError(Reason::kOutOfMemory, "no memory for reading the device");
  ssize_t got = 0;
  do {
    got = pread(direct, buffer.get(), size, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ReadError(device, offset, strerror(errno));
  if (static_cast<size_t>(got) != size) return ReadError(device, offset, "the device ends before its size");
  return std::vector<uint8_t>(buffer.get(), buffer.get() + size);
}

std::string DescribeSignatures(const std::vector<Signature>& signatures) {
  return absl::StrJoin(signatures, ", ", [](std::string* out, const Signature& signature) {
    absl::StrAppend(out, signature.type.empty() ? "unknown" : signature.type, " at byte ", signature.offset_bytes);
  });
}

}  // namespace volcrypt
