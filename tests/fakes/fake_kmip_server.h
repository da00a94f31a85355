#pragma once

#include <openssl/ssl.h>

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/keys/kmip/kmip_enumerations.h"
#include "agent/keys/kmip/kmip_version.h"
#include "encryptors/unique_fd.h"
#include "tests/fakes/fake_kmip_store.h"
#include "tests/fakes/test_certificates.h"

namespace volcrypt {

// A KMIP server on a port of 127.0.0.1, for what a real one does not do: it can be told to misbehave. It has PyKMIP's
// habits: names are not unique, a Locate without a match succeeds, active keys cannot be destroyed.
class FakeKmipServer {
 public:
  struct Options {
    CertificateFiles files;
    std::string client_authority;  // empty: clients need no certificate
    int max_tls_version = 0;       // 0: the newest
  };

  enum class Fault : uint8_t {
    kNone,
    kHang,  // never answers
    kClose,
    kGarbage,  // not KMIP
    kOversize,
    kCut,      // begins an answer and closes
    kDribble,  // one byte a while, never to the end
    kOtherUid,
    kOtherOperation,
    kOtherItemId,
    kPending,
  };

  explicit FakeKmipServer(const Options& options);
  FakeKmipServer(const FakeKmipServer&) = delete;
  FakeKmipServer& operator=(const FakeKmipServer&) = delete;
  ~FakeKmipServer();

  uint16_t Port() const { return port_; }
  std::string Address() const;  // localhost:PORT

  void Put(const std::string& uid, const FakeKmipObject& object);
  std::optional<FakeKmipObject> Find(const std::string& uid);
  size_t ObjectCount();

  // From now on, in answers to this operation; it is carried out all the same.
  void Misbehave(KmipOperation operation, Fault fault);
  // Refuses the operation; nothing: no more.
  void Refuse(KmipOperation operation, std::optional<KmipResultReason> reason);
  void DemandPassword(const std::string& username, const std::string& password);
  // The versions that it speaks, best first; without Discover Versions when `can_tell` is false.
  void Speak(const std::vector<KmipVersion>& versions, bool can_tell = true);
  // Closes every connection, as a server that is restarted does.
  void CloseConnections();

  int ConnectionCount();
  // The unique identifiers of new objects.
  void BeginNewUidsWith(const std::string& prefix);
  int RequestCount(KmipOperation operation);
  // Waits until so many have come; false when they do not within half a minute.
  bool AwaitRequests(KmipOperation operation, int count);
  // What came without a unique identifier where there should be one would be answered from the ID placeholder.
  bool EveryRequestNamedItsObject();

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct FreeTls {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  using Tls = std::unique_ptr<SSL, FreeTls>;
  struct Connection {
    UniqueFd fd;
    std::thread thread;
  };
  void Listen();
  void AcceptAll();
  void Serve(int fd);
  bool ServeOne(SSL* tls);
  static std::optional<std::vector<uint8_t>> ReadRequest(SSL* tls);
  static std::vector<uint8_t> Encode(const FakeKmipQuestion& question, const FakeKmipResult& result, Fault fault);
  bool Spoil(SSL* tls, Fault fault, const std::vector<uint8_t>& answer);

  std::unique_ptr<SSL_CTX, FreeContext> context_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::thread acceptor_;

  std::mutex mutex_;
  std::condition_variable stopped_;
  std::condition_variable asked_;
  // Under mutex_.
  bool stopping_ = false;
  std::list<Connection> connections_;
  std::map<KmipOperation, Fault> faults_;
  FakeKmipStore store_;
};

}  // namespace volcrypt
