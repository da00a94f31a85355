#include "encryptors/luks_header.h"

#include <gtest/gtest.h>

#include "encryptors/json_object.h"

namespace volcrypt {
namespace {

VolcryptToken Example() {
  return {.volume_id = "vol-1",
          .key = {"barbican", "0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11"},
          .created_at = absl::FromUnixSeconds(1000000000),
          .generation = 3};
}

TEST(TokenTest, ReadsBackWhatItWrote) {
  const std::optional<VolcryptToken> token = ParseTokenJson(ToTokenJson(Example()));
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(token->volume_id, "vol-1");
  EXPECT_EQ(token->key.key_manager, "barbican");
  EXPECT_EQ(token->key.key_id, Example().key.key_id);
  EXPECT_EQ(token->created_at, Example().created_at);
  EXPECT_EQ(token->generation, 3U);
}

// What LUKS2 demands of every token (LUKS2 On-Disk Format Specification, Tokens Object).
TEST(TokenTest, NamesItsTypeAndKeyslots) {
  const JsonObject json = ParseJson(ToTokenJson(Example()));
  EXPECT_EQ(JsonText(json.get(), "type"), "volcrypt");
  ASSERT_NE(JsonMember(json.get(), "keyslots"), nullptr);
  EXPECT_EQ(json_object_array_length(JsonMember(json.get(), "keyslots")), 1U);
}

TEST(TokenTest, CarriesItsVersionAndThatOfALaterReleaseIsRead) {
  const JsonObject json = ParseJson(ToTokenJson(Example()));
  EXPECT_EQ(JsonNumber(json.get(), "version"), 1U);
  const std::optional<VolcryptToken> later = ParseTokenJson(
      R"({"type":"volcrypt","version":2,"keyslots":["0"],"volume_id":"v","key_manager":"local","key_id":"k",)"
      R"("created_at":"2001-09-09T01:46:40Z","generation":4,"more":{}})");
  ASSERT_TRUE(later.has_value());
  EXPECT_EQ(later->volume_id, "v");
  EXPECT_EQ(later->key.key_id, "k");
}

class ForeignTokenTest : public testing::TestWithParam<const char*> {};

TEST_P(ForeignTokenTest, IsNotOurs) { EXPECT_FALSE(ParseTokenJson(GetParam()).has_value()); }

INSTANTIATE_TEST_SUITE_P(
    Texts, ForeignTokenTest,
    testing::Values("", "[]", "{", "{\"type\":\"systemd-tpm2\"}", "{\"type\":\"volcrypt\"}",
                    R"({"type":"volcrypt","volume_id":"../x","created_at":"2001-09-09T01:46:40Z"})",
                    R"({"type":"volcrypt","volume_id":"v","key_id":"a b","created_at":"2001-09-09T01:46:40Z"})",
                    R"({"type":"volcrypt","volume_id":"v","key_id":"\u001b[2J","created_at":"2001-09-09T01:46:40Z"})",
                    R"({"type":"volcrypt","volume_id":7,"created_at":"2001-09-09T01:46:40Z"})",
                    R"({"type":"volcrypt","volume_id":"v","created_at":"yesterday"})"));

TEST(JsonNumberTest, ReadsNumbersAndDecimalTextsOnly) {
  const JsonObject json =
      ParseJson(R"({"a":5,"b":"4096","c":"-1","d":-1,"e":"","f":"99999999999999999999","g":"dynamic"})");
  EXPECT_EQ(JsonNumber(json.get(), "a"), 5U);
  EXPECT_EQ(JsonNumber(json.get(), "b"), 4096U);
  for (const char* bad : {"c", "d", "e", "f", "g", "missing"}) EXPECT_FALSE(JsonNumber(json.get(), bad)) << bad;
}

}  // namespace
}  // namespace volcrypt
