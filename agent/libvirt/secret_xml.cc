#include "agent/libvirt/secret_xml.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kOpening = "<description>";
constexpr absl::string_view kClosing = "</description>";
constexpr size_t kMaxXmlBytes = size_t{64} << 10;

}  // namespace

std::string SecretXml(const SecretDefinition& definition) {
  return absl::StrCat("<secret ephemeral='", definition.ephemeral ? "yes" : "no", "' private='yes'>",
                      definition.uuid.empty() ? "" : absl::StrCat("<uuid>", definition.uuid, "</uuid>"), kOpening,
                      ToText({.note = definition.note, .has_value = definition.has_value}), kClosing,
                      "<usage type='volume'><volume>", definition.volume_id, "</volume></usage></secret>");
}

std::optional<SecretDescription> ParseSecretXml(const std::string& xml) {
  if (xml.size() > kMaxXmlBytes) return std::nullopt;
  const size_t opening = xml.find(kOpening.data(), 0, kOpening.size());
  if (opening == std::string::npos) return std::nullopt;
  const size_t begin = opening + kOpening.size();
  const size_t end = xml.find(kClosing.data(), begin, kClosing.size());
  if (end == std::string::npos) return std::nullopt;
  return ParseSecretDescription(xml.substr(begin, end - begin));
}

std::string DiskEncryptionXml(const std::string& secret_uuid) {
  return absl::StrCat("<encryption format='luks'><secret type='passphrase' uuid='", secret_uuid, "'/></encryption>");
}

}  // namespace volcrypt
