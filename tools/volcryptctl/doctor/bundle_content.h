#pragma once

#include <map>
#include <string>

#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/finding.h"

namespace volcrypt::ctl {

// Names of files and what is in them. Where something could not be had, the file says why.
using BundleContent = std::map<std::string, std::string>;

// What a report of a bug needs, without secrets: no file of a key, credential or token is opened, no environment is
// read, and of the configuration only what is known to be harmless is shown.
BundleContent CollectBundle(const Examination& examination, const Findings& findings);

// Of what "dmsetup table" says, the crypt mappings of ours, the key's column replaced by zeros in any case.
std::string WithoutKeys(const std::string& table);

}  // namespace volcrypt::ctl
