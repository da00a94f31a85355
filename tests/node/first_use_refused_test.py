"""First use that may not happen: too small, write-protected, not allowed, or nowhere to keep the records."""

import os

from harness import NodeCase, key_store, mapping_path, paths
from harness.agent import CONFIG
from harness.devices import MIB, run


class UnfitDevices(NodeCase):
    def test_a_device_without_room_for_data_is_refused(self):
        for mib in (512 / MIB, 1, 2, 2.5):
            with self.subTest(mib=mib):
                device = self.device(mib=mib)
                before, volume = device.sha256(), self.volume_id()
                self.refused("DEVICE_TOO_SMALL", "attach", volume, device.path, "--key", self.key())
                self.assert_untouched(device, before)
                self.assert_not_attached(volume)
                self.assertEqual(key_store.first_uses(volume), [])

    def test_the_smallest_device_is_three_mebibytes(self):
        attached = self.attach(self.volume_id(), self.device(mib=3), self.key())
        self.assertEqual(int(attached["size_bytes"]), MIB)

    def test_a_write_protected_device_is_refused_unless_it_is_attached_read_only(self):
        volume, key, device = self.volume_id(), self.key(), self.device(mib=20)
        self.attach(volume, device, key)
        self.detach(volume)
        before = device.sha256()
        run("blockdev", "--setro", device.path)
        self.addCleanup(run, "blockdev", "--setrw", device.path)  # it stays with the number, for the next device
        self.refused("DEVICE_READ_ONLY", "attach", volume, device.path, "--key", key)
        attached = self.attach(volume, device, key, "--read-only")
        self.assertTrue(attached["read_only"])
        with self.assertRaises(OSError), open(mapping_path(volume), "r+b", buffering=0) as mapping:
            mapping.write(bytes(512))
        self.detach(volume)
        self.assert_untouched(device, before)

    def test_a_blank_write_protected_device_is_refused(self):
        device, key = self.device(mib=20, read_only=True), self.key()
        self.refused("DEVICE_READ_ONLY", "attach", self.volume_id(), device.path, "--key", key)
        self.refused("VOLUME_NOT_FORMATTED", "attach", self.volume_id(), device.path, "--key", key, "--read-only")

    def test_a_blank_device_is_not_formatted_read_only(self):
        self.assert_not_formatted("--read-only")

    def test_nor_when_the_caller_refuses_first_use(self):
        self.assert_not_formatted("--first-use", "refuse")

    def test_nor_when_the_configuration_does(self):
        self.addCleanup(self.agent.restart)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG.replace("[volumes]", '[volumes]\nfirst_use = "refuse"'))
        self.agent.restart()
        self.assert_not_formatted()

    def assert_not_formatted(self, *options):
        device, volume, key = self.device(mib=20), self.volume_id(), self.key()
        self.refused("VOLUME_NOT_FORMATTED", "attach", volume, device.path, "--key", key, *options)
        self.assertEqual(device.read(0, 20 * MIB), bytes(20 * MIB))
        self.assert_not_attached(volume)
        self.assertEqual(key_store.first_uses(volume), [])


class StateThatCannotBeWritten(NodeCase):
    """No records, no format: a crash would leave a device that nobody may format again."""

    def test_a_read_only_state_directory(self):
        self.cover("--bind", paths.HELPER_STATE)
        run("mount", "-o", "remount,bind,ro", paths.HELPER_STATE)
        self.assert_not_formatted()

    def test_a_full_state_directory(self):
        self.cover("-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs")
        self.assert_not_formatted()

    def test_a_formatted_volume_opens_all_the_same(self):
        device, volume, key = self.device(mib=20), self.volume_id(), self.key()
        self.attach(volume, device, key)
        self.detach(volume)
        self.cover("-t", "tmpfs", "-o", "nr_inodes=1", "tmpfs")
        self.assertFalse(self.attach(volume, device, key)["formatted"])
        self.assertIn("warning", self.agent_log())

    def test_an_intent_that_is_damaged(self):
        device, volume, key = self.device(mib=20), self.volume_id(), self.key()
        intents = os.path.join(paths.HELPER_STATE, "intents")
        os.makedirs(intents, mode=0o700, exist_ok=True)
        with open(os.path.join(intents, volume), "w", encoding="ascii") as file:
            file.write("volcrypt-record 1\nvolume_id other\n")
        error = self.refused("STATE_NOT_WRITABLE", "attach", volume, device.path, "--key", key)
        self.assertIn(os.path.join(intents, volume), error["message"])
        self.assertEqual(device.read(0, 20 * MIB), bytes(20 * MIB))
        os.unlink(os.path.join(intents, volume))
        self.assertTrue(self.attach(volume, device, key)["formatted"])

    def cover(self, *mount):
        run("mount", *mount, paths.HELPER_STATE)
        self.covered = True

    def setUp(self):
        super().setUp()
        self.covered = False

    def tearDown(self):
        self.uncover()
        super().tearDown()

    def uncover(self):
        if self.covered:
            run("umount", paths.HELPER_STATE)
            self.covered = False

    def assert_not_formatted(self):
        device, volume, key = self.device(mib=20), self.volume_id(), self.key()
        error = self.refused("STATE_NOT_WRITABLE", "attach", volume, device.path, "--key", key)
        self.assertIn(paths.HELPER_STATE, error["message"])
        self.assertEqual(device.read(0, 20 * MIB), bytes(20 * MIB))
        self.assert_not_attached(volume)
        self.uncover()
        self.assertTrue(self.attach(volume, device, key)["formatted"])
