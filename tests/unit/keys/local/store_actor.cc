// A process that uses a key store, for the tests of what several processes and sudden deaths do to one:
//   create PATH            makes keys for ever; for each, once it is made and read back, a line "ID DIGEST"
//   open PATH              waits for the end of its input, opens the store, makes one key, a line "ID DIGEST"
//   claim PATH KEY HOST N  opens, a line "ready", waits, claims volumes v0 to vN-1, for each a line: the winning host
//   fill PATH              makes keys until its file size limit stops it, then lifts the limit: lines "ID DIGEST", the
//                          reason of the failure, "ID DIGEST" of a key that could be made again
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>

#include "absl/time/clock.h"
#include "agent/keys/local/local_key_store.h"
#include "encryptors/reason.h"
#include "tests/unit/keys/local/key_digest.h"

namespace volcrypt {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

void Say(const std::string& line) {
  const std::string whole = line + "\n";
  // One write: a killed process leaves a whole line or none.
  if (write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::exit(4);
}

void WaitForEndOfInput() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 3;
}

std::unique_ptr<LocalKeyStore> OpenStore(const std::string& path) {
  absl::StatusOr<std::unique_ptr<LocalKeyStore>> store = LocalKeyStore::Open({.path = path});
  if (!store.ok()) std::exit(Fail(store.status()));
  return *std::move(store);
}

absl::Status CreateAndSay(LocalKeyStore& store) {
  const absl::StatusOr<std::string> id = store.Create({}, Soon());
  if (!id.ok()) return id.status();
  const absl::StatusOr<Key> key = store.Get(*id, Soon());
  if (!key.ok()) return key.status();
  Say(*id + " " + KeyDigest(key->bytes));
  return absl::OkStatus();
}

int Create(const std::string& path) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore(path);
  while (true) {
    if (const absl::Status created = CreateAndSay(*store); !created.ok()) return Fail(created);
  }
}

int OpenOnce(const std::string& path) {
  WaitForEndOfInput();
  const std::unique_ptr<LocalKeyStore> store = OpenStore(path);
  const absl::Status created = CreateAndSay(*store);
  return created.ok() ? 0 : Fail(created);
}

int Claim(const std::string& path, const std::string& key_id, const std::string& host, int count) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore(path);
  Say("ready");
  WaitForEndOfInput();
  for (int i = 0; i < count; ++i) {
    const FirstUseRecord claim = {.volume_id = "v" + std::to_string(i), .host = host, .luks_uuid = host};
    const absl::StatusOr<FirstUseRecord> stands = store->ClaimFirstUse(key_id, claim, Soon());
    if (!stands.ok()) return Fail(stands.status());
    Say(stands->host);
  }
  return 0;
}

void LimitFileSize(rlim_t bytes) {
  const rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &limit);
}

int Fill(const std::string& path) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore(path);
  // The write that passes the limit shall answer an error, not end the process.
  std::signal(SIGXFSZ, SIG_IGN);
  LimitFileSize(rlim_t{128} * 1024);
  absl::Status status;
  for (int i = 0; i < 10000 && status.ok(); ++i) status = CreateAndSay(*store);
  const std::optional<Reason> reason = ReasonOf(status);
  Say(reason ? std::string(ReasonName(*reason)) : "none");
  LimitFileSize(RLIM_INFINITY);
  const absl::Status again = CreateAndSay(*store);
  return again.ok() ? 0 : Fail(again);
}

int Main(std::span<char*> arguments) {
  const std::string mode = arguments.size() > 2 ? arguments[1] : "";
  if (mode == "create") return Create(arguments[2]);
  if (mode == "open") return OpenOnce(arguments[2]);
  if (mode == "fill") return Fill(arguments[2]);
  if (mode == "claim" && arguments.size() == 6) {
    return Claim(arguments[2], arguments[3], arguments[4], std::atoi(arguments[5]));
  }
  return 2;
}

}  // namespace
}  // namespace volcrypt

int main(int argc, char** argv) { return volcrypt::Main({argv, static_cast<size_t>(argc)}); }
