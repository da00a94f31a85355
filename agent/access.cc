#include "agent/access.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

struct MethodRow {
  std::string_view method;
  Role least;
};

constexpr std::array<MethodRow, 17> kMethods = {{
    {"/volcrypt.v1.VolumeEncryptorService/AttachVolume", Role::kCompute},
    {"/volcrypt.v1.VolumeEncryptorService/DetachVolume", Role::kCompute},
    {"/volcrypt.v1.VolumeEncryptorService/ExtendVolume", Role::kCompute},
    {"/volcrypt.v1.VolumeEncryptorService/GetAttachment", Role::kCompute},
    {"/volcrypt.v1.VolumeEncryptorService/ListAttachments", Role::kCompute},
    {"/volcrypt.v1.VolumeAdminService/InspectVolume", Role::kAdmin},
    {"/volcrypt.v1.VolumeAdminService/ForgetVolume", Role::kAdmin},
    {"/volcrypt.v1.KeyService/CreateKey", Role::kAdmin},
    {"/volcrypt.v1.KeyService/CopyKey", Role::kAdmin},
    {"/volcrypt.v1.KeyService/GetKeyMetadata", Role::kAdmin},
    {"/volcrypt.v1.KeyService/DeleteKey", Role::kAdmin},
    {"/volcrypt.v1.KeyService/CheckKeyManager", Role::kAdmin},
    {"/volcrypt.v1.AgentService/GetInfo", Role::kCompute},
    {"/volcrypt.v1.AgentService/SetMaintenance", Role::kAdmin},
    {"/grpc.health.v1.Health/Check", Role::kCompute},
    {"/grpc.health.v1.Health/Watch", Role::kCompute},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Role::kCompute},
}};

constexpr bool EveryRowNamesARole() {
  return std::ranges::all_of(kMethods, [](const MethodRow& row) { return row.least != Role::kNone; });
}
static_assert(EveryRowNamesARole(), "a row without a role would let everybody in");
static_assert(Role::kNone < Role::kCompute && Role::kCompute < Role::kAdmin, "roles are compared by their order");

// What the kernel shows for users and groups that this user namespace cannot express.
constexpr uint32_t kOverflowId = 65534;

// NSS modules say ERANGE for as long as the buffer is too small; no entry of a sane host needs more than this.
constexpr size_t kMaxEntryBytes = size_t{1} << 20;

// uid_t and gid_t are 32 bits here, and their largest value means "none" to the kernel.
std::optional<uint32_t> ParseId(const std::string& text) {
  uint32_t id = 0;
  if (!std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  if (!absl::SimpleAtoi(text, &id) || id == std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return id;
}

// `lookup` is getpwnam_r or getgrnam_r with the name given.
template <typename Entry, typename Lookup>
bool LookUp(Entry& entry, std::vector<char>& buffer, const Lookup& lookup) {
  for (buffer.resize(1024); buffer.size() <= kMaxEntryBytes; buffer.resize(buffer.size() * 2)) {
    Entry* found = nullptr;
    const int error = lookup(&entry, buffer.data(), buffer.size(), &found);
    if (error == 0) return found != nullptr;
    if (error != ERANGE && error != EINTR) return false;
  }
  return false;
}

std::optional<uint32_t> UidOf(const std::string& name) {
  if (const std::optional<uint32_t> id = ParseId(name)) return id;
  passwd entry{};
  std::vector<char> buffer;
  const auto lookup = [&name](auto... arguments) { return getpwnam_r(name.c_str(), arguments...); };
  if (!LookUp(entry, buffer, lookup)) return std::nullopt;
  return entry.pw_uid;
}

std::optional<uint32_t> GidOf(const std::string& name) {
  if (const std::optional<uint32_t> id = ParseId(name)) return id;
  group entry{};
  std::vector<char> buffer;
  const auto lookup = [&name](auto... arguments) { return getgrnam_r(name.c_str(), arguments...); };
  if (!LookUp(entry, buffer, lookup)) return std::nullopt;
  return entry.gr_gid;
}

// DNS names are compared without regard to case (RFC 4343), URIs as they are. A name with a colon is a URI.
std::string AsCompared(const std::string& certificate_name) {
  return certificate_name.find(':') == std::string::npos ? absl::AsciiStrToLower(certificate_name) : certificate_name;
}

Role Higher(Role a, Role b) { return std::max(a, b); }

template <typename Id>
Role RoleIn(const std::map<Id, Role>& roles, const Id& id) {
  const auto it = roles.find(id);
  return it == roles.end() ? Role::kNone : it->second;
}

std::string UnknownWarning(const std::string& what, const std::string& name) {
  return "access: " + what + " \"" + name + "\" is not known on this host and gets no role; a number always works";
}

std::string OverflowWarning(const std::string& what, const std::string& name) {
  return "access: " + what + " \"" + name + "\" is number 65534, which also stands for every " + what +
         " of other user namespaces; give the agent's callers a " + what + " of their own";
}

}  // namespace

AccessRules::AccessRules(const std::vector<AccessConfig>& access, uid_t own_uid) : own_uid_(own_uid) {
  for (const AccessConfig& rule : access) {
    for (const std::string& user : rule.users) AddUser(user, rule.role);
    for (const std::string& group : rule.groups) AddGroup(group, rule.role);
    for (const std::string& name : rule.certificate_names) {
      Role& role = certificate_names_[AsCompared(name)];
      role = Higher(role, rule.role);
    }
  }
}

void AccessRules::AddUser(const std::string& user, Role role) {
  const std::optional<uint32_t> uid = UidOf(user);
  if (!uid) {
    warnings_.push_back(UnknownWarning("user", user));
    return;
  }
  if (*uid == kOverflowId) warnings_.push_back(OverflowWarning("user", user));
  users_[*uid] = Higher(users_[*uid], role);
}

void AccessRules::AddGroup(const std::string& group, Role role) {
  const std::optional<uint32_t> gid = GidOf(group);
  if (!gid) {
    warnings_.push_back(UnknownWarning("group", group));
    return;
  }
  if (*gid == kOverflowId) warnings_.push_back(OverflowWarning("group", group));
  groups_[*gid] = Higher(groups_[*gid], role);
}

Role AccessRules::RoleOf(const Caller& caller) const {
  Role role = caller.process ? RoleOfProcess(*caller.process) : Role::kNone;
  for (const std::string& name : caller.certificate_names) {
    role = Higher(role, RoleIn(certificate_names_, AsCompared(name)));
  }
  return role;
}

Role AccessRules::RoleOfProcess(const PeerCredentials& process) const {
  if (process.uid == 0 || process.uid == own_uid_) return Role::kAdmin;
  Role role = Higher(RoleIn(users_, process.uid), RoleIn(groups_, process.gid));
  for (const gid_t group : process.groups) role = Higher(role, RoleIn(groups_, group));
  return role;
}

Role LeastRoleFor(std::string_view method) {
  for (const MethodRow& row : kMethods) {
    if (row.method == method) return row.least;
  }
  return Role::kNone;
}

absl::Status CheckAccess(Role role, std::string_view method) {
  const ErrorMetadata metadata = {{"method", std::string(method)}};
  if (role == Role::kNone) {
    return MakeError(Reason::kCallerUnknown,
                     "the caller has no role; an [[access]] table of the agent's configuration gives one to its user, "
                     "its group or a name in its certificate",
                     metadata);
  }
  const Role least = LeastRoleFor(method);
  if (least == Role::kNone || role < least) {
    return MakeError(Reason::kCallerNotAllowed,
                     std::string(method) + (least == Role::kNone ? " is not a method of this agent"
                                                                 : " is for callers with the role admin"),
                     metadata);
  }
  return absl::OkStatus();
}

}  // namespace volcrypt
