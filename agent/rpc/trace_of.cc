#include "agent/rpc/trace_of.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/uuid.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxRequestIdBytes = 64;

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Empty when it is absent or given twice.
absl::string_view ValueOf(const Metadata& metadata, const char* name) {
  if (metadata.count(name) != 1) return {};
  const grpc::string_ref value = metadata.find(name)->second;
  return {value.data(), value.size()};
}

bool IsRequestId(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxRequestIdBytes && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
}

bool IsHex(absl::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f'); });
}

bool IsZero(absl::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '0'; });
}

// version "-" trace-id "-" parent-id "-" trace-flags. A later version may go on behind it; what goes on is not known.
bool IsTraceparent(absl::string_view text) {
  constexpr size_t kLength = 55;
  if (text.size() != kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const absl::string_view version = text.substr(0, 2);
  const absl::string_view trace_id = text.substr(3, 32);
  const absl::string_view parent_id = text.substr(36, 16);
  return IsHex(version) && version != "ff" && IsHex(trace_id) && !IsZero(trace_id) && IsHex(parent_id) &&
         !IsZero(parent_id) && IsHex(text.substr(53));
}

}  // namespace

RequestTrace TraceOf(const Metadata& metadata) {
  RequestTrace trace;
  for (const char* const name : {kRequestIdMetadata, kOtherRequestIdMetadata}) {
    const absl::string_view id = ValueOf(metadata, name);
    if (!IsRequestId(id)) continue;
    trace.request_id = std::string(id);
    break;
  }
  if (trace.request_id.empty()) trace.request_id = absl::StrCat("req-", RandomUuid());
  const absl::string_view traceparent = ValueOf(metadata, kTraceparentMetadata);
  if (IsTraceparent(traceparent)) trace.traceparent = std::string(traceparent);
  return trace;
}

}  // namespace volcrypt
