#include "agent/libvirt/secret_note.h"

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace volcrypt {
namespace {

// The first words of the description. The second is all that an interrupted making leaves: a secret is never taken for
// whole before its value was set.
constexpr absl::string_view kOurs = "volcrypt";
constexpr absl::string_view kIncomplete = "incomplete";

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("/_.:-", absl::string_view(&c, 1));
}

std::string Encode(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (IsPlain(c)) {
      encoded += c;
    } else {
      absl::StrAppend(&encoded, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return encoded;
}

std::string Decode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    uint32_t byte = 0;
    if (text[i] == '%' && i + 2 < text.size() && absl::SimpleHexAtoi(text.substr(i + 1, 2), &byte)) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string FormatWord(Format format) {
  if (format == Format::kLuks1) return "luks1";
  return format == Format::kLuks2 ? "luks2" : "";
}

Format FormatOf(const std::string& word) {
  if (word == "luks1") return Format::kLuks1;
  return word == "luks2" ? Format::kLuks2 : Format::kUnspecified;
}

std::map<std::string, std::string> FieldsOf(const std::vector<absl::string_view>& words) {
  std::map<std::string, std::string> fields;
  for (const absl::string_view word : words) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    fields[std::string(parts.first)] = Decode(parts.second);
  }
  return fields;
}

// A number that is none counts as not known.
SecretNote NoteOf(std::map<std::string, std::string> fields) {
  SecretNote note;
  note.is_attachment = fields["mode"] == "libvirt";
  note.device = fields["device"];
  if (!absl::SimpleAtoi(fields["size"], &note.size_bytes)) note.size_bytes = 0;
  note.luks_uuid = fields["luks_uuid"];
  note.encryption.format = FormatOf(fields["format"]);
  note.encryption.cipher = fields["cipher"];
  if (!absl::SimpleAtoi(fields["key_size"], &note.encryption.key_size_bits)) note.encryption.key_size_bits = 0;
  note.read_only = fields["read_only"] == "yes";
  if (!fields["key_id"].empty()) {
    note.key = KeyReference{.key_manager = fields["key_manager"], .key_id = fields["key_id"]};
  }
  return note;
}

auto Parts(const SecretNote& note) {
  const KeyReference key = note.key.value_or(KeyReference{});
  return std::make_tuple(note.is_attachment, note.device, note.size_bytes, note.luks_uuid, note.encryption.format,
                         note.encryption.cipher, note.encryption.key_size_bits, note.read_only, key.key_manager,
                         key.key_id);
}

}  // namespace

bool SecretNote::operator==(const SecretNote& other) const { return Parts(*this) == Parts(other); }

std::string ToText(const SecretDescription& description) {
  std::string text(kOurs);
  const auto add = [&text](absl::string_view name, absl::string_view value) {
    if (!value.empty()) absl::StrAppend(&text, " ", name, "=", Encode(value));
  };
  if (!description.has_value) absl::StrAppend(&text, " ", kIncomplete);
  const SecretNote& note = description.note;
  add("mode", note.is_attachment ? "libvirt" : "host");
  add("device", note.device);
  if (note.size_bytes != 0) add("size", absl::StrCat(note.size_bytes));
  add("luks_uuid", note.luks_uuid);
  add("format", FormatWord(note.encryption.format));
  add("cipher", note.encryption.cipher);
  if (note.encryption.key_size_bits != 0) add("key_size", absl::StrCat(note.encryption.key_size_bits));
  if (note.read_only) add("read_only", "yes");
  if (note.key) {
    add("key_manager", note.key->key_manager);
    add("key_id", note.key->key_id);
  }
  return text;
}

std::optional<SecretDescription> ParseSecretDescription(const std::string& text) {
  std::vector<absl::string_view> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  if (words.size() < 2 || words[0] != kOurs) return std::nullopt;
  const bool incomplete = words[1] == kIncomplete;
  std::map<std::string, std::string> fields = FieldsOf(words);
  if (fields["mode"] != "libvirt" && fields["mode"] != "host") return std::nullopt;
  return SecretDescription{.note = NoteOf(std::move(fields)), .has_value = !incomplete};
}

}  // namespace volcrypt
