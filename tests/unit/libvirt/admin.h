#pragma once

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include <string>

namespace volcrypt {

// The test's own view, by libvirt's plain interface.
class Admin {
 public:
  explicit Admin(const std::string& uri) : connection_(virConnectOpen(uri.c_str())) {}
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  ~Admin() { virConnectClose(connection_); }

  // Empty: there is none.
  std::string XmlOf(const std::string& volume_id) {
    virSecretPtr secret = virSecretLookupByUsage(connection_, VIR_SECRET_USAGE_TYPE_VOLUME, volume_id.c_str());
    if (secret == nullptr) return "";
    char* const xml = virSecretGetXMLDesc(secret, 0);
    const std::string text = xml;
    free(xml);
    virSecretFree(secret);
    return text;
  }
  void Define(const std::string& xml) {
    virSecretPtr secret = virSecretDefineXML(connection_, xml.c_str(), 0);
    ASSERT_NE(secret, nullptr);
    virSecretFree(secret);
  }
  bool Undefine(const std::string& volume_id) {
    virSecretPtr secret = virSecretLookupByUsage(connection_, VIR_SECRET_USAGE_TYPE_VOLUME, volume_id.c_str());
    if (secret == nullptr) return false;
    const bool done = virSecretUndefine(secret) == 0;
    virSecretFree(secret);
    return done;
  }
  bool UndefineByUuid(const std::string& uuid) {
    virSecretPtr secret = virSecretLookupByUUIDString(connection_, uuid.c_str());
    if (secret == nullptr) return false;
    const bool done = virSecretUndefine(secret) == 0;
    virSecretFree(secret);
    return done;
  }
  int Count() { return virConnectNumOfSecrets(connection_); }

 private:
  virConnectPtr connection_;
};

}  // namespace volcrypt
