// JSON for programs: one object with "schema", field names as in the protos, enums by name, 64-bit numbers as strings,
// defaults present.
#pragma once

#include <ostream>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace volcrypt::ctl {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

// {"code", "reason", "message", "metadata"}.
nlohmann::ordered_json ErrorToJson(const absl::Status& status);

// Prints the object's members behind "schema".
void PrintJson(std::ostream& out, const nlohmann::ordered_json& object);

// On one line, which is the last that goes to stderr.
void PrintJsonError(std::ostream& err, const absl::Status& status);

}  // namespace volcrypt::ctl
