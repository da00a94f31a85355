#include "agent/access.h"

#include <google/protobuf/descriptor.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>

#include <set>
#include <string>

#include "encryptors/reason.h"
#include "volcrypt/v1/agent.pb.h"
#include "volcrypt/v1/key.pb.h"
#include "volcrypt/v1/volume_admin.pb.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt {
namespace {

constexpr uid_t kOwnUid = 9000;

Caller Peer(uid_t uid, gid_t gid, std::vector<gid_t> groups = {}) {
  return {.process = PeerCredentials{.uid = uid, .gid = gid, .pid = 1, .groups = std::move(groups)},
          .certificate_names = {}};
}

Caller Holder(std::vector<std::string> names) { return {.process = {}, .certificate_names = std::move(names)}; }

AccessConfig Rule(Role role, std::vector<std::string> users, std::vector<std::string> groups = {}) {
  return {.role = role, .users = std::move(users), .groups = std::move(groups), .certificate_names = {}};
}

TEST(AccessRules, RootAndTheAgentsOwnUserAreAdminWithoutAnyRule) {
  const AccessRules rules({}, kOwnUid);
  EXPECT_EQ(rules.RoleOf(Peer(0, 0)), Role::kAdmin);
  EXPECT_EQ(rules.RoleOf(Peer(kOwnUid, 1)), Role::kAdmin);
}

TEST(AccessRules, EverybodyElseHasNoRoleWithoutAnyRule) {
  const AccessRules rules({}, kOwnUid);
  EXPECT_EQ(rules.RoleOf(Peer(1000, 0, {0})), Role::kNone);
  EXPECT_EQ(rules.RoleOf(Peer(kOwnUid + 1, kOwnUid, {kOwnUid})), Role::kNone);
}

TEST(AccessRules, NumbersMatchWithoutAnAccountOfTheirOwn) {
  const AccessRules rules({Rule(Role::kCompute, {"42436"}, {"42437"})}, kOwnUid);
  EXPECT_TRUE(rules.Warnings().empty());
  EXPECT_EQ(rules.RoleOf(Peer(42436, 1)), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Peer(1, 42437)), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Peer(42437, 42436)), Role::kNone);
}

TEST(AccessRules, SupplementaryGroupsCount) {
  const AccessRules rules({Rule(Role::kCompute, {}, {"500"})}, kOwnUid);
  EXPECT_EQ(rules.RoleOf(Peer(1000, 1000, {7, 500})), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Peer(1000, 1000, {7, 501})), Role::kNone);
}

TEST(AccessRules, HighestMatchingRoleWinsInWhateverOrder) {
  const std::vector<AccessConfig> ascending = {Rule(Role::kCompute, {"1000"}), Rule(Role::kAdmin, {"1000"}, {"600"})};
  const std::vector<AccessConfig> descending = {ascending[1], ascending[0]};
  for (const auto& access : {ascending, descending}) {
    EXPECT_EQ(AccessRules(access, kOwnUid).RoleOf(Peer(1000, 1)), Role::kAdmin);
  }
  const AccessRules rules({Rule(Role::kCompute, {"1000"}), Rule(Role::kAdmin, {}, {"600"})}, kOwnUid);
  EXPECT_EQ(rules.RoleOf(Peer(1000, 1, {600})), Role::kAdmin);
  EXPECT_EQ(rules.RoleOf(Peer(1000, 1)), Role::kCompute);
}

TEST(AccessRules, NamesOfThisHostAreResolved) {
  const passwd* const user = getpwnam("daemon");
  const group* const adm = getgrnam("adm");
  ASSERT_NE(user, nullptr);
  ASSERT_NE(adm, nullptr);
  const AccessRules rules({Rule(Role::kCompute, {"daemon"}), Rule(Role::kAdmin, {}, {"adm"})}, kOwnUid);
  EXPECT_TRUE(rules.Warnings().empty());
  EXPECT_EQ(rules.RoleOf(Peer(user->pw_uid, 12345)), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Peer(12345, adm->gr_gid)), Role::kAdmin);
}

TEST(AccessRules, UnknownNamesAreWarnedOfAndTheRestIsInForce) {
  const AccessRules rules(
      {Rule(Role::kCompute, {"no-such-user", "1000", "4294967295", "4294967296", "-1"}, {"no-such-group", "500"})},
      kOwnUid);
  ASSERT_EQ(rules.Warnings().size(), 5U);
  EXPECT_NE(rules.Warnings()[0].find("user \"no-such-user\""), std::string::npos);
  EXPECT_NE(rules.Warnings()[4].find("group \"no-such-group\""), std::string::npos);
  EXPECT_EQ(rules.RoleOf(Peer(1000, 1)), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Peer(1, 500)), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Peer(4294967295U, 4294967295U)), Role::kNone);
}

TEST(AccessRules, UserThatStandsForOtherNamespacesIsWarnedOf) {
  const AccessRules rules({Rule(Role::kCompute, {"65534"})}, kOwnUid);
  EXPECT_EQ(rules.Warnings().size(), 1U);
}

TEST(AccessRules, CertificatesHaveTheRoleOfTheirHighestName) {
  const AccessRules rules(
      {{.role = Role::kCompute, .users = {}, .groups = {}, .certificate_names = {"compute7.example.org"}},
       {.role = Role::kAdmin, .users = {}, .groups = {}, .certificate_names = {"spiffe://example.org/Admin"}}},
      kOwnUid);
  EXPECT_EQ(rules.RoleOf(Holder({"compute7.example.org"})), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Holder({"other.example.org", "spiffe://example.org/Admin"})), Role::kAdmin);
  EXPECT_EQ(rules.RoleOf(Holder({"compute7.example.org", "spiffe://example.org/Admin"})), Role::kAdmin);
}

TEST(AccessRules, DnsNamesAreComparedWithoutCaseAndUrisWithIt) {
  const AccessRules rules({{.role = Role::kCompute,
                            .users = {},
                            .groups = {},
                            .certificate_names = {"Compute7.example.org", "spiffe://a/Admin"}}},
                          kOwnUid);
  EXPECT_EQ(rules.RoleOf(Holder({"compute7.EXAMPLE.org"})), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Holder({"spiffe://a/Admin"})), Role::kCompute);
  EXPECT_EQ(rules.RoleOf(Holder({"spiffe://a/admin"})), Role::kNone);
}

TEST(AccessRules, CertificatesOfNoListedNameHaveNoRole) {
  const AccessRules rules(
      {Rule(Role::kAdmin, {"0", "1000"}),
       {.role = Role::kAdmin, .users = {}, .groups = {}, .certificate_names = {"compute7.example.org"}}},
      kOwnUid);
  EXPECT_EQ(rules.RoleOf(Holder({})), Role::kNone);
  EXPECT_EQ(rules.RoleOf(Holder({"compute8.example.org", "1000", "0", "example.org"})), Role::kNone);
  EXPECT_EQ(rules.RoleOf(Holder({"*.example.org"})), Role::kNone);
  EXPECT_EQ(rules.RoleOf({}), Role::kNone);
}

// Every service of the package volcrypt.v1 that the generated code holds.
std::vector<const google::protobuf::ServiceDescriptor*> OurServices() {
  std::vector<const google::protobuf::ServiceDescriptor*> services;
  for (const google::protobuf::FileDescriptor* file :
       {v1::AttachVolumeRequest::descriptor()->file(), v1::InspectVolumeRequest::descriptor()->file(),
        v1::CreateKeyRequest::descriptor()->file(), v1::GetInfoRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  return services;
}

TEST(AccessTable, EveryMethodOfTheApiHasTheRoleOfItsService) {
  const std::map<std::string, Role> least = {{"volcrypt.v1.VolumeEncryptorService", Role::kCompute},
                                             {"volcrypt.v1.AgentService", Role::kCompute},
                                             {"volcrypt.v1.VolumeAdminService", Role::kAdmin},
                                             {"volcrypt.v1.KeyService", Role::kAdmin}};
  EXPECT_EQ(OurServices().size(), least.size());
  for (const auto* service : OurServices()) {
    ASSERT_TRUE(least.contains(service->full_name())) << service->full_name();
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string method = "/" + service->full_name() + "/" + service->method(i)->name();
      const bool is_for_operators = method == "/volcrypt.v1.AgentService/SetMaintenance";
      EXPECT_EQ(LeastRoleFor(method), is_for_operators ? Role::kAdmin : least.at(service->full_name())) << method;
    }
  }
}

TEST(AccessTable, HealthAndReflectionAreForEveryKnownCaller) {
  for (const char* method : {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
                             "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_TRUE(CheckAccess(Role::kCompute, method).ok()) << method;
    EXPECT_TRUE(HasReason(CheckAccess(Role::kNone, method), Reason::kCallerUnknown)) << method;
  }
}

TEST(CheckAccess, ComputeMayNotCallWhatIsForAdministrators) {
  constexpr std::string_view kMethod = "/volcrypt.v1.KeyService/DeleteKey";
  const absl::Status refused = CheckAccess(Role::kCompute, kMethod);
  EXPECT_TRUE(HasReason(refused, Reason::kCallerNotAllowed));
  EXPECT_EQ(MetadataOf(refused)["method"], kMethod);
  EXPECT_TRUE(CheckAccess(Role::kAdmin, kMethod).ok());
}

TEST(CheckAccess, AdministratorsMayCallWhatComputeMay) {
  EXPECT_TRUE(CheckAccess(Role::kAdmin, "/volcrypt.v1.VolumeEncryptorService/AttachVolume").ok());
}

TEST(CheckAccess, CallerWithoutARoleIsUnknownWhateverItCalls) {
  for (const char* method :
       {"/volcrypt.v1.AgentService/GetInfo", "/volcrypt.v1.KeyService/DeleteKey", "/no/such", ""}) {
    EXPECT_TRUE(HasReason(CheckAccess(Role::kNone, method), Reason::kCallerUnknown)) << method;
  }
}

TEST(CheckAccess, MethodWithoutARowIsRefusedEvenToAdministrators) {
  for (const char* method : {"/volcrypt.v1.KeyService/NoSuch", "volcrypt.v1.KeyService/CreateKey", "/", ""}) {
    EXPECT_TRUE(HasReason(CheckAccess(Role::kAdmin, method), Reason::kCallerNotAllowed)) << method;
  }
}

}  // namespace
}  // namespace volcrypt
