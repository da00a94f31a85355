#include "agent/host_name.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxHostBytes = 64;  // HOST_NAME_MAX
constexpr size_t kIdDigits = 12;

// The name becomes part of records in key managers and of messages.
std::string Sanitised(std::string_view text) {
  std::string clean(text.substr(0, kMaxHostBytes));
  std::ranges::replace_if(
      clean, [](char c) { return !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-'; }, '_');
  return clean.empty() ? std::string("unnamed") : clean;
}

// The first digits of an id, dashes left out; fewer when it is none.
std::string DigitsOf(std::string_view id) {
  std::string digits;
  for (const char c : id) {
    if (digits.size() == kIdDigits) break;
    if (absl::ascii_isxdigit(static_cast<unsigned char>(c)))
      digits += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return digits;
}

// systemd writes the word "uninitialized" on a first boot, which has letters that look like digits.
bool IsMachineId(std::string_view text) {
  constexpr size_t kMachineIdDigits = 32;
  return text.size() == kMachineIdDigits &&
         std::ranges::all_of(text, [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

std::string FirstLineOf(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

HostName MakeHostName(std::string_view host, std::string_view machine_id, std::string_view boot_id) {
  const bool has_machine_id = IsMachineId(machine_id);
  return {.name = absl::StrCat(Sanitised(host), "/", DigitsOf(has_machine_id ? machine_id : boot_id)),
          .has_machine_id = has_machine_id};
}

HostName ReadHostName(const std::string& root) {
  std::array<char, kMaxHostBytes + 1> host{};
  // The terminating NUL is outside of what may be written, so a cut name is terminated too.
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return MakeHostName(host.data(), FirstLineOf(root + "/etc/machine-id"),
                      FirstLineOf(root + "/proc/sys/kernel/random/boot_id"));
}

}  // namespace volcrypt
