#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/keys/openstack/call_deadline.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Why there is no answer.
enum class HttpFailure : uint8_t {
  kNone,      // there is one, whatever its status
  kResolve,   // the host's name
  kConnect,   // refused or unreachable: nothing was sent
  kTls,       // no agreement, or a certificate that is not to be trusted: nothing was sent
  kTimedOut,  // the deadline passed
  kTooLarge,  // more than was expected
  kMemory,    // none is left, or none that can be locked
  kBroken,    // the connection ended early, or what came is not HTTP
};

struct HttpRequest {
  struct SecretHeader {
    std::string name;
    const SecretBytes* value;  // printable, without line ends
  };

  std::string method = "GET";
  std::string url;  // http or https
  std::string accept = "application/json";
  std::vector<SecretHeader> secret_headers;
  std::vector<std::pair<std::string, std::string>> headers;  // further ones, of plain text
  std::string content_type;                                  // empty: no body
  std::span<const uint8_t> body;
  size_t max_answer_bytes = size_t{64} * 1024;
  bool answer_is_secret = false;     // the body of status 200 goes into HttpAnswer::secret, that of others nowhere
  std::string secret_answer_header;  // a header that goes into HttpAnswer::header
  // A request is sent a second time when a kept connection turns out to be dead, or says nothing until half of the time
  // has passed: then over a new one. Not this one.
  bool is_sent_once = false;
};

struct HttpAnswer {
  HttpFailure failure = HttpFailure::kNone;
  std::string failure_text;  // for people
  int status = 0;            // zero: it did not come so far
  std::string body;
  SecretBytes secret;
  SecretBytes header;
  std::string peer;  // address of who answered, or was connected to; may be empty
};

// Sends HTTP/1.1 requests and keeps connections open. Thread-safe; threads share nothing but the kept connections, so
// that no server's silence delays the requests to another.
//
// TLS is 1.2 or later and always verified, against `ca_file` alone when there is one. Redirects are not followed and
// proxies of the environment not used: a token goes to the host it was meant for or nowhere. What curl and OpenSSL held
// of a request or answer is wiped when Send returns (OpenSSL: if MakeOpenSslWipeFreedMemory was called).
class HttpClient {
 public:
  explicit HttpClient(std::string ca_file);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpAnswer Send(const HttpRequest& request, const CallDeadline& deadline);

 private:
  class Connections;

  std::unique_ptr<Connections> TakeConnections();
  void GiveBack(std::unique_ptr<Connections> connections);

  const std::string ca_file_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connections>> idle_;  // under mutex_; the last used is the first taken
};

}  // namespace volcrypt
