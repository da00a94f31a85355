#include "tools/volcryptctl/attach_options.h"

#include "tools/volcryptctl/device_argument.h"

namespace volcrypt::ctl {
namespace {

v1::Encryption::Format FormatOf(const std::string& word) {
  if (word == "luks2") return v1::Encryption::FORMAT_LUKS2;
  if (word == "luks1") return v1::Encryption::FORMAT_LUKS1;
  return v1::Encryption::FORMAT_UNSPECIFIED;
}

v1::Mode ModeOf(const std::string& word) {
  if (word == "host") return v1::MODE_HOST_MAPPING;
  if (word == "libvirt") return v1::MODE_LIBVIRT_SECRET;
  return v1::MODE_UNSPECIFIED;
}

v1::AttachVolumeRequest::FirstUse FirstUseOf(const std::string& word) {
  if (word == "format-if-blank") return v1::AttachVolumeRequest::FIRST_USE_FORMAT_IF_BLANK;
  if (word == "refuse") return v1::AttachVolumeRequest::FIRST_USE_REFUSE;
  return v1::AttachVolumeRequest::FIRST_USE_UNSPECIFIED;
}

}  // namespace

v1::AttachVolumeRequest ToRequest(const AttachOptions& options) {
  v1::AttachVolumeRequest request;
  request.set_volume_id(options.volume_id);
  request.set_device(AbsoluteDevice(options.device));
  if (options.key) *request.mutable_key() = *options.key;
  v1::Encryption& encryption = *request.mutable_encryption();
  encryption.set_format(FormatOf(options.format));
  encryption.set_cipher(options.cipher);
  encryption.set_key_size_bits(options.key_size_bits);
  encryption.set_sector_size_bytes(options.sector_size_bytes);
  request.set_mode(ModeOf(options.mode));
  request.set_first_use(FirstUseOf(options.first_use));
  request.set_read_only(options.read_only);
  request.set_allow_discards(options.allow_discards);
  request.set_register_libvirt_secret(options.libvirt_secret);
  return request;
}

}  // namespace volcrypt::ctl
