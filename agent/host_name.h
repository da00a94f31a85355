#pragma once

#include <string>
#include <string_view>

namespace volcrypt {

// How first-use records name this host: "<host name>/<beginning of the machine id>". Two hosts must never look like
// one, since each may continue a format that its own name began: hosts of two sites may have one name, and cloned
// images may have one machine id.
struct HostName {
  std::string name;
  // Without a machine id the id of this boot stands in, so that after a reboot an interrupted first use is nobody's.
  bool has_machine_id = true;
};

HostName MakeHostName(std::string_view host, std::string_view machine_id, std::string_view boot_id);

// The same from gethostname(), /etc/machine-id and the kernel's boot id, the files looked for below `root`.
HostName ReadHostName(const std::string& root = "");

}  // namespace volcrypt
