#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

// Lets the first thread that arrives wait inside until the test lets it go on.
class Gate {
 public:
  void Wait() {
    std::unique_lock lock(mutex_);
    inside_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitVisitor() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return inside_; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false;
  bool open_ = false;
};

class AttacherConcurrencyTest : public AttacherTest {
 protected:
  // An attach of kVolume in a thread of its own, which stops where the gate is.
  void AttachUntilGate(const std::string& device) {
    running_ = std::thread([this, device] { outcome_ = Outcome(Attach(Call(device))); });
    gate_.AwaitVisitor();
  }

  std::string Finish() {
    gate_.Open();
    running_.join();
    return outcome_;
  }

  void StopAtFormat() {
    encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
      if (!request.format_as_uuid.empty() && request.volume_id == kVolume) gate_.Wait();
      return encryptor_.AttachAsUsual(request, key);
    };
  }

  Gate gate_;
  std::thread running_;
  std::string outcome_;
};

TEST_F(AttacherConcurrencyTest, NothingElseHappensToAVolumeDuringItsFirstUse) {
  StopAtFormat();
  AttachUntilGate(kBlank);
  const std::string claim = RecordOf();
  const KeyReference key{.key_manager = "", .key_id = kKey};
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "OPERATION_IN_PROGRESS");
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = "", .deferred = false}, Soon())),
            "OPERATION_IN_PROGRESS");
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, key, Soon())), "OPERATION_IN_PROGRESS");
  ExtendCall extend;
  extend.volume_id = kVolume;
  EXPECT_EQ(Outcome(attacher_.Extend(extend, Soon())), "OPERATION_IN_PROGRESS");
  EXPECT_EQ(RecordOf(), claim);
  EXPECT_EQ(Finish(), "OK");
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "OK");
}

TEST_F(AttacherConcurrencyTest, OtherVolumesAreNotHeldUp) {
  StopAtFormat();
  AttachUntilGate(kBlank);
  EXPECT_EQ(Outcome(Attach(Call(kFormatted, "vol-2"))), "OK");
  EXPECT_EQ(Outcome(attacher_.Get("vol-2", Soon())), "OK");
  EXPECT_TRUE(attacher_.List(Soon()).attachments.empty());
  EXPECT_EQ(Finish(), "OK");
}

// The kernel shows a mapping before it has a table, and a whole one before the attach is done.
TEST_F(AttacherConcurrencyTest, VolumeIsNotAttachedBeforeItsAttachIsDone) {
  StopAtFormat();
  AttachUntilGate(kBlank);
  encryptor_.on_query = [](const std::string& volume_id) {
    return Mapping{.volume_id = volume_id, .state = MappingState::kBroken};
  };
  ShowInSysfs(kVolume);
  EXPECT_EQ(Outcome(attacher_.Get(kVolume, Soon())), "NOT_ATTACHED");
  EXPECT_TRUE(attacher_.List(Soon()).attachments.empty());
  EXPECT_EQ(Finish(), "OK");
  EXPECT_EQ(Outcome(attacher_.Get(kVolume, Soon())), "OK");
  EXPECT_EQ(attacher_.List(Soon()).attachments.size(), 1U);
}

// An attach that ends while the kernel is asked: what was read may be of the mapping that it undid.
TEST_F(AttacherConcurrencyTest, WhatAnAttachHasUndoneMeanwhileIsNotAttached) {
  encryptor_.on_query = [this](const std::string& volume_id) -> absl::StatusOr<Mapping> {
    Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted, volume_id))), "KEY_MANAGER_UNAVAILABLE");
    return Mapping{.volume_id = volume_id};
  };
  EXPECT_EQ(Outcome(attacher_.Get(kVolume, Soon())), "NOT_ATTACHED");
}

TEST_F(AttacherConcurrencyTest, AttachedVolumeStaysSoWhileItsAttachIsRepeated) {
  AttachAndShow(Call(kFormatted));
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
    gate_.Wait();
    return encryptor_.AttachAsUsual(request, key);
  };
  AttachUntilGate(kFormatted);
  EXPECT_EQ(Outcome(attacher_.Get(kVolume, Soon())), "OK");
  EXPECT_EQ(attacher_.List(Soon()).attachments.size(), 1U);
  EXPECT_EQ(Finish(), "OK");
}

TEST_F(AttacherConcurrencyTest, DeadlineEndsTheWaitForASlotButNotGetAndList) {
  OperationSlots one(1, 8);
  Attacher narrow(encryptor_, key_managers_, mappings_, pending_, one, config_, kHost);
  StopAtFormat();
  running_ = std::thread([&] { outcome_ = Outcome(narrow.Attach(Call(kBlank), Soon())); });
  gate_.AwaitVisitor();
  const absl::Time passed = absl::Now() + absl::Milliseconds(1);
  EXPECT_EQ(Outcome(narrow.Attach(Call(kFormatted, "vol-2"), passed)), "TOO_MANY_OPERATIONS");
  EXPECT_EQ(Outcome(narrow.Detach({.volume_id = "vol-2", .device = "", .deferred = false}, passed)),
            "TOO_MANY_OPERATIONS");
  EXPECT_EQ(Outcome(narrow.Inspect(kFormatted, passed)), "TOO_MANY_OPERATIONS");
  EXPECT_EQ(Outcome(narrow.Forget("vol-2", std::nullopt, passed)), "TOO_MANY_OPERATIONS");
  ShowInSysfs("vol-3", Format::kLuks1);
  ExtendCall extend;
  extend.volume_id = "vol-3";
  EXPECT_EQ(Outcome(narrow.Extend(extend, passed)), "TOO_MANY_OPERATIONS");
  EXPECT_EQ(Outcome(narrow.Get("vol-2", Soon())), "NOT_ATTACHED");
  EXPECT_EQ(narrow.List(Soon()).attachments.size(), 1U);
  EXPECT_EQ(Finish(), "OK");
  // What was refused holds nothing.
  EXPECT_EQ(Outcome(narrow.Attach(Call(kFormatted, "vol-2"), Soon())), "OK");
  EXPECT_EQ(one.Running(), 0U);
}

// Far more operations than slots wait for a key manager; hooks make them hang.
class HungKeyManagerTest : public AttacherConcurrencyTest {
 protected:
  static constexpr int kHanging = 3;

  HungKeyManagerTest() {
    other_keys_->keys[kKey] = keys_->keys[kKey];
    for (int i = 0; i < kHanging; ++i) encryptor_.devices["/dev/hung" + std::to_string(i)] = {};
  }

  void Hang(FakeKeyManager::Hook& hook) {
    hook = [this](const std::string&) {
      ++hanging_;
      gate_.Wait();
      return absl::OkStatus();
    };
  }

  void StartHanging() {
    for (int i = 0; i < kHanging; ++i) {
      threads_.emplace_back([this, i] {
        const std::string number = std::to_string(i);
        outcomes_[static_cast<size_t>(i)] =
            Outcome(narrow_.Attach(Call("/dev/hung" + number, "hung-" + number), Soon()));
      });
    }
    const absl::Time limit = Soon();
    while (hanging_ != kHanging && absl::Now() < limit) std::this_thread::yield();
    ASSERT_EQ(hanging_, kHanging);
  }

  void ExpectOthersGoOn() {
    EXPECT_EQ(slot_.Running(), 0U);
    AttachCall call = Call(kFormatted, "vol-2");
    call.key->key_manager = "other";
    EXPECT_EQ(Outcome(narrow_.Attach(call, Soon())), "OK");
    EXPECT_EQ(Outcome(narrow_.Inspect(kFormatted, Soon())), "OK");
    EXPECT_EQ(Outcome(narrow_.Detach({.volume_id = "vol-2", .device = "", .deferred = false}, Soon())), "OK");
  }

  void ExpectHungOnesEndWell() {
    gate_.Open();
    for (std::thread& thread : threads_) thread.join();
    for (const std::string& outcome : outcomes_) EXPECT_EQ(outcome, "OK");
    EXPECT_EQ(slot_.Running(), 0U);
  }

  OperationSlots slot_{1, 8};
  Attacher narrow_{encryptor_, key_managers_, mappings_, pending_, slot_, config_, kHost};
  std::atomic<int> hanging_ = 0;
  std::vector<std::thread> threads_;
  std::vector<std::string> outcomes_{kHanging};
};

TEST_F(HungKeyManagerTest, FetchingAKeyHoldsUpNobodyElse) {
  Hang(keys_->on_get);
  StartHanging();
  ExpectOthersGoOn();
  ExpectHungOnesEndWell();
}

TEST_F(HungKeyManagerTest, ClaimingAFirstUseHoldsUpNobodyElse) {
  Hang(keys_->on_claim);
  StartHanging();
  ExpectOthersGoOn();
  ExpectHungOnesEndWell();
}

TEST_F(HungKeyManagerTest, ConfirmingAFirstUseHoldsUpNobodyElse) {
  Hang(keys_->on_record);
  StartHanging();
  ExpectOthersGoOn();
  ExpectHungOnesEndWell();
}

TEST_F(HungKeyManagerTest, ExtendingHoldsUpNobodyElse) {
  ASSERT_EQ(Outcome(narrow_.Attach(Call(kBlank), Soon())), "OK");
  ShowInSysfs(kVolume);
  Hang(keys_->on_get);
  ExtendCall extend;
  extend.volume_id = kVolume;
  extend.key = KeyReference{.key_manager = "", .key_id = kKey};
  running_ = std::thread([&] { outcome_ = Outcome(narrow_.Extend(extend, Soon())); });
  gate_.AwaitVisitor();
  ExpectOthersGoOn();
  EXPECT_EQ(Finish(), "OK");
}

TEST_F(HungKeyManagerTest, ForgettingHoldsUpNobodyElse) {
  Hang(keys_->on_drop);
  const KeyReference key{.key_manager = "", .key_id = kKey};
  running_ = std::thread([&] { outcome_ = Outcome(narrow_.Forget("gone", key, Soon())); });
  gate_.AwaitVisitor();
  ExpectOthersGoOn();
  EXPECT_EQ(Finish(), "OK");
}

// The only slot is taken between formatting and confirming, and stays so.
TEST_F(HungKeyManagerTest, VolumeIsClosedAgainThoughNoSlotIsFree) {
  std::optional<OperationSlots::Slot> taken;
  keys_->on_record = [&](const std::string&) {
    taken.emplace(*slot_.Take(Soon()));
    return MakeError(Reason::kKeyManagerUnavailable, "failed on purpose");
  };
  EXPECT_EQ(Outcome(narrow_.Attach(Call(kBlank), Soon())), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_TRUE(encryptor_.mapped.empty());
}

TEST_F(HungKeyManagerTest, ClaimIsWithdrawnWhenNoSlotIsLeftToFormat) {
  std::optional<OperationSlots::Slot> taken;
  keys_->on_claim = [&](const std::string&) {
    taken.emplace(*slot_.Take(Soon()));
    return absl::OkStatus();
  };
  EXPECT_EQ(Outcome(narrow_.Attach(Call(kBlank), absl::Now() + absl::Milliseconds(200))), "TOO_MANY_OPERATIONS");
  EXPECT_EQ(RecordOf(), "none");
}

TEST_F(AttacherConcurrencyTest, ManyVolumesAttachAndDetachAtOnce) {
  constexpr int kVolumes = 32;
  for (int i = 0; i < kVolumes; ++i) encryptor_.devices["/dev/sd" + std::to_string(i)] = {};
  std::vector<std::string> outcomes(kVolumes);
  std::vector<std::thread> threads;
  for (int i = 0; i < kVolumes; ++i) {
    threads.emplace_back([this, i, &outcomes] {
      const std::string volume_id = "many-" + std::to_string(i);
      const AttachCall call = Call("/dev/sd" + std::to_string(i), volume_id);
      const std::string attached = Outcome(Attach(call));
      const std::string repeated = Outcome(Attach(call));
      const std::string detached =
          Outcome(attacher_.Detach({.volume_id = volume_id, .device = "", .deferred = false}, Soon()));
      outcomes[static_cast<size_t>(i)] = attached + " " + repeated + " " + detached;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& outcome : outcomes) EXPECT_EQ(outcome, "OK OK OK");
  for (int i = 0; i < kVolumes; ++i) {
    EXPECT_EQ(RecordOf("many-" + std::to_string(i)).substr(0, 9), "formatted") << i;
  }
  EXPECT_TRUE(encryptor_.mapped.empty());
  EXPECT_EQ(slots_.Running(), 0U);
}

TEST_F(AttacherConcurrencyTest, OneVolumeIsFormattedOnceHoweverManyAsk) {
  std::atomic<int> formatted = 0;
  std::vector<std::thread> threads;
  std::vector<std::string> outcomes(16);
  for (std::string& outcome : outcomes) {
    threads.emplace_back([this, &outcome, &formatted] {
      const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
      if (answer.ok() && answer->formatted) ++formatted;
      outcome = Outcome(answer);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(formatted, 1);
  for (const std::string& outcome : outcomes) {
    EXPECT_TRUE(outcome == "OK" || outcome == "OPERATION_IN_PROGRESS") << outcome;
  }
}

}  // namespace
}  // namespace volcrypt
