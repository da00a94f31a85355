#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "absl/status/status.h"

namespace volcrypt {

// libvirt's functions, as far as they are used here. The library and the twenty that it brings are loaded when the
// configuration asks for libvirt: an agent without it neither needs them installed nor pays 5 MB for them.
struct LibvirtLibrary {
  decltype(&::virConnectClose) virConnectClose;
  decltype(&::virConnectIsAlive) virConnectIsAlive;
  decltype(&::virConnectListAllSecrets) virConnectListAllSecrets;
  decltype(&::virConnectOpen) virConnectOpen;
  decltype(&::virConnectSetKeepAlive) virConnectSetKeepAlive;
  decltype(&::virEventAddTimeout) virEventAddTimeout;
  decltype(&::virEventRegisterDefaultImpl) virEventRegisterDefaultImpl;
  decltype(&::virEventRemoveTimeout) virEventRemoveTimeout;
  decltype(&::virEventRunDefaultImpl) virEventRunDefaultImpl;
  decltype(&::virEventUpdateTimeout) virEventUpdateTimeout;
  decltype(&::virGetLastError) virGetLastError;
  decltype(&::virInitialize) virInitialize;
  decltype(&::virResetLastError) virResetLastError;
  decltype(&::virSecretDefineXML) virSecretDefineXML;
  decltype(&::virSecretFree) virSecretFree;
  decltype(&::virSecretGetUUIDString) virSecretGetUUIDString;
  decltype(&::virSecretGetUsageID) virSecretGetUsageID;
  decltype(&::virSecretGetUsageType) virSecretGetUsageType;
  decltype(&::virSecretGetXMLDesc) virSecretGetXMLDesc;
  decltype(&::virSecretLookupByUUIDString) virSecretLookupByUUIDString;
  decltype(&::virSecretLookupByUsage) virSecretLookupByUsage;
  decltype(&::virSecretSetValue) virSecretSetValue;
  decltype(&::virSecretUndefine) virSecretUndefine;
  decltype(&::virSetErrorFunc) virSetErrorFunc;
};

// Before anything else here is used. LIBVIRT_UNAVAILABLE when the library is not installed or lacks a function. May be
// called again.
absl::Status LoadLibvirt();

// After LoadLibvirt has succeeded.
const LibvirtLibrary& Libvirt();

}  // namespace volcrypt
