"""Attachments that libvirt knows: repeats, other devices, detach, extend, and libvirtd lost at every step."""

import os
import re
import stat

from harness import key_store, wait_until
from harness.agent_files import DIRECTORY  # a directory of the test's own
from harness.devices import MIB, mapping_path
from harness.libvirt import LibvirtCase, Timer

ACTIVE, BROKEN = 1, 3
AT_ONCE = 5  # seconds: less than the agent waits for a libvirtd that hangs


def shortest(call, limit):
    """The seconds that a call takes: of up to three, as a busy machine may be slow for other reasons."""
    seconds = []
    while len(seconds) < 3 and min(seconds, default=limit) >= limit:
        with Timer() as timer:
            call()
        seconds.append(timer.seconds)
    return min(seconds)


class Case(LibvirtCase):
    def setUp(self):
        super().setUp()
        self.volume, self.disk, self.user_key = self.volume_id(), self.device(mib=8), self.key()


class ForQemu(Case):
    def test_get_list_and_detach_know_it_from_libvirt_alone(self):
        attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
        self.agent.restart()
        for found in (self.one(self.volume), self.listed()[self.volume]):
            for field in ("mode", "device", "size_bytes", "luks_uuid", "libvirt_secret_uuid", "disk_encryption_xml"):
                self.assertEqual(getattr(found, field), getattr(attached, field), field)
            self.assertEqual((found.state, found.device_path), (ACTIVE, ""))
        self.assertTrue(self.detach(self.volume)["was_attached"])
        self.assertEqual(self.libvirtd.secrets(), {})
        self.assertFalse(self.detach(self.volume)["was_attached"])
        self.assert_not_attached(self.volume)

    def test_a_repeat_finds_it_attached_by_any_name_of_the_device(self):
        attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
        link = f"/dev/link-{self.volume}"
        os.symlink(self.disk.path, link)
        self.addCleanup(os.unlink, link)
        before = self.disk.sha256()
        for path in (self.disk.path, link):
            again = self.attach_for_qemu(self.volume, path, self.user_key)
            self.assertTrue(again.already_attached)
            self.assertFalse(again.formatted)
            self.assertEqual(again.attachment.libvirt_secret_uuid, attached.libvirt_secret_uuid)
            self.assertEqual(again.attachment.size_bytes, attached.size_bytes)
        self.assert_untouched(self.disk, before)
        self.assertTrue(self.api("DetachVolume", device=link).was_attached)
        self.assert_not_attached(self.volume)

    def test_a_repeat_needs_no_key(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.api("DeleteKey", key={"key_id": self.user_key}, force=True)
        self.assertTrue(self.attach_for_qemu(self.volume, self.disk, self.user_key).already_attached)

    def test_attached_differently_names_what_differs(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        other = self.device(mib=8)
        for offset in range(0, 2 * MIB, MIB):
            other.write(offset, self.disk.read(offset, MIB))
        refused = lambda device, **fields: self.attach_for_qemu_refused(
            "ATTACHED_DIFFERENTLY", self.volume, device, self.user_key, **fields
        ).metadata["differs"]
        self.assertEqual(refused(other), "device")
        self.assertEqual(refused(self.disk, read_only=True), "read-only flag")
        self.assertEqual(refused(self.disk, mode="MODE_HOST_MAPPING"), "mode")
        self.assertFalse(os.path.exists(mapping_path(self.volume)))
        self.detach(self.volume)
        self.attach(self.volume, self.disk, self.user_key)
        self.assertEqual(refused(self.disk), "mode")

    def test_no_second_volume_gets_its_device(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        for mode in ("MODE_LIBVIRT_SECRET", "MODE_HOST_MAPPING"):
            error = self.attach_for_qemu_refused("DEVICE_IN_USE", self.volume_id(), self.disk, self.user_key, mode=mode)
            self.assertEqual(error.metadata["volume_id"], self.volume)

    def test_no_second_volume_gets_its_device_by_another_name(self):
        link = f"/dev/link-{self.volume}"
        os.symlink(self.disk.path, link)
        self.addCleanup(os.unlink, link)
        node = f"/dev/node-{self.volume}"
        os.mknod(node, 0o600 | stat.S_IFBLK, os.stat(self.disk.path).st_rdev)
        self.addCleanup(os.unlink, node)
        self.attach_for_qemu(self.volume, link, self.user_key)
        before = self.disk.sha256()
        for path in (link, node, self.disk.path):
            for mode in ("MODE_LIBVIRT_SECRET", "MODE_HOST_MAPPING"):
                error = self.attach_for_qemu_refused("DEVICE_IN_USE", self.volume_id(), path, self.user_key, mode=mode)
                self.assertEqual(error.metadata["volume_id"], self.volume)
        self.assert_untouched(self.disk, before)

    def test_its_device_is_not_formatted_for_another_volume_even_when_it_reads_as_blank(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.disk.fill(bytes(MIB))
        before = self.disk.sha256()
        self.attach_for_qemu_refused(
            "DEVICE_IN_USE", self.volume_id(), self.disk, self.key(), mode="MODE_HOST_MAPPING"
        )
        self.assert_untouched(self.disk, before)

    def test_a_device_that_is_mapped_is_not_handed_to_qemu(self):
        self.attach(self.volume, self.disk, self.user_key, "--format", "luks1")
        self.attach_for_qemu_refused("DEVICE_IN_USE", self.volume_id(), self.disk, self.user_key)

    def test_without_a_device_it_is_the_secret_alone(self):
        answer = self.attach_for_qemu(self.volume, "", self.user_key)
        self.assertEqual((answer.attachment.device, answer.attachment.size_bytes), ("", 0))
        self.assert_whole_secret(self.volume, answer.attachment.libvirt_secret_uuid)
        self.assertTrue(self.attach_for_qemu(self.volume, "", self.user_key).already_attached)
        self.api_refused("ATTACHED_DIFFERENTLY", "ExtendVolume", volume_id=self.volume)
        self.attach_for_qemu_refused("KEY_NOT_FOUND", self.volume_id(), "", self.volume_id())

    def test_it_is_extended_to_what_the_guest_can_see(self):
        before = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment.size_bytes
        self.disk.grow(mib=16)
        extended = self.api("ExtendVolume", volume_id=self.volume)
        self.assertEqual((extended.previous_size_bytes, extended.attachment.size_bytes), (before, before + 8 * MIB))
        self.assertEqual(extended.attachment.mode, 2)
        self.assertEqual(self.one(self.volume).size_bytes, before + 8 * MIB)
        again = self.api("ExtendVolume", volume_id=self.volume)
        self.assertEqual(again.previous_size_bytes, again.attachment.size_bytes)

    def test_a_kept_secret_stays_attached(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.assertTrue(self.api("DetachVolume", volume_id=self.volume, keep_libvirt_secret=True).was_attached)
        self.assertEqual(self.one(self.volume).state, ACTIVE)

    def test_it_cannot_be_forgotten_while_it_is_attached(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.api_refused("DEVICE_IN_USE", "ForgetVolume", volume_id=self.volume)
        self.detach(self.volume)
        self.api("ForgetVolume", volume_id=self.volume)

    def test_a_secret_of_somebody_else_is_named_and_left_alone(self):
        os.makedirs(DIRECTORY, exist_ok=True)
        uuid = "11111111-2222-4333-8444-555555555555"
        text = f"<secret ephemeral='yes'><uuid>{uuid}</uuid><usage type='volume'><volume>{self.volume}</volume></usage></secret>"
        self.libvirtd.define_secret(text, DIRECTORY)
        error = self.attach_for_qemu_refused("ATTACHED_DIFFERENTLY", self.volume, self.disk, self.user_key)
        self.assertIn(uuid, error.message)
        self.assertFalse(self.detach(self.volume)["was_attached"])
        self.assertEqual(self.libvirtd.secrets(), {self.volume: uuid})
        self.libvirtd.undefine_secret(uuid)


class BesideAMapping(Case):
    def test_it_comes_and_goes_with_the_mapping(self):
        attached = self.attach_with_secret(self.volume, self.disk, self.user_key).attachment
        self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)
        self.assertEqual(attached.device_path, mapping_path(self.volume))
        # What the mapping shows is decrypted already.
        self.assertEqual(attached.disk_encryption_xml, "")
        self.assertEqual(self.one(self.volume).libvirt_secret_uuid, attached.libvirt_secret_uuid)
        self.detach(self.volume)
        self.assertEqual(self.libvirtd.secrets(), {})

    def test_it_is_kept_when_asked(self):
        self.attach_with_secret(self.volume, self.disk, self.user_key)
        self.api("DetachVolume", volume_id=self.volume, keep_libvirt_secret=True)
        self.assertEqual(list(self.libvirtd.secrets()), [self.volume])
        self.assert_not_attached(self.volume)
        self.detach(self.volume)
        self.assertEqual(self.libvirtd.secrets(), {})

    def test_a_mapping_that_was_there_gets_one_later_with_the_right_key_alone(self):
        self.attach(self.volume, self.disk, self.user_key)
        fields = {"volume_id": self.volume, "device": self.disk.path, "register_libvirt_secret": True}
        self.api_refused("KEY_REJECTED", "AttachVolume", key={"key_id": self.key()}, **fields)
        self.assertEqual(self.libvirtd.secrets(), {})
        answer = self.attach_with_secret(self.volume, self.disk, self.user_key)
        self.assertTrue(answer.already_attached)
        self.assert_whole_secret(self.volume, answer.attachment.libvirt_secret_uuid)

    def test_the_mapping_goes_with_a_secret_that_cannot_be_made(self):
        os.makedirs(DIRECTORY, exist_ok=True)
        uuid = "11111111-2222-4333-8444-555555555555"
        text = f"<secret ephemeral='yes'><uuid>{uuid}</uuid><usage type='volume'><volume>{self.volume}</volume></usage></secret>"
        self.libvirtd.define_secret(text, DIRECTORY)
        fields = {"volume_id": self.volume, "device": self.disk.path, "key": {"key_id": self.user_key}}
        self.api_refused("ATTACHED_DIFFERENTLY", "AttachVolume", register_libvirt_secret=True, **fields)
        self.assert_unmapped(self.volume)
        self.libvirtd.undefine_secret(uuid)


class LibvirtdLost(Case):
    def lose_secrets(self, how):
        if how == "libvirtd was restarted":
            self.libvirtd.restart()
        elif how == "libvirtd and the agent were restarted":
            self.agent.stop()
            self.libvirtd.restart()
            self.agent.start()
        else:
            for uuid in self.libvirtd.secrets().values():
                self.libvirtd.undefine_secret(uuid)

    def test_a_lost_secret_is_seen_and_healed_under_its_uuid(self):
        ways = ("libvirtd was restarted", "libvirtd and the agent were restarted", "undefined behind our back")
        for how in ways:
            for attach in (self.attach_for_qemu, self.attach_with_secret):
                with self.subTest(how=how, attach=attach.__name__):
                    uuid = attach(self.volume, self.disk, self.user_key).attachment.libvirt_secret_uuid
                    self.lose_secrets(how)
                    for found in (self.one(self.volume), self.listed()[self.volume]):
                        self.assertEqual(found.state, BROKEN, found)
                        self.assertIn("secret is gone; attach it again", found.state_reason)
                    healed = attach(self.volume, self.disk, self.user_key)
                    self.assertTrue(healed.already_attached)
                    self.assertEqual(healed.attachment.libvirt_secret_uuid, uuid)
                    self.assertEqual(self.one(self.volume).state, ACTIVE)
                    self.assert_whole_secret(self.volume, uuid)
                    self.lose_secrets(how)
                    self.assertTrue(self.detach(self.volume)["was_attached"])
                    self.assert_not_attached(self.volume)

    def test_only_the_right_key_heals(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.lose_secrets("libvirtd was restarted")
        self.attach_for_qemu_refused("KEY_REJECTED", self.volume, self.disk, self.key())
        self.assertEqual(self.libvirtd.secrets(), {})
        self.assertEqual(self.one(self.volume).state, BROKEN)

    def while_away(self, told_within):
        """Nothing that asks nothing of libvirt waits for it; the rest is told so, within `told_within` seconds a call."""
        disk, volume = self.device(mib=8), self.volume_id()
        calls = (
            (AT_ONCE, lambda: self.attach(volume, disk, self.user_key)),
            (AT_ONCE, lambda: self.one(volume)),
            (told_within, lambda: self.assertEqual(list(self.api("ListAttachments").unreachable), ["libvirt"])),
            (AT_ONCE, lambda: self.detach(volume)),
            (told_within, lambda: self.attach_for_qemu_refused("LIBVIRT_UNAVAILABLE", volume, disk, self.user_key, timeout=20)),
            (told_within, lambda: self.api_refused("LIBVIRT_UNAVAILABLE", "GetAttachment", volume_id=self.volume, timeout=20)),
            (AT_ONCE, lambda: self.api("GetInfo")),
        )
        for number, (limit, call) in enumerate(calls):
            with self.subTest(number=number):
                self.assertLess(shortest(call, limit), limit)
        self.assert_unmapped(volume)

    def test_while_it_is_absent_everything_else_works(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.libvirtd.kill()
        self.while_away(told_within=AT_ONCE)
        self.libvirtd.start()
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.assertEqual(self.one(self.volume).state, ACTIVE)

    def test_what_qemu_decrypts_is_not_mapped_while_it_is_away(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        for away, back in ((self.libvirtd.freeze, self.libvirtd.resume), (self.libvirtd.kill, self.libvirtd.start)):
            away()
            for volume, reason in ((self.volume, "ATTACHED_DIFFERENTLY"), (self.volume_id(), "DEVICE_IN_USE")):
                self.attach_for_qemu_refused(reason, volume, self.disk, self.user_key, mode="MODE_HOST_MAPPING")
                self.assert_unmapped(volume)
            back()

    def test_while_it_hangs_everything_else_works(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.libvirtd.freeze()
        self.while_away(told_within=25)
        self.libvirtd.resume()
        wait_until(lambda: not self.api("ListAttachments").unreachable, 30, "libvirt to be reached")
        self.assertEqual(self.one(self.volume).state, ACTIVE)

    def test_a_secret_that_was_left_behind_is_removed_later_even_by_another_agent(self):
        for restart in (False, True):
            with self.subTest(restart=restart):
                uuid = self.attach_with_secret(self.volume, self.disk, self.user_key).attachment.libvirt_secret_uuid
                self.libvirtd.freeze()
                self.assertTrue(self.detach(self.volume)["was_attached"])
                self.assertIn("left behind until libvirt answers", self.agent_log())
                if restart:
                    self.agent.stop()
                self.libvirtd.resume()
                if restart:  # otherwise the agent is at it already
                    self.assertEqual(self.libvirtd.secrets(), {self.volume: uuid})
                    self.agent.start()
                wait_until(lambda: not self.libvirtd.secrets(), 30, "the secret to be removed")

    def test_it_comes_and_goes_under_many_calls_and_all_ends_well(self):
        disks = {self.volume_id(): self.device(mib=8) for _ in range(6)}
        for volume, disk in disks.items():
            self.attach_for_qemu(volume, disk, self.user_key)
            self.detach(volume)
        fields = {"key": {"key_id": self.user_key}, "mode": "MODE_LIBVIRT_SECRET"}
        calls = [
            self.api.start("AttachVolume", volume_id=volume, device=disk.path, **fields)
            for volume, disk in disks.items()
            for _ in range(2)
        ]
        self.libvirtd.restart()
        answers = [re.search(r"^\w+", str(call.exception() and call.exception().code().name or "OK")).group() for call in calls]
        self.assertLessEqual(set(answers), {"OK", "UNAVAILABLE", "ABORTED"}, answers)
        for volume, disk in disks.items():
            self.attach_for_qemu(volume, disk, self.user_key)
        secrets = self.libvirtd.secrets()
        self.assertEqual(set(secrets), set(disks))
        for volume, uuid in secrets.items():
            self.assert_whole_secret(volume, uuid)
            self.assertEqual(self.one(volume).state, ACTIVE)

    def test_no_passphrase_is_in_a_log(self):
        self.attach_with_secret(self.volume, self.disk, self.user_key)
        self.libvirtd.kill()
        self.attach_for_qemu_refused("LIBVIRT_UNAVAILABLE", self.volume_id(), self.device(mib=8), self.user_key)
        self.libvirtd.start()
        self.attach_with_secret(self.volume, self.disk, self.user_key)
        for path in (self.agent.log_path, self.libvirtd.log_path):
            with open(path, encoding="utf-8", errors="replace") as file:
                self.assertNotIn(key_store.key_hex(self.user_key)[:32], file.read(), path)


class Persistent(Case):
    config = LibvirtCase.config + 'secrets = "persistent"\n'

    def test_they_outlive_libvirtd(self):
        attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
        self.assertEqual(self.libvirtd.secret_xml(attached.libvirt_secret_uuid).get("ephemeral"), "no")
        self.libvirtd.restart()
        self.assertEqual(self.one(self.volume).state, ACTIVE)
        self.assertTrue(self.attach_for_qemu(self.volume, self.disk, self.user_key).already_attached)
