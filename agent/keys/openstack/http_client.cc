#include "agent/keys/openstack/http_client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/ssl.h>

#include <array>
#include <new>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/openstack/http_status.h"
#include "agent/keys/openstack/secret_buffer.h"
#include "agent/keys/wiping_allocator.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{64} * 1024;
constexpr size_t kMaxSecretHeaderBytes = size_t{16} * 1024;
// Of an error's page, where the answer would have been a key.
constexpr size_t kMaxErrorBytes = size_t{16} * 1024;
constexpr long kBufferBytes = 16L * 1024;
// As many idle ones as usual bursts have requests; a larger burst's are closed after it.
constexpr size_t kMaxIdle = 16;
// One to Keystone, one to Barbican.
constexpr long kConnectionsEach = 2;
constexpr long kIdleSeconds = 60;
constexpr long kCaCacheSeconds = 60;
constexpr int kPollMilliseconds = 1000;

struct CloseEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using EasyHandle = std::unique_ptr<CURL, CloseEasy>;

struct CloseMulti {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// What curl's callbacks collect of one answer.
struct Collected {
  const HttpRequest& request;
  CURL* handle;
  HttpAnswer& answer;
  size_t header_bytes = 0;
  size_t dropped_bytes = 0;
  SecretBuffer secret{request.max_answer_bytes};
  SecretBuffer header{kMaxSecretHeaderBytes};
  HttpFailure failure = HttpFailure::kNone;  // on our side
  bool is_connected = false;
  bool is_new_connection = false;

  // Nothing has come over a kept connection, which may have died without a sign.
  bool IsSilent() const { return is_connected && !is_new_connection && header_bytes == 0; }
  int Status() const {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return static_cast<int>(status);
  }
};

HttpFailure FailureOf(const SecretBuffer& buffer) {
  return HasReason(buffer.GetStatus(), Reason::kKeyUnfit) ? HttpFailure::kTooLarge : HttpFailure::kMemory;
}

void KeepBody(Collected& collected, absl::string_view data) {
  const HttpRequest& request = collected.request;
  if (request.answer_is_secret && collected.Status() == http_status::kOk) {
    collected.secret.Append(data);
    if (!collected.secret.GetStatus().ok()) collected.failure = FailureOf(collected.secret);
  } else if (request.answer_is_secret) {
    // A page for a server's developers may show what it was about to answer. The status says enough.
    collected.dropped_bytes += data.size();
    if (collected.dropped_bytes > kMaxErrorBytes) collected.failure = HttpFailure::kTooLarge;
  } else if (data.size() > request.max_answer_bytes - collected.answer.body.size()) {
    collected.failure = HttpFailure::kTooLarge;
  } else {
    collected.answer.body.append(data.data(), data.size());
  }
}

void KeepHeader(Collected& collected, absl::string_view line) {
  collected.header_bytes += line.size();
  const std::string& wanted = collected.request.secret_answer_header;
  if (collected.header_bytes > kMaxHeaderBytes) {
    collected.failure = HttpFailure::kTooLarge;
  } else if (!wanted.empty() && line.size() > wanted.size() && line[wanted.size()] == ':' &&
             absl::StartsWithIgnoreCase(line, wanted)) {
    collected.header.Append(absl::StripAsciiWhitespace(line.substr(wanted.size() + 1)));
    if (!collected.header.GetStatus().ok()) collected.failure = FailureOf(collected.header);
  }
}

// Anything but `size` as answer ends the transfer. An exception must not pass curl's frames, which are C's.
template <void (*keep)(Collected&, absl::string_view)>
size_t Take(char* data, size_t, size_t size, void* user) {
  auto& collected = *static_cast<Collected*>(user);
  try {
    keep(collected, absl::string_view(data, size));
  } catch (const std::bad_alloc&) {
    collected.failure = HttpFailure::kMemory;
  }
  return collected.failure == HttpFailure::kNone ? size : 0;
}

int TakeSocket(void* user, curl_socket_t socket, curlsocktype) {
  static_cast<Collected*>(user)->is_new_connection = true;
  // Kept from children.
  return fcntl(socket, F_SETFD, FD_CLOEXEC) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

int NoteConnected(void* user, char*, char*, int, int) {
  static_cast<Collected*>(user)->is_connected = true;
  return CURL_PREREQFUNC_OK;
}

// OpenSSL keeps what it decrypted last until the connection's next answer.
CURLcode WipeAfterReading(CURL*, void* context, void*) {
  auto* const tls = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_options(tls, SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
  return CURLE_OK;
}

bool AddHeader(HeaderList& list, const char* line) {
  curl_slist* const longer = curl_slist_append(list.get(), line);
  if (longer == nullptr) return false;
  static_cast<void>(list.release());
  list.reset(longer);
  return true;
}

// Curl copies the lines, and wipes its copies when the list is freed: see InitializeCurl.
bool AddHeaders(HeaderList& list, const HttpRequest& request) {
  if (!AddHeader(list, absl::StrCat("Accept: ", request.accept).c_str())) return false;
  // Without it curl may wait for the server's leave to send a body.
  if (!AddHeader(list, "Expect:")) return false;
  if (!request.content_type.empty() && !AddHeader(list, absl::StrCat("Content-Type: ", request.content_type).c_str())) {
    return false;
  }
  for (const auto& [name, value] : request.headers) {
    if (!AddHeader(list, absl::StrCat(name, ": ", value).c_str())) return false;
  }
  for (const HttpRequest::SecretHeader& header : request.secret_headers) {
    constexpr uint8_t kEnd = 0;
    SecretBuffer line(SecretBytes::kMaxSize);
    line.Append(header.name).Append(": ").Append(header.value->Bytes()).Append(std::span(&kEnd, 1));
    const absl::StatusOr<SecretBytes> text = line.Take();
    if (!text.ok() || !AddHeader(list, text->Text())) return false;
  }
  return true;
}

void SetTls(CURL* handle, const std::string& ca_file) {
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(handle, CURLOPT_CA_CACHE_TIMEOUT, kCaCacheSeconds);
  if (!ca_file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, ca_file.c_str());
    // Else every public authority would be trusted as well.
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, WipeAfterReading);
}

void SetConnection(CURL* handle, const CallDeadline& deadline) {
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, kIdleSeconds);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, kBufferBytes);
  // A resolver that does not answer is not waited for.
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  // Zero would mean for ever.
  const auto left = std::max<int64_t>(deadline.Remaining().count(), 1);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(left));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(left));
}

void SetCallbacks(CURL* handle, Collected& collected) {
  curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, TakeSocket);
  curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, &collected);
  curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, NoteConnected);
  curl_easy_setopt(handle, CURLOPT_PREREQDATA, &collected);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Take<KeepBody>);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &collected);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, Take<KeepHeader>);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &collected);
}

void SetRequest(CURL* handle, const HttpRequest& request) {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  // HTTP/2 would keep answers in buffers of its own.
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  if (!request.content_type.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());  // not copied
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

HttpFailure FailureOf(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpFailure::kNone;
    case CURLE_COULDNT_RESOLVE_HOST:
      return HttpFailure::kResolve;
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::kTimedOut;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
      return HttpFailure::kTls;
    case CURLE_OUT_OF_MEMORY:
      return HttpFailure::kMemory;
    default:
      return HttpFailure::kBroken;
  }
}

// Drives the one transfer of `multi` to its end, which its timeout brings about at the latest. Nothing: it was left,
// because a kept connection was silent until half of its time had passed.
std::optional<CURLcode> Run(CURLM* multi, const Collected& collected, const CallDeadline& half) {
  int running = 1;
  while (running > 0) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (running == 0) break;
    const auto patience = static_cast<int>(std::min<int64_t>(half.Remaining().count(), kPollMilliseconds));
    if (patience == 0 && collected.IsSilent()) return std::nullopt;
    if (curl_multi_poll(multi, nullptr, 0, patience == 0 ? kPollMilliseconds : patience, nullptr) != CURLM_OK) {
      return CURLE_FAILED_INIT;
    }
  }
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi, &left);
  return message == nullptr ? CURLE_FAILED_INIT : message->data.result;
}

std::string PeerOf(CURL* handle) {
  const char* address = nullptr;
  long port = 0;
  curl_easy_getinfo(handle, CURLINFO_PRIMARY_IP, &address);
  curl_easy_getinfo(handle, CURLINFO_PRIMARY_PORT, &port);
  return address == nullptr || *address == '\0' ? "" : absl::StrCat(address, " port ", port);
}

HttpAnswer Failed(HttpFailure failure, std::string text) {
  return HttpAnswer{.failure = failure, .failure_text = std::move(text)};
}

void KeepSecrets(Collected& collected, HttpAnswer& answer) {
  absl::StatusOr<SecretBytes> secret = collected.secret.Take();
  absl::StatusOr<SecretBytes> header = collected.header.Take();
  if (!secret.ok() || !header.ok()) {
    answer = Failed(HttpFailure::kMemory, "no locked memory is left for the answer");
    return;
  }
  answer.secret = *std::move(secret);
  answer.header = *std::move(header);
}

// Curl gives its memory back through WipingFree. False when it cannot be used.
bool InitializeCurl() {
  static const bool initialized = curl_global_init_mem(CURL_GLOBAL_DEFAULT, WipingMalloc, WipingFree, WipingRealloc,
                                                       WipingStrdup, WipingCalloc) == CURLE_OK;
  return initialized;
}

}  // namespace

// The kept connections that one thread uses at a time. The handle of a request, with curl's buffers, is made and freed
// with it; the connections stay with this.
class HttpClient::Connections {
 public:
  Connections() : multi_(curl_multi_init()) {
    if (multi_ != nullptr) curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kConnectionsEach);
  }

  HttpAnswer Send(const HttpRequest& request, const std::string& ca_file, const CallDeadline& deadline) {
    std::optional<HttpAnswer> answer = Try(request, ca_file, deadline, request.is_sent_once);
    if (!answer) answer = Try(request, ca_file, deadline, true);
    return answer ? *std::move(answer) : Failed(HttpFailure::kTimedOut, "nothing came in time");
  }

 private:
  // `is_fresh`: over a new connection. Nothing: a kept one was silent for half of the time.
  std::optional<HttpAnswer> Try(const HttpRequest& request, const std::string& ca_file, const CallDeadline& deadline,
                                bool is_fresh) {
    const EasyHandle handle(curl_easy_init());
    HeaderList headers;
    if (multi_ == nullptr || handle == nullptr || !AddHeaders(headers, request)) {
      return Failed(HttpFailure::kMemory, "no memory is left for the request");
    }
    HttpAnswer answer;
    Collected collected = {.request = request, .handle = handle.get(), .answer = answer};
    std::array<char, CURL_ERROR_SIZE> error = {};
    SetConnection(handle.get(), deadline);
    SetTls(handle.get(), ca_file);
    SetRequest(handle.get(), request);
    SetCallbacks(handle.get(), collected);
    if (is_fresh) curl_easy_setopt(handle.get(), CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, error.data());

    if (curl_multi_add_handle(multi_.get(), handle.get()) != CURLM_OK) {
      return Failed(HttpFailure::kMemory, "no memory is left for the request");
    }
    const absl::Cleanup remove = [&] { curl_multi_remove_handle(multi_.get(), handle.get()); };
    const std::optional<CURLcode> code = Run(multi_.get(), collected, deadline.HalfWay());
    if (!code) return std::nullopt;
    if (collected.failure != HttpFailure::kNone) {
      answer = Failed(collected.failure, collected.failure == HttpFailure::kTooLarge
                                             ? "the answer is larger than is sensible"
                                             : "no memory is left for the answer");
    } else if (*code != CURLE_OK) {
      answer = Failed(FailureOf(*code), error[0] == '\0' ? curl_easy_strerror(*code) : error.data());
    } else {
      KeepSecrets(collected, answer);
    }
    answer.status = collected.Status();
    answer.peer = PeerOf(handle.get());
    return answer;
  }

  std::unique_ptr<CURLM, CloseMulti> multi_;
};

HttpClient::HttpClient(std::string ca_file) : ca_file_(std::move(ca_file)) {}
HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::Send(const HttpRequest& request, const CallDeadline& deadline) {
  if (deadline.HasPassed()) return Failed(HttpFailure::kTimedOut, "no time was left to ask");
  if (!InitializeCurl()) return Failed(HttpFailure::kMemory, "libcurl cannot be initialized");
  std::unique_ptr<Connections> connections = TakeConnections();
  HttpAnswer answer = connections->Send(request, ca_file_, deadline);
  GiveBack(std::move(connections));
  return answer;
}

std::unique_ptr<HttpClient::Connections> HttpClient::TakeConnections() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Connections>();
  std::unique_ptr<Connections> last = std::move(idle_.back());
  idle_.pop_back();
  return last;
}

void HttpClient::GiveBack(std::unique_ptr<Connections> connections) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connections));
}

}  // namespace volcrypt
