#include "tools/volcryptctl/attachment_text.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {

std::string StateWord(const v1::Attachment& attachment) {
  return EnumWord(v1::Attachment::State_Name(attachment.state()), "STATE_");
}

void AddEncryption(KeyValues& lines, const v1::Encryption& encryption) {
  lines.Add("format", FormatWord(encryption.format()));
  lines.Add("cipher", encryption.cipher());
  if (encryption.key_size_bits() != 0) lines.Add("key size", absl::StrCat(encryption.key_size_bits(), " bits"));
  if (encryption.sector_size_bytes() != 0) {
    lines.Add("sector size", absl::StrCat(encryption.sector_size_bytes(), " bytes"));
  }
}

void AddAttachment(KeyValues& lines, const v1::Attachment& attachment) {
  lines.Add("volume", attachment.volume_id());
  lines.Add("state", attachment.state_reason().empty()
                         ? StateWord(attachment)
                         : absl::StrCat(StateWord(attachment), ": ", attachment.state_reason()));
  if (attachment.mode() != v1::MODE_UNSPECIFIED) {
    lines.Add("mode", EnumWord(v1::Mode_Name(attachment.mode()), "MODE_"));
  }
  lines.Add("path", attachment.device_path());
  lines.Add("device", attachment.device());
  if (attachment.size_bytes() != 0) lines.Add("size", ExactSize(attachment.size_bytes()));
  lines.Add("read-only", YesNo(attachment.read_only()));
  AddEncryption(lines, attachment.encryption());
  lines.Add("luks uuid", attachment.luks_uuid());
  lines.Add("key", KeyText(attachment.key()));
  lines.Add("header's volume", attachment.header_volume_id());
  if (attachment.has_formatted_at()) {
    lines.Add("formatted at", google::protobuf::util::TimeUtil::ToString(attachment.formatted_at()));
  }
  if (attachment.has_open_count()) lines.Add("open count", absl::StrCat(attachment.open_count()));
  lines.Add("libvirt secret", attachment.libvirt_secret_uuid());
}

}  // namespace volcrypt::ctl
