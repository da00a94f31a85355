#include "agent/libvirt/libvirt_secrets.h"

#include <libvirt/virterror.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "agent/libvirt/libvirt_connection.h"
#include "agent/libvirt/secret_xml.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using IsAwaited = std::function<bool()>;

struct SecretFree {
  void operator()(virSecretPtr secret) const { virSecretFree(secret); }
};
using Secret = std::unique_ptr<virSecret, SecretFree>;
struct Free {
  void operator()(char* text) const { free(text); }
};
using Text = std::unique_ptr<char, Free>;

constexpr unsigned int kNoFlags = 0;
constexpr size_t kMaxListed = 4096;
// Another agent's define may win between our look and ours.
constexpr int kMaxAttempts = 3;
constexpr int kOverwriteFreed = 0x5a;

bool LastErrorIs(int code) {
  const virErrorPtr error = virGetLastError();
  return error != nullptr && error->code == code;
}

absl::StatusOr<std::string> UuidOf(virSecretPtr secret) {
  std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
  if (virSecretGetUUIDString(secret, uuid.data()) < 0) return LibvirtError("a libvirt secret without UUID");
  return std::string(uuid.data());
}

// Null: there is none of this usage.
absl::StatusOr<Secret> Lookup(virConnectPtr connection, const std::string& volume_id) {
  Secret secret(virSecretLookupByUsage(connection, VIR_SECRET_USAGE_TYPE_VOLUME, volume_id.c_str()));
  if (secret != nullptr || LastErrorIs(VIR_ERR_NO_SECRET)) return secret;
  return LibvirtError(absl::StrCat("the libvirt secret of volume ", volume_id, " cannot be looked up"));
}

struct Found {
  std::string xml;
  VolumeSecret secret;
  bool is_ours = false;
};

// Nothing: it vanished meanwhile.
absl::StatusOr<std::optional<Found>> Read(virSecretPtr secret, const std::string& volume_id) {
  const absl::StatusOr<std::string> uuid = UuidOf(secret);
  if (!uuid.ok()) return uuid.status();
  const Text xml(virSecretGetXMLDesc(secret, kNoFlags));
  if (xml == nullptr) {
    if (LastErrorIs(VIR_ERR_NO_SECRET)) return std::optional<Found>();
    return LibvirtError(absl::StrCat("libvirt secret ", *uuid, " cannot be read"));
  }
  Found found{.xml = xml.get(), .secret = {.volume_id = volume_id, .uuid = *uuid}};
  if (std::optional<SecretDescription> description = ParseSecretXml(found.xml)) {
    found.is_ours = true;
    found.secret.has_value = description->has_value;
    found.secret.note = std::move(description->note);
  }
  return std::optional<Found>(std::move(found));
}

absl::Status SomebodyElses(const Found& found) {
  return MakeError(Reason::kAttachedDifferently,
                   absl::StrCat("libvirt secret ", found.secret.uuid, " for volume ", found.secret.volume_id,
                                " was not made by volcrypt; undefine it first (virsh secret-undefine)"),
                   {{"volume_id", found.secret.volume_id}, {"libvirt_secret_uuid", found.secret.uuid}});
}

// Already gone is as good.
absl::StatusOr<bool> Undefine(virSecretPtr secret, const std::string& volume_id) {
  if (virSecretUndefine(secret) == 0) return true;
  if (LastErrorIs(VIR_ERR_NO_SECRET)) return false;
  return LibvirtError(absl::StrCat("the libvirt secret of volume ", volume_id, " cannot be undefined"));
}

absl::Status SetValue(virSecretPtr secret, const SecretBytes& value, const std::string& volume_id) {
  mallopt(M_PERTURB, kOverwriteFreed);
  const int result = virSecretSetValue(secret, value.Bytes().data(), value.Size(), kNoFlags);
  mallopt(M_PERTURB, 0);
  if (result == 0) return absl::OkStatus();
  return LibvirtError(absl::StrCat("the value of volume ", volume_id, "'s libvirt secret cannot be set"));
}

class PutWork : public LibvirtWork {
 public:
  PutWork(SecretDefinition definition, SecretBytes value)
      : definition_(std::move(definition)), value_(std::move(value)) {}

  absl::Status Run(virConnectPtr connection, const IsAwaited& is_awaited) override {
    result = {};
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      const absl::StatusOr<Secret> there = Lookup(connection, definition_.volume_id);
      if (!there.ok()) return there.status();
      const absl::StatusOr<bool> done =
          *there == nullptr ? Create(connection, is_awaited) : Adopt(connection, there->get(), is_awaited);
      if (!done.ok()) return done.status();
      if (*done) return absl::OkStatus();
    }
    return MakeError(Reason::kLibvirtUnavailable, absl::StrCat("the libvirt secret of volume ", definition_.volume_id,
                                                               " comes and goes while it is made; try again"));
  }

  PutSecret result;

 private:
  Secret Define(virConnectPtr connection, const std::string& uuid, bool has_value) const {
    SecretDefinition definition = definition_;
    definition.uuid = uuid;
    definition.has_value = has_value;
    return Secret(virSecretDefineXML(connection, SecretXml(definition).c_str(), kNoFlags));
  }

  // libvirt would take another usage's definition for a change of that secret.
  std::string FreeUuid(virConnectPtr connection) const {
    if (definition_.uuid.empty()) return "";
    const Secret taken(virSecretLookupByUUIDString(connection, definition_.uuid.c_str()));
    return taken == nullptr && LastErrorIs(VIR_ERR_NO_SECRET) ? definition_.uuid : "";
  }

  // False: somebody else was faster.
  absl::StatusOr<bool> Create(virConnectPtr connection, const IsAwaited& is_awaited) {
    const Secret secret = Define(connection, FreeUuid(connection), /*has_value=*/false);
    if (secret == nullptr) {
      absl::Status failed = LibvirtError(absl::StrCat("no libvirt secret can be made for ", definition_.volume_id));
      // libvirt has no code of its own for a usage that is taken.
      const absl::StatusOr<Secret> winner = Lookup(connection, definition_.volume_id);
      if (winner.ok() && *winner != nullptr) return false;
      return failed;
    }
    return FinishNew(connection, secret.get(), is_awaited);
  }

  // A secret that had no value yet: whole afterwards, or gone.
  absl::StatusOr<bool> FinishNew(virConnectPtr connection, virSecretPtr secret, const IsAwaited& is_awaited) {
    absl::Status finished = Finish(connection, secret);
    if (finished.ok() && is_awaited()) {
      result.created = true;
      return true;
    }
    if (finished.ok()) finished = MakeError(Reason::kLibvirtUnavailable, "the caller has gone");
    return WithRollbackError(finished, Undefine(secret, definition_.volume_id).status());
  }

  // False: it vanished meanwhile.
  absl::StatusOr<bool> Adopt(virConnectPtr connection, virSecretPtr secret, const IsAwaited& is_awaited) {
    const absl::StatusOr<std::optional<Found>> found = Read(secret, definition_.volume_id);
    if (!found.ok()) return found.status();
    if (!found->has_value()) return false;
    if (!(*found)->is_ours) return SomebodyElses(**found);
    if (!(*found)->secret.has_value) return FinishNew(connection, secret, is_awaited);
    absl::Status finished = Finish(connection, secret);
    if (finished.ok()) return true;
    return finished;
  }

  // The value first, and only then the description that says that there is one; libvirt keeps the value meanwhile.
  absl::Status Finish(virConnectPtr connection, virSecretPtr secret) {
    absl::StatusOr<std::string> uuid = UuidOf(secret);
    if (!uuid.ok()) return uuid.status();
    if (absl::Status set = SetValue(secret, value_, definition_.volume_id); !set.ok()) return set;
    const Secret whole = Define(connection, *uuid, /*has_value=*/true);
    if (whole == nullptr) return LibvirtError(absl::StrCat("libvirt secret ", *uuid, " cannot be described"));
    result.uuid = *std::move(uuid);
    return absl::OkStatus();
  }

  const SecretDefinition definition_;
  const SecretBytes value_;
};

class FindWork : public LibvirtWork {
 public:
  explicit FindWork(std::string volume_id) : volume_id_(std::move(volume_id)) {}

  absl::Status Run(virConnectPtr connection, const IsAwaited&) override {
    result.reset();
    const absl::StatusOr<Secret> secret = Lookup(connection, volume_id_);
    if (!secret.ok() || *secret == nullptr) return secret.status();
    absl::StatusOr<std::optional<Found>> found = Read(secret->get(), volume_id_);
    if (!found.ok()) return found.status();
    if (found->has_value() && (*found)->is_ours) result = std::move((*found)->secret);
    return absl::OkStatus();
  }

  std::optional<VolumeSecret> result;

 private:
  const std::string volume_id_;
};

class RemoveWork : public LibvirtWork {
 public:
  explicit RemoveWork(std::string volume_id) : volume_id_(std::move(volume_id)) {}

  absl::Status Run(virConnectPtr connection, const IsAwaited&) override {
    const absl::StatusOr<Secret> secret = Lookup(connection, volume_id_);
    if (!secret.ok() || *secret == nullptr) return secret.status();
    const absl::StatusOr<std::optional<Found>> found = Read(secret->get(), volume_id_);
    if (!found.ok()) return found.status();
    if (!found->has_value() || !(*found)->is_ours) return absl::OkStatus();
    const absl::StatusOr<bool> removed = Undefine(secret->get(), volume_id_);
    if (removed.ok()) was_there = was_there || *removed;
    return removed.status();
  }

  bool was_there = false;

 private:
  const std::string volume_id_;
};

class AmendWork : public LibvirtWork {
 public:
  explicit AmendWork(SecretDefinition definition) : definition_(std::move(definition)) {}

  absl::Status Run(virConnectPtr connection, const IsAwaited&) override {
    was_there = false;
    const absl::StatusOr<Secret> secret = Lookup(connection, definition_.volume_id);
    if (!secret.ok() || *secret == nullptr) return secret.status();
    const absl::StatusOr<std::optional<Found>> found = Read(secret->get(), definition_.volume_id);
    if (!found.ok()) return found.status();
    if (!found->has_value() || !(*found)->is_ours) return absl::OkStatus();
    definition_.uuid = (*found)->secret.uuid;
    definition_.has_value = (*found)->secret.has_value;
    const Secret amended(virSecretDefineXML(connection, SecretXml(definition_).c_str(), kNoFlags));
    if (amended == nullptr)
      return LibvirtError(absl::StrCat("libvirt secret ", definition_.uuid, " cannot be described"));
    was_there = true;
    return absl::OkStatus();
  }

  bool was_there = false;

 private:
  SecretDefinition definition_;
};

class ListWork : public LibvirtWork {
 public:
  absl::Status Run(virConnectPtr connection, const IsAwaited&) override {
    result.clear();
    virSecretPtr* all = nullptr;
    const int count = virConnectListAllSecrets(connection, &all, kNoFlags);
    if (count < 0) return LibvirtError("the secrets of libvirt cannot be listed");
    const std::unique_ptr<virSecretPtr, void (*)(void*)> array(all, free);
    std::vector<Secret> secrets;
    for (int i = 0; i < count; ++i) secrets.emplace_back(all[i]);
    if (secrets.size() > kMaxListed) secrets.resize(kMaxListed);
    for (const Secret& secret : secrets) {
      if (absl::Status added = Add(secret.get()); !added.ok()) return added;
    }
    std::ranges::sort(result, {}, &VolumeSecret::volume_id);
    return absl::OkStatus();
  }

  std::vector<VolumeSecret> result;

 private:
  absl::Status Add(virSecretPtr secret) {
    if (virSecretGetUsageType(secret) != VIR_SECRET_USAGE_TYPE_VOLUME) return absl::OkStatus();
    const char* const usage = virSecretGetUsageID(secret);
    if (usage == nullptr) return absl::OkStatus();
    absl::StatusOr<std::optional<Found>> found = Read(secret, usage);
    if (!found.ok()) return found.status();
    if (found->has_value() && (*found)->is_ours) result.push_back(std::move((*found)->secret));
    return absl::OkStatus();
  }
};

}  // namespace

LibvirtSecrets::LibvirtSecrets(std::string uri, Lifetime lifetime)
    : lifetime_(lifetime), connection_(std::make_unique<LibvirtConnection>(std::move(uri))) {}

LibvirtSecrets::~LibvirtSecrets() = default;

absl::StatusOr<PutSecret> LibvirtSecrets::Put(const std::string& volume_id, const std::string& uuid,
                                              const SecretNote& note, SecretBytes value, absl::Time deadline) {
  const auto work = std::make_shared<PutWork>(
      SecretDefinition{
          .uuid = uuid, .volume_id = volume_id, .note = note, .ephemeral = lifetime_ == Lifetime::kEphemeral},
      std::move(value));
  if (absl::Status done = connection_->Run(work, deadline); !done.ok()) return done;
  return work->result;
}

absl::StatusOr<bool> LibvirtSecrets::Amend(const std::string& volume_id, const SecretNote& note, absl::Time deadline) {
  const auto work = std::make_shared<AmendWork>(
      SecretDefinition{.volume_id = volume_id, .note = note, .ephemeral = lifetime_ == Lifetime::kEphemeral});
  if (absl::Status done = connection_->Run(work, deadline); !done.ok()) return done;
  return work->was_there;
}

absl::StatusOr<std::optional<VolumeSecret>> LibvirtSecrets::Find(const std::string& volume_id, absl::Time deadline) {
  const auto work = std::make_shared<FindWork>(volume_id);
  if (absl::Status done = connection_->Run(work, deadline); !done.ok()) return done;
  return std::move(work->result);
}

absl::StatusOr<bool> LibvirtSecrets::Remove(const std::string& volume_id, absl::Time deadline) {
  const auto work = std::make_shared<RemoveWork>(volume_id);
  if (absl::Status done = connection_->Run(work, deadline); !done.ok()) return done;
  return work->was_there;
}

absl::StatusOr<std::vector<VolumeSecret>> LibvirtSecrets::List(absl::Time deadline) {
  const auto work = std::make_shared<ListWork>();
  if (absl::Status done = connection_->Run(work, deadline); !done.ok()) return done;
  return std::move(work->result);
}

}  // namespace volcrypt
