// What Keystone and Barbican answer: whatever the text, every parser of it answers, with an error that has a reason or
// with values that go into messages, requests and decisions.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/first_use_text.h"
#include "agent/keys/openstack/keystone_json.h"
#include "agent/keys/openstack/remote_error.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

template <typename T>
bool IsParsed(const absl::StatusOr<T>& result) {
  Require(result.ok() || ReasonOf(result.status()).has_value());
  return result.ok();
}

void RequirePlain(const std::string& text) {
  Require(text.size() <= 1024);
  for (const char c : text) Require(static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
}

void FuzzKeystone(absl::string_view text) {
  const absl::StatusOr<KeystoneTokenBody> token = ParseTokenBody(text);
  if (IsParsed(token)) Require(token->lifetime > absl::ZeroDuration());
}

void FuzzBarbican(absl::string_view text) {
  IsParsed(ParseSecretDescription(text));
  IsParsed(ParseConsumers(text));
  const absl::StatusOr<std::string> id = ParseReference(text, "secret_ref");
  if (IsParsed(id)) Require(id->size() == 36 && id->find('/') == std::string::npos);
  const absl::StatusOr<OrderState> order = ParseOrderState(text);
  if (IsParsed(order)) RequirePlain(order->error_reason);
  // Written back, it says the same: nobody loses access.
  const absl::StatusOr<ReadAcl> acl = ParseReadAcl(text);
  if (IsParsed(acl)) {
    const absl::StatusOr<ReadAcl> again = ParseReadAcl(ReadAclBody(*acl));
    Require(again.ok() && again->users == acl->users && again->project_access == acl->project_access);
  }
  const absl::StatusOr<std::map<std::string, std::string>> metadata = ParseUserMetadata(text);
  if (IsParsed(metadata)) {
    for (const FirstUseRecord& record : FirstUsesIn(*metadata)) RequirePlain(record.host);
  }
  RequirePlain(ErrorText(text));
}

void FuzzFirstUse(absl::string_view text) {
  const std::string name = FirstUseName("Vol.1").value();
  const FirstUseRecord record = ParseFirstUse(name, text);
  RequirePlain(record.host);
  Require(record.volume_id.empty() || FirstUseName(record.volume_id).value() == name);
  // A claim is one that could have been written.
  if (record.state == FirstUseRecord::State::kClaimed && text.size() <= 200) Require(FirstUseValue(record).ok());
}

}  // namespace
}  // namespace volcrypt

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  volcrypt::FuzzKeystone(text);
  volcrypt::FuzzBarbican(text);
  volcrypt::FuzzFirstUse(text);
  return 0;
}
