#include "agent/libvirt/found_secret.h"

#include <array>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/libvirt/libvirt_connection.h"
#include "agent/libvirt/libvirt_library.h"
#include "agent/libvirt/secret_xml.h"

namespace volcrypt {
namespace {

struct Free {
  void operator()(char* text) const { free(text); }
};
using Text = std::unique_ptr<char, Free>;

}  // namespace

bool LastErrorIs(int code) {
  const virError* const error = Libvirt().virGetLastError();
  return error != nullptr && error->code == code;
}

absl::StatusOr<std::string> UuidOf(virSecretPtr secret) {
  std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
  if (Libvirt().virSecretGetUUIDString(secret, uuid.data()) < 0) return LibvirtError("a libvirt secret without UUID");
  return std::string(uuid.data());
}

absl::StatusOr<Secret> LookUpSecret(virConnectPtr connection, const std::string& volume_id) {
  Secret secret(Libvirt().virSecretLookupByUsage(connection, VIR_SECRET_USAGE_TYPE_VOLUME, volume_id.c_str()));
  if (secret != nullptr || LastErrorIs(VIR_ERR_NO_SECRET)) return secret;
  return LibvirtError(absl::StrCat("the libvirt secret of volume ", volume_id, " cannot be looked up"));
}

absl::StatusOr<std::optional<FoundSecret>> ReadSecret(virSecretPtr secret, const std::string& volume_id) {
  const absl::StatusOr<std::string> uuid = UuidOf(secret);
  if (!uuid.ok()) return uuid.status();
  const Text xml(Libvirt().virSecretGetXMLDesc(secret, kNoFlags));
  if (xml == nullptr) {
    if (LastErrorIs(VIR_ERR_NO_SECRET)) return std::optional<FoundSecret>();
    return LibvirtError(absl::StrCat("libvirt secret ", *uuid, " cannot be read"));
  }
  FoundSecret found{.secret = {.volume_id = volume_id, .uuid = *uuid}};
  if (std::optional<SecretDescription> description = ParseSecretXml(xml.get())) {
    found.is_ours = true;
    found.secret.has_value = description->has_value;
    found.secret.note = std::move(description->note);
  }
  return std::optional<FoundSecret>(std::move(found));
}

absl::StatusOr<bool> UndefineSecret(virSecretPtr secret, const std::string& volume_id) {
  if (Libvirt().virSecretUndefine(secret) == 0) return true;
  if (LastErrorIs(VIR_ERR_NO_SECRET)) return false;
  return LibvirtError(absl::StrCat("the libvirt secret of volume ", volume_id, " cannot be undefined"));
}

}  // namespace volcrypt
