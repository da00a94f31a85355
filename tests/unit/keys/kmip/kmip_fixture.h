#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "agent/keys/kmip/kmip_key_manager.h"
#include "encryptors/reason.h"
#include "tests/fakes/fake_kmip_server.h"
#include "tests/fakes/test_certificates.h"
#include "tests/unit/agent/outcome.h"
#include "tests/unit/encryptors/test_key.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {

// A KMIP key manager and the servers it talks to, with certificates of their own authority.
class KmipTest : public ::testing::Test {
 protected:
  using Fault = FakeKmipServer::Fault;

  FakeKmipServer::Options ServerOptions() {
    return {.files = certificates_.Issue({.common_name = "server", .alternative_names = "DNS:localhost,IP:127.0.0.1"}),
            .client_authority = certificates_.AuthorityFile()};
  }

  KmipConfig ConfigFor(const std::vector<std::string>& servers) {
    KmipConfig config{.servers = servers, .ca_file = certificates_.AuthorityFile(), .timeout = absl::Seconds(20)};
    config.client_certificate = client_.certificate;
    config.client_private_key = client_.private_key;
    return config;
  }

  static std::unique_ptr<KmipKeyManager> Open(const KmipConfig& config, SecretBytes password = {}) {
    absl::StatusOr<std::unique_ptr<KmipKeyManager>> manager = KmipKeyManager::Open(config, std::move(password));
    if (!manager.ok()) ADD_FAILURE() << manager.status();
    return manager.ok() ? *std::move(manager) : nullptr;
  }

  static FakeKmipObject KeyObject(const std::string& name = "") {
    return {.bytes = std::vector<uint8_t>(32, 0x42), .name = name};
  }

  static KeyCall Soon() { return absl::Now() + absl::Seconds(20); }

  TempDirectory directory_;
  TestCertificates certificates_{directory_.Path()};
  const CertificateFiles client_ =
      certificates_.Issue({.common_name = "compute", .alternative_names = "", .usage = "clientAuth"});
};

}  // namespace volcrypt
