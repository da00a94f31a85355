#include "agent/rpc/trace_of.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/uuid.h"

namespace volcrypt {
namespace {

constexpr char kTraceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

RequestTrace TraceFrom(const std::vector<std::pair<std::string, std::string>>& sent) {
  std::multimap<grpc::string_ref, grpc::string_ref> metadata;
  for (const auto& [name, value] : sent) metadata.emplace(name, value);
  return TraceOf(metadata);
}

bool IsFresh(const std::string& id) { return id.starts_with("req-") && IsCanonicalUuid(id.substr(4)); }

TEST(TraceOf, CallersIdIsKept) {
  EXPECT_EQ(TraceFrom({{"x-openstack-request-id", "req-1"}}).request_id, "req-1");
  EXPECT_EQ(TraceFrom({{"x-request-id", "a.b_C-9"}}).request_id, "a.b_C-9");
  EXPECT_EQ(TraceFrom({{"x-request-id", "other"}, {"x-openstack-request-id", "req-1"}}).request_id, "req-1");
  const std::string longest(64, 'r');
  EXPECT_EQ(TraceFrom({{"x-request-id", longest}}).request_id, longest);
}

TEST(TraceOf, RequestWithoutAnIdGetsAFreshOne) {
  const std::string one = TraceFrom({}).request_id;
  EXPECT_TRUE(IsFresh(one)) << one;
  EXPECT_NE(one, TraceFrom({}).request_id);
}

TEST(TraceOf, WhatIsNoIdIsReplaced) {
  for (const std::string& id : {std::string(), std::string(65, 'r'), std::string("a b"), std::string("a\"b"),
                                std::string("a\r\nX-Roles: admin"), std::string("\xC3\xA4")}) {
    EXPECT_TRUE(IsFresh(TraceFrom({{"x-openstack-request-id", id}}).request_id)) << id;
  }
  EXPECT_TRUE(IsFresh(TraceFrom({{"x-request-id", "one"}, {"x-request-id", "two"}}).request_id));
}

TEST(TraceOf, TraceparentIsKept) {
  EXPECT_EQ(TraceFrom({}).traceparent, "");
  EXPECT_EQ(TraceFrom({{"traceparent", kTraceparent}}).traceparent, kTraceparent);
}

TEST(TraceOf, WhatIsNoTraceparentIsLeftOut) {
  for (const char* const text : {
           "",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
       }) {
    EXPECT_EQ(TraceFrom({{"traceparent", text}}).traceparent, "") << text;
  }
  EXPECT_EQ(TraceFrom({{"traceparent", kTraceparent}, {"traceparent", kTraceparent}}).traceparent, "");
}

}  // namespace
}  // namespace volcrypt
