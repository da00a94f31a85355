#pragma once

#include <array>
#include <compare>
#include <cstdint>

namespace volcrypt {

struct KmipVersion {
  int32_t major = 0;
  int32_t minor = 0;

  auto operator<=>(const KmipVersion&) const = default;
};

// Those that volcrypt speaks, best first. 1.0 cannot tell its versions; 2.0 writes attributes in another way.
inline constexpr std::array<KmipVersion, 4> kKmipVersions = {{{1, 4}, {1, 3}, {1, 2}, {1, 1}}};

}  // namespace volcrypt
