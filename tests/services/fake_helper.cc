// fake_helper --socket PATH --state DIR: volcrypt-helper's protocol over files in place of devices. For the tests of
// key managers, which run where there is no device-mapper.

#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "encryptors/helper.h"
#include "encryptors/helper_command_line.h"
#include "encryptors/listening_socket.h"
#include "tests/services/volume_files.h"

namespace volcrypt {
namespace {

absl::Status Serve(int argc, char** argv) {
  const absl::StatusOr<HelperCommandLine> line = ParseHelperCommandLine(argc, argv);
  if (!line.ok()) return line.status();
  absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(line->socket_path, line->peer_uid);
  if (!listener.ok()) return listener.status();
  std::filesystem::create_directories(line->state_dir);
  HelperOptions options;
  options.peer_uid = line->peer_uid;
  options.make_encryptor = [attached = line->state_dir](const PeerHasGoneFunction&) {
    return std::make_unique<VolumeFiles>(attached);
  };
  return Helper(std::move(options), *std::move(listener)).Run();
}

}  // namespace
}  // namespace volcrypt

int main(int argc, char** argv) {
  try {
    const absl::Status status = volcrypt::Serve(argc, argv);
    if (status.ok()) return 0;
    std::cerr << "fake_helper: " << status.message() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "fake_helper: " << error.what() << "\n";
  }
  return 1;
}
