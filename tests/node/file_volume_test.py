"""Volumes in regular files: the same volume as on a device, and never a loop device left behind."""

import os
import signal

from harness import BlockDevice, FileVolume, NodeCase, mapping_path, paths, wait_until
from harness.agent import is_alive
from harness.case import leftover_loops
from harness.devices import MIB, run

# Of encryptors/fail_point.h: what the worker has done when it dies.
INTENT_WRITTEN, FORMATTED, KEYSLOT_ADDED, ACTIVATING, ACTIVATED = 2, 4, 5, 10, 11


def loops_over_volumes():
    return [loop for loop in leftover_loops() if f": {paths.VOLUMES}/" in loop]


class FileVolumes(NodeCase):
    def assert_no_loop(self):
        self.assertEqual(loops_over_volumes(), [])

    def test_a_file_lives_like_a_device(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume()
        self.assert_no_loop()
        first = self.attach(volume, file, key)
        self.assertTrue(first["formatted"])
        self.assertEqual(first["device"], file.path)
        self.assertEqual(int(first["size_bytes"]), 62 * MIB)
        self.assertEqual(self.ok("show", volume)["attachment"]["device"], file.path)
        self.assertEqual([listed["device"] for listed in self.ok("list")["attachments"]], [file.path])
        self.assertEqual(len(loops_over_volumes()), 1, "the control: this is how a loop device would be found")
        BlockDevice(mapping_path(volume)).write(MIB, b"what was written")
        self.assertTrue(self.attach(volume, file, key)["already_attached"])
        self.detach(volume)
        self.assert_no_loop()

        self.assertFalse(self.attach(volume, file, key)["formatted"])
        self.assertEqual(BlockDevice(mapping_path(volume)).read(MIB, 16), b"what was written")
        self.assertTrue(self.ok("detach", "--device", file.path)["was_attached"])
        self.assert_no_loop()

    def test_a_sparse_file_stays_sparse(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=4096)
        attached = self.attach(volume, file, key)
        self.assertEqual(int(attached["size_bytes"]), 4094 * MIB)
        self.detach(volume)
        self.assertLess(os.stat(file.path).st_blocks * 512, 8 * MIB)

    def test_a_refused_attach_leaves_file_and_loop_devices_alone(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=8)
        file.write(5 * MIB, b"data")
        before = file.sha256()
        self.refused("DEVICE_NOT_BLANK", "attach", volume, file.path, "--key", key)
        self.assert_no_loop()
        self.assert_untouched(file, before)

    def test_a_wrong_key_leaves_file_and_loop_devices_alone(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=8)
        self.attach(volume, file, key)
        self.detach(volume)
        before = file.sha256()
        self.refused("KEY_REJECTED", "attach", volume, file.path, "--key", self.key())
        self.assert_no_loop()
        self.assert_untouched(file, before)

    def test_inspection_needs_no_lasting_loop_device(self):
        file = self.file_volume(mib=8)
        self.assertEqual(self.ok("inspect", file.path)["content"], "CONTENT_BLANK")
        self.assert_no_loop()

    def test_a_worker_that_dies_takes_its_loop_device_along(self):
        for point in (INTENT_WRITTEN, FORMATTED, KEYSLOT_ADDED, ACTIVATING, ACTIVATED):
            with self.subTest(fail_point=point):
                key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=8)
                self.agent.fail_at(point)
                self.refused("WORKER_FAILED", "attach", volume, file.path, "--key", key)
                self.assertFalse(self.agent.fail_point_is_pending())
                if point != ACTIVATED:
                    self.assert_no_loop()
                self.attach(volume, file, key)
                self.detach(volume)
                self.assert_no_loop()

    def test_a_worker_killed_while_it_waits_for_the_disk_takes_its_loop_device_along(self):
        disk = self.linear(self.device(mib=128))
        run("mkfs.ext4", "-q", disk.path)
        directory = self.mounted(disk, "on-a-disk")
        file = FileVolume(mib=32, name="on-a-disk/volume")
        file.write(20 * MIB, b"to be read from the disk")
        run("sync", "--file-system", file.path)
        run("mount", "-o", "remount", directory)
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as caches:
            caches.write("3")
        disk.suspend()
        calling = self.ctl.start("attach", self.volume_id(), file.path, "--key", self.key())
        worker = wait_until(self.waiting_worker, what="a worker that waits for the disk")
        os.kill(worker, signal.SIGKILL)
        disk.resume()
        self.assertEqual(self.ctl.finish(calling).reason, "WORKER_FAILED")
        self.assertFalse(is_alive(worker))
        wait_until(lambda: not loops_over_volumes(), what="the loop device to go")

    def waiting_worker(self):
        """In uninterruptible sleep, which is where a read waits."""
        return self.agent.worker_that_stays("D")

    def test_a_deferred_detach_ends_with_the_loop_device_gone(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=8)
        self.attach(volume, file, key)
        with open(mapping_path(volume), "rb"):
            self.assertTrue(self.detach(volume, "--deferred")["pending"])
            self.assertEqual(len(loops_over_volumes()), 1)
        wait_until(lambda: not loops_over_volumes(), what="the loop device to go")
        self.assert_not_attached(volume)

    def test_a_grown_file_grows_the_volume(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=16)
        self.attach(volume, file, key)
        file.grow(mib=32)
        extended = self.ok("extend", volume, "--key", key)
        self.assertEqual(int(extended["previous_size_bytes"]), 14 * MIB)
        self.assertEqual(int(extended["attachment"]["size_bytes"]), 30 * MIB)
        self.assertEqual(extended["attachment"]["device"], file.path)
        BlockDevice(mapping_path(volume)).write(30 * MIB - 512, b"x" * 512)

    def test_one_file_is_one_volume_at_a_time(self):
        key, first, second, file = self.key(), self.volume_id(), self.volume_id(), self.file_volume(mib=8)
        self.attach(first, file, key)
        self.refused("DEVICE_IN_USE", "attach", second, file.path, "--key", key)
        self.assertEqual(len(loops_over_volumes()), 1)
        self.detach(first)
        self.assertEqual(self.attach(second, file, key)["header_volume_id"], first)  # as of a clone

    def test_an_attached_file_is_not_locked_for_its_readers(self):
        volume, file = self.volume_id(), self.file_volume(mib=8)
        uuid = self.attach(volume, file, self.key())["luks_uuid"]
        self.assertEqual(run("timeout", "30", "cryptsetup", "luksUUID", file.path).strip(), uuid)

    def test_another_file_is_another_device(self):
        key, volume, file, other = self.key(), self.volume_id(), self.file_volume(mib=8), self.file_volume(mib=8)
        self.attach(volume, file, key)
        self.refused("ATTACHED_DIFFERENTLY", "attach", volume, other.path, "--key", key)
        self.assertEqual(len(loops_over_volumes()), 1)

    def test_a_file_behind_a_loop_device_of_somebody_else_is_in_use(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=8)
        loop = run("losetup", "--find", "--show", file.path).strip()
        try:
            self.refused("DEVICE_IN_USE", "attach", volume, file.path, "--key", key)
        finally:
            run("losetup", "--detach", loop)
        self.attach(volume, file, key)

    def test_a_deleted_file_breaks_the_attachment_visibly(self):
        key, volume = self.key(), self.volume_id()
        file = FileVolume(mib=8)
        self.attach(volume, file, key)
        file.close()
        (listed,) = self.ok("list")["attachments"]
        shown = self.ok("show", volume)["attachment"]
        for attachment in (listed, shown):
            self.assertEqual(attachment["state"], "STATE_BROKEN")
            self.assertEqual(attachment["device"], file.path)
            self.assertIn("deleted", attachment["state_reason"])
        self.assertTrue(self.detach(volume)["was_attached"])
        self.assert_no_loop()


class WhereFilesMayLie(NodeCase):
    def setUp(self):
        super().setUp()
        self.inside = self.file_volume(mib=8)
        self.outside = os.path.join(paths.SCRATCH, "outside")
        self.link = None
        with open(self.outside, "wb") as file:
            file.truncate(8 * MIB)

    def tearDown(self):
        os.unlink(self.outside)
        if self.link:
            os.unlink(self.link)
        super().tearDown()

    def make_link(self, directory, target):
        self.link = os.path.join(directory, "link")
        os.symlink(target, self.link)
        return self.link

    def assert_not_allowed(self, path):
        error = self.refused("DEVICE_NOT_ALLOWED", "attach", self.volume_id(), path, "--key", self.key())
        self.assertEqual(error["metadata"]["field"], "device")

    def test_a_file_outside_the_prefixes_is_refused(self):
        self.assert_not_allowed(self.outside)

    def test_a_link_inside_to_a_file_outside_is_refused(self):
        self.assert_not_allowed(self.make_link(paths.VOLUMES, self.outside))

    def test_a_link_outside_to_a_file_inside_is_the_file(self):
        key, volume = self.key(), self.volume_id()
        link = self.make_link(paths.SCRATCH, self.inside.path)
        self.assertEqual(self.attach(volume, link, key)["device"], self.inside.path)
        self.assertTrue(self.attach(volume, self.inside, key)["already_attached"])

    def test_dots_do_not_lead_out(self):
        self.assert_not_allowed(os.path.join(paths.VOLUMES, "..", "outside"))

    def test_a_directory_that_begins_like_a_prefix_is_none(self):
        directory = paths.VOLUMES + "-of-others"
        os.mkdir(directory)
        try:
            os.link(self.outside, os.path.join(directory, "file"))
            self.assert_not_allowed(os.path.join(directory, "file"))
        finally:
            os.unlink(os.path.join(directory, "file"))
            os.rmdir(directory)

    def test_what_is_no_file_is_refused(self):
        self.assert_not_allowed(paths.VOLUMES)
        self.assert_not_allowed("/dev/null")

    def test_a_missing_file_is_not_found(self):
        missing = os.path.join(paths.VOLUMES, "missing")
        self.refused("DEVICE_NOT_FOUND", "attach", self.volume_id(), missing, "--key", self.key())
