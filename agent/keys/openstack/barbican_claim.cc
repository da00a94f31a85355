#include "agent/keys/openstack/barbican_claim.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "agent/keys/openstack/first_use_place.h"
#include "agent/keys/openstack/first_use_text.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using std::chrono::milliseconds;

// Each round is lost to somebody who deleted our rows in between.
constexpr int kMaxRounds = 3;
// For the others to see our claim and withdraw theirs.
constexpr milliseconds kMostWaiting(2000);
constexpr milliseconds kFirstPause(20);
constexpr milliseconds kLongestPause(250);

// Nothing: our rows were deleted by somebody else; begin again.
using Outcome = absl::StatusOr<std::optional<FirstUseRecord>>;

bool IsSame(const FirstUseRecord& one, const FirstUseRecord& other) {
  return one.state == other.state && one.host == other.host && one.luks_uuid == other.luks_uuid;
}

class Claimant {
 public:
  Claimant(FirstUsePlace place, FirstUseRecord claim) : place_(std::move(place)), own_(std::move(claim)) {}

  absl::StatusOr<FirstUseRecord> Run() {
    for (int round = 0; round < kMaxRounds; ++round) {
      Outcome outcome = Round();
      if (!outcome.ok()) return outcome.status();
      if (outcome->has_value()) return **std::move(outcome);
    }
    return place_.Contended();
  }

 private:
  Outcome Round() {
    const absl::StatusOr<FirstUseRows> rows = List();
    if (!rows.ok()) return rows.status();
    if (rows->main && !IsOfThisHost(*rows->main)) return rows->main;
    if (rows->main) {
      own_ = *rows->main;
    } else if (!Adopt(*rows)) {
      if (!rows->claims.empty()) return rows->claims.front().record;
      const absl::StatusOr<std::string> value = FirstUseValue(own_);
      if (!value.ok()) return value.status();
      // Whichever way it ends, what stands then is what counts.
      const absl::StatusOr<bool> added = place_.Add(OwnName(), *value, Repeat::kSafe);
      if (!added.ok()) return added.status();
    }
    return Compete();
  }

  Outcome Compete() {
    const CallDeadline most = place_.Deadline().Within(kMostWaiting);
    for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
      const absl::StatusOr<FirstUseRows> rows = List();
      if (!rows.ok()) return rows.status();
      if (rows->main && !IsOfThisHost(*rows->main)) return Yield(*rows->main);
      const FirstUseClaim* const other = OtherHostsClaim(*rows);
      if (!rows->main && !IsOwnThere(*rows)) return other == nullptr ? Outcome(std::nullopt) : Outcome(other->record);
      const bool has_strays = !rows->main && RemoveStrays(*rows);
      if (other == nullptr && !has_strays) return rows->main ? Outcome(rows->main) : Write();
      const bool is_its_turn = other != nullptr && !rows->main && (other->is_damaged || other->name < OwnName());
      if (is_its_turn || most.Remaining() <= pause) {
        if (other == nullptr) return place_.Contended();
        // A record of ours stands, whatever comes of it.
        return rows->main ? Outcome(other->record) : Yield(other->record);
      }
      std::this_thread::sleep_for(pause);
    }
  }

  // Nobody else claims it now, and whoever comes later sees our claim. From here on it stays until the record is there:
  // a write of it whose answer is lost may still happen.
  Outcome Write() {
    const absl::StatusOr<std::string> name = FirstUseName(own_.volume_id);
    if (!name.ok()) return name.status();
    const absl::StatusOr<std::string> value = FirstUseValue(own_);
    if (!value.ok()) return value.status();
    // Not repeated: the first one, late, would replace what has become of the record by then.
    const absl::StatusOr<bool> added = place_.Add(*name, *value, Repeat::kUnsent);
    if (!added.ok()) return added.status();
    const absl::StatusOr<FirstUseRows> rows = List();
    if (!rows.ok()) return rows.status();
    if (!rows->main) return std::nullopt;
    if (!IsSame(*rows->main, own_)) return Yield(*rows->main);
    // Somebody deleted our claim, so another may have believed itself alone meanwhile.
    if (!IsOwnThere(*rows)) return place_.Contended();
    return Yield(*rows->main);
  }

  // Without our claim, whose work is done one way or the other.
  std::optional<FirstUseRecord> Yield(const FirstUseRecord& standing) const {
    if (const absl::StatusOr<std::string> name = ClaimName(own_); name.ok()) place_.RemoveIfPossible(*name);
    return standing;
  }

  absl::StatusOr<FirstUseRows> List() const {
    absl::StatusOr<FirstUseRows> rows = place_.List();
    if (!rows.ok()) return rows;
    if (absl::Status distinct = place_.CheckDistinct(*rows); !distinct.ok()) return distinct;
    return rows;
  }

  // A claim that was cut short is gone on with: rather the one with the UUID that is asked for.
  bool Adopt(const FirstUseRows& rows) {
    if (IsOwnThere(rows)) return true;
    const auto found =
        std::ranges::find_if(rows.claims, [this](const FirstUseClaim& claim) { return IsOfThisHost(claim.record); });
    if (found == rows.claims.end()) return false;
    own_ = found->record;
    return true;
  }

  bool IsOwnThere(const FirstUseRows& rows) const {
    return std::ranges::any_of(rows.claims, [this](const FirstUseClaim& claim) { return IsSame(claim.record, own_); });
  }

  const FirstUseClaim* OtherHostsClaim(const FirstUseRows& rows) const {
    const auto found =
        std::ranges::find_if(rows.claims, [this](const FirstUseClaim& claim) { return !IsOfThisHost(claim.record); });
    return found == rows.claims.end() ? nullptr : &*found;
  }

  // This host attaches a volume once at a time: other claims of its own are of attempts that are over. Without a record
  // none of them has begun to format.
  bool RemoveStrays(const FirstUseRows& rows) const {
    bool found = false;
    for (const FirstUseClaim& claim : rows.claims) {
      if (!IsOfThisHost(claim.record) || IsSame(claim.record, own_)) continue;
      found = true;
      place_.RemoveIfPossible(claim.name);
    }
    return found;
  }

  bool IsOfThisHost(const FirstUseRecord& record) const {
    return record.state == FirstUseRecord::State::kClaimed && record.host == own_.host;
  }

  // Empty for a record of ours whose UUID somebody damaged.
  std::string OwnName() const { return ClaimName(own_).value_or(""); }

  FirstUsePlace place_;
  FirstUseRecord own_;
};

}  // namespace

absl::StatusOr<FirstUseRecord> ClaimFirstUse(BarbicanCall& call, const std::string& key_id,
                                             const FirstUseRecord& claim) {
  if (const absl::StatusOr<std::string> name = ClaimName(claim); !name.ok()) return name.status();
  if (const absl::StatusOr<std::string> value = FirstUseValue(claim); !value.ok()) return value.status();
  return Claimant(FirstUsePlace(call, key_id, claim.volume_id), claim).Run();
}

}  // namespace volcrypt
