"""Volumes in use, devices in use, and names that somebody else took: who has what is found out, never forced."""

import contextlib
import os
import time

from harness import BlockDevice, NodeCase, mapping_path, paths, wait_until
from harness.case import dm_names
from harness.devices import run

# libcryptsetup would try for 4.8 s.
AT_ONCE_SECONDS = 2


def deferred(volume_id):
    """Whether the kernel will remove the mapping when its last user closes it."""
    return "DEFERRED REMOVE" in run("dmsetup", "info", f"volcrypt-{volume_id}")


class Busy(NodeCase):
    def setUp(self):
        super().setUp()
        self.volume, self.key_id, self.disk = self.volume_id(), self.key(), self.device(mib=8)
        self.attach(self.volume, self.disk, self.key_id)

    def opened(self):
        return open(mapping_path(self.volume), "rb")

    def test_detach_answers_at_once(self):
        durations = []
        with self.opened():
            for _ in range(3):  # of which one may meet a busy machine
                begin = time.monotonic()
                self.api_refused("MAPPING_IN_USE", "DetachVolume", volume_id=self.volume)
                durations.append(time.monotonic() - begin)
            self.assertEqual(self.ok("show", self.volume)["attachment"]["state"], "STATE_ACTIVE")
        self.assertLess(min(durations), AT_ONCE_SECONDS)
        self.assertTrue(self.detach(self.volume)["was_attached"])

    def test_a_mounted_volume_is_not_detached(self):
        run("mkfs.ext4", "-q", mapping_path(self.volume))
        run("mount", mapping_path(self.volume), "/mnt")
        try:
            error = self.refused("MAPPING_IN_USE", "detach", self.volume)
            self.assertEqual(error["metadata"]["mapping"], f"volcrypt-{self.volume}")
            with open("/mnt/file", "wb") as file:
                file.write(b"still here")
        finally:
            run("umount", "/mnt")

    def test_a_deferred_detach_waits_for_the_last_user(self):
        with self.opened():
            self.assertEqual(self.detach(self.volume, "--deferred")["pending"], True)
            shown = self.ok("show", self.volume)["attachment"]
            self.assertEqual(shown["state"], "STATE_DETACHING")
            self.assertIn("last user", shown["state_reason"])
            self.assertEqual(self.detach(self.volume, "--deferred")["pending"], True)
            self.refused("MAPPING_IN_USE", "detach", self.volume)
        wait_until(lambda: f"volcrypt-{self.volume}" not in dm_names(), what="the mapping to go")
        self.assert_not_attached(self.volume)
        self.assertFalse(self.attach(self.volume, self.disk, self.key_id)["already_attached"])

    def test_attach_takes_a_deferred_detach_back(self):
        BlockDevice(mapping_path(self.volume)).write(0, b"what was written")
        with self.opened():
            self.detach(self.volume, "--deferred")
            self.assertTrue(deferred(self.volume))
            again = self.attach(self.volume, self.disk, self.key_id)
            self.assertTrue(again["already_attached"])
            self.assertEqual(again["state"], "STATE_ACTIVE")
        self.assertFalse(deferred(self.volume))
        self.assertEqual(self.ok("show", self.volume)["attachment"]["state"], "STATE_ACTIVE")
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(0, 16), b"what was written")
        self.assertTrue(self.detach(self.volume)["was_attached"])
        self.assert_not_attached(self.volume)

    def test_attach_over_another_device_takes_no_deferred_detach_back(self):
        with self.opened():
            self.detach(self.volume, "--deferred")
            call = ["attach", self.volume, self.device(mib=8).path, "--key", self.key_id]
            self.refused("ATTACHED_DIFFERENTLY", *call)
            self.assertTrue(deferred(self.volume))

    def test_a_deferred_detach_of_an_idle_volume_is_a_detach(self):
        answer = self.detach(self.volume, "--deferred")
        self.assertEqual((answer["was_attached"], answer["pending"]), (True, False))
        self.assert_not_attached(self.volume)
        self.assertFalse(self.detach(self.volume, "--deferred")["was_attached"])


class WhatIsNamed(NodeCase):
    """The device of a call may be a device, a file, the mapping itself, or a link that was pointed elsewhere since."""

    def attached(self):
        volume, key, device = self.volume_id(), self.key(), self.device(mib=8)
        self.attach(volume, device, key)
        return volume, key, device

    @contextlib.contextmanager
    def link_to(self, target):
        path = os.path.join(paths.SCRATCH, "link")
        os.symlink(target, path)
        try:
            yield path
        finally:
            os.unlink(path)

    def test_detach_by_the_device(self):
        volume, _, device = self.attached()
        self.assertTrue(self.ok("detach", "--device", device.path)["was_attached"])
        self.assert_not_attached(volume)
        self.assertFalse(self.ok("detach", "--device", device.path)["was_attached"])

    def test_detach_by_the_mapping(self):
        volume, _, _ = self.attached()
        self.assertTrue(self.ok("detach", "--device", mapping_path(volume))["was_attached"])
        self.assert_not_attached(volume)

    def test_detach_and_attach_by_a_link_that_was_pointed_at_the_mapping(self):
        volume, key, _ = self.attached()
        with self.link_to(mapping_path(volume)) as link:
            self.assertTrue(self.attach(volume, link, key)["already_attached"])
            self.assertTrue(self.ok("detach", "--device", link)["was_attached"])
        self.assert_not_attached(volume)

    def test_attach_by_a_link_to_the_device_is_attach_of_the_device(self):
        volume, key, device = self.attached()
        with self.link_to(device.path) as link:
            self.assertTrue(self.attach(volume, link, key)["already_attached"])

    def test_detach_by_a_device_that_is_busy(self):
        volume, _, device = self.attached()
        with open(mapping_path(volume), "rb"):
            self.refused("MAPPING_IN_USE", "detach", "--device", device.path)
            self.assertTrue(self.ok("detach", "--device", device.path, "--deferred")["pending"])

    def test_attach_over_another_device_is_refused_and_changes_nothing(self):
        volume, key, device = self.attached()
        before = run("dmsetup", "table", f"volcrypt-{volume}")
        other = self.device(mib=8)
        blank = other.sha256()
        error = self.refused("ATTACHED_DIFFERENTLY", "attach", volume, other.path, "--key", key)
        self.assertIn(device.path, error["message"])
        self.assertEqual(run("dmsetup", "table", f"volcrypt-{volume}"), before)
        self.assert_untouched(other, blank)

    def test_the_device_of_an_attached_volume_is_in_use(self):
        _, key, device = self.attached()
        self.refused("DEVICE_IN_USE", "attach", self.volume_id(), device.path, "--key", key)

    def test_another_volumes_mapping_is_no_device(self):
        volume, key, _ = self.attached()
        self.refused("DEVICE_NOT_ALLOWED", "attach", self.volume_id(), mapping_path(volume), "--key", key)


class NamesOfOthers(NodeCase):
    def test_a_mapping_that_is_not_ours_is_never_removed(self):
        volume, key, device = self.volume_id(), self.key(), self.device(mib=8)
        name = f"volcrypt-{volume}"
        run("dmsetup", "create", name, data="0 2048 error")
        try:
            error = self.refused("MAPPING_IN_USE", "attach", volume, device.path, "--key", key)
            self.assertEqual(error["metadata"]["mapping"], name)
            self.assertFalse(self.detach(volume)["was_attached"])
            self.assertFalse(self.detach(volume, "--deferred")["was_attached"])
            self.assertFalse(self.ok("detach", "--device", mapping_path(volume))["was_attached"])
            self.refused("NOT_ATTACHED", "show", volume)
            self.refused("NOT_ATTACHED", "extend", volume, "--key", key)
            self.assertEqual(self.ok("list")["attachments"], [])
            self.assertIn(name, dm_names())
        finally:
            run("dmsetup", "remove", name)

    def test_a_mapping_of_somebody_else_over_the_device_is_not_removed(self):
        device = self.device(mib=8)
        over = self.linear(device)
        self.assertFalse(self.ok("detach", "--device", device.path)["was_attached"])
        self.assertIn(over.name, dm_names())


class Precedence(NodeCase):
    """Of several things that are wrong, the first is told: request, attachment, device, header, key."""

    def refuse(self, reason, volume, device, key):
        return self.refused(reason, "attach", volume, device, "--key", key)

    def test_what_is_wrong_with_the_device_comes_before_the_key(self):
        missing_key, volume, device = self.volume_id(), self.volume_id(), self.device(mib=8)
        self.refuse("INVALID_VOLUME_ID", "not/a/volume", "/dev/missing", missing_key)
        self.refuse("DEVICE_NOT_FOUND", volume, "/dev/missing", missing_key)
        self.refuse("DEVICE_NOT_ALLOWED", volume, "/etc/passwd", missing_key)
        self.refuse("KEY_NOT_FOUND", volume, device.path, missing_key)
        device.write(0, b"data")
        self.refuse("DEVICE_NOT_BLANK", volume, device.path, missing_key)

    def test_what_is_wrong_with_the_attachment_comes_before_device_and_key(self):
        missing_key, volume, device = self.volume_id(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, self.key())
        self.refuse("ATTACHED_DIFFERENTLY", volume, "/dev/missing", missing_key)
        self.refuse("ATTACHED_DIFFERENTLY", volume, self.device(mib=8).path, missing_key)

    def test_attach_of_what_is_attached_asks_for_no_key(self):
        volume, device = self.volume_id(), self.device(mib=8)
        self.attach(volume, device, self.key())
        self.assertTrue(self.attach(volume, device, self.volume_id())["already_attached"])

    def test_keys_that_do_not_fit(self):
        volume, device = self.volume_id(), self.device(mib=8)
        self.attach(volume, device, self.key())
        self.detach(volume)
        before = device.sha256()
        self.refuse("KEY_REJECTED", volume, device.path, self.key())
        self.refuse("KEY_NOT_FOUND", volume, device.path, self.volume_id())
        self.refuse("INVALID_KEY_ID", volume, device.path, "no key")
        self.refuse("UNKNOWN_KEY_MANAGER", volume, device.path, f"nobody:{self.volume_id()}")
        self.assert_untouched(device, before)
