#include "encryptors/valid_utf8.h"

#include <gtest/gtest.h>

namespace volcrypt {
namespace {

TEST(ValidUtf8, ValidTextStaysAsItIs) {
  for (const std::string text : {"", "plain", "h\xC3\xA4user", "\xE2\x82\xAC", "\xF0\x9F\x94\x91", "\xEF\xBF\xBD"}) {
    EXPECT_EQ(ValidUtf8(text), text);
  }
}

TEST(ValidUtf8, EveryByteThatIsNotPartOfACharacterBecomesAQuestionMark) {
  EXPECT_EQ(ValidUtf8("h\xE4user"), "h?user");  // Latin-1
  EXPECT_EQ(ValidUtf8("\x80"
                      "a"),
            "?a");                         // continuation alone
  EXPECT_EQ(ValidUtf8("a\xC3"), "a?");     // cut at the end
  EXPECT_EQ(ValidUtf8("\xE2\x82"), "??");  // likewise
  EXPECT_EQ(ValidUtf8("\xE2\x82"
                      "a"),
            "??a");                                  // cut in the middle
  EXPECT_EQ(ValidUtf8("\xC0\xAF"), "??");            // overlong
  EXPECT_EQ(ValidUtf8("\xE0\x80\xAF"), "???");       // overlong
  EXPECT_EQ(ValidUtf8("\xF0\x80\x80\xAF"), "????");  // overlong
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), "???");       // surrogate
  EXPECT_EQ(ValidUtf8("\xF4\x90\x80\x80"), "????");  // above U+10FFFF
  EXPECT_EQ(ValidUtf8("\xFF\xC3\xA4\xFE"), "?\xC3\xA4?");
}

}  // namespace
}  // namespace volcrypt
