#include "agent/libvirt/secret_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volcrypt {
namespace {

using testing::HasSubstr;
using testing::Not;

SecretNote WholeNote() {
  return {.is_attachment = true,
          .device = "/dev/disk/by-id/a <b> & 'c' 100% ü",
          .size_bytes = 123456789012,
          .luks_uuid = "01234567-89ab-4def-8123-456789abcdef",
          .encryption = {.format = Format::kLuks1, .cipher = "aes-cbc-essiv:sha256", .key_size_bits = 256},
          .read_only = true,
          .key = KeyReference{.key_manager = "local", .key_id = "key-1"}};
}

TEST(SecretXmlTest, EverythingIsReadBackAsItWasWritten) {
  for (const bool has_value : {true, false}) {
    for (const SecretNote& note : {WholeNote(), SecretNote{}}) {
      const auto read = ParseSecretXml(SecretXml({.volume_id = "vol-1", .note = note, .has_value = has_value}));
      ASSERT_TRUE(read);
      EXPECT_EQ(read->note, note);
      EXPECT_EQ(read->has_value, has_value);
    }
  }
}

TEST(SecretXmlTest, NothingInADeviceNameIsMarkup) {
  const std::string xml = SecretXml({.volume_id = "vol-1", .note = WholeNote(), .has_value = true});
  EXPECT_THAT(xml, Not(HasSubstr("<b>")));
  EXPECT_THAT(xml, Not(HasSubstr("&")));
  EXPECT_THAT(xml, HasSubstr("private='yes'"));
  EXPECT_THAT(xml, HasSubstr("<usage type='volume'><volume>vol-1</volume></usage>"));
}

TEST(SecretXmlTest, LifetimeIsAsAsked) {
  EXPECT_THAT(SecretXml({.volume_id = "v", .ephemeral = true}), HasSubstr("<secret ephemeral='yes'"));
  EXPECT_THAT(SecretXml({.volume_id = "v", .ephemeral = false}), HasSubstr("<secret ephemeral='no'"));
}

TEST(SecretXmlTest, DescriptionsOfOthersAreNotOurs) {
  for (const char* const text :
       {"", "<secret/>", "<description></description>", "<description>volcrypt</description>",
        "<description>the secret of volcrypt mode=host</description>", "<description>volcrypt is nice</description>",
        "<description>volcrypts mode=host</description>", "<description>volcrypt mode=host"}) {
    EXPECT_FALSE(ParseSecretXml(text)) << text;
  }
}

TEST(SecretXmlTest, DamagedFieldsAreAsIfNotThere) {
  const auto read =
      ParseSecretXml("<description>volcrypt mode=host size=-1 key_size=x device=%zz%4 = format=luks9</description>");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->note.size_bytes, 0);
  EXPECT_EQ(read->note.encryption.key_size_bits, 0);
  EXPECT_EQ(read->note.encryption.format, Format::kUnspecified);
  EXPECT_EQ(read->note.device, "%zz%4");
}

TEST(SecretXmlTest, DiskEncryptionNamesTheSecret) {
  EXPECT_EQ(DiskEncryptionXml("u-1"), "<encryption format='luks'><secret type='passphrase' uuid='u-1'/></encryption>");
}

}  // namespace
}  // namespace volcrypt
