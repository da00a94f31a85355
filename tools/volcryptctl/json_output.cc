#include "tools/volcryptctl/json_output.h"

#include <string>

#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/call_error.h"

namespace volcrypt::ctl {
namespace {

using Json = nlohmann::ordered_json;

Json WithSchema(const Json& object) {
  Json whole = {{"schema", "volcrypt/v1"}};
  for (const auto& [key, value] : object.items()) whole[key] = value;
  return whole;
}

// ASCII alone, so that no text steers a terminal; bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string Dump(const Json& object, int indent) {
  return object.dump(indent, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

}  // namespace

Json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return Json::object();
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

Json ErrorToJson(const absl::Status& status) {
  Json metadata = Json::object();
  const google::rpc::ErrorInfo info = ErrorInfoOf(status);
  for (const auto& [name, value] : std::map<std::string, std::string>(info.metadata().begin(), info.metadata().end())) {
    metadata[name] = value;
  }
  return {{"code", absl::StatusCodeToString(status.code())},
          {"reason", info.reason()},
          {"message", std::string(status.message())},
          {"metadata", metadata}};
}

void PrintJson(std::ostream& out, const google::protobuf::Message& message) { PrintJson(out, ToJson(message)); }

void PrintJson(std::ostream& out, const Json& object) { out << Dump(WithSchema(object), 2) << '\n'; }

void PrintJsonError(std::ostream& err, const absl::Status& status) {
  err << Dump(WithSchema({{"error", ErrorToJson(status)}}), -1) << '\n';
}

}  // namespace volcrypt::ctl
