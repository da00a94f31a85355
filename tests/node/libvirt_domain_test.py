"""Volumes as disks of a real QEMU: hot-attached in both modes, what the guest sees, and taken away again."""

import os

from harness import BlockDevice, paths
from harness.devices import MIB, mapping_path
from harness.libvirt import LibvirtCase

DOMAIN = "guest"
MARKER = b"A"


class DomainCase(LibvirtCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirtd.start_domain(DOMAIN, paths.SCRATCH)
        cls.addClassCleanup(cls.libvirtd.remove_domain, DOMAIN)

    def setUp(self):
        super().setUp()
        self.volume, self.disk, self.user_key = self.volume_id(), self.device(mib=16), self.key()
        self.assertEqual(self.targets(), ([], []))

    def tearDown(self):
        self.libvirtd.ensure()
        for target in self.targets()[1]:
            self.libvirtd.try_virsh("detach-disk", DOMAIN, target, "--config")
        if self.targets()[0]:
            self.libvirtd.try_virsh("destroy", DOMAIN)
            self.libvirtd.virsh("start", DOMAIN)
        super().tearDown()

    def give(self, *options):
        """attach --domain, which must succeed; the JSON."""
        return self.ok("attach", self.volume, self.disk.path, "--key", self.user_key, "--domain", DOMAIN, *options)

    def give_refused(self, reason, *options, domain=DOMAIN):
        call = ["attach", self.volume, self.disk.path, "--key", self.user_key, "--domain", domain, *options]
        return self.refused(reason, *call)

    def take(self, *options):
        return self.ok("detach", self.volume, "--domain", DOMAIN, *options)

    def targets(self):
        """Of the disks that the domain has, live and in its configuration."""
        return tuple(sorted(self.libvirtd.disks(DOMAIN, inactive=inactive)) for inactive in (False, True))

    def drive_of(self, target):
        """The guest's disk as QEMU describes it: "qdev" names the device, "inserted" what it is made of."""
        alias = self.libvirtd.disks(DOMAIN)[target].find("alias").get("name")
        drives = [row for row in self.libvirtd.query(DOMAIN, "query-block") if alias in row["qdev"].split("/")]
        self.assertEqual(len(drives), 1, drives)
        return drives[0]

    def node_of(self, target):
        return self.drive_of(target)["inserted"]

    def guest_writes(self, target, offset=MIB, length=MIB):
        device, node = self.drive_of(target)["qdev"], self.node_of(target)["node-name"]
        self.assertFalse(self.libvirtd.reads_as_guest(DOMAIN, node, offset, length, MARKER[0]))
        self.libvirtd.write_as_guest(DOMAIN, device, offset, length, MARKER[0])
        self.guest_reads(target, offset, length)

    def guest_reads(self, target, offset=MIB, length=MIB):
        node = self.node_of(target)["node-name"]
        self.assertTrue(self.libvirtd.reads_as_guest(DOMAIN, node, offset, length, MARKER[0]), "the guest reads something else")

    def assert_given_nowhere(self):
        self.assertEqual(self.targets(), ([], []))
        self.assertEqual(self.libvirtd.secrets(), {})
        self.assert_not_attached(self.volume)

    def capacity(self, target):
        rows = dict(line.split(":") for line in self.libvirtd.virsh("domblkinfo", DOMAIN, target).splitlines())
        return int(rows["Capacity"])


class Released(DomainCase):
    def test_what_qemu_decrypts_comes_live_and_for_the_next_start_and_goes(self):
        given = self.give("--mode", "libvirt")
        attached = given["attachment"]
        self.assertEqual(given["domain"], {"name": DOMAIN, "target": "sda"})
        self.assertEqual(self.targets(), (["sda"], ["sda"]))
        node = self.node_of("sda")
        self.assertEqual((node["drv"], node["encrypted"]), ("luks", True))
        self.assertEqual(node["image"]["virtual-size"], int(attached["size_bytes"]))
        self.assertEqual(self.capacity("sda"), int(attached["size_bytes"]))
        self.guest_writes("sda")
        self.guest_reads("sda")
        again = self.give("--mode", "libvirt")
        self.assertTrue(again["already_attached"])
        self.assertEqual(again["domain"]["target"], "sda")
        self.assertTrue(self.take()["was_attached"])
        self.assert_given_nowhere()
        self.assertFalse(self.take()["was_attached"])
        # The same bytes through a mapping of this host.
        self.attach(self.volume, self.disk, self.user_key)
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(MIB, MIB), MARKER * MIB)
        self.assertNotEqual(self.disk.read(3 * MIB, 4096), MARKER * 4096)

    def test_a_mapping_comes_and_cannot_be_closed_under_the_guest(self):
        given = self.give()
        self.assertEqual(given["attachment"]["disk_encryption_xml"], "")
        self.assertEqual(self.targets(), (["sda"], ["sda"]))
        node = self.node_of("sda")
        self.assertEqual((node["drv"], node["encrypted"]), ("raw", False))
        self.assertEqual(self.capacity("sda"), int(given["attachment"]["size_bytes"]))
        self.guest_writes("sda")
        self.refused("MAPPING_IN_USE", "detach", self.volume)
        self.guest_reads("sda")
        self.assertTrue(self.take()["was_attached"])
        self.assert_given_nowhere()
        self.attach(self.volume, self.disk, self.user_key)
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(MIB, MIB), MARKER * MIB)

    def test_the_guest_sees_a_volume_grow(self):
        self.give("--mode", "libvirt")
        self.disk.grow(mib=24)
        size = int(self.ok("extend", self.volume)["attachment"]["size_bytes"])
        self.libvirtd.virsh("blockresize", DOMAIN, "sda", f"{size}B")
        self.assertEqual(self.capacity("sda"), size)
        self.guest_writes("sda", offset=size - MIB)
        self.take()

    def test_a_read_only_volume_is_a_read_only_disk(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.detach(self.volume)
        before = self.disk.sha256()
        self.give("--mode", "libvirt", "--read-only")
        self.assertTrue(self.node_of("sda")["ro"])
        self.take()
        self.assert_untouched(self.disk, before)

    def test_what_the_domain_refuses_is_rolled_back(self):
        other = self.file_volume(mib=4)
        self.libvirtd.virsh("attach-disk", DOMAIN, other.path, "sdb", "--live")
        for mode in ("host", "libvirt"):
            error = self.give_refused("DOMAIN_REFUSED", "--target", "sdb", "--mode", mode, "--format", "luks1")
            self.assertIn("sdb", error["message"])
            self.assertEqual(self.targets(), (["sdb"], []))
            self.assert_not_attached(self.volume)
            self.assertEqual(self.libvirtd.secrets(), {})

    def test_what_its_configuration_refuses_is_rolled_back_live_too(self):
        other = self.file_volume(mib=4)
        self.libvirtd.virsh("attach-disk", DOMAIN, other.path, "sdb", "--config")
        for mode in ("host", "libvirt"):
            self.give_refused("DOMAIN_REFUSED", "--target", "sdb", "--mode", mode, "--format", "luks1")
            self.assertEqual(self.targets(), ([], ["sdb"]))
            self.assert_not_attached(self.volume)
        # Without a target it is one that is free in both.
        self.assertEqual(self.give()["domain"]["target"], "sda")

    def test_a_volume_that_was_attached_before_stays_when_the_domain_refuses_it(self):
        self.attach(self.volume, self.disk, self.user_key)
        error = self.give_refused("DOMAIN_NOT_FOUND", domain="nobody")
        self.assertIn("nobody", error["message"])
        self.assertTrue(os.path.exists(mapping_path(self.volume)))
        self.detach(self.volume)
        self.give_refused("DOMAIN_NOT_FOUND", domain="nobody")
        self.assert_given_nowhere()

    def test_a_volume_that_cannot_be_closed_goes_back_to_the_domain(self):
        self.give()
        with open(mapping_path(self.volume), "rb"):
            self.refused("MAPPING_IN_USE", "detach", self.volume, "--domain", DOMAIN)
        self.assertEqual(self.targets(), (["sda"], ["sda"]))
        self.guest_writes("sda")
        self.take()

    def test_a_secret_lost_under_a_running_guest_is_healed_and_the_guest_runs_on(self):
        uuid = self.give("--mode", "libvirt")["attachment"]["libvirt_secret_uuid"]
        self.guest_writes("sda")
        self.libvirtd.restart()
        self.assertEqual(self.one(self.volume).state, 3)  # STATE_BROKEN
        self.guest_reads("sda")
        healed = self.give("--mode", "libvirt")
        self.assertTrue(healed["already_attached"])
        self.assertEqual(healed["attachment"]["libvirt_secret_uuid"], uuid)
        # The configuration names the secret by its UUID, for the next start.
        self.libvirtd.virsh("detach-disk", DOMAIN, "sda", "--live")
        self.assertEqual(self.targets(), ([], ["sda"]))
        self.assertEqual(self.give("--mode", "libvirt")["domain"]["target"], "sda")
        self.guest_reads("sda")
        self.take()
        self.assert_given_nowhere()

    def test_a_volume_whose_secret_went_away_opens_once_it_was_attached_again(self):
        xml = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment.disk_encryption_xml
        self.libvirtd.undefine_secret(self.libvirtd.secrets()[self.volume])
        self.assertIn("no secret", self.attach_by_hand(xml, status=1))
        self.give("--mode", "libvirt")
        self.guest_writes("sda")
        self.take()

    def test_without_a_device_of_this_host_the_secret_opens_the_disk_that_the_caller_describes(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.detach(self.volume)
        xml = self.attach_for_qemu(self.volume, "", self.user_key).attachment.disk_encryption_xml
        self.attach_by_hand(xml, status=0)
        self.assertEqual(self.node_of("sda")["drv"], "luks")
        self.libvirtd.virsh("detach-disk", DOMAIN, "sda", "--live")
        self.detach(self.volume)
        # What nobody checked is for QEMU to refuse.
        wrong = self.attach_for_qemu(self.volume, "", self.key()).attachment.disk_encryption_xml
        self.assertIn("Invalid password", self.attach_by_hand(wrong, status=1))

    def attach_by_hand(self, encryption_xml, status):
        path = os.path.join(paths.SCRATCH, "disk.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{self.disk.path}'>"
                f"{encryption_xml}</source><target dev='sda' bus='scsi'/></disk>"
            )
        done = self.libvirtd.try_virsh("attach-device", DOMAIN, path, "--live")
        self.assertEqual(done.returncode, status, done)
        return done.stderr

    def test_while_libvirt_is_away_both_calls_say_so_and_a_mapping_is_not_left(self):
        self.libvirtd.kill()
        self.give_refused("LIBVIRT_UNAVAILABLE")
        self.assertFalse(os.path.exists(mapping_path(self.volume)))
        self.libvirtd.start()
        self.give()
        self.libvirtd.kill()
        self.refused("LIBVIRT_UNAVAILABLE", "detach", self.volume, "--domain", DOMAIN)
        self.assertTrue(os.path.exists(mapping_path(self.volume)))
        self.libvirtd.start()
        self.take()


class NotReleased(DomainCase):
    """A virtio disk is released by the guest's kernel, and here is none."""

    def test_nothing_else_is_changed_until_the_guest_has_let_go(self):
        uuid = self.give("--mode", "libvirt", "--target", "vda")["attachment"]["libvirt_secret_uuid"]
        error = self.refused("DISK_NOT_RELEASED", "--timeout", "8s", "detach", self.volume, "--domain", DOMAIN)
        self.assertIn("vda", error["message"])
        self.assertEqual(self.targets(), (["vda"], ["vda"]))
        self.assert_whole_secret(self.volume, uuid)
        self.guest_writes("vda")
        # The guest's power is cut, which releases everything.
        self.libvirtd.virsh("destroy", DOMAIN)
        self.addCleanup(self.libvirtd.try_virsh, "start", DOMAIN)
        self.assertTrue(self.take()["was_attached"])
        self.assertEqual(self.libvirtd.disks(DOMAIN, inactive=True), {})
        self.assertEqual(self.libvirtd.secrets(), {})
        # And a domain that is not running is given the volume for its next start.
        self.give("--mode", "libvirt", "--target", "vda")
        self.libvirtd.virsh("start", DOMAIN)
        self.assertEqual(self.node_of("vda")["drv"], "luks")
        self.guest_reads("vda")
        self.libvirtd.virsh("destroy", DOMAIN)
        self.take()
