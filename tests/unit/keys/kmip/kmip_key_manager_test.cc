#include "agent/keys/kmip/kmip_key_manager.h"

#include <algorithm>

#include "tests/unit/keys/kmip/kmip_fixture.h"

namespace volcrypt {
namespace {

using ::testing::HasSubstr;

class KmipKeyManagerTest : public KmipTest {
 protected:
  FakeKmipServer server_{ServerOptions()};
  std::unique_ptr<KmipKeyManager> manager_ = Open(ConfigFor({server_.Address()}));
};

TEST_F(KmipKeyManagerTest, GetGivesTheKeyOfAUniqueIdentifier) {
  server_.Put("20", KeyObject());
  const absl::StatusOr<Key> key = manager_->Get("20", Soon());
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(TextOf(key->bytes), std::string(32, 0x42));
  EXPECT_EQ(key->type, KeyType::kSymmetric);
  EXPECT_TRUE(key->high_entropy);
}

TEST_F(KmipKeyManagerTest, GetGivesPassphrasesAndOpaqueObjectsTheirTypes) {
  FakeKmipObject object = KeyObject();
  object.type = KmipObjectType::kSecretData;
  server_.Put("p", object);
  object.type = KmipObjectType::kOpaqueObject;
  object.state.reset();
  server_.Put("o", object);
  EXPECT_EQ(manager_->Get("p", Soon())->type, KeyType::kPassphrase);
  EXPECT_EQ(manager_->Get("o", Soon())->type, KeyType::kOpaque);
  EXPECT_FALSE(manager_->Get("o", Soon())->high_entropy);
}

TEST_F(KmipKeyManagerTest, GetFindsTheOneKeyOfAName) {
  server_.Put("20", KeyObject("disk.1"));
  server_.Put("21", KeyObject("disk.10"));
  EXPECT_TRUE(manager_->Get("name:disk.1", Soon()).ok());
  const absl::StatusOr<KeyMetadata> metadata = manager_->GetMetadata("name:disk.1", Soon());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->key_id, "20");
}

TEST_F(KmipKeyManagerTest, AnAmbiguousNameIsRefusedWithItsNumberOfKeys) {
  for (const char* uid : {"1", "2", "3"}) server_.Put(uid, KeyObject("twice"));
  const absl::Status status = manager_->Get("name:twice", Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyUnfit)) << status;
  EXPECT_EQ(MetadataOf(status)["matches"], "3");
  EXPECT_EQ(server_.RequestCount(KmipOperation::kGet), 0);
  EXPECT_EQ(Outcome(manager_->Delete("name:twice", true, Soon())), "KEY_UNFIT");
  EXPECT_EQ(server_.ObjectCount(), 3U);
}

TEST_F(KmipKeyManagerTest, ANameWithoutAKeyIsNeverAReasonToMakeOne) {
  const absl::Status status = manager_->Get("name:nothing", Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyNotFound)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another client"));
  EXPECT_EQ(server_.RequestCount(KmipOperation::kCreate), 0);
  EXPECT_EQ(server_.RequestCount(KmipOperation::kGet), 0);
}

TEST_F(KmipKeyManagerTest, EmptyIdsAreRefused) {
  EXPECT_EQ(Outcome(manager_->Get("", Soon())), "INVALID_KEY_ID");
  EXPECT_EQ(Outcome(manager_->Get("name:", Soon())), "INVALID_KEY_ID");
}

TEST_F(KmipKeyManagerTest, EveryRequestAboutAKeyNamesIt) {
  const absl::StatusOr<std::string> uid = manager_->Create({.bit_length = 256, .name = "n"}, Soon());
  ASSERT_TRUE(uid.ok()) << uid.status();
  EXPECT_TRUE(manager_->Get("name:n", Soon()).ok());
  EXPECT_EQ(Outcome(manager_->Get("name:other", Soon())), "KEY_NOT_FOUND");
  EXPECT_TRUE(manager_->GetMetadata(*uid, Soon()).ok());
  EXPECT_TRUE(manager_->Delete(*uid, false, Soon()).ok());
  EXPECT_TRUE(server_.EveryRequestNamedItsObject());
}

TEST_F(KmipKeyManagerTest, AnAnswerAboutAnotherKeyIsRefused) {
  server_.Put("20", KeyObject());
  server_.Misbehave(KmipOperation::kGet, Fault::kOtherUid);
  const absl::Status status = manager_->Get("20", Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyManagerUnavailable)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("another key"));
}

TEST_F(KmipKeyManagerTest, ObjectsThatCannotBeKeysAreUnfit) {
  FakeKmipObject wrapped = KeyObject();
  wrapped.is_wrapped = true;
  server_.Put("wrapped", wrapped);
  FakeKmipObject short_key = KeyObject();
  short_key.stated_bits = 512;
  server_.Put("short", short_key);
  FakeKmipObject empty = KeyObject();
  empty.bytes.clear();
  server_.Put("empty", empty);
  FakeKmipObject opaque_format = KeyObject();
  opaque_format.format = KmipKeyFormat::kOpaque;
  server_.Put("format", opaque_format);
  FakeKmipObject seed = KeyObject();
  seed.type = KmipObjectType::kSecretData;
  seed.secret_type = KmipSecretDataType::kSeed;
  server_.Put("seed", seed);
  FakeKmipObject certificate = KeyObject();
  certificate.type = static_cast<KmipObjectType>(1);
  server_.Put("certificate", certificate);
  for (const char* uid : {"wrapped", "short", "empty", "format", "seed", "certificate"}) {
    EXPECT_EQ(Outcome(manager_->Get(uid, Soon())), "KEY_UNFIT") << uid;
  }
}

TEST_F(KmipKeyManagerTest, StatesDecideWhatAKeyMayDo) {
  struct Case {
    KmipState state;
    const char* opens;
    const char* protects;
  };
  for (const Case& wanted :
       {Case{KmipState::kPreActive, "KEY_UNFIT", "KEY_UNFIT"}, Case{KmipState::kActive, "OK", "UNIMPLEMENTED"},
        Case{KmipState::kDeactivated, "OK", "KEY_UNFIT"}, Case{KmipState::kCompromised, "OK", "KEY_UNFIT"},
        Case{KmipState::kDestroyed, "KEY_NOT_FOUND", "KEY_NOT_FOUND"},
        Case{KmipState::kDestroyedCompromised, "KEY_NOT_FOUND", "KEY_NOT_FOUND"},
        Case{static_cast<KmipState>(77), "KEY_UNFIT", "KEY_UNFIT"}}) {
    FakeKmipObject object = KeyObject();
    object.state = wanted.state;
    server_.Put("20", object);
    const int state = static_cast<int>(wanted.state);
    EXPECT_EQ(Outcome(manager_->Get("20", Soon())), wanted.opens) << state;
    EXPECT_THAT(Outcome(manager_->ClaimFirstUse("20", {}, Soon())), ::testing::StartsWith(wanted.protects)) << state;
  }
}

TEST_F(KmipKeyManagerTest, AKeyThatIsNoLongerActiveIsGivenWithAWarning) {
  std::vector<std::string> warnings;
  KeyCall call = Soon();
  call.warnings = &warnings;
  server_.Put("20", KeyObject());
  EXPECT_TRUE(manager_->Get("20", call).ok());
  EXPECT_THAT(warnings, ::testing::IsEmpty());
  FakeKmipObject compromised = KeyObject();
  compromised.state = KmipState::kCompromised;
  server_.Put("21", compromised);
  EXPECT_TRUE(manager_->Get("21", call).ok());
  EXPECT_THAT(warnings, ::testing::ElementsAre(HasSubstr("key 21 is compromised")));
}

TEST_F(KmipKeyManagerTest, AStateThatIsHiddenForbidsNothing) {
  server_.Put("20", KeyObject());
  for (const KmipResultReason reason :
       {KmipResultReason::kPermissionDenied, KmipResultReason::kOperationNotSupported}) {
    server_.Refuse(KmipOperation::kGetAttributes, reason);
    EXPECT_TRUE(manager_->Get("20", Soon()).ok());
    EXPECT_TRUE(IsNotHeld(manager_->ClaimFirstUse("20", {}, Soon()).status()));
  }
  server_.Refuse(KmipOperation::kGetAttributes, KmipResultReason::kAuthenticationNotSuccessful);
  EXPECT_EQ(Outcome(manager_->Get("20", Soon())), "KEY_ACCESS_DENIED");
}

TEST_F(KmipKeyManagerTest, RefusalsAreToldByTheirCodes) {
  server_.Put("20", KeyObject());
  struct Case {
    uint32_t code;
    const char* outcome;
  };
  for (const Case& refusal : {Case{0x01, "KEY_NOT_FOUND"},
                              {0x02, "KEY_UNFIT"},
                              {0x03, "KEY_ACCESS_DENIED"},
                              {0x04, "KEY_MANAGER_UNAVAILABLE"},
                              {0x05, "KEY_MANAGER_UNAVAILABLE"},
                              {0x07, "KEY_UNFIT"},
                              {0x0B, "KEY_UNFIT"},
                              {0x0C, "KEY_ACCESS_DENIED"},
                              {0x0D, "KEY_UNFIT"},
                              {0x10, "KEY_UNFIT"},
                              {0x13, "KEY_UNFIT"},
                              {0x15, "KEY_ACCESS_DENIED"},
                              {0x100, "KEY_MANAGER_UNAVAILABLE"},
                              {0x7777, "KEY_MANAGER_UNAVAILABLE"}}) {
    server_.Refuse(KmipOperation::kGet, static_cast<KmipResultReason>(refusal.code));
    const absl::Status status = manager_->Get("20", Soon()).status();
    EXPECT_EQ(Outcome(status), refusal.outcome) << refusal.code;
    const bool is_denial = HasReason(status, Reason::kKeyAccessDenied);
    EXPECT_EQ(MetadataOf(status)["credential"], is_denial ? "agent" : "") << refusal.code;
  }
}

TEST_F(KmipKeyManagerTest, CreateMakesAnActiveKey) {
  const absl::StatusOr<std::string> uid = manager_->Create({.bit_length = 512, .name = "disk"}, Soon());
  ASSERT_TRUE(uid.ok()) << uid.status();
  EXPECT_EQ(server_.Find(*uid)->state, KmipState::kActive);
  const absl::StatusOr<KeyMetadata> metadata = manager_->GetMetadata(*uid, Soon());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->key_id, *uid);
  EXPECT_EQ(metadata->algorithm, "aes");
  EXPECT_EQ(metadata->bit_length, 512U);
  EXPECT_EQ(metadata->name, "disk");
  EXPECT_EQ(metadata->status, "active");
  EXPECT_EQ(manager_->Get(*uid, Soon())->bytes.Size(), 64U);
}

TEST_F(KmipKeyManagerTest, CreateRefusesWhatCannotBeMade) {
  EXPECT_EQ(Outcome(manager_->Create({.bit_length = 300}, Soon())), "INVALID_FIELD");
  EXPECT_EQ(Outcome(manager_->Create({.algorithm = "des"}, Soon())), "INVALID_FIELD");
  EXPECT_EQ(server_.ConnectionCount(), 0);
}

TEST_F(KmipKeyManagerTest, NamesThatCannotBeInAKeyIdAreRefused) {
  for (const std::string& name :
       {std::string(251, 'x'), std::string("\xff"), std::string("a\nb"), std::string("volume 7"), std::string("a/b"),
        std::string("schl\xc3\xbcssel"), std::string(1, '\0')}) {
    const absl::Status created = manager_->Create({.name = name}, Soon()).status();
    EXPECT_EQ(Outcome(created), "INVALID_FIELD") << name;
    EXPECT_EQ(MetadataOf(created)["field"], "name");
    EXPECT_THAT(std::string(created.message()), testing::HasSubstr("letters, digits, \"_\", \".\", \":\" and \"-\""));
    EXPECT_EQ(Outcome(manager_->Import(KeyWith("0123456789abcdef"), {.name = name}, Soon())), "INVALID_FIELD") << name;
  }
  EXPECT_EQ(server_.ConnectionCount(), 0);
  for (const std::string& name : {std::string(250, 'x'), std::string("a.b:C_d-1")}) {
    const absl::StatusOr<std::string> uid = manager_->Create({.name = name}, Soon());
    ASSERT_TRUE(uid.ok()) << uid.status();
    EXPECT_EQ(manager_->GetMetadata("name:" + name, Soon())->key_id, *uid);
  }
}

TEST_F(KmipKeyManagerTest, AKeyWhoseIdentifierNobodyCouldNameIsDestroyedAgain) {
  for (const char* prefix : {"new/", "new=", "{new}"}) {
    server_.BeginNewUidsWith(prefix);
    const int destroyed = server_.RequestCount(KmipOperation::kDestroy);
    EXPECT_EQ(Outcome(manager_->Create({}, Soon())), "KEY_UNFIT") << prefix;
    EXPECT_EQ(Outcome(manager_->Import(KeyWith("0123456789abcdef"), {}, Soon())), "KEY_UNFIT") << prefix;
    EXPECT_EQ(server_.RequestCount(KmipOperation::kDestroy), destroyed + 2);
  }
}

TEST_F(KmipKeyManagerTest, AKeyThatCannotBeActivatedIsDestroyedAgain) {
  server_.Refuse(KmipOperation::kActivate, KmipResultReason::kPermissionDenied);
  const absl::Status status = manager_->Create({}, Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyAccessDenied)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("Activate"));
  EXPECT_EQ(server_.ObjectCount(), 0U);
}

TEST_F(KmipKeyManagerTest, AKeyLeftBehindIsNamed) {
  server_.Refuse(KmipOperation::kActivate, KmipResultReason::kPermissionDenied);
  server_.Refuse(KmipOperation::kDestroy, KmipResultReason::kPermissionDenied);
  const absl::Status status = manager_->Create({}, Soon()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("new-1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("undoing it failed too"));
}

TEST_F(KmipKeyManagerTest, ALostAnswerToActivateIsNoFailure) {
  server_.Misbehave(KmipOperation::kActivate, Fault::kClose);
  const absl::StatusOr<std::string> uid = manager_->Create({}, Soon());
  ASSERT_TRUE(uid.ok()) << uid.status();
  EXPECT_EQ(server_.RequestCount(KmipOperation::kActivate), 1);
}

TEST_F(KmipKeyManagerTest, ImportedKeysComeBackAsTheyWere) {
  for (const KeyType type : {KeyType::kSymmetric, KeyType::kPassphrase, KeyType::kOpaque}) {
    Key key = KeyWith("0123456789abcdef");
    key.type = type;
    const absl::StatusOr<std::string> uid = manager_->Import(key, {.bit_length = 128, .name = "copy"}, Soon());
    ASSERT_TRUE(uid.ok()) << uid.status();
    const absl::StatusOr<Key> back = manager_->Get(*uid, Soon());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->type, type);
    EXPECT_TRUE(SameSecret(back->bytes, key.bytes));
    EXPECT_EQ(manager_->GetMetadata(*uid, Soon())->type, type);
  }
}

TEST_F(KmipKeyManagerTest, DeleteRevokesAndDestroys) {
  server_.Put("20", KeyObject());
  FakeKmipObject inactive = KeyObject();
  inactive.state = KmipState::kPreActive;
  server_.Put("21", inactive);
  EXPECT_TRUE(manager_->Delete("20", false, Soon()).ok());
  EXPECT_TRUE(manager_->Delete("21", false, Soon()).ok());
  EXPECT_EQ(server_.RequestCount(KmipOperation::kRevoke), 1);
  EXPECT_EQ(server_.ObjectCount(), 0U);
  EXPECT_EQ(Outcome(manager_->Delete("20", false, Soon())), "KEY_NOT_FOUND");
}

TEST_F(KmipKeyManagerTest, AKeyThatMayNotBeRevokedStays) {
  server_.Put("20", KeyObject());
  server_.Refuse(KmipOperation::kRevoke, KmipResultReason::kPermissionDenied);
  EXPECT_EQ(Outcome(manager_->Delete("20", true, Soon())), "KEY_ACCESS_DENIED");
  EXPECT_EQ(server_.Find("20")->state, KmipState::kActive);
}

TEST_F(KmipKeyManagerTest, FirstUsesAreNotHeld) {
  server_.Put("20", KeyObject());
  EXPECT_TRUE(IsNotHeld(manager_->ClaimFirstUse("20", {}, Soon()).status()));
  EXPECT_TRUE(IsNotHeld(manager_->RecordFirstUse("20", {}, Soon())));
  EXPECT_TRUE(manager_->DropFirstUse("20", "v", Soon()).ok());
  EXPECT_EQ(Outcome(manager_->ClaimFirstUse("none", {}, Soon())), "KEY_NOT_FOUND");
}

TEST_F(KmipKeyManagerTest, CheckGoesThroughEveryStepAndChangesNothing) {
  server_.Put("20", KeyObject());
  std::vector<std::string> names;
  for (const CheckStep& step : manager_->Check(Soon())) {
    EXPECT_TRUE(step.passed) << step.name << ": " << step.detail;
    names.push_back(step.name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("resolve", "connect", "tls", "version", "authenticate", "read", "create"));
  EXPECT_EQ(server_.ObjectCount(), 1U);
}

TEST_F(KmipKeyManagerTest, PasswordsAreCheckedByTheServerAndNotRetried) {
  server_.Put("20", KeyObject());
  server_.DemandPassword("svc", "right");
  KmipConfig config = ConfigFor({server_.Address()});
  config.username = "svc";
  EXPECT_TRUE(Open(config, SecretOf("right"))->Get("20", Soon()).ok());
  const int before = server_.RequestCount(KmipOperation::kDiscoverVersions);
  const auto wrong = Open(config, SecretOf("wrong-password"));
  const absl::Status status = wrong->Get("20", Soon()).status();
  EXPECT_TRUE(HasReason(status, Reason::kKeyAccessDenied)) << status;
  EXPECT_THAT(status.ToString(), ::testing::Not(HasSubstr("wrong-password")));
  EXPECT_EQ(server_.RequestCount(KmipOperation::kDiscoverVersions), before + 1);
  const std::vector<CheckStep> steps = wrong->Check(Soon());
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(steps.back().name, "authenticate");
  EXPECT_FALSE(steps.back().passed);
  EXPECT_THAT(steps.back().remedy, HasSubstr("password_file"));
  EXPECT_EQ(steps.back().reason, Reason::kKeyAccessDenied);
}

}  // namespace
}  // namespace volcrypt
