// JSON for programs: one object with "schema", field names as in the protos, enums by name, 64-bit numbers as strings,
// defaults present. Who only prints answers needs no more than this; who puts objects together includes the library.
#pragma once

#include <ostream>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "nlohmann/json_fwd.hpp"

namespace volcrypt::ctl {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

// {"code", "reason", "message", "metadata"}.
nlohmann::ordered_json ErrorToJson(const absl::Status& status);

// Prints the members behind "schema".
void PrintJson(std::ostream& out, const google::protobuf::Message& message);
void PrintJson(std::ostream& out, const nlohmann::ordered_json& object);

// On one line, which is the last that goes to stderr.
void PrintJsonError(std::ostream& err, const absl::Status& status);

}  // namespace volcrypt::ctl
