#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/keys/openstack/barbican_call.h"
#include "agent/keys/openstack/first_use_text.h"

namespace volcrypt {

// The rows of one volume among the user metadata of a secret.
class FirstUsePlace {
 public:
  // `call` outlives this; the volume id is valid.
  FirstUsePlace(BarbicanCall& call, const std::string& key_id, std::string volume_id);

  // All at one moment: Barbican reads them with one query.
  absl::StatusOr<FirstUseRows> List() const;
  // KEY_IN_USE: another volume's rows have the same names.
  absl::Status CheckDistinct(const FirstUseRows& rows) const;

  // False: one of this name is there. True proves nothing: Barbican looks first, and later replaces whatever is there.
  absl::StatusOr<bool> Add(const std::string& name, const std::string& value, Repeat repeat) const;
  // False: there is none to replace, or no such key.
  absl::StatusOr<bool> Replace(const std::string& name, const std::string& value) const;
  // None is not an error.
  absl::Status Remove(const std::string& name) const;
  // Warns when it fails: for a row without which everything is as well, but which does no harm.
  void RemoveIfPossible(const std::string& name) const;

  absl::Status Contended() const;
  const CallDeadline& Deadline() const { return call_.Deadline(); }

 private:
  BarbicanCall& call_;
  const std::string secret_;
  const std::string collection_;
  const std::string what_;
  const std::string volume_id_;
};

}  // namespace volcrypt
