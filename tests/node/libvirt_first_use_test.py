"""Volumes that QEMU decrypts: the same first use as with a mapping, LUKS1 alone, and no mapping left."""

import os

from harness import key_store, paths
from harness.devices import MIB, mapping_path, run
from harness.first_use import ACTIVATED, INTENT_WRITTEN, FirstUseCase, fail_points, has_intent
from harness.libvirt import LibvirtCase, passphrase_of


class FirstUse(LibvirtCase, FirstUseCase):
    def test_a_blank_device_becomes_luks1_and_its_key_opens_it(self):
        answer = self.attach_for_qemu(self.volume, self.disk, self.user_key)
        attached = answer.attachment
        self.assertTrue(answer.formatted)
        self.assertFalse(answer.already_attached)
        self.assertEqual((attached.device, attached.device_path), (self.disk.path, ""))
        self.assertEqual(attached.encryption.format, 1)  # FORMAT_LUKS1
        self.assertEqual(attached.size_bytes, self.disk.size() - 2 * MIB)
        self.assertEqual(
            attached.disk_encryption_xml,
            f"<encryption format='luks'><secret type='passphrase' uuid='{attached.libvirt_secret_uuid}'/></encryption>",
        )
        self.assert_unmapped(self.volume)
        self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)
        self.assertEqual(run("cryptsetup", "luksUUID", self.disk.path).strip(), attached.luks_uuid)
        run("cryptsetup", "open", "--test-passphrase", "--key-file", "-", self.disk.path, data=passphrase_of(self.user_key))
        self.assertEqual(self.known()["luks_uuid"], attached.luks_uuid)
        self.assertIsNone(self.intent())
        (record,) = key_store.first_uses(self.volume)
        self.assertEqual((record["state"], record["luks_uuid"]), ("formatted", attached.luks_uuid))

    def test_an_interrupted_one_converges_at_every_point(self):
        for point in fail_points("luks1"):
            with self.subTest(point=point):
                self.begin_anew(mib=8)
                self.agent.fail_at(point)
                self.attach_for_qemu_refused("WORKER_FAILED", self.volume, self.disk, self.user_key)
                self.assertFalse(self.agent.fail_point_is_pending(), f"fail point {point} was not passed")
                (claim,) = key_store.first_uses(self.volume)
                self.assertEqual(self.intent() is not None, has_intent(point))
                self.assert_unmapped(self.volume)
                self.assertNotIn(self.volume, self.libvirtd.secrets())
                attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
                self.assertEqual(attached.luks_uuid, claim["luks_uuid"])
                self.assertIsNone(self.intent())
                (record,) = key_store.first_uses(self.volume)
                self.assertEqual((record["state"], record["luks_uuid"]), ("formatted", claim["luks_uuid"]))
                self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)
                self.detach(self.volume)
        self.assertEqual(point, ACTIVATED)

    def test_interrupted_for_qemu_it_is_finished_with_a_mapping_and_the_other_way_round(self):
        point = INTENT_WRITTEN + 1
        self.agent.fail_at(point)
        self.attach_for_qemu_refused("WORKER_FAILED", self.volume, self.disk, self.user_key)
        (claim,) = key_store.first_uses(self.volume)
        attached = self.attach(self.volume, self.disk, self.user_key, "--format", "luks1")
        self.assert_converged(attached, claim["luks_uuid"], "luks1")
        self.begin_anew()
        luks_uuid = self.interrupt(point, "--format", "luks1")
        attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
        self.assertEqual(attached.luks_uuid, luks_uuid)

    def refused_untouched(self, reason, **fields):
        before = self.disk.sha256()
        error = self.attach_for_qemu_refused(reason, self.volume, self.disk, self.user_key, **fields)
        self.assert_untouched(self.disk, before)
        self.assertEqual(self.libvirtd.secrets(), {})
        self.assert_not_attached(self.volume)
        return error

    def test_what_is_not_blank_is_left_alone(self):
        run("mkfs.ext4", "-q", self.disk.path)
        self.assertIn("ext4", self.refused_untouched("DEVICE_NOT_BLANK").message)
        self.begin_anew()
        self.disk.write(self.disk.size() - 512, b"data")
        self.refused_untouched("DEVICE_NOT_BLANK")

    def test_a_caller_may_refuse_it(self):
        self.refused_untouched("VOLUME_NOT_FORMATTED", first_use="FIRST_USE_REFUSE")
        self.refused_untouched("VOLUME_NOT_FORMATTED", read_only=True)

    def test_a_device_without_room_is_refused(self):
        self.begin_anew(mib=2)
        self.refused_untouched("DEVICE_TOO_SMALL")

    def test_a_known_volume_that_reads_as_zeros_is_not_formatted_again(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.detach(self.volume)
        self.disk.write(0, bytes(4 * MIB))
        self.refused_untouched("VOLUME_HEADER_LOST")
        self.lose_records()
        self.refused_untouched("VOLUME_HEADER_LOST")

    def test_an_attached_volume_is_not_formatted_whatever_its_device_shows(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        other = self.device(mib=8)
        before = other.sha256()
        self.lose_records()
        key_store.drop_first_uses(self.volume)
        self.attach_for_qemu_refused("VOLUME_NOT_FORMATTED", self.volume, other, self.user_key)
        self.assert_untouched(other, before)

    def test_luks2_is_refused_with_the_reason(self):
        self.attach(self.volume, self.disk, self.user_key)
        self.detach(self.volume)
        error = self.refused_untouched("HEADER_MISMATCH")
        self.assertIn("QEMU opens LUKS1 alone", error.message)
        self.assertIn("MODE_HOST_MAPPING", error.message)
        self.begin_anew()
        error = self.refused_untouched("UNSUPPORTED_ENCRYPTION", encryption={"format": "FORMAT_LUKS2"})
        self.assertIn("LUKS1", error.message)

    def test_a_wrong_key_registers_nothing(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.detach(self.volume)
        right, self.user_key = self.user_key, self.key()
        self.refused_untouched("KEY_REJECTED")
        self.user_key = right
        self.assertFalse(self.attach_for_qemu(self.volume, self.disk, right).formatted)

    def test_luks1_of_cryptsetup_is_opened_and_not_written_to(self):
        self.format_elsewhere("luks1", key_store.key_hex(self.user_key))
        before = self.disk.sha256()
        for read_only in (False, True):
            attached = self.attach_for_qemu(self.volume, self.disk, self.user_key, read_only=read_only).attachment
            self.assertEqual(attached.read_only, read_only)
            self.assertEqual(self.one(self.volume).read_only, read_only)
            self.detach(self.volume)
        self.assert_untouched(self.disk, before)

    def test_without_libvirt_nothing_is_written_to_a_blank_device(self):
        self.libvirtd.kill()
        before = self.disk.sha256()
        self.attach_for_qemu_refused("LIBVIRT_UNAVAILABLE", self.volume, self.disk, self.user_key)
        self.assert_untouched(self.disk, before)
        self.assertEqual(key_store.first_uses(self.volume), [])

    def test_a_file_leaves_no_loop_device(self):
        file, volume = self.file_volume(mib=8), self.volume_id()
        answer = self.attach_for_qemu(volume, file, self.user_key)
        self.assertTrue(answer.formatted)
        self.assertEqual(answer.attachment.device, file.path)
        self.assert_unmapped(volume)
        self.assertTrue(self.attach_for_qemu(volume, file, self.user_key).already_attached)
        self.assert_unmapped(volume)

    def test_no_passphrase_is_in_a_log_or_a_record(self):
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        secret = key_store.key_hex(self.user_key)
        self.detach(self.volume)
        places = [self.agent.log_path, self.libvirtd.log_path]
        for parent in (os.path.join(paths.AGENT_STATE, "libvirt-secrets"), paths.HELPER_STATE):
            places += [os.path.join(directory, name) for directory, _, names in os.walk(parent) for name in names]
        for path in places:
            with open(path, encoding="utf-8", errors="replace") as file:
                self.assertNotIn(secret[:32], file.read(), path)
        self.assertFalse(os.path.exists(mapping_path(self.volume)))
