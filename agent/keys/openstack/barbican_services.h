#pragma once

#include "agent/keys/key_managers_config.h"
#include "agent/keys/openstack/http_client.h"
#include "agent/keys/openstack/keystone_session.h"

namespace volcrypt {

// What the calls to one Barbican share.
struct BarbicanServices {
  BarbicanServices(const BarbicanConfig& section, SecretBytes secret, KeystoneSession::Now now)
      : config(section), http(section.ca_file), keystone(http, section, std::move(secret), std::move(now)) {}

  const BarbicanConfig config;
  HttpClient http;
  KeystoneSession keystone;
};

}  // namespace volcrypt
