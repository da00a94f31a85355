#include "encryptors/activated_mapping.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <functional>
#include <vector>

#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr uint64_t kMib = uint64_t{1} << 20;
constexpr uint64_t kBackingBytes = 64 * kMib;
const dev_t kBacking = makedev(8, 16);

LuksHeader Header() {
  return {.uuid = "0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11",
          .encryption = {.format = Format::kLuks2,
                         .cipher = "aes-xts-plain64",
                         .key_size_bits = 512,
                         .sector_size_bytes = 4096},
          .data_offset_bytes = 2 * kMib};
}

AttachRequest Request() { return {.volume_id = "vol-1"}; }

DmDevice Made() {
  DmDevice made;
  made.name = MappingName("vol-1");
  made.uuid = "CRYPT-LUKS2-0fd6f9a97c6a4d298d5c0a4a7e6f3c11-" + made.name;
  made.size_sectors = (kBackingBytes - 2 * kMib) / 512;
  made.crypt = CryptTable{.cipher = "aes-xts-plain64",
                          .key_size_bits = 512,
                          .key_in_keyring = true,
                          .device = "8:16",
                          .offset_sectors = 2 * kMib / 512,
                          .sector_size_bytes = 4096};
  return made;
}

std::string Difference(const DmDevice& made, const AttachRequest& request = Request()) {
  return DifferenceFrom(Header(), request, kBacking, kBackingBytes, made);
}

TEST(ActivatedMappingTest, WhatTheHeaderSaysAndTheRequestAsksForDiffersInNothing) {
  EXPECT_EQ(Difference(Made()), "");
  AttachRequest request = Request();
  request.read_only = true;
  request.allow_discards = true;
  DmDevice made = Made();
  made.read_only = true;
  made.crypt->allow_discards = true;
  EXPECT_EQ(Difference(made, request), "");
}

TEST(ActivatedMappingTest, EveryDifferenceIsNamed) {
  struct Case {
    const char* difference;
    std::function<void(DmDevice&)> change;
  };
  const std::vector<Case> cases = {
      {"it is not one crypt target of ours", [](DmDevice& made) { made.crypt.reset(); }},
      {"it is not one crypt target of ours", [](DmDevice& made) { made.uuid = "LVM-of-somebody"; }},
      {"it is not one crypt target of ours", [](DmDevice& made) { made.uuid.back() = '2'; }},
      {"another LUKS UUID", [](DmDevice& made) { made.uuid[12] = '1'; }},
      {"another backing device", [](DmDevice& made) { made.crypt->device = "8:17"; }},
      {"another backing device", [](DmDevice& made) { made.crypt->device = "9:16"; }},
      {"another cipher", [](DmDevice& made) { made.crypt->cipher = "aes-xts-plain"; }},
      {"another cipher", [](DmDevice& made) { made.crypt->key_size_bits = 256; }},
      {"the volume key in the table instead of the keyring, or the other way round",
       [](DmDevice& made) { made.crypt->key_in_keyring = false; }},
      {"another place on the device", [](DmDevice& made) { made.crypt->offset_sectors -= 8; }},
      {"another place on the device", [](DmDevice& made) { made.crypt->iv_offset_sectors = 8; }},
      {"another place on the device", [](DmDevice& made) { made.size_sectors += 1; }},
      {"another sector size", [](DmDevice& made) { made.crypt->sector_size_bytes = 512; }},
      {"options that nobody asked for", [](DmDevice& made) { made.crypt->allow_discards = true; }},
      {"options that nobody asked for", [](DmDevice& made) { made.crypt->other_options = {"no_read_workqueue"}; }},
      {"another read-only flag", [](DmDevice& made) { made.read_only = true; }},
  };
  for (const Case& c : cases) {
    DmDevice made = Made();
    c.change(made);
    EXPECT_EQ(Difference(made), c.difference);
  }
}

TEST(ActivatedMappingTest, ADiscardThatWasAskedForAndNotGrantedIsADifference) {
  AttachRequest request = Request();
  request.allow_discards = true;
  EXPECT_EQ(Difference(Made(), request), "options that nobody asked for");
}

}  // namespace
}  // namespace volcrypt
