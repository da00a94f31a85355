#include "agent/keys/kmip/kmip_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/keys/kmip/kmip_answers.h"
#include "agent/keys/kmip/kmip_payloads.h"
#include "agent/keys/kmip/kmip_result.h"
#include "agent/keys/kmip/malformed_answer.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// 42 00 7B, a structure: anything else is no response, and its length would be noise.
constexpr std::array<uint8_t, 4> kResponseBegin = {0x42, 0x00, 0x7B, 0x01};

absl::Status NoCommonVersion() {
  return MakeError(Reason::kKeyManagerUnavailable,
                   "the server speaks none of KMIP 1.1 to 1.4; switch one of them on there");
}

bool IsSpoken(KmipVersion version) { return std::ranges::find(kKmipVersions, version) != kKmipVersions.end(); }

// A server that cannot tell its versions tells one by answering in it.
absl::StatusOr<KmipVersion> VersionOf(const KmipResponse& response) {
  if (response.error == KmipResultReason::kOperationNotSupported && IsSpoken(response.version)) return response.version;
  if (response.error) return RefusalOf(KmipOperation::kDiscoverVersions, *response.error, "");
  const absl::StatusOr<std::vector<KmipVersion>> offered = ReadVersions(response);
  if (!offered.ok()) return offered.status();
  const auto best = std::ranges::find_first_of(kKmipVersions, *offered);
  if (best == kKmipVersions.end()) return NoCommonVersion();
  return *best;
}

}  // namespace

// The question itself is in some version, and a server may understand only its own.
absl::Status KmipConnection::NegotiateVersion(absl::Time deadline) {
  for (const KmipVersion asked_in : kKmipVersions) {
    version_ = asked_in;
    const absl::StatusOr<KmipReply> reply = Exchange(DiscoverVersionsRequest(), deadline);
    if (!reply.ok()) return reply.status();
    if (reply->response.error == KmipResultReason::kInvalidMessage) continue;
    const absl::StatusOr<KmipVersion> version = VersionOf(reply->response);
    if (version.ok()) version_ = *version;
    return version.status();
  }
  return NoCommonVersion();
}

absl::StatusOr<KmipReply> KmipConnection::Exchange(const KmipRequest& request, absl::Time deadline) {
  std::array<uint8_t, sizeof requests_> item_id = {};
  ++requests_;
  for (size_t i = 0; i < item_id.size(); ++i) item_id[i] = static_cast<uint8_t>(requests_ >> (8 * i));
  {
    const absl::StatusOr<SecretBytes> message = EncodeRequest(request, version_, credential_, item_id);
    if (!message.ok()) return message.status();
    if (absl::Status sent = tls_->Write(message->Bytes(), deadline); !sent.ok()) return sent;
  }
  absl::StatusOr<SecretBytes> message = ReadMessage(deadline);
  if (!message.ok()) return message.status();
  absl::StatusOr<KmipResponse> response = DecodeResponse(message->Bytes(), request.operation, item_id);
  if (!response.ok()) return response.status();
  last_used_ = absl::Now();
  return KmipReply{.message = *std::move(message), .response = *std::move(response)};
}

absl::StatusOr<SecretBytes> KmipConnection::ReadMessage(absl::Time deadline) {
  std::array<uint8_t, kTtlvHeaderBytes> header = {};
  if (absl::Status read = tls_->Read(header, deadline); !read.ok()) return read;
  if (!std::equal(kResponseBegin.begin(), kResponseBegin.end(), header.begin())) {
    return MalformedAnswer("it is not KMIP; check the port");
  }
  const size_t length = size_t{header[4]} << 24 | size_t{header[5]} << 16 | size_t{header[6]} << 8 | size_t{header[7]};
  if (length > SecretBytes::kMaxSize - kTtlvHeaderBytes) {
    return MalformedAnswer(absl::StrCat("it has ", length, " bytes, more than any answer needs"));
  }
  absl::StatusOr<SecretBytes> message = SecretBytes::Allocate(kTtlvHeaderBytes + length);
  if (!message.ok()) return message;
  std::ranges::copy(header, message->Bytes().begin());
  if (absl::Status read = tls_->Read(message->Bytes().subspan(kTtlvHeaderBytes), deadline); !read.ok()) return read;
  return message;
}

}  // namespace volcrypt
