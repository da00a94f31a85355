#include "agent/keys/openstack/remote_error.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxLineBytes = 300;

Reason ReasonOfFailure(HttpFailure failure) {
  if (failure == HttpFailure::kTimedOut) return Reason::kKeyManagerTimedOut;
  return failure == HttpFailure::kMemory ? Reason::kOutOfMemory : Reason::kKeyManagerUnavailable;
}

absl::string_view StageOf(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kResolve:
      return "resolve";
    case HttpFailure::kConnect:
      return "connect";
    case HttpFailure::kTls:
      return "tls";
    default:
      return "exchange";
  }
}

// A comparison sign is followed by a space or a number.
bool BeginsTag(absl::string_view rest) {
  return !rest.empty() &&
         (absl::ascii_isalpha(static_cast<unsigned char>(rest[0])) || rest[0] == '/' || rest[0] == '!');
}

}  // namespace

absl::Status TransportError(const HttpAnswer& answer, absl::string_view server, absl::string_view url,
                            absl::string_view what) {
  return MakeError(
      ReasonOfFailure(answer.failure),
      absl::StrCat("cannot ", what, ": ", server, " at ", url, ": ", PlainLine(answer.failure_text), "; ",
                   RemedyOf(answer.failure, server)),
      {{"server", std::string(server)}, {"url", std::string(url)}, {"stage", std::string(StageOf(answer.failure))}});
}

std::string RemedyOf(HttpFailure failure, absl::string_view server) {
  switch (failure) {
    case HttpFailure::kResolve:
      return absl::StrCat("check the host name of ", server,
                          " in the configuration or the catalog, and this host's DNS");
    case HttpFailure::kConnect:
      return absl::StrCat("check that ", server, " is running and reachable from this host");
    case HttpFailure::kTls:
      return absl::StrCat("check ca_file and that the certificate of ", server, " is valid for this host name");
    case HttpFailure::kTimedOut:
      return absl::StrCat("check that ", server, " is well, and the network between");
    case HttpFailure::kMemory:
      return "check the memory lock limit (RLIMIT_MEMLOCK)";
    default:
      return absl::StrCat("check that this is the address of ", server, ", and its log");
  }
}

std::string PlainLine(absl::string_view text) {
  std::string line;
  bool in_tag = false;
  for (size_t i = 0; i < text.size() && line.size() < kMaxLineBytes; ++i) {
    const char c = text[i];
    if (c == '<' && BeginsTag(text.substr(i + 1))) in_tag = true;
    const bool is_gap = in_tag || absl::ascii_isspace(static_cast<unsigned char>(c)) ||
                        absl::ascii_iscntrl(static_cast<unsigned char>(c));
    if (c == '>') in_tag = false;
    if (!is_gap) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return ValidUtf8({line.data(), line.size()});
}

}  // namespace volcrypt
