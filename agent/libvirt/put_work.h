#pragma once

#include <libvirt/libvirt.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/libvirt/found_secret.h"
#include "agent/libvirt/libvirt_connection.h"
#include "agent/libvirt/secret_xml.h"
#include "agent/libvirt/volume_secrets.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Makes a volume's secret and sets its value, or gives the one that is there a new value and note. What it made and
// could not finish, or nobody waits for any more, is gone afterwards. VolumeSecrets::Put says the rest.
class PutWork : public LibvirtWork {
 public:
  PutWork(SecretDefinition definition, SecretBytes value)
      : definition_(std::move(definition)), value_(std::move(value)) {}

  absl::Status Run(virConnectPtr connection, const ExpendableThread::IsAwaited& is_awaited) override;

  PutSecret result;

 private:
  using IsAwaited = std::function<bool()>;

  Secret Define(virConnectPtr connection, const std::string& uuid, bool has_value) const;
  std::string FreeUuid(virConnectPtr connection) const;
  // False: somebody else was faster.
  absl::StatusOr<bool> Create(virConnectPtr connection, const IsAwaited& is_awaited);
  // False: it vanished meanwhile.
  absl::StatusOr<bool> Adopt(virConnectPtr connection, virSecretPtr secret, const IsAwaited& is_awaited);
  // A secret that had no value yet: whole afterwards, or gone.
  absl::StatusOr<bool> FinishNew(virConnectPtr connection, virSecretPtr secret, const IsAwaited& is_awaited);
  absl::Status Finish(virConnectPtr connection, virSecretPtr secret);

  const SecretDefinition definition_;
  const SecretBytes value_;
};

}  // namespace volcrypt
