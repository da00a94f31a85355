// Times attach and detach: libcryptsetup in process (the floor), volcrypt through gRPC, and the cryptsetup command, in
// turn on the same device, so that a machine that slows down slows all of them.
//   attach_bench DEVICE ENDPOINT ROUNDS SLOW_ROUNDS

#include <fcntl.h>
#include <libcryptsetup.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/floor.h"
#include "bench/program.h"
#include "bench/samples.h"
#include "bench/volcrypt_client.h"
#include "encryptors/crypt_device.h"
#include "encryptors/unique_fd.h"

namespace volcrypt::bench {
namespace {

constexpr char kPassphrase[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

// The device as new. cryptsetup's default header ends at 16 MiB.
void Blank(const std::string& device) {
  const UniqueFd fd(open(device.c_str(), O_WRONLY | O_CLOEXEC));
  const std::vector<char> zeros(size_t{1} << 20);
  for (int i = 0; i < 17; ++i) {
    if (write(fd.Get(), zeros.data(), zeros.size()) != static_cast<ssize_t>(zeros.size())) Fail("blanking " + device);
  }
  if (fsync(fd.Get()) != 0) Fail("blanking " + device);
}

void FloorRound(const std::string& device, const std::string& name, const char* type) {
  const Floor floor(device);
  const std::string who = "floor-" + name;
  Blank(device);
  Sample(who, "first", [&] {
    floor.ReadBlankTwice();
    floor.FormatAndActivate(type);
  });
  Sample(who, "detach", [&] { floor.Deactivate(); });
  Sample(who, "later", [&] { floor.LoadAndActivate(); });
  Sample(who, "detach", [&] { floor.Deactivate(); });
}

void VolcryptRound(const std::string& device, VolcryptClient& client, const std::string& key, const std::string& name,
                   v1::Encryption::Format format, int round) {
  const std::string who = "volcrypt-" + name;
  const std::string volume = "bench-" + name + "-" + std::to_string(round);
  Blank(device);
  Sample(who, "first", [&] { client.Attach(volume, device, key, format); });
  Sample(who, "detach", [&] { client.Detach(volume); });
  Sample(who, "later", [&] { client.Attach(volume, device, key, format); });
  Sample(who, "detach", [&] { client.Detach(volume); });
}

void CryptsetupRound(const std::string& device, const std::string& who, const std::vector<std::string>& options) {
  std::vector<std::string> format = {"cryptsetup", "luksFormat", "--batch-mode", "--key-file=-"};
  format.insert(format.end(), options.begin(), options.end());
  format.push_back(device);
  const std::vector<std::string> open = {"cryptsetup", "luksOpen", "--key-file=-", device, "bench-cryptsetup"};
  const std::vector<std::string> close = {"cryptsetup", "luksClose", "bench-cryptsetup"};
  Blank(device);
  Sample(who, "first", [&] {
    RunProgram(format, kPassphrase);
    RunProgram(open, kPassphrase);
  });
  Sample(who, "detach", [&] { RunProgram(close); });
  Sample(who, "later", [&] { RunProgram(open, kPassphrase); });
  Sample(who, "detach", [&] { RunProgram(close); });
}

int Main(int argc, char** argv) {
  if (argc != 5) Fail("usage: attach_bench DEVICE ENDPOINT ROUNDS SLOW_ROUNDS");
  const std::string device = argv[1];
  const int rounds = std::atoi(argv[3]);
  const int slow_rounds = std::atoi(argv[4]);
  SetUpLibcryptsetup();
  VolcryptClient client(argv[2]);
  const std::string key = client.CreateKey();
  for (int round = 0; round < rounds; ++round) {
    FloorRound(device, "luks2", CRYPT_LUKS2);
    VolcryptRound(device, client, key, "luks2", v1::Encryption::FORMAT_LUKS2, round);
    FloorRound(device, "luks1", CRYPT_LUKS1);
    VolcryptRound(device, client, key, "luks1", v1::Encryption::FORMAT_LUKS1, round);
    CryptsetupRound(device, "cryptsetup-pbkdf2-1000",
                    {"--type=luks2", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000"});
  }
  for (int round = 0; round < slow_rounds; ++round) {
    CryptsetupRound(device, "cryptsetup-default", {"--type=luks2"});
  }
  return 0;
}

}  // namespace
}  // namespace volcrypt::bench

int main(int argc, char** argv) { return volcrypt::bench::Main(argc, argv); }
