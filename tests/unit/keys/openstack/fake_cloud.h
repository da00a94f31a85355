#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/keys/key_managers_config.h"
#include "agent/keys/openstack/barbican_key_manager.h"
#include "encryptors/secret_bytes.h"
#include "tests/fakes/fake_http_server.h"

namespace volcrypt {

inline SecretBytes SecretOf(const std::string& text) {
  SecretBytes secret = SecretBytes::Allocate(text.size()).value();
  std::copy(text.begin(), text.end(), secret.Bytes().begin());
  return secret;
}

inline std::string TextOfSecret(const SecretBytes& secret) { return {secret.Text(), secret.Size()}; }

struct FakeSecret {
  std::string type = "symmetric";
  std::string payload = "0123456789abcdef0123456789abcdef";
  std::string bit_length = "256";  // JSON
  std::string content_type = "application/octet-stream";
  std::string status = "ACTIVE";
  std::map<std::string, std::string> metadata;
  std::vector<std::string> users;
  bool project_access = true;
  int consumers = 0;
};

// As much of Keystone and Barbican as the key manager uses, on one port, as the real ones were seen to answer. A test
// puts its own answers in front of that.
class FakeCloud {
 public:
  explicit FakeCloud(FakeTransportFactory transport = nullptr);

  // With the password that it takes; the catalog points to itself.
  BarbicanConfig Config() const;
  std::unique_ptr<BarbicanKeyManager> KeyManager() const { return KeyManager(Config()); }
  std::unique_ptr<BarbicanKeyManager> KeyManager(const BarbicanConfig& config) const;

  // The id of a secret that is there from now on.
  std::string Add(FakeSecret secret = {});
  FakeSecret Find(const std::string& id) const;
  // Its read ACL, as somebody else writes it.
  void SetUsers(const std::string& id, std::vector<std::string> users);
  // A user's token that is good, or may do nothing (403).
  void AllowToken(const std::string& token);
  void DenyToken(const std::string& token);
  // What the agent was given so far is good no more.
  void RevokeAgentTokens();

  // The next so many requests of this method, to paths that contain the text, are answered so.
  void Next(const std::string& method, const std::string& path, FakeHttpAnswer answer, int times = 1);
  void Always(const std::string& method, const std::string& path, FakeHttpAnswer answer);
  // Called before each answer.
  void Before(std::function<void(const FakeHttpRequest&)> hook) { hook_ = std::move(hook); }

  // Called while a POST of user metadata has looked whether the name is taken and has not yet written: Barbican then
  // replaces whatever has the name.
  void BetweenLookAndWrite(std::function<void(const FakeHttpRequest&)> hook) { between_ = std::move(hook); }

  size_t Count(const std::string& method, const std::string& path) const;
  std::vector<FakeHttpRequest> Requests() const { return server_->Requests(); }
  FakeHttpServer& Server() { return *server_; }
  std::string Url() const { return server_->Url(scheme_); }

  // Of tokens given from now on.
  absl::Duration token_lifetime = absl::Hours(1);
  absl::Time keystone_now = absl::Now();
  // How often an order is PENDING before it is ACTIVE; negative: always.
  int pending = 0;
  std::string catalog;  // JSON; empty: the usual one

  static constexpr char kAgentId[] = "a9e17000000000000000000000000001";

 private:
  struct Script {
    std::string method;
    std::string path;
    FakeHttpAnswer answer;
    int times;
  };

  FakeHttpAnswer Answer(const FakeHttpRequest& request);
  FakeHttpAnswer Authenticate(const FakeHttpRequest& request);
  FakeHttpAnswer Barbican(const FakeHttpRequest& request);
  FakeHttpAnswer Orders(const FakeHttpRequest& request, const std::string& id);
  FakeHttpAnswer Store(const FakeHttpRequest& request);
  FakeHttpAnswer OfSecret(const FakeHttpRequest& request, const std::string& id, const std::string& rest);
  FakeHttpAnswer Metadata(const FakeHttpRequest& request, FakeSecret& secret, const std::string& name);
  FakeHttpAnswer AddMetadatum(const FakeHttpRequest& request, std::unique_lock<std::mutex>& lock);
  FakeHttpAnswer Acl(const FakeHttpRequest& request, FakeSecret& secret);
  std::string AddLocked(FakeSecret secret);

  const std::string scheme_;
  mutable std::mutex mutex_;
  std::function<void(const FakeHttpRequest&)> hook_;
  std::function<void(const FakeHttpRequest&)> between_;
  std::vector<Script> scripts_;
  std::map<std::string, FakeSecret> secrets_;
  std::set<std::string> tokens_;
  std::set<std::string> denied_;
  int authentications_ = 0;
  int orders_ = 0;
  std::unique_ptr<FakeHttpServer> server_;  // ends first
};

// Barbican's own error.
FakeHttpAnswer BarbicanError(int status, const std::string& description);

inline absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

}  // namespace volcrypt
