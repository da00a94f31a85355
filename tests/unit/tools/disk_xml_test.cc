#include "tools/volcryptctl/disk_xml.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

// As libvirt 9.0 prints it.
constexpr char kDomainXml[] = R"(<domain type='qemu' id='1'>
  <metadata><disk type='block'><source dev='/dev/not-a-disk'/></disk></metadata>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source dev='/dev/sdb' index='2'>
        <encryption format='luks' engine='qemu'>
          <secret type='passphrase' uuid='5d0a2f6a-6c8b-4b0e-8f2e-7a54f0b3a111'/>
        </encryption>
      </source>
      <backingStore/>
      <target dev='sda' bus='scsi'/>
      <readonly/>
      <serial>vol-1</serial>
      <alias name='scsi0-0-0-0'/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
    <disk type='file' device='disk'>
      <source file='/srv/a &amp; &quot;b&quot; &lt;c&gt; &apos;d&apos;.img'/>
      <backingStore type='file'><source file='/srv/base.img'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='hdc' bus='ide'/>
    </disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
  </devices>
</domain>)";

TEST(DiskXmlTest, DisksAreReadAsLibvirtPrintsThem) {
  const std::vector<Disk> disks = DisksOf(kDomainXml);
  ASSERT_EQ(disks.size(), 3U);
  EXPECT_EQ(disks[0].source, "/dev/sdb");
  EXPECT_TRUE(disks[0].is_block);
  EXPECT_THAT(disks[0].encryption_xml, HasSubstr("uuid='5d0a2f6a-6c8b-4b0e-8f2e-7a54f0b3a111'"));
  EXPECT_EQ(disks[0].target, "sda");
  EXPECT_EQ(disks[0].serial, "vol-1");
  EXPECT_TRUE(disks[0].read_only);
  EXPECT_EQ(disks[1].source, R"(/srv/a & "b" <c> 'd'.img)");
  EXPECT_FALSE(disks[1].is_block);
  EXPECT_EQ(disks[1].encryption_xml, "");
  EXPECT_FALSE(disks[1].read_only);
  EXPECT_EQ(disks[2].source, "");
  EXPECT_EQ(disks[2].target, "hdc");
}

TEST(DiskXmlTest, WhatIsWrittenIsReadBack) {
  for (const Disk& disk : {Disk{.source = "/dev/mapper/volcrypt-v", .is_block = true, .serial = "v", .target = "sdc"},
                           Disk{.source = "/a'b<c>&d\"e",
                           .encryption_xml = "<encryption format='luks'><secret uuid='u'/></encryption>",
                           .serial = "v",
                           .target = "vdz",
                           .read_only = true}}) {
    const std::vector<Disk> read = DisksOf("<devices>" + ToXml(disk) + "</devices>");
    ASSERT_EQ(read.size(), 1U) << ToXml(disk);
    EXPECT_EQ(read[0].source, disk.source);
    EXPECT_EQ(read[0].is_block, disk.is_block);
    EXPECT_EQ(read[0].encryption_xml, disk.encryption_xml);
    EXPECT_EQ(read[0].serial, disk.serial);
    EXPECT_EQ(read[0].target, disk.target);
    EXPECT_EQ(read[0].read_only, disk.read_only);
  }
}

TEST(DiskXmlTest, BusFollowsTheTarget) {
  EXPECT_THAT(ToXml({.target = "sda"}), HasSubstr("bus='scsi'"));
  EXPECT_THAT(ToXml({.target = "vda"}), HasSubstr("bus='virtio'"));
}

TEST(DiskXmlTest, NothingInAPathIsMarkup) {
  EXPECT_THAT(ToXml({.source = "/x'/><target dev='sdz", .target = "sda"}), Not(HasSubstr("dev='sdz")));
}

TEST(DiskXmlTest, FreeTargetIsOfABusThatTheDomainHas) {
  EXPECT_EQ(FreeTarget(kDomainXml, DisksOf(kDomainXml)), "sdb");
  EXPECT_EQ(FreeTarget("<domain/>", {Disk{.target = "vda"}, Disk{.target = "vdc"}}), "vdb");
  std::vector<Disk> all;
  for (char letter = 'a'; letter <= 'z'; ++letter) all.push_back({.target = std::string("vd") + letter});
  EXPECT_EQ(FreeTarget("<domain/>", all), "");
}

TEST(DiskXmlTest, CutOrForeignTextHasNoDisks) {
  const std::string whole = kDomainXml;
  const size_t end = whole.find("</devices>");
  for (size_t length = 0; length < end; length += 7) EXPECT_TRUE(DisksOf(whole.substr(0, length)).empty());
  EXPECT_TRUE(DisksOf("<devices><disk type='file'></devices>").empty());
}

}  // namespace
}  // namespace volcrypt::ctl
