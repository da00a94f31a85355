#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace volcrypt {

struct FakeHttpRequest {
  std::string method;
  std::string path;                            // with its query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// How the answer goes out.
enum class Manner {
  kProperly,
  kNever,           // the connection stays open and nothing comes until the server ends
  kDropped,         // the connection is closed without an answer
  kCutShort,        // fewer bytes than Content-Length says, then closed
  kDripping,        // a byte now and then
  kWithoutLength,   // no Content-Length; the end of the connection is the end of the body
  kChunked,         // Transfer-Encoding: chunked
  kRaw,             // the body alone, as if it were HTTP
  kThenDisconnect,  // properly, as if the connection were kept, and then it is closed
};

struct FakeHttpAnswer {
  int status = 200;
  std::string body;
  std::map<std::string, std::string> headers = {{"Content-Type", "application/json"}};
  Manner manner = Manner::kProperly;
};

// Carries bytes over one accepted connection; a test's TLS is another one.
class FakeTransport {
 public:
  virtual ~FakeTransport() = default;
  virtual ssize_t Read(char* data, size_t size) = 0;
  virtual bool Write(const std::string& data) = 0;
};
// Null: the connection is given up.
using FakeTransportFactory = std::function<std::unique_ptr<FakeTransport>(int socket)>;

// An HTTP/1.1 server of this process, on a port of its own of 127.0.0.1, which answers as the test says. A thread for
// each connection; the handler is called by all of them.
class FakeHttpServer {
 public:
  using Handler = std::function<FakeHttpAnswer(const FakeHttpRequest&)>;

  explicit FakeHttpServer(Handler handler, FakeTransportFactory transport = nullptr);
  ~FakeHttpServer();
  FakeHttpServer(const FakeHttpServer&) = delete;
  FakeHttpServer& operator=(const FakeHttpServer&) = delete;

  int Port() const { return port_; }
  std::string Url(const std::string& scheme = "http") const { return scheme + "://127.0.0.1:" + std::to_string(port_); }
  std::vector<FakeHttpRequest> Requests() const;
  size_t Connections() const { return connections_; }
  // Connections are refused from now on, and those there are closed.
  void Stop();

 private:
  void Accept();
  void Serve(int socket);
  bool Answer(FakeTransport& transport, const FakeHttpAnswer& answer);
  // False when the server ends meanwhile.
  bool Wait(std::chrono::milliseconds time) const;

  const Handler handler_;
  const FakeTransportFactory transport_;
  int listening_ = -1;
  int port_ = 0;
  std::atomic<bool> ends_ = false;
  std::atomic<size_t> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<FakeHttpRequest> requests_;  // under mutex_
  std::vector<int> sockets_;               // under mutex_; open ones
  std::vector<std::thread> threads_;       // the accepting one's own
  std::thread accepting_;
};

}  // namespace volcrypt
