"""What an interrupted first use left behind, and somebody else since: continued only where that destroys nothing."""

import os

from harness import key_store
from harness.devices import MIB, run
from harness.first_use import (
    BLANK_PROVEN,
    FORMAT_BEGINS,
    FORMATTED,
    HEADER_END,
    INTENT_WRITTEN,
    KEYSLOT_ADDED,
    TOKEN_SET,
    FirstUseCase,
)

SECOND_HEADER = 16384
MAGIC_AND_UUID = 208  # bytes of a header that hold both


class CrashStates(FirstUseCase):
    """States between the fail points, made by hand: what crypt_format leaves when it is cut short."""

    def test_luks1_with_a_wipe_that_was_cut_short(self):
        for end in (512, MIB + 512, HEADER_END):
            with self.subTest(end=end):
                self.begin_anew()
                luks_uuid = self.interrupt(FORMAT_BEGINS, "--format", "luks1")
                self.fill_disk(0, end)
                self.assert_converged(self.attach_again("--format", "luks1"), luks_uuid, "luks1")

    def test_luks2_with_a_wipe_of_its_keyslots_that_was_cut_short(self):
        for end in (2 * SECOND_HEADER + 512, HEADER_END):
            with self.subTest(end=end):
                self.begin_anew()
                luks_uuid = self.interrupt(FORMAT_BEGINS)
                self.fill_disk(2 * SECOND_HEADER, end)
                self.assert_converged(self.attach_again(), luks_uuid, "luks2")

    def test_luks2_with_its_first_header_alone(self):
        luks_uuid = self.interrupt(FORMATTED)
        self.disk.write(SECOND_HEADER, bytes(SECOND_HEADER))
        self.assert_converged(self.attach_again(), luks_uuid, "luks2")

    def test_luks2_with_the_beginning_of_its_first_header(self):
        luks_uuid = self.interrupt(FORMATTED)
        beginning = self.disk.read(0, 512)
        self.disk.write(0, beginning + bytes(2 * SECOND_HEADER - len(beginning)))
        self.assert_converged(self.attach_again(), luks_uuid, "luks2")

    def test_the_other_format_asked_for_the_second_time(self):
        for point in (INTENT_WRITTEN, FORMATTED):
            for first, second in (("luks1", "luks2"), ("luks2", "luks1")):
                with self.subTest(point=point, first=first):
                    self.begin_anew()
                    luks_uuid = self.interrupt(point, "--format", first)
                    self.assert_converged(self.attach_again("--format", second), luks_uuid, second)

    def test_the_other_format_cut_short_too(self):
        luks_uuid = self.interrupt(FORMAT_BEGINS, "--format", "luks1")
        self.fill_disk(0, HEADER_END)
        self.assertEqual(self.interrupt(FORMAT_BEGINS, "--format", "luks2"), luks_uuid)
        self.assert_converged(self.attach_again("--format", "luks2"), luks_uuid, "luks2")

    def test_the_other_format_asked_for_when_the_first_can_be_opened(self):
        luks_uuid = self.interrupt(KEYSLOT_ADDED, "--format", "luks2")
        attached = self.attach_again("--format", "luks1")
        self.assertFalse(attached["formatted"])
        self.assert_converged(attached, luks_uuid, "luks2")


class ForeignDataSince(FirstUseCase):
    def test_a_file_system_made_meanwhile_is_left_alone(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                self.begin_anew()
                self.interrupt(FORMAT_BEGINS, "--format", luks)
                run("mkfs.ext4", "-q", self.disk.path)
                error = self.assert_refused("DEVICE_NOT_BLANK", "--format", luks)
                self.assertIn("ext4", error["message"])

    def test_data_behind_the_header_is_left_alone(self):
        """Under every state of the header, from none at all to one without a keyslot."""
        for luks in ("luks1", "luks2"):
            for point, reason in ((FORMAT_BEGINS, "DEVICE_NOT_BLANK"), (FORMATTED, "FORMAT_INCOMPLETE")):
                for offset in (HEADER_END, 3 * MIB + 1, 20 * MIB - 1):
                    with self.subTest(luks=luks, point=point, offset=offset):
                        self.begin_anew()
                        self.interrupt(point, "--format", luks)
                        self.disk.write(offset, b"x")
                        self.assert_refused(reason, "--format", luks)
                        self.assertIsNotNone(self.intent())

    def test_luks2_leaves_alone_what_is_where_its_headers_would_be_zeros(self):
        for offset in (0, 512, SECOND_HEADER, 2 * SECOND_HEADER - 1):
            with self.subTest(offset=offset):
                self.begin_anew()
                self.interrupt(FORMAT_BEGINS)
                self.disk.write(offset, b"x")
                self.assert_refused("DEVICE_NOT_BLANK")

    def test_a_second_header_alone_is_no_state_of_a_format_of_ours(self):
        self.interrupt(FORMATTED)
        self.disk.write(0, bytes(SECOND_HEADER))
        self.disk.write(SECOND_HEADER + 4096, b"}")
        self.assert_refused("HEADER_DAMAGED")

    def test_the_magic_of_another_format_is_left_alone(self):
        self.interrupt(FORMATTED)
        header = bytearray(self.disk.read(0, MAGIC_AND_UUID))
        header[168:204] = self.volume_id().encode()  # the place of the UUID
        self.disk.write(0, bytes(header))
        self.disk.write(SECOND_HEADER, bytes(SECOND_HEADER))
        self.assert_refused("HEADER_DAMAGED")


class AnotherDevice(FirstUseCase):
    """A wrong path leads to a device whose content looks like a state of the interrupted format."""

    def test_what_looks_interrupted_there_is_left_alone(self):
        for luks, offset in (("luks1", MIB), ("luks2", 2 * SECOND_HEADER)):
            with self.subTest(luks):
                self.begin_anew()
                luks_uuid = self.interrupt(FORMAT_BEGINS, "--format", luks)
                mine, self.disk = self.disk, self.device(mib=24)
                self.disk.write(offset, b"somebody's data")
                self.assert_refused("DEVICE_NOT_BLANK", "--format", luks)
                self.disk = mine
                self.disk.write(offset, b"what the wipe left")
                self.assert_converged(self.attach_again("--format", luks), luks_uuid, luks)


class FormattedElsewhereSince(FirstUseCase):
    """Another host has formatted, used or erased the volume: the intent of this one is over."""

    def test_a_header_that_the_key_opens_is_opened(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                self.begin_anew()
                self.interrupt(FORMAT_BEGINS, "--format", luks)
                theirs = self.format_elsewhere(luks, key_store.key_hex(self.user_key))
                before = self.disk.sha256()
                attached = self.attach_again()
                self.assertEqual((attached["formatted"], attached["luks_uuid"]), (False, theirs))
                self.detach(self.volume)
                self.assert_untouched(self.disk, before)
                self.assertIsNone(self.intent())
                self.assertEqual(self.known()["luks_uuid"], theirs)
                self.assertEqual(key_store.first_uses(self.volume)[0]["luks_uuid"], theirs)

    def test_a_header_that_the_key_does_not_open_is_left_alone(self):
        self.interrupt(FORMAT_BEGINS)
        self.format_elsewhere("luks2", "another passphrase")
        self.assert_refused("KEY_REJECTED")
        self.assertIsNone(self.intent(), "what was begun here is over")
        self.assert_refused("KEY_REJECTED")

    def test_a_header_without_a_keyslot_is_left_alone(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                self.begin_anew()
                self.interrupt(FORMAT_BEGINS, "--format", luks)
                self.format_elsewhere(luks, "another passphrase")
                run("cryptsetup", "luksErase", "--batch-mode", self.disk.path)
                self.assert_refused("FORMAT_INCOMPLETE")
                self.assertIsNone(self.intent())
                self.assert_refused("FORMAT_INCOMPLETE")

    def test_a_volume_of_ours_that_was_used_keeps_its_data(self):
        luks_uuid = self.interrupt(KEYSLOT_ADDED)
        data = os.urandom(8192)
        self.write_data_elsewhere(data)
        attached = self.attach_again()
        self.assertFalse(attached["formatted"])
        self.assertEqual(self.read_from_mapping(len(data)), data)
        self.assert_converged(attached, luks_uuid, "luks2")

    def test_a_volume_of_ours_that_was_used_and_erased_is_not_formatted_again(self):
        for point, reason in ((KEYSLOT_ADDED, "FORMAT_INCOMPLETE"), (TOKEN_SET, "VOLUME_ERASED")):
            with self.subTest(point=point):
                self.begin_anew()
                self.interrupt(point)
                self.write_data_elsewhere()
                run("cryptsetup", "luksErase", "--batch-mode", self.disk.path)
                self.assert_refused(reason)

    def test_nor_is_one_that_was_finished_and_erased(self):
        """Its token shows that it had a keyslot: no interrupted format leaves that."""
        self.interrupt(TOKEN_SET)
        run("cryptsetup", "luksErase", "--batch-mode", self.disk.path)
        self.assert_refused("VOLUME_ERASED")

    def test_a_wrong_key_formats_nothing(self):
        luks_uuid = self.interrupt(KEYSLOT_ADDED)
        self.assert_refused("KEY_REJECTED", key=self.key())
        self.assertIsNotNone(self.intent())
        self.assert_converged(self.attach_again(), luks_uuid, "luks2")


class OtherHosts(FirstUseCase):
    """A first use that began on one host is not continued on another."""

    def test_a_claim_of_another_host_forbids_the_format(self):
        for point in (BLANK_PROVEN, INTENT_WRITTEN):
            with self.subTest(point=point):
                self.begin_anew()
                luks_uuid = self.interrupt(point)
                with self.on_another_host():
                    error = self.assert_refused("FORMAT_INCOMPLETE")
                    self.assertIn("computenode", error["metadata"]["host"])
                    self.assertEqual(self.disk.read(0, 20 * MIB), bytes(20 * MIB))
                self.assert_converged(self.attach_again(), luks_uuid, "luks2")

    def test_so_does_a_header_without_a_keyslot(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                self.begin_anew()
                luks_uuid = self.interrupt(FORMATTED, "--format", luks)
                with self.on_another_host():
                    self.assert_refused("FORMAT_INCOMPLETE", "--format", luks)
                self.assert_converged(self.attach_again("--format", luks), luks_uuid, luks)

    def test_one_that_was_finished_there_opens(self):
        luks_uuid = self.interrupt(TOKEN_SET)
        with self.on_another_host():
            attached = self.attach_again()
            self.assertEqual((attached["formatted"], attached["luks_uuid"]), (False, luks_uuid))
            self.detach(self.volume)
        self.assert_converged(self.attach_again(), luks_uuid, "luks2")

    def test_without_records_a_header_without_a_keyslot_is_left_alone(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                self.begin_anew()
                self.interrupt(FORMATTED, "--format", luks)
                self.lose_records()
                self.assert_refused("FORMAT_INCOMPLETE", "--format", luks)

    def test_without_records_a_claim_of_this_host_is_continued_on_a_blank_device(self):
        luks_uuid = self.interrupt(INTENT_WRITTEN)
        self.lose_records()
        self.assert_converged(self.attach_again(), luks_uuid, "luks2")

    def test_a_forgotten_first_use_begins_anew(self):
        luks_uuid = self.interrupt(FORMAT_BEGINS)
        with self.on_another_host():
            self.ok("forget", self.volume, "--key", self.user_key, "--yes")
            attached = self.attach_again()
            self.assertTrue(attached["formatted"])
            self.assertNotEqual(attached["luks_uuid"], luks_uuid)
            self.detach(self.volume)
        again = self.attach_again()
        self.assertEqual((again["formatted"], again["luks_uuid"]), (False, attached["luks_uuid"]))
        self.assertIsNone(self.intent())
