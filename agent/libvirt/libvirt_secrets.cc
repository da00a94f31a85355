#include "agent/libvirt/libvirt_secrets.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/libvirt/found_secret.h"
#include "agent/libvirt/libvirt_connection.h"
#include "agent/libvirt/libvirt_library.h"
#include "agent/libvirt/put_work.h"
#include "agent/libvirt/secret_xml.h"

namespace volcrypt {
namespace {

using IsAwaited = ExpendableThread::IsAwaited;

constexpr size_t kMaxListed = 4096;

// The driver of secrets alone: the first connection to QEMU's waits for seconds until every QEMU of this host was asked
// what it can do.
std::string SecretDriverOf(const std::string& uri) {
  constexpr std::string_view kQemu = "qemu:///";
  return uri.starts_with(kQemu) ? absl::StrCat("secret:///", uri.substr(kQemu.size())) : uri;
}

class FindWork : public LibvirtWork {
 public:
  explicit FindWork(std::string volume_id) : volume_id_(std::move(volume_id)) {}

  absl::Status Run(virConnectPtr connection, const IsAwaited&) override {
    result.reset();
    const absl::StatusOr<Secret> secret = LookUpSecret(connection, volume_id_);
    if (!secret.ok() || *secret == nullptr) return secret.status();
    absl::StatusOr<std::optional<FoundSecret>> found = ReadSecret(secret->get(), volume_id_);
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
    const absl::StatusOr<Secret> secret = LookUpSecret(connection, volume_id_);
    if (!secret.ok() || *secret == nullptr) return secret.status();
    const absl::StatusOr<std::optional<FoundSecret>> found = ReadSecret(secret->get(), volume_id_);
    if (!found.ok()) return found.status();
    if (!found->has_value() || !(*found)->is_ours) return absl::OkStatus();
    const absl::StatusOr<bool> removed = UndefineSecret(secret->get(), volume_id_);
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
    const absl::StatusOr<Secret> secret = LookUpSecret(connection, definition_.volume_id);
    if (!secret.ok() || *secret == nullptr) return secret.status();
    const absl::StatusOr<std::optional<FoundSecret>> found = ReadSecret(secret->get(), definition_.volume_id);
    if (!found.ok()) return found.status();
    if (!found->has_value() || !(*found)->is_ours) return absl::OkStatus();
    definition_.uuid = (*found)->secret.uuid;
    definition_.has_value = (*found)->secret.has_value;
    const Secret amended(Libvirt().virSecretDefineXML(connection, SecretXml(definition_).c_str(), kNoFlags));
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
    const int count = Libvirt().virConnectListAllSecrets(connection, &all, kNoFlags);
    if (count < 0) return LibvirtError("the secrets of libvirt cannot be listed");
    const std::unique_ptr<virSecretPtr, void (*)(void*)> array(all, free);
    std::vector<Secret> secrets;
    secrets.reserve(static_cast<size_t>(count));
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
    if (Libvirt().virSecretGetUsageType(secret) != VIR_SECRET_USAGE_TYPE_VOLUME) return absl::OkStatus();
    const char* const usage = Libvirt().virSecretGetUsageID(secret);
    if (usage == nullptr) return absl::OkStatus();
    absl::StatusOr<std::optional<FoundSecret>> found = ReadSecret(secret, usage);
    if (!found.ok()) return found.status();
    if (found->has_value() && (*found)->is_ours) result.push_back(std::move((*found)->secret));
    return absl::OkStatus();
  }
};

}  // namespace

LibvirtSecrets::LibvirtSecrets(const std::string& uri, Lifetime lifetime)
    : lifetime_(lifetime), connection_(std::make_unique<LibvirtConnection>(SecretDriverOf(uri))) {}

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
