#include "tools/volcryptctl/printable.h"

#include <limits>

#include "gtest/gtest.h"

namespace volcrypt::ctl {
namespace {

TEST(PrintableTest, OnlyPrintableAsciiStays) {
  EXPECT_EQ(Printable("a b~"), "a b~");
  EXPECT_EQ(Printable("\x1b[2J\r\n\t\x7f"), "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b\xff"), "\\xc2\\x9b\\xff");
}

TEST(PrintableTest, SizesAreInBinaryUnits) {
  EXPECT_EQ(HumanSize(0), "0 B");
  EXPECT_EQ(HumanSize(1023), "1023 B");
  EXPECT_EQ(HumanSize(1024), "1.0 KiB");
  EXPECT_EQ(HumanSize(uint64_t{3} << 29), "1.5 GiB");
  EXPECT_EQ(HumanSize(std::numeric_limits<uint64_t>::max()), "16.0 EiB");
  EXPECT_EQ(ExactSize(512), "512 bytes");
  EXPECT_EQ(ExactSize(2048), "2.0 KiB (2048 bytes)");
}

TEST(PrintableTest, EnumeratorsBecomeWords) {
  EXPECT_EQ(EnumWord("CONTENT_INCOMPLETE_FORMAT", "CONTENT_"), "incomplete-format");
  EXPECT_EQ(FormatWord(v1::Encryption::FORMAT_LUKS2), "luks2");
  EXPECT_EQ(FormatWord(v1::Encryption::FORMAT_UNSPECIFIED), "");
}

TEST(PrintableTest, KeyIsNamedAsItIsTyped) {
  v1::KeyReference key;
  EXPECT_EQ(KeyText(key), "");
  key.set_key_manager("local");
  EXPECT_EQ(KeyText(key), "");
  key.set_key_id("k");
  EXPECT_EQ(KeyText(key), "local:k");
  key.clear_key_manager();
  EXPECT_EQ(KeyText(key), "k");
}

}  // namespace
}  // namespace volcrypt::ctl
