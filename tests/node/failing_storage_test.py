"""Storage that fails or lies: never formatted, and everything heals once the storage does."""

import os

from harness import NodeCase, key_store, paths
from harness.devices import MIB, SECTOR, DmDevice

ZEROS = "0 SIZE zero"


class ReadErrors(NodeCase):
    def test_a_blank_device_that_cannot_be_read_somewhere_is_not_formatted(self):
        device = self.device(mib=64)
        path = self.linear(device)
        cases = {
            "everywhere": (0, 64 * MIB),
            "in its first sector": (0, SECTOR),
            "in the middle of its first 16 MiB": (8 * MIB, 8 * MIB + SECTOR),
            "in its last MiB": (63 * MIB, 64 * MIB),
            "in its last sector": (64 * MIB - SECTOR, 64 * MIB),
        }
        for place, (begin, end) in cases.items():
            with self.subTest(place):
                path.swap(with_error(device, begin, end))
                self.assert_io_error_and_untouched(path, device)
        path.swap(f"0 SIZE linear {device.path} 0")
        self.assertTrue(self.attach(self.volume_id(), path, self.key())["formatted"])

    def test_a_formatted_volume_whose_header_cannot_be_read_opens_again_after_the_error(self):
        device = self.device(mib=32)
        path = self.linear(device)
        volume, key = self.volume_id(), self.key()
        luks_uuid = self.attach(volume, path, key)["luks_uuid"]
        self.detach(volume)
        for begin, end in ((0, 32 * MIB), (0, SECTOR), (0, 4 * MIB)):
            with self.subTest(error=(begin, end)):
                path.swap(with_error(device, begin, end))
                self.assert_io_error_and_untouched(path, device, volume, key)
                path.swap(f"0 SIZE linear {device.path} 0")
                self.assertEqual(self.attach(volume, path, key)["luks_uuid"], luks_uuid)
                self.detach(volume)

    def test_a_device_in_its_down_interval_is_not_formatted(self):
        device = self.device(mib=32)
        path = self.dm(DmDevice.flakey_table(device, 0, 3600), over=device)
        volume, key = self.volume_id(), self.key()
        self.assert_io_error_and_untouched(path, device, volume, key)
        path.swap(f"0 SIZE linear {device.path} 0")
        self.assertTrue(self.attach(volume, path, key)["formatted"])

    def assert_io_error_and_untouched(self, path, device, volume=None, key=None):
        volume, key = volume or self.volume_id(), key or self.key()
        before = device.sha256()
        error = self.refused("DEVICE_IO_ERROR", "attach", volume, path.path, "--key", key)
        self.assert_untouched(device, before)
        self.assert_not_attached(volume)
        self.assertIn(path.path, error["message"] + str(error["metadata"]))


class WriteErrors(NodeCase):
    """First use on a device that takes no writes: no success is reported, and the same attach converges later."""

    def test_writes_that_fail(self):
        self.assert_converges_after("error_writes")

    def test_writes_that_are_lost(self):
        self.assert_converges_after("drop_writes")

    def assert_converges_after(self, feature):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                device = self.device(mib=32)
                path = self.dm(DmDevice.flakey_table(device, 0, 3600, feature), over=device)
                volume, key = self.volume_id(), self.key()
                result = self.ctl("attach", volume, path.path, "--key", key, "--format", luks)
                self.assertEqual(result.reason, "DEVICE_IO_ERROR", result)
                self.assert_not_attached(volume)
                claimed = key_store.first_uses(volume)[0]
                self.assertEqual(claimed["state"], "claimed")
                path.swap(f"0 SIZE linear {device.path} 0")
                attached = self.attach(volume, path, key, "--format", luks)
                self.assertEqual(attached["luks_uuid"], claimed["luks_uuid"])
                self.detach(volume)


class TransientZeros(NodeCase):
    """A device that reads as zeros for a moment looks blank to every probe. Only records tell."""

    def setUp(self):
        super().setUp()
        self.backing = self.device(mib=32)
        self.path = self.linear(self.backing)
        self.volume, self.user_key = self.volume_id(), self.key()
        self.luks_uuid = self.attach(self.volume, self.path, self.user_key)["luks_uuid"]
        self.detach(self.volume)

    def test_a_volume_that_this_host_knows_is_not_formatted(self):
        error = self.assert_header_lost()
        self.assertIn(self.luks_uuid, error["message"])
        self.assertIn(self.record(), error["message"])
        self.assert_opens_again()

    def test_nor_when_it_is_attached_read_only(self):
        self.assert_header_lost("--read-only")
        self.assert_opens_again()

    def test_nor_one_that_only_the_key_manager_knows(self):
        os.unlink(self.record())
        error = self.assert_header_lost()
        self.assertEqual(error["metadata"]["luks_uuid"], self.luks_uuid)
        self.assertIn("host", error["metadata"])
        self.assert_opens_again()
        self.assertTrue(os.path.exists(self.record()), "the next attach writes the record that is missing")

    def test_nor_when_it_is_attached_with_another_key(self):
        os.unlink(self.record())
        self.user_key, owner = self.key(), self.user_key
        self.assert_header_lost()
        self.user_key = owner
        self.assert_opens_again()

    def test_nor_one_whose_key_forgot_it_while_this_host_did_not(self):
        key_store.drop_first_uses(self.volume)
        self.assert_header_lost()
        self.assert_opens_again()
        self.assertEqual(key_store.first_uses(self.volume)[0]["state"], "formatted")

    def test_nor_one_whose_record_is_damaged(self):
        key_store.drop_first_uses(self.volume)
        with open(self.record(), "w", encoding="ascii") as file:
            file.write("volcrypt-record 1\nvolume_id \n")
        before = self.backing.sha256()
        self.path.swap(ZEROS)
        error = self.refused("STATE_NOT_WRITABLE", "attach", self.volume, self.path.path, "--key", self.user_key)
        self.assertIn(self.record(), error["message"])
        self.path.swap(f"0 SIZE linear {self.backing.path} 0")
        self.assert_untouched(self.backing, before)
        self.assert_opens_again()

    def test_a_forgotten_volume_is_new(self):
        """The way out for an administrator, and the proof that it was the records that forbade the format."""
        self.backing.write(0, bytes(32 * MIB))
        self.refused("VOLUME_HEADER_LOST", "attach", self.volume, self.path.path, "--key", self.user_key)
        self.ok("forget", self.volume, "--key", self.user_key, "--yes")
        again = self.attach(self.volume, self.path, self.user_key)
        self.assertTrue(again["formatted"])
        self.assertNotEqual(again["luks_uuid"], self.luks_uuid)

    def record(self):
        return os.path.join(paths.HELPER_STATE, "known", self.volume)

    def assert_header_lost(self, *options):
        before = self.backing.sha256()
        self.path.swap(ZEROS)
        error = self.refused(
            "VOLUME_HEADER_LOST", "attach", self.volume, self.path.path, "--key", self.user_key, *options
        )
        self.assert_not_attached(self.volume)
        self.path.swap(f"0 SIZE linear {self.backing.path} 0")
        self.assert_untouched(self.backing, before)
        return error

    def assert_opens_again(self):
        attached = self.attach(self.volume, self.path, self.user_key)
        self.assertFalse(attached["formatted"])
        self.assertEqual(attached["luks_uuid"], self.luks_uuid)


def with_error(device, begin, end):
    """A table like the device, with read and write errors in [begin, end)."""
    parts = []
    for first, last, target in (
        (0, begin, f"linear {device.path} 0"),
        (begin, end, "error"),
        (end, device.size(), f"linear {device.path} {end // SECTOR}"),
    ):
        if first < last:
            parts.append(f"{first // SECTOR} {(last - first) // SECTOR} {target}")
    return "\n".join(parts)
