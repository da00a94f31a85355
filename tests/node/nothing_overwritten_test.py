"""A device that is not blank is refused, with what was found where, and stays as it is, byte for byte."""

import os
import struct
import uuid

from harness import NodeCase, key_store, paths
from harness.devices import MIB, run


class RefusalCase(NodeCase):
    """Attaches with first use allowed what must be refused."""

    def assert_refused(self, reason, device, *words, found=None):
        """`found`: where its message must say that data begins."""
        volume, key = self.volume_id(), self.key()
        before = device.sha256()
        error = self.refused(reason, "attach", volume, device.path, "--key", key, "--first-use", "format-if-blank")
        self.assert_untouched(device, before)
        self.assert_not_attached(volume)
        for word in (*words, device.path, *([] if found is None else [f"byte {found}"])):
            self.assertIn(word, error["message"])
        self.assertEqual(key_store.first_uses(volume), [], "a claim that nobody will ever confirm")
        self.assertFalse(os.path.exists(os.path.join(paths.HELPER_STATE, "intents", volume)))
        return error


class ForeignContent(RefusalCase):
    def test_ext4(self):
        device = self.device(mib=32)
        run("mkfs.ext4", "-q", device.path)
        error = self.assert_refused("DEVICE_NOT_BLANK", device, "ext4", found=1080)
        self.assertIn("ext4", error["metadata"]["found"])

    def test_xfs(self):
        device = self.device(mib=320)  # mkfs.xfs makes none smaller
        run("mkfs.xfs", "-q", device.path)
        self.assert_refused("DEVICE_NOT_BLANK", device, "xfs", found=0)

    def test_swap(self):
        device = self.device(mib=32)
        run("mkswap", device.path)
        self.assert_refused("DEVICE_NOT_BLANK", device, "swap", found=4086)

    def test_an_lvm_physical_volume(self):
        device = self.device(mib=32)
        run("pvcreate", "--config", "devices { use_devicesfile = 0 }", "-y", device.path)
        self.assert_refused("DEVICE_NOT_BLANK", device, "LVM2_member", found=536)

    def test_a_raid_member_with_its_superblock_near_the_beginning(self):
        device = self.raid_member("1.2")
        self.assert_refused("DEVICE_NOT_BLANK", device, "linux_raid_member", found=4096)

    def test_a_raid_member_with_its_superblock_at_the_end(self):
        for metadata in ("0.90", "1.0"):
            with self.subTest(metadata):
                device = self.raid_member(metadata)
                self.assertEqual(device.read(0, 16 * MIB).strip(b"\0"), b"", "all of it is at the end")
                self.assert_refused("DEVICE_NOT_BLANK", device, "linux_raid_member")

    def test_an_mbr(self):
        device = self.device(mib=32)
        partition = struct.pack("<B3sB3sII", 0x80, b"\0\x20\x21", 0x83, b"\0\x30\x21", 2048, 8192)
        device.write(446, partition)
        device.write(510, b"\x55\xaa")
        self.assert_refused("DEVICE_NOT_BLANK", device, "dos", found=510)

    def test_a_gpt(self):
        self.assert_refused("DEVICE_NOT_BLANK", self.partitioned(), "gpt", found=512)

    def test_a_gpt_of_which_only_the_backup_is_left(self):
        device = self.partitioned()
        device.write(0, bytes(MIB))
        self.assert_refused("DEVICE_NOT_BLANK", device, "gpt", found=32 * MIB - 512)

    def test_a_file_with_a_file_system(self):
        volume = self.file_volume(mib=32)
        run("mkfs.ext4", "-q", volume.path)
        self.assert_refused("DEVICE_NOT_BLANK", volume, "ext4")

    def test_several_signatures_are_all_named(self):
        device = self.device(mib=32)
        run("mkfs.ext4", "-q", "-E", "nodiscard", device.path)
        backup_gpt = 33 * 512  # 32 sectors of entries and the header
        device.write(32 * MIB - backup_gpt, self.partitioned().read(32 * MIB - backup_gpt, backup_gpt))
        self.assert_refused("DEVICE_NOT_BLANK", device, "ext4", "gpt")

    def partitioned(self):
        device = self.device(mib=32)
        run("sgdisk", "--new=1:2048:8191", device.path)
        return device

    def raid_member(self, metadata):
        run("modprobe", "raid1")
        device = self.device(mib=32)
        run("mdadm", "--create", "/dev/md0", "--run", "--level=1", "--raid-devices=2", f"--metadata={metadata}",
            device.path, "missing")  # fmt: skip
        run("mdadm", "--stop", "/dev/md0")
        return device


class DataOfUnknownKind(RefusalCase):
    def test_data_at_eight_mebibytes_alone(self):
        device = self.device(mib=32)
        device.write(8 * MIB, b"somebody's data")
        self.assert_refused("DEVICE_NOT_BLANK", device, found=8 * MIB)

    def test_data_in_the_last_mebibyte_alone(self):
        device = self.device(mib=64)
        device.write(63 * MIB + 777, b"x")
        self.assert_refused("DEVICE_NOT_BLANK", device, found=63 * MIB + 777)

    def test_data_in_the_last_sector_alone(self):
        device = self.device(mib=20.5)
        device.write(device.size() - 1, b"\x01")
        self.assert_refused("DEVICE_NOT_BLANK", device, found=device.size() - 1)

    def test_data_in_the_tail_of_a_device_whose_size_is_no_multiple_of_a_page(self):
        device = self.device(mib=64 + 512 / MIB)
        device.write(device.size() - 512, b"\x01")
        self.assert_refused("DEVICE_NOT_BLANK", device, found=device.size() - 512)

    def test_a_single_byte_anywhere_in_the_first_16_mebibytes(self):
        device = self.device(mib=64)
        for offset in (0, 1, 511, 3 * MIB + 4095, 16 * MIB - 1):
            with self.subTest(offset=offset):
                device.write(offset, b"\x80")
                self.assert_refused("DEVICE_NOT_BLANK", device, found=offset)
                device.write(offset, b"\0")

    def test_data_in_the_middle_of_a_large_device(self):
        device = self.device(mib=8 * 1024)
        # 256 places of 8 GiB are looked at, which 34 MiB cannot escape.
        begin, stretch = 3 * 1024 * MIB, b"\xff" * (34 * MIB)
        device.write(begin, stretch)
        allocated = os.stat(device.file).st_blocks
        error = self.refused("DEVICE_NOT_BLANK", "attach", self.volume_id(), device.path, "--key", self.key())
        self.assertRegex(error["message"], r"data of an unknown kind at byte 32[2-5]\d{7}")
        self.assertEqual(device.read(begin, len(stretch)), stretch)
        self.assertEqual(os.stat(device.file).st_blocks, allocated, "something was written elsewhere")


class DamagedHeaders(RefusalCase):
    def test_luks1_with_a_damaged_magic(self):
        device = self.formatted("luks1")
        device.write(0, b"l")
        self.assert_refused("DEVICE_NOT_BLANK", device, found=0)

    def test_luks1_with_an_unknown_version(self):
        device = self.formatted("luks1")
        device.write(6, b"\x00\x07")
        self.assert_refused("HEADER_DAMAGED", device, "LUKS")

    def test_luks2_with_both_magics_damaged(self):
        device = self.formatted("luks2")
        device.write(0, b"l")
        device.write(16384, b"s")
        self.assert_refused("DEVICE_NOT_BLANK", device, found=0)

    def test_luks2_with_its_second_header_alone_and_damaged(self):
        device = self.formatted("luks2")
        device.write(0, bytes(16384))
        device.write(16384 + 4096, b"}")
        self.assert_refused("HEADER_DAMAGED", device, "second")

    def test_luks2_with_both_metadata_areas_damaged(self):
        device = self.formatted("luks2")
        for header in (0, 16384):
            device.write(header + 4096, b"}")
        self.assert_refused("HEADER_DAMAGED", device, "first")

    def test_luks2_with_an_unknown_version(self):
        device = self.formatted("luks2")
        for header in (0, 16384):
            device.write(header + 6, b"\x00\x07")
        self.assert_refused("HEADER_DAMAGED", device)

    def test_luks_without_any_keyslot(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                device = self.formatted(luks)
                run("cryptsetup", "luksErase", "--batch-mode", device.path)
                self.assert_refused("FORMAT_INCOMPLETE", device, "without any keyslot")

    def test_luks2_with_one_damaged_copy_opens_and_is_not_repaired(self):
        for copy in (0, 16384):
            with self.subTest(copy=copy):
                volume, device, key = self.volume_id(), self.device(mib=20), self.key()
                uuid_before = self.attach(volume, device, key)["luks_uuid"]
                self.detach(volume)
                device.write(copy, bytes(4096))
                before = device.sha256()
                attached = self.attach(volume, device, key)
                self.assertEqual(attached["luks_uuid"], uuid_before)
                self.detach(volume)
                self.assert_untouched(device, before)

    def formatted(self, luks):
        """By cryptsetup, with the sizes that volcrypt uses, so that header copies stand where the tests look."""
        device = self.device(mib=20)
        sizes = ["--luks2-metadata-size=16k", "--luks2-keyslots-size=2064384"] if luks == "luks2" else []
        run("cryptsetup", "luksFormat", "--batch-mode", "--type", luks, "--offset", "4096", *sizes, "--pbkdf", "pbkdf2",
            "--pbkdf-force-iterations", "1000", "--uuid", str(uuid.uuid4()), "--key-file", "-", device.path,
            data=b"passphrase")  # fmt: skip
        return device


class FormattedVolumes(NodeCase):
    """Attach writes in first use only: a volume may be open on another host while it migrates."""

    def test_attach_and_detach_of_a_formatted_volume_write_not_one_byte(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                volume, device, key = self.volume_id(), self.device(mib=20), self.key()
                self.attach(volume, device, key, "--format", luks)
                self.detach(volume)
                self.assert_written_nothing(volume, device, key)

    def test_nor_do_they_to_one_that_another_program_formatted(self):
        for options in (["--type", "luks2"], ["--type", "luks1"]):
            with self.subTest(options):
                volume, device, key = self.volume_id(), self.device(mib=32), self.key()
                run("cryptsetup", "luksFormat", "--batch-mode", *options, "--cipher", "aes-xts-plain64", "--key-size",
                    "256", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-", device.path,
                    data=key_store.key_hex(key).encode())  # fmt: skip
                self.assert_written_nothing(volume, device, key)

    def test_nor_does_a_wrong_key(self):
        volume, device = self.volume_id(), self.device(mib=20)
        self.attach(volume, device, self.key())
        self.detach(volume)
        before = device.sha256()
        self.refused("KEY_REJECTED", "attach", volume, device.path, "--key", self.key())
        self.assert_untouched(device, before)
        self.assert_not_attached(volume)

    def assert_written_nothing(self, volume, device, key):
        before = device.sha256()
        self.assertFalse(self.attach(volume, device, key)["formatted"])
        self.detach(volume)
        self.assert_untouched(device, before)
