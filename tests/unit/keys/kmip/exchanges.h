#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"

namespace volcrypt {

using WireBytes = std::vector<uint8_t>;

inline WireBytes FromHex(const std::string& hex) {
  const std::string bytes = absl::HexStringToBytes(hex);
  return {bytes.begin(), bytes.end()};
}

// What a real server was asked and what it answered.
struct Exchange {
  WireBytes request;
  WireBytes answer;
};

// exchanges.txt, by name.
inline const std::map<std::string, Exchange>& Exchanges() {
  static const std::map<std::string, Exchange> exchanges = [] {
    std::map<std::string, Exchange> read;
    std::ifstream file(VOLCRYPT_KMIP_EXCHANGES);
    std::string name;
    std::string line;
    while (std::getline(file, line)) {
      if (line.empty() || line.starts_with('#')) continue;
      if (line.starts_with("> ")) {
        read[name].request = FromHex(line.substr(2));
      } else if (line.starts_with("< ")) {
        read[name].answer = FromHex(line.substr(2));
      } else {
        name = line;
      }
    }
    if (read.size() < 30) std::abort();
    return read;
  }();
  return exchanges;
}

inline const Exchange& ExchangeNamed(const std::string& name) { return Exchanges().at(name); }

}  // namespace volcrypt
