"""Extending an attached volume after its device has grown, with a mounted file system on it."""

import hashlib
import os

from harness import Ctl, NodeCase, mapping_path, paths
from harness.agent import CONFIG
from harness.devices import MIB, run

COMPUTE_UID = 42436
ACCESS = f"""
[[access]]
role = "compute"
users = ["{COMPUTE_UID}"]
"""


def table(volume_id):
    return run("dmsetup", "table", f"volcrypt-{volume_id}")


class Extend(NodeCase):
    def extend(self, volume, *options):
        answer = self.ok("extend", volume, *options)
        return int(answer["previous_size_bytes"]), int(answer["attachment"]["size_bytes"])

    def test_a_mounted_file_system_grows(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(format=luks):
                self.check_mounted(luks)

    def check_mounted(self, luks):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=32)
        self.attach(volume, device, key, "--format", luks)
        run("mkfs.ext4", "-q", mapping_path(volume))
        run("mount", mapping_path(volume), "/mnt")
        try:
            data = os.urandom(20 * MIB)
            with open("/mnt/file", "wb") as file:
                file.write(data)
            device.grow(mib=64)
            self.assertEqual(self.extend(volume, "--key", key), (30 * MIB, 62 * MIB))
            run("resize2fs", mapping_path(volume))
            with open("/mnt/more", "wb") as file:
                file.write(data)
        finally:
            run("umount", "/mnt")
        self.detach(volume)
        self.assertEqual(int(self.attach(volume, device, key)["size_bytes"]), 62 * MIB)
        run("fsck.ext4", "-fn", mapping_path(volume))
        run("mount", "-o", "ro", mapping_path(volume), "/mnt")
        try:
            for name in ("file", "more"):
                with open(f"/mnt/{name}", "rb") as file:
                    self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest(), name)
        finally:
            run("umount", "/mnt")

    def test_a_volume_whose_device_did_not_grow_stays_as_it_is(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key)
        before = table(volume)
        self.assertEqual(self.extend(volume, "--key", key), (6 * MIB, 6 * MIB))
        self.assertEqual(table(volume), before)

    def test_it_can_be_repeated(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key)
        device.grow(mib=16)
        self.assertEqual(self.extend(volume, "--key", key), (6 * MIB, 14 * MIB))
        self.assertEqual(self.extend(volume, "--key", key), (14 * MIB, 14 * MIB))

    def test_a_device_that_ends_within_a_sector_is_refused_and_the_mapping_stays(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key, "--sector-size", "4096")
        before = table(volume)
        device.grow(mib=9 + 1024 / MIB)
        error = self.refused("KERNEL_UNSUPPORTED", "extend", volume, "--key", key)  # nor could it be attached
        self.assertIn("not aligned", error["message"])
        self.assertEqual(table(volume), before)
        device.grow(mib=10)
        self.assertEqual(self.extend(volume, "--key", key), (6 * MIB, 8 * MIB))

    def test_flags_of_the_attachment_outlive_it(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key, "--allow-discards")
        device.grow(mib=16)
        self.extend(volume, "--key", key)
        self.assertIn("allow_discards", table(volume))
        self.assertIn(":64:logon:", table(volume))
        self.detach(volume)
        self.attach(volume, device, key, "--read-only")
        device.grow(mib=24)
        self.assertEqual(self.extend(volume, "--key", key), (14 * MIB, 22 * MIB))
        self.assertTrue(self.ok("show", volume)["attachment"]["read_only"])

    def test_a_shrunk_device_is_refused_and_the_mapping_stays(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=16)
        self.attach(volume, device, key)
        before = table(volume)
        device.grow(mib=8)
        error = self.refused("DEVICE_TOO_SMALL", "extend", volume, "--key", key)
        self.assertIn(str(8 * MIB), error["message"])
        self.assertEqual(table(volume), before)

    def test_a_wrong_key_is_rejected_and_the_mapping_stays(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key)
        before = table(volume)
        device.grow(mib=16)
        self.refused("KEY_REJECTED", "extend", volume, "--key", self.key())
        self.refused("KEY_NOT_FOUND", "extend", volume, "--key", self.volume_id())
        self.assertEqual(table(volume), before)
        self.assertEqual(self.extend(volume, "--key", key), (6 * MIB, 14 * MIB))

    def test_what_is_not_attached_is_not_extended(self):
        self.refused("NOT_ATTACHED", "extend", self.volume_id(), "--key", self.key())
        self.refused("NOT_ATTACHED", "extend", self.volume_id(), "--key", self.volume_id())  # before the key's absence


class WhoNamesTheKey(NodeCase):
    def setUp(self):
        super().setUp()
        self.agent.configure(CONFIG + ACCESS)
        self.agent.reload()
        os.chmod(paths.SOCKET, 0o666)
        self.compute = Ctl(uid=COMPUTE_UID)

    def tearDown(self):
        self.agent.configure(CONFIG)
        self.agent.reload()
        os.chmod(paths.SOCKET, 0o660)
        super().tearDown()

    def grown(self, luks):
        volume, device = self.volume_id(), self.device(mib=8)
        self.attach(volume, device, self.key(), "--format", luks)
        device.grow(mib=16)
        return volume

    def test_luks1_takes_none(self):
        volume = self.grown("luks1")
        result = self.compute("extend", volume)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(int(result.json["attachment"]["size_bytes"]), 14 * MIB)

    def test_a_compute_caller_names_that_of_luks2(self):
        volume = self.grown("luks2")
        result = self.compute("extend", volume)
        self.assertEqual((result.reason, result.status), ("KEY_REQUIRED", 1), result)
        self.assertEqual(int(self.ok("show", volume)["attachment"]["size_bytes"]), 6 * MIB)

    def test_for_an_administrator_the_record_of_this_host_names_it(self):
        volume = self.grown("luks2")
        self.assertEqual(int(self.ok("extend", volume)["attachment"]["size_bytes"]), 14 * MIB)
