// The names of attributes that volcrypt reads or writes. KMIP 1.4, section 3.
#pragma once

#include <string_view>

namespace volcrypt {

inline constexpr std::string_view kKmipAlgorithmAttribute = "Cryptographic Algorithm";
inline constexpr std::string_view kKmipLengthAttribute = "Cryptographic Length";
inline constexpr std::string_view kKmipUsageMaskAttribute = "Cryptographic Usage Mask";
inline constexpr std::string_view kKmipNameAttribute = "Name";
inline constexpr std::string_view kKmipObjectTypeAttribute = "Object Type";
inline constexpr std::string_view kKmipStateAttribute = "State";
inline constexpr std::string_view kKmipInitialDateAttribute = "Initial Date";

}  // namespace volcrypt
