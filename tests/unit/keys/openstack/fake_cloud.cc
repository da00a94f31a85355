#include "tests/unit/keys/openstack/fake_cloud.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace volcrypt {
namespace {

using nlohmann::json;

constexpr char kUser[] = "nova";
constexpr char kPassword[] = "no\"va\\pw";
constexpr char kCredentialId[] = "c0ffee00000000000000000000000000";

FakeHttpAnswer Json(int status, const json& body) { return {.status = status, .body = body.dump()}; }

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%S.000000Z", time, absl::UTCTimeZone());
}

bool IsRightPassword(const json& identity) {
  if (identity["methods"] == json::array({"application_credential"})) {
    return identity["application_credential"] == json{{"id", kCredentialId}, {"secret", kPassword}};
  }
  const json user = {{"name", kUser}, {"domain", {{"name", "Default"}}}, {"password", kPassword}};
  return identity["methods"] == json::array({"password"}) && identity["password"]["user"] == user;
}

}  // namespace

FakeHttpAnswer BarbicanError(int status, const std::string& description) {
  return Json(status, {{"code", status}, {"title", "Whatever"}, {"description", description}});
}

FakeCloud::FakeCloud(FakeTransportFactory transport)
    : scheme_(transport ? "https" : "http"),
      server_(std::make_unique<FakeHttpServer>([this](const FakeHttpRequest& request) { return Answer(request); },
                                               std::move(transport))) {}

BarbicanConfig FakeCloud::Config() const {
  return {.auth_url = Url() + "/v3", .username = kUser, .project_name = "proj", .region = "RegionOne"};
}

std::unique_ptr<BarbicanKeyManager> FakeCloud::KeyManager(const BarbicanConfig& config) const {
  return BarbicanKeyManager::Make(config, SecretOf(kPassword)).value();
}

std::string FakeCloud::Add(FakeSecret secret) {
  const std::lock_guard lock(mutex_);
  return AddLocked(std::move(secret));
}

std::string FakeCloud::AddLocked(FakeSecret secret) {
  const std::string id = absl::StrFormat("5ec7e700-0000-4000-8000-%012d", secrets_.size() + 1);
  secrets_[id] = std::move(secret);
  return id;
}

FakeSecret FakeCloud::Find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = secrets_.find(id);
  return found == secrets_.end() ? FakeSecret{.status = "gone"} : found->second;
}

void FakeCloud::SetUsers(const std::string& id, std::vector<std::string> users) {
  const std::lock_guard lock(mutex_);
  secrets_.at(id).users = std::move(users);
}

void FakeCloud::AllowToken(const std::string& token) {
  const std::lock_guard lock(mutex_);
  tokens_.insert(token);
}

void FakeCloud::DenyToken(const std::string& token) {
  const std::lock_guard lock(mutex_);
  tokens_.insert(token);
  denied_.insert(token);
}

void FakeCloud::RevokeAgentTokens() {
  const std::lock_guard lock(mutex_);
  std::erase_if(tokens_, [](const std::string& token) { return absl::StartsWith(token, "agent-"); });
}

void FakeCloud::Next(const std::string& method, const std::string& path, FakeHttpAnswer answer, int times) {
  const std::lock_guard lock(mutex_);
  scripts_.push_back({.method = method, .path = path, .answer = std::move(answer), .times = times});
}

void FakeCloud::Always(const std::string& method, const std::string& path, FakeHttpAnswer answer) {
  Next(method, path, std::move(answer), 1000000);
}

size_t FakeCloud::Count(const std::string& method, const std::string& path) const {
  size_t count = 0;
  for (const FakeHttpRequest& request : Requests()) {
    count += request.method == method && absl::StrContains(request.path, path) ? 1 : 0;
  }
  return count;
}

FakeHttpAnswer FakeCloud::Answer(const FakeHttpRequest& request) {
  if (hook_) hook_(request);
  std::unique_lock lock(mutex_);
  for (Script& script : scripts_) {
    if (script.times == 0 || script.method != request.method || !absl::StrContains(request.path, script.path)) continue;
    --script.times;
    return script.answer;
  }
  if (absl::StartsWith(request.path, "/v3")) {
    return absl::StartsWith(request.path, "/v3/auth/tokens") ? Authenticate(request) : Json(200, {{"version", "v3"}});
  }
  const std::string token = request.Header("x-auth-token");
  if (!tokens_.contains(token)) {
    return {
        .status = 401,
        .body =
            R"({"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}})"};
  }
  if (denied_.contains(token)) return BarbicanError(403, "attempt not allowed - please review your privileges");
  const bool adds = request.method == "POST" && absl::StrContains(request.path, "/metadata");
  return adds ? AddMetadatum(request, lock) : Barbican(request);
}

FakeHttpAnswer FakeCloud::AddMetadatum(const FakeHttpRequest& request, std::unique_lock<std::mutex>& lock) {
  const std::vector<std::string> parts = absl::StrSplit(request.path, '/');
  const auto found = secrets_.find(parts[3]);
  if (found == secrets_.end()) return BarbicanError(404, "Not Found. Provided secret id is invalid.");
  const json body = json::parse(request.body);
  std::map<std::string, std::string>& metadata = found->second.metadata;
  if (metadata.contains(body["key"])) return BarbicanError(409, "Conflict.");
  lock.unlock();
  if (between_) between_(request);
  lock.lock();
  metadata[body["key"]] = body["value"];
  return Json(201, body);
}

FakeHttpAnswer FakeCloud::Authenticate(const FakeHttpRequest& request) {
  const json body = json::parse(request.body, nullptr, false);
  if (body.is_discarded()) return Json(400, {{"error", {{"code", 400}, {"message", "quoted: " + request.body}}}});
  if (!IsRightPassword(body["auth"]["identity"])) {
    return Json(401, {{"error", {{"code", 401}, {"message", "The request you have made requires authentication."}}}});
  }
  const std::string token = absl::StrCat("agent-", ++authentications_);
  tokens_.insert(token);
  const json usual = {{{"type", "identity"}, {"endpoints", json::array()}},
                      {{"type", "key-manager"},
                       {"endpoints",
                        {{{"interface", "public"}, {"region_id", "RegionOne"}, {"url", "http://127.0.0.1:1"}},
                         {{"interface", "internal"}, {"region_id", "RegionTwo"}, {"url", "http://127.0.0.1:2"}},
                         {{"interface", "internal"}, {"region_id", "RegionOne"}, {"url", Url()}}}}}};
  FakeHttpAnswer answer = Json(201, {{"token",
                                      {{"issued_at", TimeText(keystone_now)},
                                       {"expires_at", TimeText(keystone_now + token_lifetime)},
                                       {"user", {{"id", kAgentId}, {"name", kUser}}},
                                       {"project", {{"name", "proj"}}},
                                       {"roles", {{{"name", "creator"}}, {{"name", "member"}}}},
                                       {"catalog", catalog.empty() ? usual : json::parse(catalog)}}}});
  answer.headers["x-subject-token"] = token;
  return answer;
}

FakeHttpAnswer FakeCloud::Barbican(const FakeHttpRequest& request) {
  const std::vector<std::string> parts = absl::StrSplit(request.path, absl::MaxSplits('/', 4));
  const std::string collection = parts.size() > 2 ? parts[2] : "";
  const std::string id = parts.size() > 3 ? parts[3] : "";
  if (collection == "orders") return Orders(request, id);
  if (absl::StartsWith(collection, "secrets?")) return Json(200, {{"secrets", json::array()}, {"total", 0}});
  if (collection == "secrets" && id.empty() && request.method == "POST") return Store(request);
  if (collection == "secrets") return OfSecret(request, id, parts.size() > 4 ? parts[4] : "");
  return BarbicanError(404, "Not Found.");
}

FakeHttpAnswer FakeCloud::Orders(const FakeHttpRequest& request, const std::string& id) {
  if (request.method == "POST") {
    const json body = json::parse(request.body);
    if (body["meta"]["bit_length"] == 0) return BarbicanError(400, "0 is less than the minimum of 1");
    ++orders_;
    return Json(202, {{"order_ref",
                       absl::StrFormat("http://elsewhere.invalid/v1/orders/04de4000-0000-4000-8000-%012d", orders_)}});
  }
  if (pending != 0) {
    --pending;
    return Json(200, {{"status", "PENDING"}});
  }
  FakeSecret secret = {.payload = std::string(32, 'o')};
  return Json(200, {{"status", "ACTIVE"},
                    {"order_ref", id},
                    {"secret_ref", "http://elsewhere.invalid/v1/secrets/" + AddLocked(std::move(secret))}});
}

FakeHttpAnswer FakeCloud::Store(const FakeHttpRequest& request) {
  const json body = json::parse(request.body);
  FakeSecret secret = {.type = body["secret_type"],
                       .payload = "",
                       .bit_length = body.contains("bit_length") ? body["bit_length"].dump() : "null"};
  if (!absl::Base64Unescape(body["payload"].get<std::string>(), &secret.payload)) return BarbicanError(400, "base64");
  return Json(201, {{"secret_ref", "http://elsewhere.invalid/v1/secrets/" + AddLocked(std::move(secret))}});
}

FakeHttpAnswer FakeCloud::OfSecret(const FakeHttpRequest& request, const std::string& id, const std::string& rest) {
  const auto found = secrets_.find(id);
  if (found == secrets_.end()) return BarbicanError(404, "Not Found. Provided secret id is invalid.");
  FakeSecret& secret = found->second;
  if (rest == "payload") {
    if (secret.content_type.empty()) return BarbicanError(404, "Not Found. Sorry but your secret has no payload.");
    if (request.Header("accept") != "application/octet-stream")
      return BarbicanError(406, "Wrong payload content-type.");
    return {.status = secret.payload.empty() ? 204 : 200,
            .body = secret.payload,
            .headers = {{"Content-Type", "application/octet-stream"}}};
  }
  if (absl::StartsWith(rest, "metadata")) {
    return Metadata(request, secret, rest.size() > 9 ? rest.substr(9) : "");
  }
  if (rest == "acl") return Acl(request, secret);
  if (absl::StartsWith(rest, "consumers")) {
    json consumers = json::array();
    for (int i = 0; i < secret.consumers; ++i) consumers.push_back({{"service", "image"}});
    return Json(200, {{"consumers", consumers}, {"total", secret.consumers}});
  }
  if (request.method == "DELETE") {
    secrets_.erase(found);
    return {.status = 204};
  }
  json body = {{"name", "a key"},
               {"secret_type", secret.type},
               {"status", secret.status},
               {"algorithm", "aes"},
               {"created", "2026-01-31T12:00:00.5"},
               {"secret_ref", "http://elsewhere.invalid/v1/secrets/" + id}};
  body["bit_length"] = json::parse(secret.bit_length);
  if (!secret.content_type.empty()) body["content_types"] = {{"default", secret.content_type}};
  return Json(200, body);
}

FakeHttpAnswer FakeCloud::Metadata(const FakeHttpRequest& request, FakeSecret& secret, const std::string& name) {
  if (name.empty() && request.method == "GET") return Json(200, {{"metadata", secret.metadata}});
  const auto found = secret.metadata.find(name);
  if (found == secret.metadata.end()) return BarbicanError(404, "Secret metadata not found.");
  if (request.method == "DELETE") {
    secret.metadata.erase(found);
    return {.status = 204};
  }
  if (request.method == "PUT") found->second = json::parse(request.body)["value"];
  return Json(200, {{"key", name}, {"value", found->second}});
}

FakeHttpAnswer FakeCloud::Acl(const FakeHttpRequest& request, FakeSecret& secret) {
  if (request.method == "PUT") {
    const json read = json::parse(request.body)["read"];
    secret.users = read["users"].get<std::vector<std::string>>();
    secret.project_access = read["project-access"];
    return Json(200, {{"acl_ref", "http://elsewhere.invalid"}});
  }
  json read = {{"project-access", secret.project_access}};
  if (!secret.users.empty()) read["users"] = secret.users;
  return Json(200, {{"read", read}});
}

}  // namespace volcrypt
