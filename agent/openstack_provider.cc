#include "agent/openstack_provider.h"

#include <array>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

struct Provider {
  std::string_view name;
  Format format;
};

// kUnspecified: encrypts nothing. Names are case-sensitive, as in os-brick.
constexpr std::array kProviders = {
    Provider{"luks", Format::kLuks1},
    Provider{"luks2", Format::kLuks2},
    Provider{"plain", Format::kPlain},
    Provider{"nova.volume.encryptors.luks.LuksEncryptor", Format::kLuks1},
    Provider{"os_brick.encryptors.luks.LuksEncryptor", Format::kLuks1},
    Provider{"LuksEncryptor", Format::kLuks1},
    Provider{"os_brick.encryptors.luks.Luks2Encryptor", Format::kLuks2},
    Provider{"Luks2Encryptor", Format::kLuks2},
    Provider{"nova.volume.encryptors.cryptsetup.CryptsetupEncryptor", Format::kPlain},
    Provider{"os_brick.encryptors.cryptsetup.CryptsetupEncryptor", Format::kPlain},
    Provider{"CryptsetupEncryptor", Format::kPlain},
    // Both spellings were in use.
    Provider{"nova.volume.encryptors.nop.NoopEncryptor", Format::kUnspecified},
    Provider{"nova.volume.encryptors.nop.NoOpEncryptor", Format::kUnspecified},
    Provider{"os_brick.encryptors.nop.NoopEncryptor", Format::kUnspecified},
    Provider{"os_brick.encryptors.nop.NoOpEncryptor", Format::kUnspecified},
    Provider{"NoopEncryptor", Format::kUnspecified},
    Provider{"NoOpEncryptor", Format::kUnspecified},
};

}  // namespace

absl::StatusOr<Format> ParseProvider(const std::string& provider) {
  for (const auto& [name, format] : kProviders) {
    if (name != provider) continue;
    if (format != Format::kUnspecified) return format;
    return MakeError(Reason::kUnsupportedEncryption,
                     absl::StrCat("provider ", provider, " encrypts nothing; volumes are never attached in clear"),
                     {{"field", "provider"}, {"provider", provider}});
  }
  return MakeError(Reason::kInvalidField,
                   absl::StrCat("provider \"", absl::Utf8SafeCHexEscape(provider),
                                "\" is not known; use luks (LUKS1), luks2 or an encryptor class of nova or os-brick"),
                   {{"field", "provider"}, {"provider", provider}});
}

}  // namespace volcrypt
