#include "agent/libvirt/libvirt_library.h"

#include <dlfcn.h>

#include <mutex>
#include <string>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// libvirt has kept this name, and what is behind it compatible, since its beginnings.
constexpr const char* kName = "libvirt.so.0";

LibvirtLibrary& TheLibrary() {
  static LibvirtLibrary library{};
  return library;
}

absl::Status Unavailable(const std::string& what) {
  return MakeError(Reason::kLibvirtUnavailable,
                   absl::StrCat(what, "; [libvirt] uri needs Debian's package libvirt0, or leave it empty"));
}

// It stays until the process ends: libvirt's threads may.
absl::Status Load(LibvirtLibrary& library) {
  void* const handle = dlopen(kName, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* const error = dlerror();
    return Unavailable(absl::StrCat("libvirt's client library cannot be loaded: ", error == nullptr ? kName : error));
  }
  std::string missing;
  const auto bind = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) missing = name;
  };
  bind("virConnectClose", library.virConnectClose);
  bind("virConnectIsAlive", library.virConnectIsAlive);
  bind("virConnectListAllSecrets", library.virConnectListAllSecrets);
  bind("virConnectOpen", library.virConnectOpen);
  bind("virConnectSetKeepAlive", library.virConnectSetKeepAlive);
  bind("virEventAddTimeout", library.virEventAddTimeout);
  bind("virEventRegisterDefaultImpl", library.virEventRegisterDefaultImpl);
  bind("virEventRemoveTimeout", library.virEventRemoveTimeout);
  bind("virEventRunDefaultImpl", library.virEventRunDefaultImpl);
  bind("virEventUpdateTimeout", library.virEventUpdateTimeout);
  bind("virGetLastError", library.virGetLastError);
  bind("virInitialize", library.virInitialize);
  bind("virResetLastError", library.virResetLastError);
  bind("virSecretDefineXML", library.virSecretDefineXML);
  bind("virSecretFree", library.virSecretFree);
  bind("virSecretGetUUIDString", library.virSecretGetUUIDString);
  bind("virSecretGetUsageID", library.virSecretGetUsageID);
  bind("virSecretGetUsageType", library.virSecretGetUsageType);
  bind("virSecretGetXMLDesc", library.virSecretGetXMLDesc);
  bind("virSecretLookupByUUIDString", library.virSecretLookupByUUIDString);
  bind("virSecretLookupByUsage", library.virSecretLookupByUsage);
  bind("virSecretSetValue", library.virSecretSetValue);
  bind("virSecretUndefine", library.virSecretUndefine);
  bind("virSetErrorFunc", library.virSetErrorFunc);
  return missing.empty() ? absl::OkStatus() : Unavailable(absl::StrCat(kName, " has no function ", missing));
}

}  // namespace

absl::Status LoadLibvirt() {
  static std::once_flag once;
  static absl::Status loaded;
  std::call_once(once, [] { loaded = Load(TheLibrary()); });
  return loaded;
}

const LibvirtLibrary& Libvirt() { return TheLibrary(); }

}  // namespace volcrypt
