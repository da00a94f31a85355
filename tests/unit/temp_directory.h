#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace volcrypt {

// A directory of its own for one test, gone with it.
class TempDirectory {
 public:
  TempDirectory() {
    std::string path = testing::TempDir() + "/volcrypt-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    // TempDir() ends in a slash, and configurations want their paths without doubled ones.
    path_ = std::filesystem::path(path).lexically_normal();
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string Path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }

  // Makes the directories above it too.
  void Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = Path(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

 private:
  std::string path_;
};

}  // namespace volcrypt
