#include "agent/rpc/caller_of.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <string>

namespace volcrypt {
namespace {

// More than a certificate has that was made for one host or service.
constexpr size_t kMaxNames = 32;

void AddNames(const grpc::AuthContext& authenticated, const char* property, Caller& caller) {
  for (const grpc::string_ref& name : authenticated.FindPropertyValues(property)) {
    if (caller.certificate_names.size() < kMaxNames) caller.certificate_names.emplace_back(name.data(), name.size());
  }
}

}  // namespace

absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context, const Peers& peers) {
  const std::shared_ptr<const grpc::AuthContext> authenticated = context.auth_context();
  if (authenticated == nullptr || !authenticated->IsPeerAuthenticated()) {
    absl::StatusOr<PeerCredentials> process = peers.Find(context.peer());
    if (!process.ok()) return process.status();
    return Caller{.process = *std::move(process), .certificate_names = {}};
  }
  Caller caller;
  AddNames(*authenticated, GRPC_PEER_DNS_PROPERTY_NAME, caller);
  // Where a name is compared, a colon tells a URI: no DNS name may pass for one.
  std::erase_if(caller.certificate_names, [](const std::string& name) { return name.find(':') != std::string::npos; });
  AddNames(*authenticated, GRPC_PEER_URI_PROPERTY_NAME, caller);
  return caller;
}

}  // namespace volcrypt
