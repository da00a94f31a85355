#include "agent/reload.h"

#include <tuple>

namespace volcrypt {
namespace {

auto Parts(const Encryption& encryption) {
  return std::tie(encryption.format, encryption.cipher, encryption.key_size_bits, encryption.sector_size_bytes);
}

auto Parts(const VolumesConfig& volumes) {
  return std::tuple_cat(std::tie(volumes.format_if_blank, volumes.device_prefixes, volumes.allowed_ciphers),
                        Parts(volumes.encryption));
}

bool Same(const LocalKeyManagerConfig& a, const LocalKeyManagerConfig& b) {
  return std::tie(a.path, a.kek_file) == std::tie(b.path, b.kek_file);
}

bool Same(const KeyManagersConfig& a, const KeyManagersConfig& b) {
  if (a.default_name != b.default_name || a.sections.size() != b.sections.size()) return false;
  for (const auto& [name, section] : a.sections) {
    const auto other = b.sections.find(name);
    if (other == b.sections.end() || other->second.index() != section.index()) return false;
    if (!Same(std::get<LocalKeyManagerConfig>(section), std::get<LocalKeyManagerConfig>(other->second))) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> NeedRestart(const Config& running, const Config& fresh) {
  std::vector<std::string> names;
  if (running.server.listen != fresh.server.listen) names.emplace_back("server.listen");
  if (running.server.operation_timeout != fresh.server.operation_timeout) {
    names.emplace_back("server.operation_timeout");
  }
  if (running.server.max_operations != fresh.server.max_operations) names.emplace_back("server.max_operations");
  if (Parts(running.volumes) != Parts(fresh.volumes)) names.emplace_back("volumes");
  if (!Same(running.key_managers, fresh.key_managers)) names.emplace_back("key_managers");
  return names;
}

}  // namespace volcrypt
