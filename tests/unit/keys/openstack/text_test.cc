// The pure parts: what is parsed and written, without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/first_use_text.h"
#include "agent/keys/openstack/keystone_json.h"
#include "agent/keys/openstack/remote_error.h"
#include "agent/keys/openstack/secret_buffer.h"
#include "agent/keys/openstack/service_url.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"

namespace volcrypt {
namespace {

using State = FirstUseRecord::State;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kUuid[] = "0e6b1c9e-7f0a-4a3e-9c52-0f7d3f3c1a11";

std::string Taken(SecretBuffer& buffer) { return TextOfSecret(buffer.Take().value()); }

TEST(SecretBufferTest, GrowsAndKeepsEverything) {
  SecretBuffer buffer(10000);
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = absl::StrCat(i, ",");
    buffer.Append(piece);
    expected += piece;
  }
  EXPECT_EQ(Taken(buffer), expected);
}

TEST(SecretBufferTest, TakesExactlyItsLimit) {
  SecretBuffer fits(4);
  EXPECT_EQ(Taken(fits.Append("abcd")), "abcd");
  SecretBuffer larger(4);
  EXPECT_THAT(larger.Append("abcd").Append("e").Take(), FailsWith(Reason::kKeyUnfit));
}

TEST(SecretBufferTest, StaysEmptyAfterAFailure) {
  SecretBuffer buffer(4);
  EXPECT_THAT(buffer.Append("abcde").Append("a").Take(), FailsWith(Reason::kKeyUnfit));
}

TEST(SecretBufferTest, EscapesJson) {
  SecretBuffer buffer(100);
  EXPECT_EQ(Taken(buffer.AppendJsonString("a\"b\\c\n\x01\x1f\xc3\xbc/")),
            "\"a\\\"b\\\\c\\u000a\\u0001\\u001f\xc3\xbc/\"");
}

TEST(SecretBufferTest, WritesBase64OfEveryPadding) {
  const auto base64 = [](const std::string& text) {
    SecretBuffer buffer(100);
    return Taken(buffer.AppendBase64({reinterpret_cast<const uint8_t*>(text.data()), text.size()}).Append("."));
  };
  EXPECT_EQ(base64(""), ".");
  EXPECT_EQ(base64("f"), "Zg==.");
  EXPECT_EQ(base64("fo"), "Zm8=.");
  EXPECT_EQ(base64("foo"), "Zm9v.");
  EXPECT_EQ(base64("\xff\xfe"), "//4=.");
}

TEST(ServiceUrlTest, TakesWebAddresses) {
  EXPECT_EQ(ServiceUrl("https://keystone:5000/v3/", "f").value(), "https://keystone:5000/v3");
  EXPECT_EQ(ServiceUrl("http://[::1]:9311", "f").value(), "http://[::1]:9311");
}

TEST(ServiceUrlTest, RefusesEverythingElse) {
  for (const char* url :
       {"", "keystone:5000", "ftp://keystone", "https://", "https:///v3", "https://:80", "https://user:pw@keystone",
        "https://keystone/v3?a=b", "https://keystone/#a", "https://key stone/", "https://keystone/\r\nX-A: b"}) {
    EXPECT_THAT(ServiceUrl(url, "auth_url"), FailsWith(Reason::kInvalidField)) << url;
  }
}

TEST(ServiceUrlTest, AddsTheVersionOnce) {
  EXPECT_EQ(WithVersion1("https://b/key-manager"), "https://b/key-manager/v1");
  EXPECT_EQ(WithVersion1("https://b/v1"), "https://b/v1");
}

TEST(ServiceUrlTest, TakesTheLastSegmentOfAReference) {
  EXPECT_EQ(LastSegment("https://evil.test/v1/secrets/abc"), "abc");
  EXPECT_EQ(LastSegment("https://evil.test/v1/secrets/abc/"), "abc");
  EXPECT_EQ(LastSegment("abc"), "abc");
}

TEST(FirstUseTextTest, NameIsTheVolumesIdInLowerCase) {
  EXPECT_EQ(FirstUseName(kUuid).value(), absl::StrCat("volcrypt-", kUuid));
  EXPECT_EQ(FirstUseName("Vol_1-A").value(), "volcrypt-vol_1-a");
}

TEST(FirstUseTextTest, NameOfAnIdWithADotHasNone) {
  const std::string name = FirstUseName("data.1").value();
  EXPECT_EQ(name, "volcrypt-sha256-c5d92bb50e10177ae05dce1eaa099752c8621716cdfc1a27be122e69fb9e7cdb");
  EXPECT_EQ(FirstUseName("DATA.1").value(), name);
  EXPECT_NE(FirstUseName("data.2").value(), name);
}

TEST(FirstUseTextTest, BadVolumeIdHasNoName) { EXPECT_THAT(FirstUseName("../a"), FailsWith(Reason::kInvalidVolumeId)); }

TEST(FirstUseTextTest, RecordComesBackAsItWasWritten) {
  for (const std::string& volume : {std::string(kUuid), std::string("Vol.1"), std::string(74, 'v')}) {
    for (const State state : {State::kClaimed, State::kFormatted}) {
      const FirstUseRecord record = {
          .volume_id = volume, .state = state, .host = std::string(77, 'h'), .luks_uuid = kUuid};
      const std::string value = FirstUseValue(record).value();
      EXPECT_LE(value.size(), 255U);
      const FirstUseRecord read = ParseFirstUse(FirstUseName(volume).value(), value);
      EXPECT_EQ(read.volume_id, volume);
      EXPECT_EQ(read.state, state);
      EXPECT_EQ(read.host, record.host);
      EXPECT_EQ(read.luks_uuid, kUuid);
    }
  }
}

TEST(FirstUseTextTest, ValueIsForPeople) {
  EXPECT_EQ(FirstUseValue({.volume_id = "v", .state = State::kFormatted, .host = "h", .luks_uuid = "u"}).value(),
            "state=formatted host=h luks=u volume=v v=1");
}

TEST(FirstUseTextTest, WhatDoesNotFitIsRefused) {
  EXPECT_THAT(FirstUseValue({.volume_id = "v", .host = "a b", .luks_uuid = kUuid}), FailsWith(Reason::kInvalidField));
  EXPECT_THAT(FirstUseValue({.volume_id = "v", .host = "", .luks_uuid = kUuid}), FailsWith(Reason::kInvalidField));
  EXPECT_THAT(FirstUseValue({.volume_id = "v", .host = "h", .luks_uuid = "a\nb"}), FailsWith(Reason::kInvalidField));
  EXPECT_THAT(FirstUseValue({.volume_id = "v", .host = std::string(255, 'h'), .luks_uuid = kUuid}),
              FailsWith(Reason::kInvalidField));
}

TEST(FirstUseTextTest, DamagedRecordIsOfAFormattedVolume) {
  for (const std::string& value :
       {std::string(), std::string("nonsense"), std::string("state=claimed"), std::string("state=claimed host=h"),
        absl::StrCat("state=other host=h luks=", kUuid), std::string("state=claimed host=\x01 luks=u")}) {
    const FirstUseRecord record = ParseFirstUse("volcrypt-v", value);
    EXPECT_EQ(record.state, State::kFormatted) << value;
    EXPECT_EQ(record.volume_id, "") << value;
  }
}

TEST(FirstUseTextTest, LaterVersionsMayAddWords) {
  const FirstUseRecord record =
      ParseFirstUse("volcrypt-v", absl::StrCat("state=claimed more=x host=h luks=", kUuid, " volume=v v=2 and"));
  EXPECT_EQ(record.state, State::kClaimed);
  EXPECT_EQ(record.volume_id, "v");
}

constexpr char kDigits[] = "0e6b1c9e7f0a4a3e9c520f7d3f3c1a11";

TEST(FirstUseTextTest, ClaimHasARowOfItsOwn) {
  EXPECT_EQ(ClaimName({.volume_id = "Vol", .host = "h", .luks_uuid = kUuid}).value(),
            absl::StrCat("volcrypt-vol-claim-", kDigits));
  EXPECT_THAT(ClaimName({.volume_id = "Vol", .host = "h", .luks_uuid = "u"}), FailsWith(Reason::kInvalidField));
  EXPECT_LE(ClaimName({.volume_id = std::string(74, 'v'), .host = "h", .luks_uuid = kUuid})->size(), 255U);
}

TEST(FirstUseTextTest, ClaimIsTheRecordWhereThereIsNoOther) {
  for (const std::string& volume : {std::string("Vol"), std::string("vol.1")}) {
    const FirstUseRecord claim = {.volume_id = volume, .host = "h", .luks_uuid = kUuid};
    std::map<std::string, std::string> metadata = {{ClaimName(claim).value(), FirstUseValue(claim).value()}};
    ASSERT_EQ(FirstUsesIn(metadata).size(), 1U);
    EXPECT_EQ(FirstUsesIn(metadata)[0].volume_id, volume);
    EXPECT_EQ(FirstUsesIn(metadata)[0].state, State::kClaimed);
    metadata[FirstUseName(volume).value()] = absl::StrCat("state=formatted host=g luks=u volume=", volume);
    ASSERT_EQ(FirstUsesIn(metadata).size(), 1U);
    EXPECT_EQ(FirstUsesIn(metadata)[0].host, "g");
    EXPECT_EQ(FirstUseRowsOf(volume, metadata).claims.size(), 1U);
    EXPECT_TRUE(FirstUseRowsOf(volume, metadata).main.has_value());
  }
}

TEST(FirstUseTextTest, RecordOfAVolumeWhoseIdLooksLikeAClaimIsNoClaim) {
  const std::string other = absl::StrCat("v-claim-", kDigits);
  const FirstUseRecord record = {.volume_id = other, .host = "h", .luks_uuid = kUuid};
  const std::map<std::string, std::string> metadata = {{FirstUseName(other).value(), FirstUseValue(record).value()}};
  EXPECT_THAT(FirstUseRowsOf("v", metadata).claims, IsEmpty());
  EXPECT_TRUE(FirstUseRowsOf(other, metadata).main.has_value());
  ASSERT_EQ(FirstUsesIn(metadata).size(), 1U);
  EXPECT_EQ(FirstUsesIn(metadata)[0].volume_id, other);
}

TEST(FirstUseTextTest, DamagedClaimForbids) {
  for (const std::string& value :
       {std::string(), std::string("nonsense"), absl::StrCat("state=formatted host=h luks=", kUuid, " volume=v"),
        absl::StrCat("state=claimed host=h luks=11111111-2222-4333-8444-555555555555 volume=v")}) {
    const std::map<std::string, std::string> metadata = {{absl::StrCat("volcrypt-v-claim-", kDigits), value}};
    const FirstUseRows rows = FirstUseRowsOf("v", metadata);
    ASSERT_EQ(rows.claims.size(), 1U) << value;
    EXPECT_TRUE(rows.claims[0].is_damaged);
    EXPECT_EQ(rows.claims[0].record.state, State::kFormatted);
    ASSERT_EQ(FirstUsesIn(metadata).size(), 1U);
    EXPECT_EQ(FirstUsesIn(metadata)[0].volume_id, "v");
    EXPECT_EQ(FirstUsesIn(metadata)[0].state, State::kFormatted);
  }
}

TEST(FirstUseTextTest, OtherUserMetadataIsNoRecord) {
  const std::vector<FirstUseRecord> records = FirstUsesIn(
      {{"owner", "somebody"}, {"volcrypt-damaged", ""}, {"volcrypt-v", "state=formatted host=h luks=u volume=V"}});
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].volume_id, "damaged");
  EXPECT_EQ(records[1].volume_id, "V");
}

TEST(BarbicanJsonTest, SecretIsDescribed) {
  const SecretDescription secret =
      ParseSecretDescription(
          R"({"name":null,"secret_type":"symmetric","status":"ACTIVE","algorithm":"aes","bit_length":256,
              "created":"2026-01-31T12:00:00.5","content_types":{"default":"application/octet-stream"}})")
          .value();
  EXPECT_EQ(secret.bit_length, 256U);
  EXPECT_EQ(secret.content_type, "application/octet-stream");
  EXPECT_EQ(absl::FormatTime(absl::RFC3339_full, *secret.created_at, absl::UTCTimeZone()),
            "2026-01-31T12:00:00.5+00:00");
}

TEST(BarbicanJsonTest, AnswersThatAreNotBarbicansAreRefused) {
  for (const char* text : {"", "{", "null", "[]", "3", "\"a\"", "{}", R"({"secret_type":1,"status":[]})", "\xff\xfe",
                           R"({"read":[],"consumers":{},"metadata":3,"value":null,"status":4})"}) {
    EXPECT_THAT(ParseSecretDescription(text), FailsWith(Reason::kKeyManagerUnavailable)) << text;
    EXPECT_THAT(ParseReference(text, "secret_ref"), FailsWith(Reason::kKeyManagerUnavailable)) << text;
    EXPECT_THAT(ParseOrderState(text), FailsWith(Reason::kKeyManagerUnavailable)) << text;
    EXPECT_THAT(ParseUserMetadata(text), FailsWith(Reason::kKeyManagerUnavailable)) << text;
    EXPECT_THAT(ParseReadAcl(text), FailsWith(Reason::kKeyManagerUnavailable)) << text;
    EXPECT_THAT(ParseConsumers(text), FailsWith(Reason::kKeyManagerUnavailable)) << text;
    EXPECT_THAT(ParseTokenBody(text), FailsWith(Reason::kKeyManagerUnavailable)) << text;
  }
}

TEST(BarbicanJsonTest, LengthsThatAreNoneAreNone) {
  const auto bits = [](const std::string& value) {
    return ParseSecretDescription(
        absl::StrCat(R"({"secret_type":"opaque","status":"ACTIVE","bit_length":)", value, "}"));
  };
  EXPECT_EQ(bits("null")->bit_length, 0U);
  EXPECT_EQ(bits("-1")->bit_length, 0U);
  EXPECT_EQ(bits("1.5")->bit_length, 0U);
  EXPECT_EQ(bits("\"256\"")->bit_length, 0U);
  EXPECT_THAT(bits("4294967296"), FailsWith(Reason::kKeyManagerUnavailable));
}

TEST(BarbicanJsonTest, ReferenceGivesAnIdAndNothingElse) {
  EXPECT_EQ(ParseReference(absl::StrCat(R"({"secret_ref":"https://evil.test/v1/secrets/)", kUuid, "\"}"), "secret_ref")
                .value(),
            kUuid);
  EXPECT_THAT(ParseReference(R"({"secret_ref":"https://b/v1/secrets/../../x"})", "secret_ref"),
              FailsWith(Reason::kKeyManagerUnavailable));
}

TEST(BarbicanJsonTest, ActiveOrderHasASecret) {
  EXPECT_EQ(ParseOrderState(absl::StrCat(R"({"status":"ACTIVE","secret_ref":"x/)", kUuid, "\"}"))->secret_id, kUuid);
  EXPECT_THAT(ParseOrderState(R"({"status":"ACTIVE"})"), FailsWith(Reason::kKeyManagerUnavailable));
}

TEST(BarbicanJsonTest, OrderOfTheLongestKeysNamesTheirMode) {
  EXPECT_THAT(OrderBody({.bit_length = 512}), testing::HasSubstr(R"("mode":"xts")"));
  EXPECT_THAT(OrderBody({.bit_length = 256}), testing::Not(testing::HasSubstr("mode")));
}

TEST(BarbicanJsonTest, NamesThatAreNoUtf8AreWrittenAllTheSame) {
  EXPECT_THAT(OrderBody({.name = "a\xff\"b"}), testing::HasSubstr("\xef\xbf\xbd\\\"b"));
}

TEST(BarbicanJsonTest, AclKeepsItsUsers) {
  const ReadAcl acl = ParseReadAcl(R"({"read":{"project-access":false,"users":["a","b"],"created":"x"}})").value();
  EXPECT_FALSE(acl.project_access);
  EXPECT_THAT(acl.users, ElementsAre("a", "b"));
  EXPECT_EQ(ReadAclBody(acl), R"({"read":{"project-access":false,"users":["a","b"]}})");
  EXPECT_THAT(ParseReadAcl(R"({"read":{"project-access":true}})")->users, IsEmpty());
}

TEST(BarbicanJsonTest, AclWithUsersThatCannotBeReadIsNotTouched) {
  EXPECT_THAT(ParseReadAcl(R"({"read":{"project-access":true,"users":["a",7]}})"),
              FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_THAT(ParseReadAcl(R"({"read":{"project-access":true,"users":"a"}})"),
              FailsWith(Reason::kKeyManagerUnavailable));
}

TEST(BarbicanJsonTest, ErrorsOfEveryShapeHaveTheirText) {
  EXPECT_EQ(ErrorText(R"({"code":404,"title":"Not Found","description":"Secret not found."})"), "Secret not found.");
  EXPECT_EQ(ErrorText(R"({"error":{"code":401,"message":"It requires authentication.","title":"Unauthorized"}})"),
            "It requires authentication.");
  EXPECT_EQ(ErrorText("<html><head><title>406 Not Acceptable</title></head>\n<body>\n no <b>way</b></body></html>"),
            "406 Not Acceptable no way");
  EXPECT_EQ(ErrorText("The Keystone service is temporarily unavailable.\r\n"),
            "The Keystone service is temporarily unavailable.");
  EXPECT_EQ(ErrorText(R"({"title":"Gone"})"), "Gone");
  EXPECT_EQ(ErrorText(""), "");
  EXPECT_EQ(ErrorText("null"), "null");
}

TEST(RemoteErrorTest, ServersWordsAreOneShortPlainLine) {
  EXPECT_EQ(PlainLine("a\r\n\tb\x1b[31mc\xff"), "a b [31mc?");
  EXPECT_EQ(PlainLine("0 < 1 and 2 <3"), "0 < 1 and 2 <3");
  EXPECT_EQ(PlainLine(std::string(5000, 'x')).size(), 300U);
}

TEST(KeystoneJsonTest, LifetimeIsOfTheServersOwnTimes) {
  const auto lifetime = [](const char* issued, const char* expires) {
    return ParseTokenBody(absl::StrCat(R"({"token":{"issued_at":")", issued, R"(","expires_at":")", expires, "\"}}"));
  };
  EXPECT_EQ(lifetime("1990-01-01T00:00:00.000000Z", "1990-01-01T01:00:00.000000Z")->lifetime, absl::Hours(1));
  EXPECT_THAT(lifetime("1990-01-01T01:00:00Z", "1990-01-01T00:00:00Z"), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_THAT(lifetime("1990-01-01T00:00:00Z", "infinite-future"), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_THAT(lifetime("", ""), FailsWith(Reason::kKeyManagerUnavailable));
}

}  // namespace
}  // namespace volcrypt
