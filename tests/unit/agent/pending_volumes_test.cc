#include "agent/pending_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::Key;

class PendingVolumesTest : public testing::Test {
 protected:
  static Attachment Of(const std::string& volume_id, MappingState state, const std::string& why = "") {
    return Attachment(Mapping{.volume_id = volume_id, .state = state, .state_reason = why});
  }
  static Attachment Waiting(const std::string& volume_id, const std::string& why = "") {
    return Of(volume_id, MappingState::kWaiting, why);
  }
  // "vol-1 active, vol-2 waiting", of what the kernel shows as active.
  static std::string Shown(const PendingVolumes::Look& look, const std::vector<std::string>& in_kernel) {
    std::vector<Attachment> attachments;
    for (const std::string& volume_id : in_kernel) attachments.push_back(Of(volume_id, MappingState::kActive));
    ApplyPending(look, attachments);
    std::string text;
    for (const Attachment& attachment : attachments) {
      text += (text.empty() ? "" : ", ") + attachment.volume_id;
      text += attachment.state == MappingState::kWaiting ? " waiting" : " active";
    }
    return text;
  }

  PendingVolumes pending_;
};

TEST_F(PendingVolumesTest, WhatIsInTheMakingAtAnyTimeOfTheLookIsSeen) {
  std::optional<PendingVolumes::Making> over_before(std::in_place, pending_, "over-before");
  std::optional<PendingVolumes::Making> ends(std::in_place, pending_, "ends");
  over_before.reset();
  const PendingVolumes::Look look(pending_);
  EXPECT_TRUE(look.SawMaking("ends"));
  ends.reset();
  { const PendingVolumes::Making passes(pending_, "passes"); }
  EXPECT_TRUE(look.SawMaking("ends"));
  EXPECT_TRUE(look.SawMaking("passes"));
  EXPECT_FALSE(look.SawMaking("over-before"));
  EXPECT_FALSE(PendingVolumes::Look(pending_).SawMaking("passes"));
}

TEST_F(PendingVolumesTest, ListHasWhatWaitsForWhatIsNotAttached) {
  pending_.SetWaiting({{"vol-1", Waiting("vol-1")}, {"vol-3", Waiting("vol-3")}, {"vol-4", Waiting("vol-4")}});
  const PendingVolumes::Making making_3(pending_, "vol-3");
  const PendingVolumes::Making making_5(pending_, "vol-5");
  const PendingVolumes::Look look(pending_);
  EXPECT_EQ(Shown(look, {"vol-0", "vol-1", "vol-3", "vol-5"}),
            "vol-0 active, vol-1 active, vol-3 waiting, vol-4 waiting");
}

TEST_F(PendingVolumesTest, WhatWasAttachedDuringTheLookIsNotLost) {
  pending_.SetWaiting({{"vol-1", Waiting("vol-1", "before")}, {"vol-2", Waiting("vol-2", "before")}});
  const PendingVolumes::Look look(pending_);
  pending_.WaitsNoMore("vol-1");
  pending_.StillWaits("vol-2", "after");
  EXPECT_EQ(Shown(look, {}), "vol-1 waiting, vol-2 waiting");
  EXPECT_EQ(look.Waiting()["vol-2"].state_reason, "after");
}

TEST_F(PendingVolumesTest, WhatIsSaidOfOthersIsLost) {
  pending_.SetWaiting({{"vol-1", Waiting("vol-1")}});
  pending_.StillWaits("vol-2", "why");
  EXPECT_THAT(pending_.Waiting(), ElementsAre(Key("vol-1")));
  pending_.WaitsNoMore("vol-2");
  EXPECT_THAT(pending_.Waiting(), ElementsAre(Key("vol-1")));
}

}  // namespace
}  // namespace volcrypt
