#pragma once

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "agent/current_access.h"
#include "agent/log.h"
#include "agent/rpc/api_socket.h"
#include "agent/rpc/server.h"
#include "google_rpc/error_details.pb.h"
#include "grpc_health/health.grpc.pb.h"
#include "tests/fakes/fake_observer.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/eventually.h"
#include "volcrypt/v1/agent.grpc.pb.h"
#include "volcrypt/v1/key.grpc.pb.h"
#include "volcrypt/v1/volume_admin.grpc.pb.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Connected by somebody else: the system calls themselves, unlike their wrappers, change one thread alone, and that is
// whom the kernel remembers at the socket.
inline UniqueFd ConnectAs(const std::string& path, const Identity& who) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::thread([&] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const bool changed = syscall(SYS_setgroups, who.groups.size(), who.groups.data()) == 0 &&
                         syscall(SYS_setresgid, who.gid, who.gid, who.gid) == 0 &&
                         syscall(SYS_setresuid, who.uid, who.uid, who.uid) == 0;
    if (!changed || connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.Reset();
  }).join();
  return fd;
}

// The reason in an error's details; empty when there is none or it is not ours.
inline google::rpc::ErrorInfo ErrorInfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details_size() != 1) return {};
  if (details.details(0).type_url() != "type.googleapis.com/google.rpc.ErrorInfo") return {};
  if (details.code() != status.error_code() || details.message() != status.error_message()) return {};
  if (!details.details(0).UnpackTo(&info) || info.domain() != "volcrypt") return {};
  return info;
}

inline std::string RpcOutcome(const grpc::Status& status) {
  return status.ok() ? std::string("OK") : ErrorInfoOf(status).reason();
}

// A client's deadline, which the server's calls see.
inline std::unique_ptr<grpc::ClientContext> Within(std::chrono::milliseconds time) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + time);
  return context;
}
inline std::unique_ptr<grpc::ClientContext> Patient() { return Within(std::chrono::seconds(60)); }

// The real server on a real socket, over an attacher over fakes. Callers are root unless a test says otherwise.
class RpcTest : public AttacherTest {
 protected:
  RpcTest() {
    // Other users are let in by the rules, not by the file system.
    chmod(directory_.Path().c_str(), 0755);
    Serve();
  }

  void Serve() {
    absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(socket_path_);
    ASSERT_TRUE(socket.ok()) << socket.status();
    std::vector<ApiSocket> sockets;
    sockets.push_back(*std::move(socket));
    auto server = RpcServer::Start(options_, std::move(sockets), attacher_, key_managers_, access_,
                                   {.log = log_, .observer = observer_, .audit = audit_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    chmod(socket_path_.c_str(), 0666);
    channel_ = NewChannel();
  }

  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    // Channels with the same target would share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + socket_path_, grpc::InsecureChannelCredentials(), arguments);
  }

  std::shared_ptr<grpc::Channel> ChannelAs(const Identity& who) const {
    UniqueFd fd = ConnectAs(socket_path_, who);
    EXPECT_TRUE(fd.IsValid());
    fcntl(fd.Get(), F_SETFL, O_NONBLOCK);
    return grpc::CreateInsecureChannelFromFd("volcryptd", fd.Release());
  }

  grpc::Status Detach(const std::string& volume_id, v1::DetachVolumeResponse* response = nullptr) const {
    v1::DetachVolumeRequest request;
    request.set_volume_id(volume_id);
    v1::DetachVolumeResponse ignored;
    const auto context = Patient();
    return v1::VolumeEncryptorService::NewStub(channel_)->DetachVolume(context.get(), request,
                                                                       response == nullptr ? &ignored : response);
  }

  grpc::Status List(const v1::ListAttachmentsRequest& request, v1::ListAttachmentsResponse* response) const {
    const auto context = Patient();
    return v1::VolumeEncryptorService::NewStub(channel_)->ListAttachments(context.get(), request, response);
  }

  grpc::Status GetInfo(const std::shared_ptr<grpc::Channel>& channel) const {
    v1::GetInfoResponse response;
    const auto context = Patient();
    return v1::AgentService::NewStub(channel)->GetInfo(context.get(), {}, &response);
  }

  grpc::Status CreateKey(const std::shared_ptr<grpc::Channel>& channel, const std::string& key_manager = "") const {
    v1::CreateKeyRequest request;
    request.set_key_manager(key_manager);
    v1::CreateKeyResponse response;
    const auto context = Patient();
    return v1::KeyService::NewStub(channel)->CreateKey(context.get(), request, &response);
  }

  // SERVING, NOT_SERVING, or the code of the error.
  std::string Health(const std::string& service) const {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    const auto context = Patient();
    const grpc::Status status = grpc::health::v1::Health::NewStub(channel_)->Check(context.get(), request, &response);
    if (!status.ok()) return "code " + std::to_string(status.error_code());
    return grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
  }

  std::string LogText() const {
    std::string text(static_cast<size_t>(lseek(log_fd_.Get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(log_fd_.Get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  TempDirectory directory_;
  const std::string socket_path_ = directory_.Path("volcryptd.sock");
  RpcServerOptions options_{.operation_timeout = absl::Seconds(60), .max_operations = 4, .max_waiting = 64};
  UniqueFd log_fd_{memfd_create("log", MFD_CLOEXEC)};
  Log log_{LogLevel::kInfo, log_fd_.Get()};
  FakeObserver observer_;
  Audit audit_{log_, observer_};
  // Nobody but root is known.
  CurrentAccess access_{std::make_shared<const AccessRules>(std::vector<AccessConfig>{}, 0)};
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace volcrypt
