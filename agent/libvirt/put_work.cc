#include "agent/libvirt/put_work.h"

#include <malloc.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/libvirt/libvirt_library.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Another agent's define may win between our look and ours.
constexpr int kMaxAttempts = 3;
constexpr int kOverwriteFreed = 0x5a;

absl::Status SomebodyElses(const FoundSecret& found) {
  return MakeError(Reason::kAttachedDifferently,
                   absl::StrCat("libvirt secret ", found.secret.uuid, " for volume ", found.secret.volume_id,
                                " was not made by volcrypt; undefine it first (virsh secret-undefine)"),
                   {{"volume_id", found.secret.volume_id}, {"libvirt_secret_uuid", found.secret.uuid}});
}

absl::Status SetValue(virSecretPtr secret, const SecretBytes& value, const std::string& volume_id) {
  mallopt(M_PERTURB, kOverwriteFreed);
  const int result = Libvirt().virSecretSetValue(secret, value.Bytes().data(), value.Size(), kNoFlags);
  mallopt(M_PERTURB, 0);
  if (result == 0) return absl::OkStatus();
  return LibvirtError(absl::StrCat("the value of volume ", volume_id, "'s libvirt secret cannot be set"));
}

}  // namespace

absl::Status PutWork::Run(virConnectPtr connection, const IsAwaited& is_awaited) {
  result = {};
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const absl::StatusOr<Secret> there = LookUpSecret(connection, definition_.volume_id);
    if (!there.ok()) return there.status();
    const absl::StatusOr<bool> done =
        *there == nullptr ? Create(connection, is_awaited) : Adopt(connection, there->get(), is_awaited);
    if (!done.ok()) return done.status();
    if (*done) return absl::OkStatus();
  }
  return MakeError(Reason::kLibvirtUnavailable, absl::StrCat("the libvirt secret of volume ", definition_.volume_id,
                                                             " comes and goes while it is made; try again"));
}

Secret PutWork::Define(virConnectPtr connection, const std::string& uuid, bool has_value) const {
  SecretDefinition definition = definition_;
  definition.uuid = uuid;
  definition.has_value = has_value;
  return Secret(Libvirt().virSecretDefineXML(connection, SecretXml(definition).c_str(), kNoFlags));
}

// libvirt would take another usage's definition for a change of that secret.
std::string PutWork::FreeUuid(virConnectPtr connection) const {
  if (definition_.uuid.empty()) return "";
  const Secret taken(Libvirt().virSecretLookupByUUIDString(connection, definition_.uuid.c_str()));
  return taken == nullptr && LastErrorIs(VIR_ERR_NO_SECRET) ? definition_.uuid : "";
}

absl::StatusOr<bool> PutWork::Create(virConnectPtr connection, const IsAwaited& is_awaited) {
  const Secret secret = Define(connection, FreeUuid(connection), /*has_value=*/false);
  if (secret == nullptr) {
    absl::Status failed = LibvirtError(absl::StrCat("no libvirt secret can be made for ", definition_.volume_id));
    // libvirt has no code of its own for a usage that is taken.
    const absl::StatusOr<Secret> winner = LookUpSecret(connection, definition_.volume_id);
    if (winner.ok() && *winner != nullptr) return false;
    return failed;
  }
  return FinishNew(connection, secret.get(), is_awaited);
}

absl::StatusOr<bool> PutWork::FinishNew(virConnectPtr connection, virSecretPtr secret, const IsAwaited& is_awaited) {
  absl::Status finished = Finish(connection, secret);
  if (finished.ok() && is_awaited()) {
    result.created = true;
    return true;
  }
  if (finished.ok()) finished = MakeError(Reason::kLibvirtUnavailable, "the caller has gone");
  return WithRollbackError(finished, UndefineSecret(secret, definition_.volume_id).status());
}

absl::StatusOr<bool> PutWork::Adopt(virConnectPtr connection, virSecretPtr secret, const IsAwaited& is_awaited) {
  const absl::StatusOr<std::optional<FoundSecret>> found = ReadSecret(secret, definition_.volume_id);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return false;
  if (!(*found)->is_ours) return SomebodyElses(**found);
  if (!(*found)->secret.has_value) return FinishNew(connection, secret, is_awaited);
  absl::Status finished = Finish(connection, secret);
  if (finished.ok()) return true;
  return finished;
}

// The value first, and only then the description that says that there is one; libvirt keeps the value meanwhile.
absl::Status PutWork::Finish(virConnectPtr connection, virSecretPtr secret) {
  absl::StatusOr<std::string> uuid = UuidOf(secret);
  if (!uuid.ok()) return uuid.status();
  if (absl::Status set = SetValue(secret, value_, definition_.volume_id); !set.ok()) return set;
  const Secret whole = Define(connection, *uuid, /*has_value=*/true);
  if (whole == nullptr) return LibvirtError(absl::StrCat("libvirt secret ", *uuid, " cannot be described"));
  result.uuid = *std::move(uuid);
  return absl::OkStatus();
}

}  // namespace volcrypt
