#include "agent/keys/openstack/barbican_order.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/lost_key.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/http_status.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause(50);
constexpr milliseconds kLongestPause(1000);
constexpr size_t kMaxNameBytes = 255;
constexpr uint32_t kMaxBits = 4096;
constexpr uint32_t kBitsOfByte = 8;

absl::Status InvalidField(const std::string& field, const std::string& message) {
  return MakeError(Reason::kInvalidField, message, {{"field", field}});
}

absl::Status CheckNewKey(const NewKey& key) {
  if (key.algorithm.empty()) return InvalidField("algorithm", "the new key's algorithm is empty; aes is usual");
  if (key.bit_length == 0 || key.bit_length % kBitsOfByte != 0 || key.bit_length > kMaxBits) {
    return InvalidField("bit_length", absl::StrCat("a key cannot have ", key.bit_length, " bits; 256 is usual"));
  }
  if (key.name.size() > kMaxNameBytes) {
    return InvalidField("name", absl::StrCat("the key's name is longer than ", kMaxNameBytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PlaceOrder(BarbicanCall& call, const NewKey& key) {
  const std::string body = OrderBody(key);
  const BarbicanRequest request = {.method = "POST",
                                   .path = "/orders/",
                                   .what = "order a new key",
                                   .body = BodyOf(body),
                                   .repeat = Repeat::kUnsent,
                                   .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return NotMade(call, answer.status(), key.name);
  absl::StatusOr<std::string> order_id = answer->status == http_status::kAccepted
                                             ? ParseReference(answer->body, "order_ref")
                                             : call.ErrorOf(request, *answer);
  if (answer->status == http_status::kBadRequest) {
    return MakeError(Reason::kInvalidField, std::string(order_id.status().message()), {{"field", "bit_length"}});
  }
  if (!order_id.ok()) return NotMade(call, order_id.status(), key.name);
  return order_id;
}

absl::StatusOr<OrderState> ReadOrder(BarbicanCall& call, const std::string& order_id) {
  const BarbicanRequest request = {.path = absl::StrCat("/orders/", order_id),
                                   .what = absl::StrCat("read order ", order_id, " of a new key"),
                                   .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status != http_status::kOk) return call.ErrorOf(request, *answer);
  return ParseOrderState(answer->body);
}

absl::Status Failed(const std::string& order_id, const OrderState& order) {
  const std::string message = absl::StrCat("Barbican could not carry out order ", order_id,
                                           " of a new key: ", order.error_reason, " (", order.error_code, ")");
  // 4xx: what was asked for is not to be had. 5xx: a secret store of Barbican's is in trouble.
  if (absl::StartsWith(order.error_code, "4")) {
    return MakeError(Reason::kInvalidField, absl::StrCat(message, "; ask for another algorithm or length"),
                     {{"field", "algorithm"}, {"order_id", order_id}});
  }
  return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat(message, "; check Barbican's log"),
                   {{"server", "Barbican"}, {"order_id", order_id}});
}

absl::Status StillPending(const std::string& order_id) {
  return MakeError(Reason::kKeyManagerTimedOut,
                   absl::StrCat("order ", order_id,
                                " of a new key was still pending; check that barbican-worker runs, and look for the "
                                "order before making another key"),
                   {{"server", "Barbican"}, {"order_id", order_id}});
}

}  // namespace

absl::StatusOr<std::string> OrderKey(BarbicanCall& call, const NewKey& key) {
  if (absl::Status check = CheckNewKey(key); !check.ok()) return check;
  const absl::StatusOr<std::string> order_id = PlaceOrder(call, key);
  if (!order_id.ok()) return order_id.status();
  for (milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    absl::StatusOr<OrderState> order = ReadOrder(call, *order_id);
    if (!order.ok()) return KeyMayExist(order.status(), key.name, absl::StrCat("look at order ", *order_id));
    if (order->status == "ACTIVE") return std::move(order->secret_id);
    if (order->status == "ERROR") return Failed(*order_id, *order);
    if (call.Deadline().Remaining() <= pause) return StillPending(*order_id);
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace volcrypt
