#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/volcryptctl/doctor/bundle_content.h"

namespace volcrypt::ctl {

// The file of a bundle: a tar.gz with mode 0600. It goes again unless it was written in full.
class Bundle {
 public:
  // Makes the file, which must not exist.
  static absl::StatusOr<Bundle> Create(const std::string& path);
  Bundle(Bundle&& other) noexcept;
  Bundle& operator=(Bundle&&) = delete;
  ~Bundle();

  // Needs tar(1). At most once.
  absl::Status Write(const BundleContent& content);

 private:
  Bundle(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
  bool is_complete_ = false;
};

}  // namespace volcrypt::ctl
