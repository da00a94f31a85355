#include "encryptors/secret_bytes.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kBlockSize = 64;
constexpr size_t kBlockCount = 16384;
// 1 MiB: dozens of operations with their largest secrets, and below every usual RLIMIT_MEMLOCK (8 MiB).
constexpr size_t kArenaSize = kBlockSize * kBlockCount;

// First-fit over blocks: secrets are few and live for milliseconds, so there is nothing to gain from more.
class Arena {
 public:
  uint8_t* Take(size_t blocks) {
    const std::lock_guard lock(mutex_);
    if (base_ == nullptr && !Map()) return nullptr;
    size_t run = 0;
    for (size_t i = 0; i < kBlockCount; ++i) {
      run = used_[i] ? 0 : run + 1;
      if (run < blocks) continue;
      const size_t first = i + 1 - blocks;
      for (size_t j = first; j <= i; ++j) used_.set(j);
      return base_ + (first * kBlockSize);
    }
    return nullptr;
  }

  void GiveBack(uint8_t* data, size_t blocks) {
    explicit_bzero(data, blocks * kBlockSize);
    const std::lock_guard lock(mutex_);
    const size_t first = static_cast<size_t>(data - base_) / kBlockSize;
    for (size_t j = first; j < first + blocks; ++j) used_.reset(j);
  }

  // Around a fork: the child gets an arena of its own, since the parent's pages are not there. Their addresses stay
  // taken in the child, so that an inherited secret goes on faulting instead of meeting what the kernel puts there.
  void BeforeFork() { mutex_.lock(); }
  void AfterForkInParent() { mutex_.unlock(); }
  void AfterForkInChild() {
    constexpr int kReserve = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (base_ != nullptr && mmap(base_, kArenaSize, PROT_NONE, kReserve, -1, 0) != base_) abort();
    base_ = nullptr;
    used_.reset();
    mutex_.unlock();
  }

 private:
  bool Map() {
    void* pages = mmap(nullptr, kArenaSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return false;
    if (mlock(pages, kArenaSize) != 0 || madvise(pages, kArenaSize, MADV_DONTDUMP) != 0 ||
        madvise(pages, kArenaSize, MADV_DONTFORK) != 0) {
      munmap(pages, kArenaSize);
      return false;
    }
    base_ = static_cast<uint8_t*>(pages);
    return true;
  }

  std::mutex mutex_;
  uint8_t* base_ = nullptr;
  std::bitset<kBlockCount> used_;
};

// Never destroyed: secrets of static objects and of threads that outlive main() give their memory back to it.
Arena& TheArena() {
  static Arena* const arena = [] {
    pthread_atfork([] { TheArena().BeforeFork(); }, [] { TheArena().AfterForkInParent(); },
                   [] { TheArena().AfterForkInChild(); });
    return new Arena;
  }();
  return *arena;
}

size_t BlocksFor(size_t size) { return (size + kBlockSize - 1) / kBlockSize; }

}  // namespace

absl::StatusOr<SecretBytes> SecretBytes::Allocate(size_t size) {
  if (size == 0) return SecretBytes();
  if (size > kMaxSize) {
    return MakeError(Reason::kKeyUnfit, "the secret is larger than volcrypt accepts",
                     {{"max_bytes", std::to_string(kMaxSize)}});
  }
  uint8_t* data = TheArena().Take(BlocksFor(size));
  if (data == nullptr) {
    return MakeError(Reason::kOutOfMemory,
                     "no locked memory is left for key material; check the memory lock limit (RLIMIT_MEMLOCK)");
  }
  return SecretBytes(data, size);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    Clear();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() { Clear(); }

void SecretBytes::Clear() {
  if (data_ == nullptr) return;
  TheArena().GiveBack(data_, BlocksFor(size_));
  data_ = nullptr;
  size_ = 0;
}

absl::StatusOr<SecretBytes> HexOf(const SecretBytes& secret) {
  absl::StatusOr<SecretBytes> hex = SecretBytes::Allocate(secret.Size() * 2);
  if (!hex.ok()) return hex;
  constexpr std::string_view kDigits = "0123456789abcdef";
  size_t at = 0;
  for (const uint8_t byte : secret.Bytes()) {
    hex->Bytes()[at++] = static_cast<uint8_t>(kDigits[byte >> 4]);
    hex->Bytes()[at++] = static_cast<uint8_t>(kDigits[byte & 15]);
  }
  return hex;
}

bool SameSecret(const SecretBytes& a, const SecretBytes& b) {
  if (a.Size() != b.Size()) return false;
  uint8_t difference = 0;
  for (size_t i = 0; i < a.Size(); ++i) difference = static_cast<uint8_t>(difference | (a.Bytes()[i] ^ b.Bytes()[i]));
  return difference == 0;
}

}  // namespace volcrypt
