#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "agent/keys/kmip/ttlv_item.h"
#include "agent/keys/kmip/ttlv_writer.h"
#include "encryptors/reason.h"
#include "tests/unit/keys/kmip/exchanges.h"

namespace volcrypt {
namespace {

using ::testing::HasSubstr;

std::string ProblemOf(const std::string& hex) {
  const absl::StatusOr<TtlvItem> item = TtlvItem::Parse(FromHex(hex));
  if (item.ok()) return "none";
  EXPECT_TRUE(HasReason(item.status(), Reason::kKeyManagerUnavailable)) << item.status();
  return std::string(item.status().message());
}

TEST(TtlvWriter, WritesEveryTypeAsTheSpecificationShows) {
  // The examples of KMIP 1.4, section 9.1.2.
  std::array<uint8_t, 256> memory{};
  TtlvWriter writer(memory);
  const auto tag = static_cast<KmipTag>(0x420020);
  writer.Integer(tag, 8);
  writer.Enumeration(tag, 255U);
  writer.Text(tag, "Hello World");
  writer.Bytes(tag, std::array<uint8_t, 3>{1, 2, 3});
  writer.Structure(tag, [&] {
    writer.Enumeration(static_cast<KmipTag>(0x420004), 254U);
    writer.Integer(static_cast<KmipTag>(0x420005), 255);
  });
  EXPECT_EQ(WireBytes(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(writer.Size())),
            FromHex("42002002000000040000000800000000"
                    "4200200500000004000000FF00000000"
                    "420020070000000B48656C6C6F20576F726C640000000000"
                    "42002008000000030102030000000000"
                    "42002001000000204200040500000004000000FE000000004200050200000004000000FF00000000"));
}

TEST(TtlvWriter, NeverWritesPastItsMemory) {
  const auto write = [](TtlvWriter& writer) {
    writer.Structure(KmipTag::kRequestMessage, [&] {
      writer.Text(KmipTag::kUsername, "somebody");
      writer.Structure(KmipTag::kRequestHeader, [&] { writer.Integer(KmipTag::kBatchCount, 1); });
    });
  };
  TtlvWriter measure;
  write(measure);
  for (size_t size = 0; size < measure.Size(); ++size) {
    std::vector<uint8_t> memory(size);  // of this size exactly, so that address sanitizer sees its end
    TtlvWriter writer(memory);
    write(writer);
    EXPECT_EQ(writer.Size(), measure.Size());
  }
}

TEST(TtlvItem, ReadsWhatWasWritten) {
  const WireBytes bytes = FromHex(
      "42007801000000604200690100000010"
      "4200200200000004FFFFFFFE00000000"
      "42000B05000000048000000000000000"
      "42000A070000000566697273740000004200430800000009010203040506070809000000000000004200920900000008000000006B007FE"
      "7");
  const absl::StatusOr<TtlvItem> item = TtlvItem::Parse(bytes);
  ASSERT_TRUE(item.ok()) << item.status();
  ASSERT_EQ(item->Members().size(), 5U);
  EXPECT_EQ(item->Find(KmipTag::kProtocolVersion)->Find(static_cast<KmipTag>(0x420020))->Integer(), -2);
  EXPECT_EQ(item->Find(KmipTag::kAttributeValue)->Enumeration(), 0x80000000);
  EXPECT_EQ(item->Find(KmipTag::kAttributeName)->Text(), "first");
  EXPECT_EQ(item->Find(KmipTag::kKeyMaterial)->ByteString()->size(), 9U);
  EXPECT_EQ(item->Members()[4].DateTime(), 0x6B007FE7);
}

TEST(TtlvItem, GivesNothingForAnotherType) {
  const WireBytes bytes = FromHex("42000D02000000040000000100000000");
  const absl::StatusOr<TtlvItem> item = TtlvItem::Parse(bytes);
  ASSERT_TRUE(item.ok());
  EXPECT_FALSE(item->Enumeration());
  EXPECT_FALSE(item->Text());
  EXPECT_FALSE(item->ByteString());
  EXPECT_FALSE(item->DateTime());
  EXPECT_TRUE(item->Members().empty());
  EXPECT_FALSE(item->Find(KmipTag::kBatchCount));
}

TEST(TtlvItem, TellsMissingFromRepeatedItems) {
  const WireBytes bytes = FromHex("42007801000000204200940700000001310000000000000042009407000000013200000000000000");
  const absl::StatusOr<TtlvItem> item = TtlvItem::Parse(bytes);
  ASSERT_TRUE(item.ok());
  EXPECT_THAT(std::string(item->Only(KmipTag::kUniqueIdentifier).status().message()), HasSubstr("repeats item 420094"));
  EXPECT_THAT(std::string(item->Only(KmipTag::kObjectType).status().message()), HasSubstr("lacks item 420057"));
}

struct Malformed {
  const char* what;
  const char* hex;
  const char* problem;
};

TEST(TtlvItem, RefusesWhatIsNotTtlv) {
  for (const Malformed& bad : std::initializer_list<Malformed>{
           {"nothing", "", "it is empty"},
           {"half a header", "42007B01", "cut short"},
           {"a value that is not there", "42000D0200000004", "longer than what holds it"},
           {"missing padding", "42000D020000000400000001", "longer than what holds it"},
           {"padding that is not zeros", "42000D02000000040000000100000001", "padding"},
           {"an integer of 8 bytes", "42000D02000000080000000000000001", "length does not fit"},
           {"an enumeration of 0 bytes", "42000D0500000000", "length does not fit"},
           {"a date of 4 bytes", "42009209000000040000000100000000", "length does not fit"},
           {"a structure of 4 bytes", "42007B01000000040000000000000000", "length does not fit"},
           {"a big integer of 7 bytes", "42007B040000000700000000000000", "length does not fit"},
           {"a type that does not exist", "42000D0C000000040000000100000000", "length does not fit"},
           {"type 0", "42000D00000000040000000100000000", "length does not fit"},
           {"the largest length", "42007B01FFFFFFF8", "longer than what holds it"},
           {"a length that overflows when padded", "42007B07FFFFFFFF", "longer than what holds it"},
           {"a child longer than its parent", "42007B010000000842000D0200000004 0000000100000000",
            "longer than what holds it"},
           {"two messages", "42007B010000000042007B0100000000", "more than one"}}) {
    std::string hex = bad.hex;
    std::erase(hex, ' ');
    EXPECT_THAT(ProblemOf(hex), HasSubstr(bad.problem)) << bad.what;
  }
}

WireBytes Nested(int depth) {
  WireBytes bytes;
  for (int i = depth - 1; i >= 0; --i) {
    const int length = i * 8;
    const WireBytes header = {0x42,
                              0,
                              0x7B,
                              1,
                              static_cast<uint8_t>(length >> 24),
                              static_cast<uint8_t>(length >> 16),
                              static_cast<uint8_t>(length >> 8),
                              static_cast<uint8_t>(length)};
    bytes.insert(bytes.end(), header.begin(), header.end());
  }
  return bytes;
}

TEST(TtlvItem, EndsAtAFixedDepth) {
  EXPECT_TRUE(TtlvItem::Parse(Nested(TtlvItem::kMaxDepth)).ok());
  const absl::StatusOr<TtlvItem> deeper = TtlvItem::Parse(Nested(TtlvItem::kMaxDepth + 1));
  EXPECT_THAT(std::string(deeper.status().message()), HasSubstr("nested too deeply"));
  EXPECT_FALSE(TtlvItem::Parse(Nested(100000)).ok());
}

TEST(TtlvItem, NeverRepeatsAValueInAnError) {
  const WireBytes bytes = FromHex("42004308000000087365637265743121FF");
  const absl::StatusOr<TtlvItem> item = TtlvItem::Parse(bytes);
  ASSERT_FALSE(item.ok());
  EXPECT_THAT(std::string(item.status().message()), ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace volcrypt
