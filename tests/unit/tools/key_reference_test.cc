#include "tools/volcryptctl/key_reference.h"

#include <gtest/gtest.h>

#include <string>

namespace volcrypt::ctl {
namespace {

// "manager | id", or "none".
std::string Parsed(const std::string& text) {
  const std::optional<v1::KeyReference> key = ParseKeyReference(text);
  return key ? key->key_manager() + " | " + key->key_id() : "none";
}

TEST(KeyReference, ManagerComesBeforeTheFirstColon) {
  EXPECT_EQ(Parsed("key-1"), " | key-1");
  EXPECT_EQ(Parsed("local:key-1"), "local | key-1");
  EXPECT_EQ(Parsed("kmip:a:b"), "kmip | a:b");
}

TEST(KeyReference, UrlIsAKeyId) {
  EXPECT_EQ(Parsed("https://barbican:9311/v1/secrets/1"), " | https://barbican:9311/v1/secrets/1");
  EXPECT_EQ(Parsed("barbican:https://barbican:9311/v1/secrets/1"), "barbican | https://barbican:9311/v1/secrets/1");
}

TEST(KeyReference, NameOfAKeyIsAKeyId) {
  EXPECT_EQ(Parsed("name:vol42"), " | name:vol42");
  EXPECT_EQ(Parsed("kmip:name:vol42"), "kmip | name:vol42");
  EXPECT_EQ(Parsed("names:vol42"), "names | vol42");
}

TEST(KeyReference, EmptyPartIsNoReference) {
  for (const std::string text : {"", ":", ":key-1", "local:"}) EXPECT_EQ(Parsed(text), "none") << text;
}

}  // namespace
}  // namespace volcrypt::ctl
