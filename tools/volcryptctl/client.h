#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "tools/volcryptctl/environment.h"

namespace volcrypt::ctl {

enum class Interruptible : bool { kNo, kYes };

// The connection to one agent. Every call has its own deadline, and its errors say for people what to check.
class Client {
 public:
  struct Options {
    std::string endpoint;
    absl::Duration timeout;     // of each call
    bool notes_waiting = true;  // tells somebody at a terminal that a call takes long
    std::string os_token;       // the caller's Keystone token, sent with every call; empty: none
  };

  // `environment` and `err` outlive the client.
  Client(Options options, const Environment& environment, std::ostream& err);

  // Calls a method of a generated stub: Call(&v1::KeyService::Stub::CreateKey, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, Interruptible interruptible = Interruptible::kYes) {
    return CallUntil(absl::Now() + options_.timeout, method, request, interruptible);
  }

  // The same with a deadline of its own.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> CallUntil(absl::Time deadline,
                                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                     const Request& request, Interruptible interruptible = Interruptible::kYes) {
    Stub stub(channel_);
    Response response;
    const absl::Status status =
        Run([&](grpc::ClientContext* context) { return (stub.*method)(context, request, &response); }, deadline,
            interruptible);
    if (!status.ok()) return status;
    return response;
  }

 private:
  absl::Status Run(const std::function<grpc::Status(grpc::ClientContext*)>& call, absl::Time deadline,
                   Interruptible interruptible);
  absl::Status Explain(const grpc::Status& status) const;

  const Options options_;
  const Environment& environment_;
  std::ostream& err_;
  std::shared_ptr<grpc::Channel> channel_;
  bool noted_waiting_ = false;
};

}  // namespace volcrypt::ctl
