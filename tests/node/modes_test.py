"""What an attachment can be asked to be: read-only, with discards, of other sectors, ciphers, sizes and names."""

import os

from harness import BlockDevice, NodeCase, mapping_path, paths
from harness.devices import MIB, run


def table(volume_id):
    """The words of the mapping's table, without the volume key."""
    return run("dmsetup", "table", f"volcrypt-{volume_id}").split()


class ReadOnly(NodeCase):
    def setUp(self):
        super().setUp()
        self.volume, self.key_id, self.disk = self.volume_id(), self.key(), self.device(mib=8)
        self.attach(self.volume, self.disk, self.key_id)
        BlockDevice(mapping_path(self.volume)).write(0, b"what was written")
        self.detach(self.volume)

    def test_the_kernel_refuses_writes(self):
        before = self.disk.sha256()
        self.assertTrue(self.attach(self.volume, self.disk, self.key_id, "--read-only")["read_only"])
        mapping = BlockDevice(mapping_path(self.volume))
        self.assertEqual(mapping.read(0, 16), b"what was written")
        with self.assertRaises(PermissionError):
            mapping.write(0, b"something else..")
        self.assertTrue(self.ok("show", self.volume)["attachment"]["read_only"])
        self.detach(self.volume)
        self.assert_untouched(self.disk, before)

    def test_the_flag_of_an_attachment_does_not_change_by_attaching(self):
        for first, second in ((["--read-only"], []), ([], ["--read-only"])):
            self.attach(self.volume, self.disk, self.key_id, *first)
            self.assertTrue(self.attach(self.volume, self.disk, self.key_id, *first)["already_attached"])
            call = ["attach", self.volume, self.disk.path, "--key", self.key_id, *second]
            error = self.refused("ATTACHED_DIFFERENTLY", *call)
            self.assertEqual(error["metadata"]["differs"], "read-only flag")
            self.detach(self.volume)

    def test_a_write_protected_device_opens_read_only_alone(self):
        run("blockdev", "--setro", self.disk.path)
        try:
            self.refused("DEVICE_READ_ONLY", "attach", self.volume, self.disk.path, "--key", self.key_id)
            self.assertTrue(self.attach(self.volume, self.disk, self.key_id, "--read-only")["read_only"])
            self.detach(self.volume)
        finally:
            run("blockdev", "--setrw", self.disk.path)

    def test_a_blank_device_is_not_formatted_read_only(self):
        blank = self.device(mib=8)
        before = blank.sha256()
        call = ["attach", self.volume_id(), blank.path, "--key", self.key_id, "--read-only"]
        self.refused("VOLUME_NOT_FORMATTED", *call)
        self.assert_untouched(blank, before)

    def test_a_file_is_attached_read_only(self):
        file, volume = self.file_volume(mib=8), self.volume_id()
        self.attach(volume, file, self.key_id)
        self.detach(volume)
        before = file.sha256()
        self.attach(volume, file, self.key_id, "--read-only")
        with self.assertRaises(PermissionError):
            BlockDevice(mapping_path(volume)).write(0, b"x" * 512)
        self.detach(volume)
        self.assert_untouched(file, before)


class Discards(NodeCase):
    def test_they_pass_through_only_when_asked(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        for options, allowed in (([], False), (["--allow-discards"], True), ([], False)):
            self.attach(volume, device, key, *options)
            self.assertEqual("allow_discards" in table(volume), allowed, table(volume))
            if allowed:
                run("blkdiscard", "--offset", str(MIB), "--length", str(MIB), mapping_path(volume))
            self.detach(volume)

    def test_asking_for_others_later_answers_what_is(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key)
        self.assertTrue(self.attach(volume, device, key, "--allow-discards")["already_attached"])
        self.assertNotIn("allow_discards", table(volume))


class Sectors(NodeCase):
    def attached(self, device, **encryption):
        fields = {"volume_id": self.volume_id(), "device": device.path, "key": {"key_id": self.key()}}
        found = self.api("AttachVolume", encryption=encryption, **fields).attachment.encryption.sector_size_bytes
        self.assertEqual(f"sector_size:{found}" in table(fields["volume_id"]), found != 512)
        self.detach(fields["volume_id"])
        self.assertEqual(self.api("AttachVolume", **fields).attachment.encryption.sector_size_bytes, found)
        return found

    def refuse(self, device, **encryption):
        before = device.sha256()
        fields = {"volume_id": self.volume_id(), "device": device.path, "key": {"key_id": self.key()}}
        error = self.api_refused("UNSUPPORTED_ENCRYPTION", "AttachVolume", encryption=encryption, **fields)
        self.assertEqual(error.metadata["field"], "encryption.sector_size_bytes")
        self.assert_untouched(device, before)

    def test_they_are_those_of_the_device(self):
        self.assertEqual(self.attached(self.device(mib=8)), 512)
        self.assertEqual(self.attached(self.device(mib=8, sector_size=4096)), 4096)

    def test_they_are_those_that_were_asked_for(self):
        self.assertEqual(self.attached(self.device(mib=8), sector_size_bytes=512), 512)
        self.assertEqual(self.attached(self.device(mib=8), sector_size_bytes=4096), 4096)
        self.assertEqual(self.attached(self.device(mib=8, sector_size=4096), sector_size_bytes=4096), 4096)

    def test_sectors_smaller_than_the_blocks_of_the_device_are_refused(self):
        self.refuse(self.device(mib=8, sector_size=4096), sector_size_bytes=512)

    def test_luks1_which_has_no_others_lies_on_large_blocks_too(self):
        volume, device, key = self.volume_id(), self.device(mib=8, sector_size=4096), self.key()
        for formatted in (True, False):
            attached = self.attach(volume, device, key, "--format", "luks1")
            self.assertEqual((attached["formatted"], attached["encryption"]["sector_size_bytes"]), (formatted, 512))
            mapping = BlockDevice(mapping_path(volume))
            if formatted:
                mapping.write(MIB, b"4096" * 1024)
            self.assertEqual(mapping.read(MIB, 4096), b"4096" * 1024)
            self.detach(volume)

    def test_a_size_that_is_no_multiple_of_4096_takes_small_sectors(self):
        device = self.device(mib=8 + 512 / MIB)
        self.refuse(device, sector_size_bytes=4096)
        self.assertEqual(self.attached(device), 512)


class Ciphers(NodeCase):
    def test_each_cipher_with_each_key_size(self):
        ciphers = (("aes-xts-plain64", 256), ("aes-xts-plain64", 512), ("aes-xts-plain", 256))
        ciphers += (("aes-cbc-essiv:sha256", 128), ("aes-cbc-essiv:sha256", 256))
        for luks in ("FORMAT_LUKS1", "FORMAT_LUKS2"):
            for cipher, bits in ciphers:
                with self.subTest(format=luks, cipher=cipher, bits=bits):
                    self.check({"format": luks, "cipher": cipher, "key_size_bits": bits})

    def check(self, encryption):
        volume, device = self.volume_id(), self.device(mib=4)
        fields = {"volume_id": volume, "device": device.path, "key": {"key_id": self.key()}}
        attached = self.api("AttachVolume", encryption=encryption, **fields).attachment
        self.assertEqual(attached.encryption.cipher, encryption["cipher"])
        self.assertEqual(attached.encryption.key_size_bits, encryption["key_size_bits"])
        self.assertEqual(table(volume)[3], encryption["cipher"])
        BlockDevice(mapping_path(volume)).write(0, b"what was written")
        self.api("DetachVolume", volume_id=volume)
        self.api("AttachVolume", **fields)
        self.assertEqual(BlockDevice(mapping_path(volume)).read(0, 16), b"what was written")
        self.api("DetachVolume", volume_id=volume)

    def test_what_is_not_allowed_is_refused_by_its_field(self):
        device, key = self.device(mib=4), {"key_id": self.key()}
        for encryption, reason, field in (
            ({"cipher": "cipher_null-ecb"}, "UNSUPPORTED_ENCRYPTION", "encryption.cipher"),
            ({"cipher": "serpent-xts-plain64"}, "UNSUPPORTED_ENCRYPTION", "encryption.cipher"),
            ({"key_size_bits": 192}, "INVALID_FIELD", "encryption.key_size_bits"),
            ({"cipher": "aes-cbc-essiv:sha256", "key_size_bits": 512}, "INVALID_FIELD", "encryption.key_size_bits"),
            ({"sector_size_bytes": 1024}, "INVALID_FIELD", "encryption.sector_size_bytes"),
            ({"format": "FORMAT_NONE"}, "UNSUPPORTED_ENCRYPTION", "encryption.format"),
        ):
            with self.subTest(**encryption):
                fields = {"volume_id": self.volume_id(), "device": device.path, "key": key, "encryption": encryption}
                self.assertEqual(self.api_refused(reason, "AttachVolume", **fields).metadata["field"], field)


class Sizes(NodeCase):
    def test_a_volume_has_room_for_a_mebibyte_of_data(self):
        key, device = self.key(), self.device(mib=3)
        self.assertEqual(int(self.attach(self.volume_id(), device, key)["size_bytes"]), MIB)
        smaller = self.device(mib=3 - 512 / MIB)
        before = smaller.sha256()
        error = self.refused("DEVICE_TOO_SMALL", "attach", self.volume_id(), smaller.path, "--key", key)
        self.assertIn(str(3 * MIB), error["message"])
        self.assert_untouched(smaller, before)

    def test_every_sector_of_an_odd_size_can_be_used(self):
        volume, device = self.volume_id(), self.device(mib=5 + 3 * 512 / MIB)
        size = int(self.attach(volume, device, self.key())["size_bytes"])
        self.assertEqual(size, 3 * MIB + 3 * 512)
        BlockDevice(mapping_path(volume)).write(size - 512, b"x" * 512)


class Names(NodeCase):
    def test_every_permitted_name_is_a_volume_of_its_own(self):
        longest = "a" * 74
        names = sorted(["a", "A", "0", "volume-1", "A.b_c-d", "x..", "1-", longest])
        key = {"key_id": self.key()}
        for name in names:
            device = self.device(mib=4).path
            self.assertTrue(self.api("AttachVolume", volume_id=name, device=device, key=key).formatted, name)
        self.assertEqual([a.volume_id for a in self.api("ListAttachments").attachments], names)
        self.assertTrue(os.path.exists(mapping_path(longest)))
        for name in names:
            self.assertEqual(self.api("GetAttachment", volume_id=name).attachment.volume_id, name)
            self.assertTrue(self.api("DetachVolume", volume_id=name).was_attached, name)

    def test_every_other_name_is_refused(self):
        device, key = self.device(mib=4), {"key_id": self.key()}
        for name in ("", "a" * 75, ".a", "-a", "_a", "a/b", "../a", "a b", "a\n", "a\0", "ä", "a:b", "a%"):
            with self.subTest(name=name):
                self.api_refused("INVALID_VOLUME_ID", "AttachVolume", volume_id=name, device=device.path, key=key)
                self.api_refused("INVALID_VOLUME_ID", "GetAttachment", volume_id=name)
                if name:
                    self.api_refused("INVALID_VOLUME_ID", "DetachVolume", volume_id=name)
        records = [name for _, _, names in os.walk(paths.HELPER_STATE) for name in names]
        self.assertFalse([name for name in records if name.startswith(".a")], records)
