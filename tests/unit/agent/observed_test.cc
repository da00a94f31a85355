// What an observer is told of key managers and workers, and that nothing else changes for those who call them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/metrics/observed_encryptor.h"
#include "agent/metrics/observed_key_manager.h"
#include "tests/fakes/fake_observer.h"
#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;

// Not the fixture's attacher: its key managers are taken over.
class ObservedTest : public AttacherTest {
 protected:
  FakeObserver observer_;
  KeyManagers observed_keys_ = Observed(std::move(key_managers_), observer_);
  ObservedEncryptor observed_encryptor_{encryptor_, observer_};
  Attacher observed_{observed_encryptor_, observed_keys_, mappings_, pending_, slots_, config_, kHost};
};

TEST_F(ObservedTest, KeyManagersKeepTheirNamesTypesAndDefault) {
  EXPECT_EQ(observed_keys_.DefaultName(), "local");
  ASSERT_EQ(observed_keys_.Entries().size(), 3U);
  EXPECT_EQ(observed_keys_.Entries().at("fixed").type, "conf");
  EXPECT_TRUE(observed_keys_.Find("other").ok());
}

TEST_F(ObservedTest, FirstUseIsToldStepByStep) {
  ASSERT_EQ(Outcome(observed_.Attach(Call(kBlank), Soon())), "OK");
  EXPECT_THAT(observer_.Take(),
              ElementsAre("key local get OK", "worker", "worker attach OK", "key local claim_first_use OK", "worker",
                          "worker attach OK", "key local record_first_use OK"));
}

TEST_F(ObservedTest, ErrorsAreToldAndPassedOn) {
  Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
  EXPECT_EQ(Outcome(observed_.Attach(Call("/dev/missing"), Soon())), "DEVICE_NOT_FOUND");
  EXPECT_THAT(observer_.Take(),
              ElementsAre("key local get KEY_MANAGER_UNAVAILABLE", "worker", "worker attach DEVICE_NOT_FOUND"));
}

TEST_F(ObservedTest, EveryCallToAKeyManagerIsTold) {
  KeyManager& manager = *observed_keys_.Find("local")->manager;
  EXPECT_TRUE(manager.CheckKeyId(kKey).ok());
  Fail(keys_->on_check_key_id, Reason::kInvalidKeyId);
  EXPECT_EQ(Outcome(manager.CheckKeyId(kKey)), "INVALID_KEY_ID") << "asks nobody, so it is not told";
  const FirstUseRecord record{.volume_id = kVolume, .state = State::kFormatted, .host = kHost, .luks_uuid = kUuid};
  const absl::StatusOr<Key> key = manager.Get(kKey, Soon());
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(manager.GetMetadata(kKey, Soon()).ok());
  EXPECT_TRUE(manager.Create({}, Soon()).ok());
  EXPECT_TRUE(manager.Import(*key, {}, Soon()).ok());
  EXPECT_TRUE(manager.ClaimFirstUse(kKey, record, Soon()).ok());
  EXPECT_TRUE(manager.RecordFirstUse(kKey, record, Soon()).ok());
  EXPECT_TRUE(manager.DropFirstUse(kKey, kVolume, Soon()).ok());
  EXPECT_TRUE(manager.Delete(kKey, /*force=*/false, Soon()).ok());
  EXPECT_THAT(observer_.Take(),
              ElementsAre("key local get OK", "key local get_metadata OK", "key local create OK", "key local import OK",
                          "key local claim_first_use OK", "key local record_first_use OK",
                          "key local drop_first_use OK", "key local delete OK"));
}

TEST_F(ObservedTest, CheckIsToldByTheStepThatFailed) {
  KeyManager& manager = *observed_keys_.Find("local")->manager;
  keys_->check_steps = {{.name = "resolve", .passed = true}};
  EXPECT_EQ(manager.Check(Soon()).size(), 1U);
  keys_->check_steps.push_back({.name = "connect", .passed = false, .reason = Reason::kKeyManagerUnavailable});
  EXPECT_EQ(manager.Check(Soon()).size(), 2U);
  EXPECT_THAT(observer_.Take(), ElementsAre("key local check OK", "key local check KEY_MANAGER_UNAVAILABLE"));
}

TEST_F(ObservedTest, EveryVerbOfAWorkerIsTold) {
  ASSERT_TRUE(observed_.Attach(Call(kFormatted), Soon()).ok());
  observer_.Take();
  EXPECT_TRUE(observed_.Inspect(kFormatted, Soon()).ok());
  EXPECT_TRUE(observed_.Get(kVolume, Soon()).ok());
  EXPECT_TRUE(observed_.Detach({.volume_id = kVolume, .device = ""}, Soon()).ok());
  EXPECT_TRUE(observed_.Forget(kVolume, std::nullopt, Soon()).ok());
  EXPECT_THAT(observer_.Take(), ElementsAre("worker", "worker inspect OK", "worker", "worker query OK", "worker",
                                            "worker detach OK", "worker", "worker forget OK"));
  ASSERT_TRUE(observed_.Attach(Call(kFormatted), Soon()).ok());
  observer_.Take();
  EXPECT_FALSE(observed_encryptor_.Extend({.volume_id = kVolume}, nullptr, Soon()).ok());
  EXPECT_THAT(observer_.Take(), ElementsAre("worker", "worker extend KEY_REQUIRED"));
}

TEST_F(ObservedTest, AttachSaysWhyItsRecordFailedAndWhoseItIs) {
  const absl::StatusOr<AttachAnswer> without = observed_.Attach(Call(kFormatted), Soon());
  ASSERT_TRUE(without.ok());
  EXPECT_TRUE(without->record_error.ok());
  EXPECT_EQ(without->key_manager, "local");
  ASSERT_TRUE(observed_.Detach({.volume_id = kVolume, .device = ""}, Soon()).ok());
  keys_->records.clear();
  Fail(keys_->on_record, Reason::kKeyAccessDenied);
  const absl::StatusOr<AttachAnswer> with = observed_.Attach(Call(kFormatted), Soon());
  ASSERT_TRUE(with.ok());
  EXPECT_TRUE(HasReason(with->record_error, Reason::kKeyAccessDenied)) << with->record_error;
}

}  // namespace
}  // namespace volcrypt
