#include "agent/keys/kmip/kmip_endpoint.h"

#include <gtest/gtest.h>

#include <string>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

TEST(KmipEndpoint, IsParsedAndWrittenBack) {
  for (const char* text :
       {"kmip1:5696", "kmip.example.org:1", "192.0.2.1:65535", "[2001:db8::1]:5696", "[fe80::1%eth0]:9"}) {
    const absl::StatusOr<KmipEndpoint> endpoint = ParseKmipEndpoint(text);
    ASSERT_TRUE(endpoint.ok()) << text;
    EXPECT_EQ(ToString(*endpoint), text);
  }
}

TEST(KmipEndpoint, HasTheUsualPortWithoutOne) {
  EXPECT_EQ(ToString(*ParseKmipEndpoint("kmip1")), "kmip1:5696");
  EXPECT_EQ(ToString(*ParseKmipEndpoint("[::1]")), "[::1]:5696");
}

TEST(KmipEndpoint, IsRefusedWhenItIsNone) {
  for (const std::string& text :
       {std::string(), std::string(":5696"), std::string("kmip1:"), std::string("kmip1:0"), std::string("kmip1:65536"),
        std::string("kmip1:-1"), std::string("kmip1: 1"), std::string("kmip1:5696x"), std::string("::1"),
        std::string("[::1"), std::string("[]:1"), std::string("[::1]5696"), std::string("a b:1"),
        std::string("https://kmip1:5696"), std::string("kmip1\n:1"), std::string(300, 'a')}) {
    EXPECT_TRUE(HasReason(ParseKmipEndpoint(text).status(), Reason::kInvalidField)) << text;
  }
}

}  // namespace
}  // namespace volcrypt
