// Times attach and detach: libcryptsetup in process (the floor), volcrypt through gRPC, and the cryptsetup command, in
// turn on the same device, so that a machine that slows down slows all of them. Everybody rests before each operation,
// as a volume that is used does; volcrypt is timed without that too, when it has no spare workers left.
//   attach_bench DEVICE ENDPOINT ROUNDS SLOW_ROUNDS

#include <fcntl.h>
#include <libcryptsetup.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
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

constexpr auto kRest = std::chrono::milliseconds(100);

void Rested(const std::string& who, const char* operation, const std::function<void()>& work) {
  std::this_thread::sleep_for(kRest);
  Sample(who, operation, work);
}

void FloorRound(const std::string& device, const std::string& name, const char* type) {
  const Floor floor(device);
  const std::string who = "floor-" + name;
  Blank(device);
  Rested(who, "first", [&] {
    floor.ReadBlankTwice();
    floor.FormatAndActivate(type);
  });
  Rested(who, "detach", [&] { floor.Deactivate(); });
  Rested(who, "later", [&] { floor.LoadAndActivate(); });
  Rested(who, "detach", [&] { floor.Deactivate(); });
}

using Timing = void (*)(const std::string&, const char*, const std::function<void()>&);

void BackToBack(const std::string& who, const char* operation, const std::function<void()>& work) {
  Sample(who, operation, work);
}

void VolcryptRound(const std::string& device, VolcryptClient& client, const std::string& key, const std::string& who,
                   v1::Encryption::Format format, int round, Timing timing = Rested) {
  const std::string volume = "bench-" + who + "-" + std::to_string(round);
  Blank(device);
  timing(who, "first", [&] { client.Attach(volume, device, key, format); });
  timing(who, "detach", [&] { client.Detach(volume); });
  timing(who, "later", [&] { client.Attach(volume, device, key, format); });
  timing(who, "detach", [&] { client.Detach(volume); });
}

void CryptsetupRound(const std::string& device, const std::string& who, const std::vector<std::string>& options) {
  std::vector<std::string> format = {"cryptsetup", "luksFormat", "--batch-mode", "--key-file=-"};
  format.insert(format.end(), options.begin(), options.end());
  format.push_back(device);
  const std::vector<std::string> open = {"cryptsetup", "luksOpen", "--key-file=-", device, "bench-cryptsetup"};
  const std::vector<std::string> close = {"cryptsetup", "luksClose", "bench-cryptsetup"};
  Blank(device);
  Rested(who, "first", [&] {
    RunProgram(format, kPassphrase);
    RunProgram(open, kPassphrase);
  });
  Rested(who, "detach", [&] { RunProgram(close); });
  Rested(who, "later", [&] { RunProgram(open, kPassphrase); });
  Rested(who, "detach", [&] { RunProgram(close); });
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
    VolcryptRound(device, client, key, "volcrypt-luks2", v1::Encryption::FORMAT_LUKS2, round);
    VolcryptRound(device, client, key, "volcrypt-luks2-back-to-back", v1::Encryption::FORMAT_LUKS2, round, BackToBack);
    FloorRound(device, "luks1", CRYPT_LUKS1);
    VolcryptRound(device, client, key, "volcrypt-luks1", v1::Encryption::FORMAT_LUKS1, round);
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
