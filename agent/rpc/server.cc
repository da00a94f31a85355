#include "agent/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/rpc/built_in_calls.h"
#include "agent/rpc/caller_tokens.h"
#include "agent/rpc/self_call.h"

namespace volcrypt {
namespace {

constexpr int kMaxRequestBytes = 64 * 1024;
// Two tokens of the greatest length and what gRPC sends itself.
constexpr int kMaxMetadataBytes = static_cast<int>(2 * kMaxTokenBytes) + 8 * 1024;
constexpr int kMaxCallsPerConnection = 256;
constexpr int kIdleConnectionMilliseconds = 10 * 60 * 1000;
// A caller that connects over TCP and says nothing.
constexpr int kHandshakeMilliseconds = 10 * 1000;
// For callers that do not read their answers.
constexpr absl::Duration kAnswerTime = absl::Seconds(5);
// What is left when gRPC shuts down are watchers of our health.
constexpr auto kLeftTime = std::chrono::milliseconds(200);

// Reads, which wait for no slot, and gRPC's own pollers.
constexpr uint32_t kThreadsForReads = 32;
constexpr uint32_t kThreadsForPolling = 8;

uint32_t MaxOperations(const RpcServerOptions& options) { return options.max_operations + options.max_waiting; }

// Calls that wait for a key manager have no slot yet.
uint32_t MaxKeyCalls(const RpcServerOptions& options) { return MaxOperations(options); }

// A call holds its thread as long as it waits. There are enough for all operations that may run and wait at the same
// time, for as many calls that hang in key managers and for reads beside them, so that neither hung devices nor stopped
// key managers ever keep anybody from detaching and listing.
int MaxThreads(const RpcServerOptions& options) {
  return static_cast<int>(MaxOperations(options) + MaxKeyCalls(options) + kThreadsForReads + kThreadsForPolling);
}

// Few threads while idle; more come and go with the calls.
void SetLimits(grpc::ServerBuilder& builder, const RpcServerOptions& options) {
  grpc::ResourceQuota quota("volcryptd");
  quota.SetMaxThreads(MaxThreads(options));
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleConnectionMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  // A port that another has is an error, not shared with it.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const RpcServerOptions& options,
                                                            std::vector<ApiSocket> sockets, Attacher& attacher,
                                                            const KeyManagers& key_managers,
                                                            const CurrentAccess& access, const Reporting& reporting) {
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<RpcServer> server(new RpcServer(options, attacher, key_managers, access, reporting));
  if (absl::Status status = server->Build(options); !status.ok()) return status;
  if (absl::Status status = server->Listen(std::move(sockets)); !status.ok()) return status;
  return server;
}

RpcServer::RpcServer(const RpcServerOptions& options, Attacher& attacher, const KeyManagers& key_managers,
                     const CurrentAccess& access, const Reporting& reporting)
    : log_(reporting.log),
      attacher_(attacher),
      operation_timeout_(options.operation_timeout),
      peers_(options.max_connections, access),
      calls_(peers_, access, reporting, options.operation_timeout, MaxKeyCalls(options), options.max_calls_per_caller),
      volume_encryptor_service_(calls_, attacher),
      volume_admin_service_(calls_, attacher),
      key_service_(calls_, key_managers),
      agent_service_(calls_, attacher, key_managers,
                     {.max_operations = options.max_operations,
                      .operation_timeout = options.operation_timeout,
                      .has_libvirt = attacher.HasLibvirt()},
                     [this] { UpdateHealth(); }) {}

absl::Status RpcServer::Build(const RpcServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(builder, options);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(in_flight_.NewInterceptors());
  interceptors.push_back(NewBuiltInCallInterceptors(calls_));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  builder.RegisterService(&volume_encryptor_service_);
  builder.RegisterService(&volume_admin_service_);
  builder.RegisterService(&key_service_);
  builder.RegisterService(&agent_service_);
  // Filled in by BuildAndStart, so the elements stay where they are.
  tcp_ports_.resize(options.tcp.size());
  for (size_t i = 0; i < options.tcp.size(); ++i) {
    builder.AddListeningPort(options.tcp[i], options.tcp_credentials, &tcp_ports_[i]);
  }
  {
    // Callers over TCP are served from now on, and one may change our health before the server is stored.
    const std::lock_guard lock(health_mutex_);
    server_ = builder.BuildAndStart();
  }
  for (size_t i = 0; i < options.tcp.size(); ++i) {
    if (tcp_ports_[i] == 0) {
      return absl::UnavailableError(absl::StrCat("cannot listen on tcp:", options.tcp[i],
                                                 ": the address is not this host's or the port is taken"));
    }
  }
  if (server_ == nullptr) return absl::InternalError("gRPC could not start its server");
  server_->GetHealthCheckService()->SetServingStatus(v1::KeyService::service_full_name(), true);
  server_->GetHealthCheckService()->SetServingStatus(v1::AgentService::service_full_name(), true);
  SetHelperPresent(true);
  return absl::OkStatus();
}

absl::Status RpcServer::Listen(std::vector<ApiSocket> sockets) {
  absl::StatusOr<std::unique_ptr<UnixListener>> listener = UnixListener::Start(
      std::move(sockets), [this](UniqueFd connection) { Serve(std::move(connection), /*is_self=*/false); });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  return absl::OkStatus();
}

RpcServer::~RpcServer() {
  if (listener_ != nullptr) Shutdown(absl::Now() + operation_timeout_);
}

void RpcServer::Serve(UniqueFd connection, bool is_self) {
  for (const auto& [none, count] : refused_.TakeLeftOut(absl::Now())) {
    log_.Write(LogLevel::kWarning, "further connections were refused", {{"connections", absl::StrCat(count)}});
  }
  if (const absl::Status status = peers_.Remember(connection.Get(), is_self); !status.ok()) {
    if (!refused_.Take("", absl::Now())) return;
    log_.Write(LogLevel::kWarning, "connection refused", {{"error", std::string(status.message())}});
    return;
  }
  grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
}

absl::Status RpcServer::CallSelf(absl::Duration timeout) {
  absl::StatusOr<SelfConnection> connection = NewSelfConnection();
  if (!connection.ok()) return connection.status();
  // Work that may be posted can be copied, and a descriptor cannot.
  auto server_end = std::make_shared<UniqueFd>(std::move(connection->server_end));
  listener_->Post([this, server_end] { Serve(std::move(*server_end), /*is_self=*/true); });
  server_end.reset();
  return CallOver(std::move(connection->client_end), timeout);
}

void RpcServer::SetHelperPresent(bool present) {
  {
    const std::lock_guard lock(health_mutex_);
    helper_present_ = present;
  }
  UpdateHealth();
}

void RpcServer::UpdateHealth() {
  const std::lock_guard lock(health_mutex_);
  const bool attaches = helper_present_ && !attacher_.InMaintenance();
  grpc::HealthCheckServiceInterface& health = *server_->GetHealthCheckService();
  health.SetServingStatus(v1::VolumeEncryptorService::service_full_name(), attaches);
  health.SetServingStatus(v1::VolumeAdminService::service_full_name(), helper_present_);
  health.SetServingStatus("", attaches);
}

void RpcServer::RefuseCalls() {
  server_->GetHealthCheckService()->Shutdown();
  listener_->Stop();
  calls_.Refuse();
}

bool RpcServer::Shutdown(absl::Time deadline) {
  RefuseCalls();
  const bool all_ended = calls_.Drain(deadline);
  if (all_ended) {
    // Until then new calls are refused as UNAVAILABLE, which callers repeat. So is what they see when we hang up; a
    // call that gRPC finds in its queues while it shuts down would be CANCELLED, which they do not. It also ends
    // watchers of our health, who would never go by themselves.
    in_flight_.WaitUntilGone(absl::Now() + kAnswerTime);
    peers_.HangUp();
    server_->Shutdown(std::chrono::system_clock::now() + kLeftTime);
  }
  return all_ended;
}

}  // namespace volcrypt
