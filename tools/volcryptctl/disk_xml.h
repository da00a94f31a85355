// Disks in the XML of domains (https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms), made and read
// without libvirt.
#pragma once

#include <string>
#include <vector>

namespace volcrypt::ctl {

struct Disk {
  std::string source;          // path of a block device or file
  bool is_block = false;       // else a file
  std::string encryption_xml;  // empty: none, for what is decrypted on this host
  std::string serial;          // what the guest sees; of ours, the volume id
  std::string target;          // sda, vdb
  bool read_only = false;
};

std::string ToXml(const Disk& disk);

// From a domain's XML as libvirt prints it. Fields that a disk does not have stay empty.
std::vector<Disk> DisksOf(const std::string& domain_xml);

// The first name that none of the disks has: sdX for a domain with a SCSI controller, else vdX.
std::string FreeTarget(const std::string& domain_xml, const std::vector<Disk>& disks);

}  // namespace volcrypt::ctl
