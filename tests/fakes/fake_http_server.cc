#include "tests/fakes/fake_http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kEndOfHeaders = "\r\n\r\n";

class PlainTransport : public FakeTransport {
 public:
  explicit PlainTransport(int socket) : socket_(socket) {}
  ssize_t Read(char* data, size_t size) override { return recv(socket_, data, size, 0); }
  bool Write(const std::string& data) override {
    size_t sent = 0;
    while (sent < data.size()) {
      const ssize_t count = send(socket_, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }

 private:
  const int socket_;
};

// Reads on until `text` holds `size` bytes, or the end of the headers where none is given.
bool ReadMore(FakeTransport& transport, std::string& text, std::optional<size_t> size) {
  while (size ? text.size() < *size : text.find(kEndOfHeaders.data()) == std::string::npos) {
    char data[4096];
    const ssize_t count = transport.Read(data, sizeof(data));
    if (count <= 0) return false;
    text.append(data, static_cast<size_t>(count));
    // A greeting in TLS.
    if (!size && !absl::ascii_isupper(static_cast<unsigned char>(text[0]))) return false;
  }
  return true;
}

std::optional<FakeHttpRequest> ReadRequest(FakeTransport& transport) {
  std::string text;
  if (!ReadMore(transport, text, std::nullopt)) return std::nullopt;
  const size_t end = text.find(kEndOfHeaders.data());
  const std::vector<std::string> lines = absl::StrSplit(text.substr(0, end), "\r\n");
  const std::vector<std::string> words = absl::StrSplit(lines[0], ' ');
  if (words.size() != 3) return std::nullopt;
  FakeHttpRequest request = {.method = words[0], .path = words[1], .headers = {}, .body = text.substr(end + 4)};
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> header = absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
    request.headers[absl::AsciiStrToLower(header.first)] = header.second;
  }
  size_t length = 0;
  if (absl::SimpleAtoi(request.Header("content-length"), &length) && !ReadMore(transport, request.body, length)) {
    return std::nullopt;
  }
  return request;
}

std::string HeadOf(const FakeHttpAnswer& answer) {
  std::string head = absl::StrCat("HTTP/1.1 ", answer.status, " Whatever\r\n");
  for (const auto& [name, value] : answer.headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
  if (answer.manner == Manner::kWithoutLength) {
    absl::StrAppend(&head, "Connection: close\r\n");
  } else if (answer.manner == Manner::kChunked) {
    absl::StrAppend(&head, "Transfer-Encoding: chunked\r\n");
  } else if (answer.status != 204) {
    const size_t more = answer.manner == Manner::kCutShort ? 10 : 0;
    absl::StrAppend(&head, "Content-Length: ", answer.body.size() + more, "\r\n");
  }
  return head + "\r\n";
}

std::string Chunks(const std::string& body) {
  std::string text;
  for (size_t at = 0; at < body.size(); at += 7) {
    const std::string part = body.substr(at, 7);
    absl::StrAppend(&text, absl::Hex(part.size()), "\r\n", part, "\r\n");
  }
  return text + "0\r\n\r\n";
}

}  // namespace

FakeHttpServer::FakeHttpServer(Handler handler, FakeTransportFactory transport)
    : handler_(std::move(handler)), transport_(std::move(transport)) {
  listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listening_ < 0 || bind(listening_, generic, size) != 0 || listen(listening_, SOMAXCONN) != 0 ||
      getsockname(listening_, generic, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

FakeHttpServer::~FakeHttpServer() { Stop(); }

std::vector<FakeHttpRequest> FakeHttpServer::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeHttpServer::Stop() {
  if (!accepting_.joinable()) return;
  ends_ = true;
  shutdown(listening_, SHUT_RDWR);
  accepting_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  close(listening_);
}

void FakeHttpServer::Accept() {
  while (!ends_) {
    const int socket = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    ++connections_;
    {
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
    }
    threads_.emplace_back([this, socket] { Serve(socket); });
  }
}

void FakeHttpServer::Serve(int socket) {
  {
    const std::unique_ptr<FakeTransport> transport =
        transport_ ? transport_(socket) : std::make_unique<PlainTransport>(socket);
    while (transport != nullptr && !ends_) {
      const std::optional<FakeHttpRequest> request = ReadRequest(*transport);
      if (!request) break;
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(*request);
      }
      if (!Answer(*transport, handler_(*request))) break;
    }
  }
  const std::lock_guard lock(mutex_);
  std::erase(sockets_, socket);
  close(socket);
}

bool FakeHttpServer::Answer(FakeTransport& transport, const FakeHttpAnswer& answer) {
  switch (answer.manner) {
    case Manner::kNever:
      while (Wait(std::chrono::milliseconds(10))) {
      }
      return false;
    case Manner::kDropped:
      return false;
    case Manner::kRaw:
      transport.Write(answer.body);
      return false;
    case Manner::kDripping:
      for (const char c : HeadOf(answer) + answer.body) {
        if (!Wait(std::chrono::milliseconds(20)) || !transport.Write(std::string(1, c))) return false;
      }
      return true;
    case Manner::kChunked:
      return transport.Write(HeadOf(answer) + Chunks(answer.body));
    default:
      return transport.Write(HeadOf(answer) + answer.body) && answer.manner == Manner::kProperly;
  }
}

bool FakeHttpServer::Wait(std::chrono::milliseconds time) const {
  std::this_thread::sleep_for(time);
  return !ends_;
}

}  // namespace volcrypt
