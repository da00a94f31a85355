#include "agent/volume_identity.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr std::string_view kLuksUuid = "luks_uuid";

LogFields Known(LogFields fields) {
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  return fields;
}

}  // namespace

LogFields IdentityOf(const Mapping& mapping) {
  return Known({{kDeviceIdentity, mapping.device_identity},
                {kLuksUuid, mapping.luks_uuid},
                {"size_bytes", mapping.size_bytes == 0 ? "" : absl::StrCat(mapping.size_bytes)}});
}

LogFields IdentityOf(const DetachAnswer& answer) {
  return Known({{kDeviceIdentity, answer.device_identity}, {kLuksUuid, answer.luks_uuid}});
}

LogFields IdentityOf(const FormatPlan& plan) {
  return Known({{kDeviceIdentity, plan.device_identity}, {kLuksUuid, plan.luks_uuid}});
}

void AddIdentityIn(const absl::Status& error, LogFields& fields) {
  const bool is_there = std::ranges::any_of(fields, [](const auto& field) { return field.first == kDeviceIdentity; });
  ErrorMetadata metadata = MetadataOf(error);
  const auto found = metadata.find(std::string(kDeviceIdentity));
  if (!is_there && found != metadata.end()) fields.emplace_back(kDeviceIdentity, std::move(found->second));
}

}  // namespace volcrypt
