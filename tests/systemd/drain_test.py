"""A host is drained as docs/operations.md says."""

import os

from harness import BlockDevice, NodeCase, mapping_path


class Drain(NodeCase):
    def test_maintenance_and_the_detach_of_all(self):
        key, disks = self.key(), {self.volume_id(): self.device(mib=20) for _ in range(2)}
        used, unused = disks
        for volume, disk in disks.items():
            self.attach(volume, disk, key)
        BlockDevice(mapping_path(unused)).write(0, b"what was written")
        self.addCleanup(self.ctl, "maintenance", "off")
        self.ok("maintenance", "on")
        self.assertEqual(self.ctl("health").status, 7)
        another = {"volume_id": self.volume_id(), "device": self.device(mib=8).path, "key": {"key_id": key}}
        self.api_refused("DRAINING", "AttachVolume", **another)
        with open(mapping_path(used), "rb"):
            self.assertEqual(self.ctl("detach", "--all", "--yes").status, 5)
            self.assert_not_attached(unused)
            self.assertTrue(os.path.exists(mapping_path(used)))
        self.ok("detach", "--all", "--yes")
        self.assert_not_attached(used)
        self.ok("maintenance", "off")
        self.assertEqual(self.ctl("health").status, 0)
        self.assertFalse(self.attach(unused, disks[unused], key)["formatted"])
        self.assertEqual(BlockDevice(mapping_path(unused)).read(0, 16), b"what was written")

    def test_a_restart_ends_maintenance(self):
        self.ok("maintenance", "on")
        self.assertTrue(self.api("GetInfo").maintenance)
        self.agent.restart()
        self.assertFalse(self.api("GetInfo").maintenance)
        self.assertTrue(self.attach(self.volume_id(), self.device(mib=20), self.key())["formatted"])
