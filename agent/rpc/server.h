#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/attacher.h"
#include "agent/current_access.h"
#include "agent/keys/key_managers.h"
#include "agent/log.h"
#include "agent/metrics/observer.h"
#include "agent/rpc/agent_service.h"
#include "agent/rpc/api_socket.h"
#include "agent/rpc/call.h"
#include "agent/rpc/calls_in_flight.h"
#include "agent/rpc/key_service.h"
#include "agent/rpc/peers.h"
#include "agent/rpc/unix_listener.h"
#include "agent/rpc/volume_admin_service.h"
#include "agent/rpc/volume_encryptor_service.h"

namespace volcrypt {

struct RpcServerOptions {
  absl::Duration operation_timeout = absl::Seconds(60);
  uint32_t max_operations = 32;
  uint32_t max_waiting = 128;  // of operations, beyond those that run
  uint32_t max_calls_per_caller = 96;
  size_t max_connections = 512;  // to Unix sockets
  // Besides the Unix sockets, with mutual TLS.
  std::vector<std::string> tcp;  // HOST:PORT; port 0: any
  std::shared_ptr<grpc::ServerCredentials> tcp_credentials;
};

// The API on Unix sockets and, with mutual TLS, on TCP: the four services, grpc.health.v1 and reflection.
class RpcServer {
 public:
  // The references outlive the server. Begins to serve at once, with health SERVING.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const RpcServerOptions& options,
                                                          std::vector<ApiSocket> sockets, Attacher& attacher,
                                                          const KeyManagers& key_managers, const CurrentAccess& access,
                                                          const Reporting& reporting);
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;
  // Ends as Shutdown does, if that was not called.
  ~RpcServer();

  // Calls itself as any caller would, through the thread that accepts connections, gRPC and a thread of its own, and
  // waits for the answer. An error when none came: nobody would get one.
  absl::Status CallSelf(absl::Duration timeout);

  // The ports of RpcServerOptions::tcp, in its order.
  const std::vector<int>& TcpPorts() const { return tcp_ports_; }

  // What needs the helper is NOT_SERVING while it is away, and so is the server as a whole. In maintenance the server
  // as a whole and the service that attaches are, so that nobody places work here.
  void SetHelperPresent(bool present);

  // From now on health is NOT_SERVING, and there are no new connections and no new calls.
  void RefuseCalls();
  // The same, and waits for the calls that run and for their answers to go out. False when some did not end by the
  // deadline; the server must not be destroyed then, as they still use it.
  bool Shutdown(absl::Time deadline);

 private:
  RpcServer(const RpcServerOptions& options, Attacher& attacher, const KeyManagers& key_managers,
            const CurrentAccess& access, const Reporting& reporting);
  absl::Status Build(const RpcServerOptions& options);
  absl::Status Listen(std::vector<ApiSocket> sockets);
  void Serve(UniqueFd connection, bool is_self);
  void UpdateHealth();

  const Log& log_;
  const Attacher& attacher_;
  const absl::Duration operation_timeout_;
  Peers peers_;
  BurstLimit refused_;  // of connections
  CallsInFlight in_flight_;
  CallRunner calls_;
  VolumeEncryptorService volume_encryptor_service_;
  VolumeAdminService volume_admin_service_;
  KeyService key_service_;
  AgentService agent_service_;
  std::mutex health_mutex_;
  bool helper_present_ = true;
  std::vector<int> tcp_ports_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<UnixListener> listener_;
};

}  // namespace volcrypt
