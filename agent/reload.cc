#include "agent/reload.h"

#include <tuple>
#include <type_traits>
#include <variant>

namespace volcrypt {
namespace {

auto Parts(const Encryption& encryption) {
  return std::tie(encryption.format, encryption.cipher, encryption.key_size_bits, encryption.sector_size_bytes);
}

auto Parts(const VolumesConfig& volumes) {
  return std::tuple_cat(std::tie(volumes.format_if_blank, volumes.device_prefixes, volumes.allowed_ciphers),
                        Parts(volumes.encryption));
}

auto Parts(const LocalKeyManagerConfig& local) { return std::tie(local.path, local.kek_file); }

auto Parts(const BarbicanConfig& barbican) {
  return std::tie(barbican.auth_url, barbican.application_credential_id, barbican.application_credential_secret_file,
                  barbican.username, barbican.password_file, barbican.project_name, barbican.user_domain_name,
                  barbican.project_domain_name, barbican.region, barbican.interface, barbican.endpoint,
                  barbican.ca_file, barbican.accept_caller_token, barbican.grant_agent_read, barbican.timeout);
}

auto Parts(const FixedKeyConfig& fixed) { return std::tie(fixed.fixed_key_file, fixed.high_entropy); }

auto Parts(const KmipConfig& kmip) {
  return std::tie(kmip.servers, kmip.client_certificate, kmip.client_private_key, kmip.ca_file, kmip.username,
                  kmip.password_file, kmip.timeout);
}

bool Same(const KeyManagersConfig::Section& a, const KeyManagersConfig::Section& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b](const auto& config) { return Parts(config) == Parts(std::get<std::decay_t<decltype(config)>>(b)); }, a);
}

bool Same(const KeyManagersConfig& a, const KeyManagersConfig& b) {
  if (a.default_name != b.default_name || a.sections.size() != b.sections.size()) return false;
  for (const auto& [name, section] : a.sections) {
    const auto other = b.sections.find(name);
    if (other == b.sections.end() || !Same(section, other->second)) return false;
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
  if (running.server.max_calls_per_caller != fresh.server.max_calls_per_caller) {
    names.emplace_back("server.max_calls_per_caller");
  }
  if (running.server.tls != fresh.server.tls) names.emplace_back("server.tls");
  if (Parts(running.volumes) != Parts(fresh.volumes)) names.emplace_back("volumes");
  if (running.libvirt.uri != fresh.libvirt.uri || running.libvirt.persistent != fresh.libvirt.persistent ||
      running.libvirt.records != fresh.libvirt.records) {
    names.emplace_back("libvirt");
  }
  if (!Same(running.key_managers, fresh.key_managers)) names.emplace_back("key_managers");
  if (running.metrics.listen != fresh.metrics.listen) names.emplace_back("metrics.listen");
  return names;
}

}  // namespace volcrypt
