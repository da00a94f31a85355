#include "tests/fakes/fake_kmip_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/kmip/kmip_request.h"

namespace volcrypt {
namespace {

constexpr size_t kHeaderBytes = 8;
constexpr size_t kMaxRequestBytes = size_t{1} << 20;
constexpr auto kDribblePause = std::chrono::milliseconds(20);

void Demand(bool condition) {
  if (!condition) std::abort();
}

bool WriteAll(SSL* tls, std::span<const uint8_t> bytes) {
  size_t written = 0;
  return bytes.empty() || SSL_write_ex(tls, bytes.data(), bytes.size(), &written) == 1;
}

bool ReadAll(SSL* tls, std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    size_t got = 0;
    if (SSL_read_ex(tls, bytes.data(), bytes.size(), &got) != 1) return false;
    bytes = bytes.subspan(got);
  }
  return true;
}

}  // namespace

FakeKmipServer::FakeKmipServer(const Options& options) : context_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX* const context = context_.get();
  Demand(SSL_CTX_use_certificate_chain_file(context, options.files.certificate.c_str()) == 1);
  Demand(SSL_CTX_use_PrivateKey_file(context, options.files.private_key.c_str(), SSL_FILETYPE_PEM) == 1);
  if (!options.client_authority.empty()) {
    Demand(SSL_CTX_load_verify_file(context, options.client_authority.c_str()) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  if (options.max_tls_version != 0) {
    SSL_CTX_set_security_level(context, 0);  // else nothing older than TLS 1.2 is spoken at all
    SSL_CTX_set_min_proto_version(context, 0);
    SSL_CTX_set_max_proto_version(context, options.max_tls_version);
  }
  Listen();
  acceptor_ = std::thread([this] { AcceptAll(); });
}

FakeKmipServer::~FakeKmipServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  shutdown(listener_.Get(), SHUT_RDWR);
  acceptor_.join();
  CloseConnections();
  for (Connection& connection : connections_) connection.thread.join();
}

void FakeKmipServer::Listen() {
  listener_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  Demand(bind(listener_.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  Demand(listen(listener_.Get(), SOMAXCONN) == 0);
  socklen_t size = sizeof address;
  Demand(getsockname(listener_.Get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

std::string FakeKmipServer::Address() const { return absl::StrCat("localhost:", port_); }

void FakeKmipServer::Put(const std::string& uid, const FakeKmipObject& object) {
  const std::lock_guard lock(mutex_);
  store_.Objects()[uid] = object;
}

std::optional<FakeKmipObject> FakeKmipServer::Find(const std::string& uid) {
  const std::lock_guard lock(mutex_);
  const auto found = store_.Objects().find(uid);
  return found == store_.Objects().end() ? std::nullopt : std::optional(found->second);
}

size_t FakeKmipServer::ObjectCount() {
  const std::lock_guard lock(mutex_);
  return store_.Objects().size();
}

void FakeKmipServer::Misbehave(KmipOperation operation, Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_[operation] = fault;
  if (fault == Fault::kOtherUid) store_.AnswerForAnother(operation);
}

void FakeKmipServer::Refuse(KmipOperation operation, std::optional<KmipResultReason> reason) {
  const std::lock_guard lock(mutex_);
  store_.Refuse(operation, reason);
}

void FakeKmipServer::DemandPassword(const std::string& username, const std::string& password) {
  const std::lock_guard lock(mutex_);
  store_.DemandCredential(absl::StrCat(username, ":", password));
}

void FakeKmipServer::Speak(const std::vector<KmipVersion>& versions, bool can_tell) {
  const std::lock_guard lock(mutex_);
  store_.Speak(versions, can_tell);
}

void FakeKmipServer::CloseConnections() {
  const std::lock_guard lock(mutex_);
  for (const Connection& connection : connections_) shutdown(connection.fd.Get(), SHUT_RDWR);
}

int FakeKmipServer::ConnectionCount() {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(connections_.size());
}

void FakeKmipServer::BeginNewUidsWith(const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  store_.BeginNewUidsWith(prefix);
}

int FakeKmipServer::RequestCount(KmipOperation operation) {
  const std::lock_guard lock(mutex_);
  return store_.RequestCount(operation);
}

bool FakeKmipServer::AwaitRequests(KmipOperation operation, int count) {
  std::unique_lock lock(mutex_);
  return asked_.wait_for(lock, std::chrono::seconds(30), [&] { return store_.RequestCount(operation) >= count; });
}

bool FakeKmipServer::EveryRequestNamedItsObject() {
  const std::lock_guard lock(mutex_);
  return store_.EveryRequestNamedItsObject();
}

void FakeKmipServer::AcceptAll() {
  for (;;) {
    UniqueFd fd(accept4(listener_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.IsValid()) return;
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const int number = fd.Get();
    connections_.push_back({.fd = std::move(fd), .thread = std::thread([this, number] { Serve(number); })});
  }
}

// Connections stay in the list, and their descriptors open, to the end, so that a number is never another connection's.
void FakeKmipServer::Serve(int fd) {
  // A client that has gone must not end the test program; whether the client itself is safe is the test's to see.
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  const Tls tls(SSL_new(context_.get()));
  SSL_set_fd(tls.get(), fd);
  if (SSL_accept(tls.get()) == 1) {
    while (ServeOne(tls.get())) {
    }
  }
  shutdown(fd, SHUT_RDWR);
}

std::optional<std::vector<uint8_t>> FakeKmipServer::ReadRequest(SSL* tls) {
  std::vector<uint8_t> bytes(kHeaderBytes);
  if (!ReadAll(tls, bytes)) return std::nullopt;
  const size_t length = size_t{bytes[4]} << 24 | size_t{bytes[5]} << 16 | size_t{bytes[6]} << 8 | size_t{bytes[7]};
  if (length > kMaxRequestBytes) return std::nullopt;
  bytes.resize(kHeaderBytes + length);
  if (!ReadAll(tls, std::span(bytes).subspan(kHeaderBytes))) return std::nullopt;
  return bytes;
}

bool FakeKmipServer::ServeOne(SSL* tls) {
  const std::optional<std::vector<uint8_t>> request = ReadRequest(tls);
  if (!request) return false;
  const absl::StatusOr<TtlvItem> message = TtlvItem::Parse(*request);
  if (!message.ok()) return false;
  const FakeKmipQuestion question = FakeKmipQuestion::Of(*message);
  Fault fault = Fault::kNone;
  std::vector<uint8_t> answer;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = faults_.find(question.operation); found != faults_.end()) fault = found->second;
    answer = Encode(question, store_.CarryOut(question), fault);
  }
  asked_.notify_all();
  return Spoil(tls, fault, answer);
}

// Sends the answer, or what the fault makes of it. Answers whether to go on.
bool FakeKmipServer::Spoil(SSL* tls, Fault fault, const std::vector<uint8_t>& answer) {
  switch (fault) {
    case Fault::kHang: {
      std::unique_lock lock(mutex_);
      stopped_.wait(lock, [this] { return stopping_; });
      return false;
    }
    case Fault::kClose:
      return false;
    case Fault::kGarbage:
      return WriteAll(tls, std::vector<uint8_t>(64, 'H'));
    case Fault::kOversize:
      return WriteAll(tls, std::array<uint8_t, kHeaderBytes>{0x42, 0x00, 0x7B, 0x01, 0x7F, 0xFF, 0xFF, 0xF8});
    case Fault::kCut:
      WriteAll(tls, std::span(answer).first(answer.size() / 2));
      return false;
    case Fault::kDribble:
      for (size_t i = 0; i < answer.size(); ++i) {
        std::unique_lock lock(mutex_);
        if (stopped_.wait_for(lock, kDribblePause, [this] { return stopping_; })) return false;
        lock.unlock();
        if (!WriteAll(tls, std::span(answer).subspan(i, 1))) return false;
      }
      return true;
    default:
      return WriteAll(tls, answer);
  }
}

std::vector<uint8_t> FakeKmipServer::Encode(const FakeKmipQuestion& question, const FakeKmipResult& result,
                                            Fault fault) {
  std::vector<uint8_t> item_id = question.item_id;
  if (fault == Fault::kOtherItemId && !item_id.empty()) item_id[0] ^= 1;
  const KmipOperation operation = fault == Fault::kOtherOperation ? KmipOperation::kQuery : question.operation;
  uint32_t status = result.reason ? 1 : 0;
  if (fault == Fault::kPending) status = 2;
  const auto write = [&](TtlvWriter& writer) {
    writer.Structure(KmipTag::kResponseMessage, [&] {
      writer.Structure(KmipTag::kResponseHeader, [&] {
        WriteVersion(writer, result.understood ? question.version : KmipVersion{.major = 1, .minor = 0});
        writer.Integer(KmipTag::kBatchCount, 1);
      });
      writer.Structure(KmipTag::kBatchItem, [&] {
        if (result.understood) writer.Enumeration(KmipTag::kOperation, operation);
        if (result.understood && !item_id.empty()) writer.Bytes(KmipTag::kUniqueBatchItemId, item_id);
        writer.Enumeration(KmipTag::kResultStatus, status);
        if (result.reason) writer.Enumeration(KmipTag::kResultReason, *result.reason);
        if (!result.reason) writer.Structure(KmipTag::kResponsePayload, [&] { result.payload(writer); });
      });
    });
  };
  TtlvWriter measure;
  write(measure);
  std::vector<uint8_t> bytes(measure.Size());
  TtlvWriter writer(bytes);
  write(writer);
  return bytes;
}

}  // namespace volcrypt
