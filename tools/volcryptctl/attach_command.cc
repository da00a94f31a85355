#include "tools/volcryptctl/attach_command.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/attach_options.h"
#include "tools/volcryptctl/attachment_text.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/new_key.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

std::string ResultWord(const v1::AttachVolumeResponse& response) {
  if (response.already_attached()) return "already attached, nothing was changed";
  return response.formatted() ? "formatted and attached" : "attached";
}

// The volume as a disk of a domain.
struct GivenTo {
  std::string domain;
  std::string target;
};

void PrintAttached(Session& session, const v1::AttachVolumeResponse& response,
                   const std::optional<v1::KeyReference>& new_key, const std::optional<GivenTo>& given) {
  if (session.output == Output::kJson) {
    nlohmann::ordered_json object = ToJson(response);
    if (given) object["domain"] = {{"name", given->domain}, {"target", given->target}};
    if (new_key) object["new_key"] = ToJson(*new_key);
    PrintJson(session.out, object);
    return;
  }
  const v1::Attachment& attachment = response.attachment();
  if (session.quiet) {
    session.out << Printable(attachment.device_path().empty() ? attachment.libvirt_secret_uuid()
                                                              : attachment.device_path())
                << '\n';
    return;
  }
  KeyValues lines;
  lines.Add("result", ResultWord(response));
  AddAttachment(lines, attachment);
  if (given) lines.Add("domain", absl::StrCat(given->domain, ", disk ", given->target));
  if (new_key && !attachment.has_key()) lines.Add("key", KeyText(*new_key));
  lines.Print(session.out);
}

// To the domain, if one was named, and then to the user.
absl::Status Finish(const AttachOptions& options, Session& session, const v1::AttachVolumeResponse& response,
                    const std::optional<v1::KeyReference>& new_key) {
  std::optional<GivenTo> given;
  if (!options.domain.name.empty()) {
    absl::StatusOr<std::string> target = GiveToDomain(session, options.domain, response);
    if (!target.ok()) return target.status();
    given = GivenTo{.domain = options.domain.name, .target = *std::move(target)};
  }
  PrintAttached(session, response, new_key, given);
  return absl::OkStatus();
}

absl::Status RunAttach(const AttachOptions& options, Session& session) {
  v1::AttachVolumeRequest request = ToRequest(options);
  if (!options.new_key) {
    const auto response = session.client.Call(&v1::VolumeEncryptorService::Stub::AttachVolume, request);
    if (!response.ok()) return response.status();
    return Finish(options, session, *response, std::nullopt);
  }
  const absl::StatusOr<v1::KeyReference> key = CreateKeyFor(session, options.volume_id, options.key_manager);
  if (!key.ok()) return key.status();
  *request.mutable_key() = *key;
  const auto response = session.client.Call(&v1::VolumeEncryptorService::Stub::AttachVolume, request);
  if (!response.ok()) return SettleNewKey(session, *key, response.status());
  if (!response->already_attached()) return Finish(options, session, *response, *key);
  DropUnneededKey(session, *key);
  return Finish(options, session, *response, std::nullopt);
}

void AddKeyOptions(const CommandApp& app, AttachOptions& options) {
  app.AddKeyOption(
      options.key,
      "The key that opens the volume, of the default key manager unless MANAGER is given; an admin may leave "
      "it out for LUKS2, if the header names one of the default key manager");
  app.AddFlag("--new-key", options.new_key,
              "Let the key manager make a key for this volume's first use; deleted again if attach is refused",
              {.excludes = "--key"});
  app.AddOption("--key-manager", options.key_manager, "Key manager of the new key instead of the default one",
                {.needs = "--new-key"});
}

void AddEncryptionOptions(const CommandApp& app, AttachOptions& options) {
  app.AddOption("--format", options.format, "Format of a first use, and checked later; else as configured",
                {.one_of = {"luks2", "luks1"}});
  app.AddOption("--cipher", options.cipher, "Cipher of a first use in kernel notation (aes-xts-plain64)");
  app.AddNumber("--key-size", options.key_size_bits, "Size of the volume key in bits");
  app.AddNumber("--sector-size", options.sector_size_bytes, "Encryption sector size in bytes", {512, 4096});
}

void AddUseOptions(const CommandApp& app, AttachOptions& options) {
  app.AddOption("--mode", options.mode, "A mapping on this host, or a libvirt secret for QEMU; host by default",
                {.one_of = {"host", "libvirt"}});
  app.AddOption("--first-use", options.first_use, "What to do with a blank device; else as configured",
                {.one_of = {"format-if-blank", "refuse"}});
  app.AddFlag("--read-only", options.read_only, "Attach read-only; never formats");
  app.AddFlag("--allow-discards", options.allow_discards, "Pass discards on to the device");
  app.AddFlag("--libvirt-secret", options.libvirt_secret, "Register a libvirt secret besides the mapping");
}

void AddDomainOptions(const CommandApp& app, DomainOptions& options) {
  app.AddOption("--domain", options.name,
                "Virtual machine that gets the volume as a disk, live and in its configuration");
  app.AddOption("--target", options.target, "The disk's name there, sdX or vdX; else the first that is free",
                {.needs = "--domain"});
  app.AddOption("--connect", options.uri, "URI of the libvirt that has the domain; else libvirt's own choice",
                {.needs = "--domain"});
}

}  // namespace

void AddAttachCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("attach", "Open a volume on a device; a provably blank device is formatted first, if that is allowed",
               "volcryptctl attach 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10 /dev/sdb --new-key");
  const auto options = std::make_shared<AttachOptions>();
  app.AddOption("VOLUME_ID", options->volume_id, "The volume's id, usually a UUID", {.required = true});
  app.AddOption("DEVICE", options->device, "Block device, link to one, or file; none only with --mode libvirt");
  AddKeyOptions(app, *options);
  AddEncryptionOptions(app, *options);
  AddUseOptions(app, *options);
  AddDomainOptions(app, options->domain);
  app.OnUse([options, &selected] {
    if (options->device.empty() && options->mode != "libvirt") FailMissing("DEVICE");
    if (options->device.empty() && !options->domain.name.empty()) {
      FailUsage("attach", "--domain needs DEVICE: what a disk without one is made of is not known here");
    }
    selected = [options](Session& session) { return RunAttach(*options, session); };
  });
}

}  // namespace volcrypt::ctl
