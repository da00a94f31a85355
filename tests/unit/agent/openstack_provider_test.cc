#include "agent/openstack_provider.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

TEST(OpenStackProviderTest, EveryNameOfOsBrickHasItsFormat) {
  for (const auto& [name, format] : {std::pair<std::string, Format>{"luks", Format::kLuks1},
                                     {"luks2", Format::kLuks2},
                                     {"plain", Format::kPlain},
                                     {"nova.volume.encryptors.luks.LuksEncryptor", Format::kLuks1},
                                     {"os_brick.encryptors.luks.LuksEncryptor", Format::kLuks1},
                                     {"LuksEncryptor", Format::kLuks1},
                                     {"os_brick.encryptors.luks.Luks2Encryptor", Format::kLuks2},
                                     {"nova.volume.encryptors.cryptsetup.CryptsetupEncryptor", Format::kPlain},
                                     {"os_brick.encryptors.cryptsetup.CryptsetupEncryptor", Format::kPlain},
                                     {"CryptsetupEncryptor", Format::kPlain}}) {
    const absl::StatusOr<Format> parsed = ParseProvider(name);
    ASSERT_TRUE(parsed.ok()) << name;
    EXPECT_EQ(*parsed, format) << name;
  }
}

TEST(OpenStackProviderTest, ProvidersThatEncryptNothingAreUnsupported) {
  for (const std::string& name :
       {std::string("NoopEncryptor"), std::string("NoOpEncryptor"),
        std::string("nova.volume.encryptors.nop.NoopEncryptor"), std::string("os_brick.encryptors.nop.NoopEncryptor"),
        std::string("os_brick.encryptors.nop.NoOpEncryptor")}) {
    EXPECT_TRUE(HasReason(ParseProvider(name).status(), Reason::kUnsupportedEncryption)) << name;
  }
}

TEST(OpenStackProviderTest, NoOtherNameIsGuessed) {
  for (const std::string& name : {std::string("LUKS"), std::string("luks1"), std::string("luks "), std::string("Luks"),
                                  std::string("vendor.Encryptor"), std::string("os"), std::string("luks\0", 5)}) {
    const absl::Status refused = ParseProvider(name).status();
    EXPECT_TRUE(HasReason(refused, Reason::kInvalidField)) << name;
    EXPECT_EQ(MetadataOf(refused)["field"], "provider");
  }
}

}  // namespace
}  // namespace volcrypt
