#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace volcrypt {

// One streaming call whose messages are bytes: for protocols whose generated client the C++ packages do not have.
class RawCall {
 public:
  RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) : stub_(channel) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    call_ = stub_.PrepareCall(&context_, method, &queue_);
    call_->StartCall(nullptr);
    EXPECT_TRUE(Done());
  }

  void Write(const std::string& message) {
    const grpc::Slice slice(message);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    EXPECT_TRUE(Done());
  }

  void Cancel() { context_.TryCancel(); }

  // Nothing once the server has ended the call.
  std::optional<std::string> Read() {
    grpc::ByteBuffer answer;
    call_->Read(&answer, nullptr);
    grpc::Slice text;
    if (!Done() || !answer.DumpToSingleSlice(&text).ok()) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(text.begin()), text.size());
  }

  grpc::Status Finish() {
    call_->WritesDone(nullptr);
    Done();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    EXPECT_TRUE(Done());
    return status;
  }

 private:
  bool Done() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

}  // namespace volcrypt
