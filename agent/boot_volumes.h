#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/attach_request.h"
#include "agent/config_result.h"

namespace volcrypt {

// A volume that the agent attaches by itself when it starts, as a file of volumes.d describes it.
struct BootVolume {
  AttachCall call;
  std::string file;
};

struct BootVolumes {
  std::vector<BootVolume> volumes;  // those whose files are right, in the order of the files' names
  std::vector<ConfigError> errors;
};

// More are an error: each has a thread while it waits.
inline constexpr size_t kMaxBootVolumes = 64;

// volumes.d beside the configuration file.
std::string BootVolumesDirectory(const std::string& config_path);

// The *.toml files of the directory; none when there is no such directory. Each describes one volume. What is wrong in
// one of them keeps no other from being attached.
BootVolumes LoadBootVolumes(const std::string& directory);

// The same for one text, for tests and fuzzing; `file` stands in the errors, and its name without .toml is the volume's
// id unless the text names another.
BootVolumes ParseBootVolume(std::string_view text, const std::string& file);

}  // namespace volcrypt
