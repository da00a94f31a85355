"""Devices that somebody else has, that are another volume's mapping, or that change under the operation."""

import os
import threading

from harness import NodeCase, mapping_path
from harness.devices import MIB, run
from testkit.api import ApiError


class InUse(NodeCase):
    def test_a_device_that_another_program_has_opened_exclusively_is_refused(self):
        device = self.device(mib=20)
        holder = os.open(device.path, os.O_RDONLY | os.O_EXCL)
        try:
            self.assert_in_use(device)
        finally:
            os.close(holder)
        self.assertTrue(self.attach(self.volume_id(), device, self.key())["formatted"])

    def test_a_mounted_device_is_refused(self):
        device = self.device(mib=20)
        run("mkfs.ext4", "-q", device.path)
        run("mount", "-o", "ro", device.path, "/mnt")
        try:
            self.assert_in_use(device)
        finally:
            run("umount", "/mnt")

    def test_a_device_under_a_device_mapper_device_is_refused_and_names_it(self):
        device = self.device(mib=20)
        over = self.linear(device)
        error = self.assert_in_use(device)
        self.assertIn(over.name, error["message"])
        self.assertIn(over.name, error["metadata"]["used_by"])

    def test_a_disk_of_which_a_partition_is_in_use_is_refused(self):
        device = self.device(mib=20, partitions=True)
        run("sgdisk", "--new=1:2048:0", device.path)
        run("blockdev", "--rereadpt", device.path)
        holder = os.open(f"{device.path}p1", os.O_RDONLY | os.O_EXCL)
        try:
            self.assert_in_use(device)
        finally:
            os.close(holder)

    def test_a_blank_partition_is_a_device_like_others(self):
        device = self.device(mib=20, partitions=True)
        run("sgdisk", "--new=1:2048:0", device.path)
        run("blockdev", "--rereadpt", device.path)
        self.assertTrue(self.attach(self.volume_id(), f"{device.path}p1", self.key())["formatted"])

    def test_a_file_under_a_loop_device_is_refused(self):
        file = self.file_volume(mib=20)
        loop = run("losetup", "--find", "--show", file.path).strip()
        try:
            error = self.assert_in_use(file)
        finally:
            run("losetup", "--detach", loop)
        self.assertIn(file.path, error["message"])
        self.assertTrue(self.attach(self.volume_id(), file, self.key())["formatted"])

    def test_the_device_of_an_attached_volume_is_refused_for_another(self):
        device, key, owner = self.device(mib=20), self.key(), self.volume_id()
        self.attach(owner, device, key)
        error = self.refused("DEVICE_IN_USE", "attach", self.volume_id(), device.path, "--key", key)
        self.assertIn(f"volcrypt-{owner}", error["metadata"]["used_by"])

    def test_of_two_volume_ids_on_one_device_at_once_exactly_one_wins(self):
        for device in (self.device(mib=20), self.file_volume(mib=20)):
            with self.subTest(device.path):
                volumes, key = [self.volume_id(), self.volume_id()], self.key()
                results = [
                    self.ctl.finish(process)
                    for process in [self.ctl.start("attach", volume, device.path, "--key", key) for volume in volumes]
                ]
                self.assertEqual(sorted(result.status for result in results), [0, 5], results)
                loser = next(index for index, result in enumerate(results) if result.status)
                self.assertEqual(results[loser].reason, "DEVICE_IN_USE")
                self.assertFalse(os.path.exists(mapping_path(volumes[loser])))
                winner = self.ok("show", volumes[1 - loser])["attachment"]
                self.assertEqual(winner["device"], device.path)
                self.assertEqual(self.ok("inspect", device.path)["luks"]["volume_id"], volumes[1 - loser])

    def assert_in_use(self, device):
        volume, key = self.volume_id(), self.key()
        before = device.sha256()
        error = self.refused("DEVICE_IN_USE", "attach", volume, device.path, "--key", key)
        self.assert_not_attached(volume)
        self.assert_untouched(device, before)
        return error


class LinkCase(NodeCase):
    def link(self, target):
        link = f"/dev/test-link-{self.volume_id()}"
        os.symlink(target, link)
        self.addCleanup(os.unlink, link)
        return link


class MappingsAsDevices(LinkCase):
    def test_the_mapping_of_another_volume_is_refused(self):
        device, key, owner = self.device(mib=20), self.key(), self.volume_id()
        self.attach(owner, device, key)
        before = device.sha256()
        error = self.refused("DEVICE_NOT_ALLOWED", "attach", self.volume_id(), mapping_path(owner), "--key", key)
        self.assertIn(f"volcrypt-{owner}", error["message"])
        self.assert_untouched(device, before)

    def test_the_volumes_own_mapping_is_what_is_attached_already(self):
        device, key, volume = self.device(mib=20), self.key(), self.volume_id()
        first = self.attach(volume, device, key)
        before = device.sha256()
        again = self.attach(volume, mapping_path(volume), key)
        self.assertTrue(again["already_attached"])
        self.assertEqual(again["device"], first["device"])
        self.assert_untouched(device, before)

    def test_a_callers_link_to_its_device_may_point_to_the_mapping_by_now(self):
        device, key, volume = self.device(mib=20), self.key(), self.volume_id()
        link = self.link(device.path)
        self.attach(volume, link, key)
        point(link, mapping_path(volume))
        self.assertTrue(self.attach(volume, link, key)["already_attached"])


class SwappedLink(LinkCase):
    """Whatever the link leads to at any moment: the operation stays with the device that it began with."""

    ROUNDS = 20

    def test_a_link_swapped_during_the_attach_never_leads_to_the_wrong_device(self):
        blank, data, key = self.device(mib=20), self.device(mib=20), self.key()
        data.write(5 * MIB, b"somebody's data")
        before = data.sha256()
        link, end = self.link(blank.path), threading.Event()
        flipping = threading.Thread(target=flip, args=(link, (blank.path, data.path), end))
        flipping.start()
        api, outcomes = self.new_api(), {"formatted": 0, "DEVICE_NOT_BLANK": 0}
        try:
            for _ in range(self.ROUNDS):
                outcomes[self.attach_through(api, link, key, blank)] += 1
        finally:
            end.set()
            flipping.join()
            api.close()
        self.assert_untouched(data, before)
        self.assertTrue(all(outcomes.values()), f"the swap was never met: {outcomes}")

    def attach_through(self, api, link, key, blank):
        volume = self.volume_id()
        try:
            answer = api("AttachVolume", volume_id=volume, device=link, key={"key_id": key})
        except ApiError as error:
            self.assertFalse(os.path.exists(mapping_path(volume)))
            return error.reason
        self.assertTrue(answer.formatted)
        self.assertEqual(answer.attachment.device, blank.path)
        self.assertTrue(api("DetachVolume", volume_id=volume).was_attached)
        blank.write(0, bytes(20 * MIB))
        return "formatted"


def point(link, target):
    os.symlink(target, link + ".new")
    os.rename(link + ".new", link)


def flip(link, targets, end):
    while not end.is_set():
        for target in targets:
            point(link, target)
