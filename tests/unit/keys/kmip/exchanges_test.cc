// What went over the wire to a real server, read and written again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <span>
#include <string>
#include <vector>

#include "agent/keys/kmip/kmip_answers.h"
#include "agent/keys/kmip/kmip_payloads.h"
#include "agent/keys/kmip/kmip_request.h"
#include "agent/keys/kmip/kmip_response.h"
#include "agent/keys/kmip/ttlv_item.h"
#include "encryptors/reason.h"
#include "tests/unit/encryptors/test_key.h"
#include "tests/unit/keys/kmip/exchanges.h"

namespace volcrypt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr KmipVersion kVersion12 = {.major = 1, .minor = 2};
constexpr KmipVersion kVersion14 = {.major = 1, .minor = 4};

WireBytes Encoded(const KmipRequest& request, KmipVersion version, const WireBytes& item_id = {},
                  const KmipCredential* credential = nullptr) {
  const absl::StatusOr<SecretBytes> bytes = EncodeRequest(request, version, credential, item_id);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return {bytes->Bytes().begin(), bytes->Bytes().end()};
}

Key CountingKey() {
  Key key = KeyWith(std::string(32, '\0'));
  for (uint8_t i = 0; i < 32; ++i) key.bytes.Bytes()[i] = i;
  return key;
}

// The operation and batch item id of a recorded request, with which its answer must agree.
struct Asked {
  KmipOperation operation{};
  WireBytes item_id;
};

Asked AskedIn(const WireBytes& request) {
  const absl::StatusOr<TtlvItem> message = TtlvItem::Parse(request);
  if (!message.ok() || !message->Find(KmipTag::kBatchItem)) return {};
  const TtlvItem item = *message->Find(KmipTag::kBatchItem);
  Asked asked{.operation = static_cast<KmipOperation>(item.Find(KmipTag::kOperation)->Enumeration().value_or(0))};
  if (const auto id = item.Find(KmipTag::kUniqueBatchItemId))
    asked.item_id.assign(id->Value().begin(), id->Value().end());
  return asked;
}

absl::StatusOr<KmipResponse> AnswerTo(const std::string& name) {
  const Exchange& exchange = ExchangeNamed(name);
  const Asked asked = AskedIn(exchange.request);
  return DecodeResponse(exchange.answer, asked.operation, asked.item_id);
}

// Everything that reads an answer. Only a crash or a read past the end is a failure here.
void ReadEverything(std::span<const uint8_t> message, const Asked& asked, const std::string& uid) {
  const absl::StatusOr<KmipResponse> response = DecodeResponse(message, asked.operation, asked.item_id);
  if (!response.ok()) return;
  ReadNewUid(*response).IgnoreError();
  CheckUid(*response, uid).IgnoreError();
  ReadKey(*response, uid).IgnoreError();
  ReadAttributes(*response, uid).IgnoreError();
  ReadLocated(*response).IgnoreError();
  ReadVersions(*response).IgnoreError();
  ReadServerFacts(*response).IgnoreError();
}

TEST(Exchanges, RequestsAreWrittenAsTheServerUnderstoodThem) {
  const WireBytes ones(8, 1);
  EXPECT_EQ(Encoded(CreateRequest(256, "volume-raw-1"), kVersion12, ones), ExchangeNamed("create").request);
  EXPECT_EQ(Encoded(RegisterRequest(CountingKey(), "volume-raw-reg"), kVersion12), ExchangeNamed("register").request);
  EXPECT_EQ(Encoded(GetRequest("20"), kVersion12), ExchangeNamed("get").request);
  EXPECT_EQ(Encoded(LocateRequest("volume-raw-reg"), kVersion12), ExchangeNamed("locate").request);
  EXPECT_EQ(Encoded(ActivateRequest("20"), kVersion12), ExchangeNamed("activate").request);
  EXPECT_EQ(Encoded(RevokeRequest("20"), kVersion12), ExchangeNamed("revoke").request);
  EXPECT_EQ(Encoded(DestroyRequest("20"), kVersion12), ExchangeNamed("destroy").request);
}

TEST(Exchanges, CredentialAndItemIdAreWrittenAsTheServerUnderstoodThem) {
  const KmipCredential credential{.username = "svc", .password = SecretOf("s3cret")};
  EXPECT_EQ(Encoded(GetRequest("20"), kVersion12, {}, &credential), ExchangeNamed("get_with_password").request);
  EXPECT_EQ(Encoded(GetRequest("20"), kVersion12, FromHex("00112233445566778899aabbccddeeff")),
            ExchangeNamed("get_with_item_id").request);
}

TEST(Exchanges, OtherObjectsAreWrittenAsTheServerUnderstoodThem) {
  Key passphrase = KeyWith(std::string(32, 'a'));
  passphrase.type = KeyType::kPassphrase;
  Key opaque = KeyWith(std::string(32, 'a'));
  opaque.type = KeyType::kOpaque;
  const auto id = [](const char* name) { return AskedIn(ExchangeNamed(name).request).item_id; };
  EXPECT_EQ(Encoded(RegisterRequest(passphrase, "imp"), kVersion14, id("register_passphrase")),
            ExchangeNamed("register_passphrase").request);
  EXPECT_EQ(Encoded(RegisterRequest(opaque, "imp"), kVersion14, id("register_opaque")),
            ExchangeNamed("register_opaque").request);
}

TEST(Exchanges, KeysAreRead) {
  for (const char* name : {"get", "get_with_password", "get_with_item_id"}) {
    const absl::StatusOr<KmipResponse> response = AnswerTo(name);
    ASSERT_TRUE(response.ok()) << name << response.status();
    const absl::StatusOr<Key> key = ReadKey(*response, "20");
    ASSERT_TRUE(key.ok()) << name << key.status();
    EXPECT_EQ(key->type, KeyType::kSymmetric);
    EXPECT_TRUE(key->high_entropy);
    EXPECT_TRUE(SameSecret(key->bytes, CountingKey().bytes));
  }
  const absl::StatusOr<Key> passphrase = ReadKey(*AnswerTo("get_passphrase"), "6");
  ASSERT_TRUE(passphrase.ok()) << passphrase.status();
  EXPECT_EQ(passphrase->type, KeyType::kPassphrase);
  EXPECT_FALSE(passphrase->high_entropy);
  EXPECT_EQ(TextOf(passphrase->bytes), std::string(32, 'a'));
  const absl::StatusOr<Key> opaque = ReadKey(*AnswerTo("get_opaque"), "7");
  ASSERT_TRUE(opaque.ok()) << opaque.status();
  EXPECT_EQ(opaque->type, KeyType::kOpaque);
}

TEST(Exchanges, AKeyIsTakenForNoOther) {
  const absl::StatusOr<KmipResponse> response = AnswerTo("get");
  ASSERT_TRUE(response.ok());
  EXPECT_TRUE(HasReason(ReadKey(*response, "2").status(), Reason::kKeyManagerUnavailable));
  EXPECT_TRUE(HasReason(ReadKey(*response, "200").status(), Reason::kKeyManagerUnavailable));
}

TEST(Exchanges, AnswersToOtherOperationsAreRead) {
  EXPECT_EQ(*ReadNewUid(*AnswerTo("create")), "19");
  EXPECT_EQ(*ReadNewUid(*AnswerTo("register")), "20");
  EXPECT_THAT(*ReadLocated(*AnswerTo("locate")), ElementsAre("20"));
  EXPECT_THAT(*ReadLocated(*AnswerTo("locate_nothing")), IsEmpty());
  EXPECT_THAT(*ReadLocated(*AnswerTo("locate_of_another")), IsEmpty());
  EXPECT_THAT(*ReadLocated(*AnswerTo("locate_several")), ElementsAre("21", "22", "23", "24"));
  EXPECT_TRUE(CheckUid(*AnswerTo("activate"), "20").ok());
  EXPECT_TRUE(CheckUid(*AnswerTo("revoke"), "20").ok());
  EXPECT_TRUE(CheckUid(*AnswerTo("destroy"), "20").ok());
  EXPECT_THAT(*ReadVersions(*AnswerTo("discover_versions_listed")), ElementsAre(kVersion14, kVersion12));
  EXPECT_EQ(ReadVersions(*AnswerTo("discover_versions"))->size(), 6U);
  EXPECT_EQ(ReadServerFacts(*AnswerTo("query"))->operations.size(), 18U);
  EXPECT_EQ(ReadServerFacts(*AnswerTo("query_server"))->vendor, "PyKMIP 0.10.0 Software Server");
}

TEST(Exchanges, AttributesAreRead) {
  const absl::StatusOr<KmipAttributes> symmetric = ReadAttributes(*AnswerTo("get_attributes_symmetric"), "1");
  ASSERT_TRUE(symmetric.ok()) << symmetric.status();
  EXPECT_EQ(symmetric->state, KmipState::kActive);
  EXPECT_EQ(symmetric->object_type, KmipObjectType::kSymmetricKey);
  EXPECT_EQ(symmetric->algorithm, KmipAlgorithm::kAes);
  EXPECT_EQ(symmetric->bit_length, 128U);
  EXPECT_EQ(symmetric->name, "dev-128");
  EXPECT_TRUE(symmetric->created_at);
  const absl::StatusOr<KmipAttributes> opaque = ReadAttributes(*AnswerTo("get_attributes_opaque"), "7");
  ASSERT_TRUE(opaque.ok()) << opaque.status();
  EXPECT_EQ(opaque->object_type, KmipObjectType::kOpaqueObject);
  EXPECT_FALSE(opaque->state);
  EXPECT_FALSE(opaque->bit_length);
}

TEST(Exchanges, RefusalsAreToldByTheirCodes) {
  const auto reason = [](const char* name) { return AnswerTo(name)->error; };
  EXPECT_EQ(reason("get_destroyed"), KmipResultReason::kItemNotFound);
  EXPECT_EQ(reason("get_of_another"), KmipResultReason::kPermissionDenied);
  EXPECT_EQ(reason("get_too_large"), KmipResultReason::kResponseTooLarge);
  EXPECT_EQ(reason("activate_twice"), KmipResultReason::kPermissionDenied);
  EXPECT_EQ(reason("destroy_active"), KmipResultReason::kPermissionDenied);
  // Errors of the message as a whole name no operation, in the version that every server knows.
  for (const char* name : {"poll", "version_9_9", "garbage_payload", "other_tag"}) {
    EXPECT_EQ(reason(name), KmipResultReason::kInvalidMessage) << name;
    EXPECT_EQ(AnswerTo(name)->version, (KmipVersion{.major = 1, .minor = 0})) << name;
  }
}

TEST(Exchanges, AnAnswerToSomethingElseIsRefused) {
  const WireBytes& answer = ExchangeNamed("get_with_item_id").answer;
  WireBytes id = FromHex("00112233445566778899aabbccddeeff");
  EXPECT_TRUE(DecodeResponse(answer, KmipOperation::kGet, id).ok());
  EXPECT_FALSE(DecodeResponse(answer, KmipOperation::kDestroy, id).ok());
  EXPECT_FALSE(DecodeResponse(answer, KmipOperation::kGet, {}).ok());
  id.back() ^= 1;
  EXPECT_FALSE(DecodeResponse(answer, KmipOperation::kGet, id).ok());
  // A success that does not say which request it answers, though that had an id.
  EXPECT_FALSE(DecodeResponse(ExchangeNamed("get").answer, KmipOperation::kGet, id).ok());
  // A request is no answer.
  EXPECT_FALSE(DecodeResponse(ExchangeNamed("get").request, KmipOperation::kGet, {}).ok());
}

TEST(Exchanges, EveryTruncationIsRefused) {
  for (const auto& [name, exchange] : Exchanges()) {
    const Asked asked = AskedIn(exchange.request);
    for (size_t size = 0; size < exchange.answer.size(); ++size) {
      // A copy of exactly this size, so that address sanitizer sees a read past its end.
      const WireBytes cut(exchange.answer.begin(), exchange.answer.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(DecodeResponse(cut, asked.operation, asked.item_id).ok()) << name << " cut to " << size;
    }
  }
}

TEST(Exchanges, FlippedBitsDoNoHarm) {
  std::minstd_rand random(1);
  for (const auto& [name, exchange] : Exchanges()) {
    const Asked asked = AskedIn(exchange.request);
    for (size_t bit = 0; bit < exchange.answer.size() * 8; ++bit) {
      WireBytes bytes = exchange.answer;
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
      ReadEverything(bytes, asked, "20");
    }
    for (int round = 0; round < 200; ++round) {
      WireBytes bytes = exchange.answer;
      for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
      ReadEverything(bytes, asked, "20");
    }
  }
}

}  // namespace
}  // namespace volcrypt
