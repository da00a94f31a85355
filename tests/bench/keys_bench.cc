// Times what an attach asks of a key manager, without agent and device: opens the key managers of a configuration as
// the agent does, and fetches one key over and over.
//   keys_bench CONFIGURATION KEY_MANAGER KEY_ID ROUNDS      KEY_ID "new": makes one
// Prints "sample volcrypt-KEY_MANAGER cold|warm MILLISECONDS" lines: cold is the first fetch after a start.

#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "agent/config.h"
#include "agent/config_result.h"
#include "agent/keys/key_manager_factory.h"
#include "bench/samples.h"
#include "encryptors/reason.h"

namespace volcrypt::bench {
namespace {

// Starts are slow, and nobody waits for many.
constexpr int kColdRounds = 5;
constexpr absl::Duration kPatience = absl::Seconds(20);

KeyManagersResult Open(const Config& config) {
  absl::StatusOr<KeyManagersResult> opened = OpenKeyManagers(config.key_managers, "");
  if (!opened.ok()) Fail(std::string(opened.status().message()));
  return *std::move(opened);
}

std::string NewKeyIn(const KeyManagers& key_managers, const std::string& name) {
  const absl::StatusOr<KeyManagers::Found> found = key_managers.Find(name);
  if (!found.ok()) Fail(std::string(found.status().message()));
  const absl::StatusOr<std::string> key_id = found->manager->Create(NewKey(), absl::Now() + kPatience);
  if (!key_id.ok()) Fail(std::string(key_id.status().message()));
  return *key_id;
}

void Fetch(const KeyManagers& key_managers, const std::string& name, const std::string& key_id) {
  const absl::StatusOr<KeyManagers::Found> found = key_managers.Find(name);
  if (!found.ok()) Fail(std::string(found.status().message()));
  const absl::StatusOr<Key> key = found->manager->Get(key_id, absl::Now() + kPatience);
  if (!key.ok()) Fail(std::string(key.status().message()));
}

void Run(const std::string& configuration, const std::string& name, std::string key_id, int rounds) {
  const ConfigResult config = LoadConfig(configuration, /*must_exist=*/true);
  for (const ConfigError& error : config.errors) Fail(ToString(error));
  const std::string who = "volcrypt-" + name;
  if (key_id == "new") key_id = NewKeyIn(Open(config.config).key_managers, name);
  for (int i = 0; i < kColdRounds; ++i) {
    const KeyManagersResult opened = Open(config.config);
    Sample(who, "cold", [&] { Fetch(opened.key_managers, name, key_id); });
  }
  const KeyManagersResult opened = Open(config.config);
  Fetch(opened.key_managers, name, key_id);
  for (int i = 0; i < rounds; ++i) Sample(who, "warm", [&] { Fetch(opened.key_managers, name, key_id); });
}

}  // namespace
}  // namespace volcrypt::bench

int main(int argc, char** argv) {
  int rounds = 0;
  if (argc != 5 || !absl::SimpleAtoi(argv[4], &rounds)) {
    volcrypt::bench::Fail("usage: keys_bench CONFIGURATION KEY_MANAGER KEY_ID ROUNDS");
  }
  volcrypt::bench::Run(argv[1], argv[2], argv[3], rounds);
  return 0;
}
