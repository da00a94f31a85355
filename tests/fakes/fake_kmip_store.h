#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/keys/kmip/kmip_enumerations.h"
#include "agent/keys/kmip/kmip_version.h"
#include "agent/keys/kmip/ttlv_item.h"
#include "agent/keys/kmip/ttlv_writer.h"

namespace volcrypt {

struct FakeKmipObject {
  KmipObjectType type = KmipObjectType::kSymmetricKey;
  std::vector<uint8_t> bytes;
  std::string name;
  std::optional<KmipState> state = KmipState::kActive;
  // What can be wrong with it.
  std::optional<int32_t> stated_bits;
  KmipKeyFormat format = KmipKeyFormat::kRaw;
  KmipSecretDataType secret_type = KmipSecretDataType::kPassword;
  bool is_wrapped = false;
};

// What a request says.
struct FakeKmipQuestion {
  static FakeKmipQuestion Of(const TtlvItem& message);

  KmipOperation operation = {};
  KmipVersion version;
  std::vector<uint8_t> item_id;
  std::optional<std::string> uid;
  std::string credential;           // "username:password"
  std::optional<TtlvItem> payload;  // in the request's memory
};

struct FakeKmipResult {
  std::optional<KmipResultReason> reason;  // none: success
  std::function<void(TtlvWriter&)> payload;
  bool understood = true;
};

// The objects of the fake KMIP server and what it does with them. It has PyKMIP's habits: names are not unique, a
// Locate without a match succeeds, active keys cannot be destroyed. Not thread-safe.
class FakeKmipStore {
 public:
  std::map<std::string, FakeKmipObject>& Objects() { return objects_; }
  FakeKmipResult CarryOut(const FakeKmipQuestion& question);

  void Refuse(KmipOperation operation, std::optional<KmipResultReason> reason);
  void DemandCredential(const std::string& credential) { credential_ = credential; }
  void Speak(const std::vector<KmipVersion>& versions, bool can_tell);
  void AnswerForAnother(KmipOperation operation) { answer_for_another_ = operation; }

  void BeginNewUidsWith(const std::string& prefix) { uid_prefix_ = prefix; }

  int RequestCount(KmipOperation operation) { return requests_[operation]; }
  bool EveryRequestNamedItsObject() const { return all_named_; }

 private:
  FakeKmipResult Discover(const FakeKmipQuestion& question) const;
  FakeKmipResult Locate(const FakeKmipQuestion& question) const;
  FakeKmipResult Add(const FakeKmipQuestion& question);
  FakeKmipResult Change(const FakeKmipQuestion& question);

  std::map<std::string, FakeKmipObject> objects_;
  std::map<KmipOperation, KmipResultReason> refusals_;
  std::map<KmipOperation, int> requests_;
  std::vector<KmipVersion> versions_ = {kKmipVersions.begin(), kKmipVersions.end()};
  bool tells_versions_ = true;
  std::string credential_;
  std::optional<KmipOperation> answer_for_another_;
  bool all_named_ = true;
  std::string uid_prefix_ = "new-";
  int next_uid_ = 1;
};

}  // namespace volcrypt
