#include "agent/rpc/caller_tokens.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr char kAuthToken[] = "x-auth-token";
constexpr char kServiceToken[] = "x-service-token";

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

absl::Status InvalidField(const char* name, absl::string_view what) {
  return MakeError(Reason::kInvalidField, absl::StrCat("metadata ", name, " ", what), {{"field", name}});
}

absl::StatusOr<SecretBytes> TokenOf(const Metadata& metadata, const char* name) {
  const auto [first, last] = metadata.equal_range(name);
  if (first == last) return SecretBytes();
  if (std::next(first) != last) return InvalidField(name, "was given twice");
  const grpc::string_ref token = first->second;
  if (token.size() > kMaxTokenBytes)
    return InvalidField(name, absl::StrCat("has more than ", kMaxTokenBytes, " bytes"));
  // It becomes part of a header of HTTP.
  const bool is_plain =
      std::ranges::all_of(token, [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (!is_plain) return InvalidField(name, "is no token");
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(token.size());
  if (secret.ok()) std::ranges::copy(token, secret->Bytes().begin());
  return secret;
}

}  // namespace

absl::StatusOr<std::optional<CallerTokens>> TokensOf(const Metadata& metadata) {
  absl::StatusOr<SecretBytes> auth_token = TokenOf(metadata, kAuthToken);
  if (!auth_token.ok()) return auth_token.status();
  absl::StatusOr<SecretBytes> service_token = TokenOf(metadata, kServiceToken);
  if (!service_token.ok()) return service_token.status();
  if (auth_token->IsEmpty() && !service_token->IsEmpty()) {
    return InvalidField(kServiceToken, "came without the x-auth-token that it goes with");
  }
  if (auth_token->IsEmpty()) return std::optional<CallerTokens>();
  return std::optional<CallerTokens>(
      CallerTokens{.auth_token = *std::move(auth_token), .service_token = *std::move(service_token)});
}

}  // namespace volcrypt
