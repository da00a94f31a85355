"""What cryptsetup and os-brick make opens here, what we make opens there, and OpenStack's names mean what they mean."""

import contextlib

from harness import BlockDevice, NodeCase, mapping_path
from harness.devices import MIB, run
from harness.key_store import key_hex

PATTERN = bytes(range(256)) * 16
CHEAP_ARGON2 = ("--pbkdf-force-iterations=4", "--pbkdf-memory=8192", "--pbkdf-parallel=1")
CHEAP_PBKDF2 = ("--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
NOVA_LUKS = "nova.volume.encryptors.luks.LuksEncryptor"


def places(path):
    """Where the pattern goes: the beginning, somewhere, and the end."""
    return 0, 5 * MIB + 512, BlockDevice(path).size() - len(PATTERN)


def stamp(path):
    for place in places(path):
        BlockDevice(path).write(place, PATTERN)


def luks_format(device, passphrase, *options):
    """With the flags of os-brick's encryptors."""
    run("cryptsetup", "--batch-mode", "luksFormat", "--key-file=-", *options, device.path, data=passphrase.encode())


@contextlib.contextmanager
def opened_by_cryptsetup(device, passphrase, luks_type):
    name = "test-interop"
    run("cryptsetup", "open", f"--type={luks_type}", "--key-file=-", device.path, name, data=passphrase.encode())
    try:
        yield f"/dev/mapper/{name}"
    finally:
        run("cryptsetup", "close", name)


class InteropCase(NodeCase):
    def assert_stamped(self, path):
        for place in places(path):
            self.assertEqual(BlockDevice(path).read(place, len(PATTERN)), PATTERN, f"{path} at byte {place}")


class OurVolumesOpenWithCryptsetup(InteropCase):
    def test_luks1(self):
        self.check("luks1")

    def test_luks2(self):
        self.check("luks2")

    def check(self, luks_type):
        key, volume, device = self.key(), self.volume_id(), self.device()
        attached = self.attach(volume, device, key, "--format", luks_type)
        stamp(mapping_path(volume))
        self.detach(volume)
        with opened_by_cryptsetup(device, key_hex(key), luks_type) as opened:
            self.assert_stamped(opened)
            self.assertEqual(BlockDevice(opened).size(), int(attached["size_bytes"]))
        with self.assertRaisesRegex(AssertionError, "No key available"):  # the control: not everything opens it
            with opened_by_cryptsetup(device, key_hex(self.key()), luks_type):
                pass


class VolumesOfCryptsetupOpenHere(InteropCase):
    def test_luks1_with_a_key_of_256_bits(self):
        cipher = "aes-xts-plain64"
        self.check("luks1", *CHEAP_PBKDF2, f"--cipher={cipher}", "--key-size=256", cipher=cipher, bits=256)

    def test_luks1_with_cbc(self):
        cipher = "aes-cbc-essiv:sha256"
        self.check("luks1", *CHEAP_PBKDF2, f"--cipher={cipher}", "--key-size=256", cipher=cipher, bits=256)

    def test_luks2_with_argon2(self):
        cipher = "aes-xts-plain64"
        self.check("luks2", *CHEAP_ARGON2, f"--cipher={cipher}", "--key-size=256", cipher=cipher, bits=256)

    def test_luks2_with_all_other_defaults(self):
        self.check("luks2", *CHEAP_ARGON2, cipher="aes-xts-plain64", bits=512)

    def test_luks2_with_cbc(self):
        cipher = "aes-cbc-essiv:sha256"
        self.check("luks2", *CHEAP_PBKDF2, f"--cipher={cipher}", "--key-size=256", cipher=cipher, bits=256)

    def test_luks2_with_sectors_of_4096_bytes(self):
        self.check("luks2", *CHEAP_PBKDF2, "--sector-size=4096", cipher="aes-xts-plain64", bits=512, sector=4096)

    def check(self, luks_type, *options, cipher, bits, sector=512):
        key, device = self.key(), self.device()
        passphrase = key_hex(key)
        luks_format(device, passphrase, f"--type={luks_type}", *options)
        with opened_by_cryptsetup(device, passphrase, luks_type) as opened:
            stamp(opened)
            size = BlockDevice(opened).size()
        before, volume = device.sha256(), self.volume_id()

        self.refused("KEY_REJECTED", "attach", volume, device.path, "--key", self.key())
        attached = self.attach(volume, device, key)
        self.assertFalse(attached["formatted"])
        self.assertEqual(int(attached["size_bytes"]), size)
        self.assertEqual(attached["luks_uuid"], run("cryptsetup", "luksUUID", device.path).strip())
        found = attached["encryption"]
        self.assertEqual(found["format"], f"FORMAT_{luks_type.upper()}")
        self.assertEqual((found["cipher"], found["key_size_bits"]), (cipher, bits))
        self.assertEqual(found["sector_size_bytes"], sector)
        self.assert_stamped(mapping_path(volume))
        self.detach(volume)
        self.assert_untouched(device, before)


class ProvidersOfOpenStack(NodeCase):
    def attach_as(self, **fields):
        volume, key, device = self.volume_id(), {"key_id": self.key()}, self.device(8)
        self.assertTrue(self.api("AttachVolume", volume_id=volume, device=device.path, key=key, **fields).formatted)
        return run("cryptsetup", "luksDump", device.path)

    def refuse(self, reason, field, **fields):
        device, volume = self.device(8), self.volume_id()
        before = device.sha256()
        key = {"key_id": self.key()}
        error = self.api_refused(reason, "AttachVolume", volume_id=volume, device=device.path, key=key, **fields)
        self.assertEqual(error.code, "INVALID_ARGUMENT")
        self.assertEqual(error.metadata["field"], field)
        self.assert_untouched(device, before)

    def test_luks_is_luks1(self):
        self.assertRegex(self.attach_as(provider="luks"), r"Version:\s+1")

    def test_luks2_is_luks2(self):
        self.assertRegex(self.attach_as(provider="luks2", control_location="front-end"), r"Version:\s+2")

    def test_the_legacy_class_with_the_values_of_the_guides(self):
        encryption = {"cipher": "aes-xts-plain64", "key_size_bits": 256}
        dump = self.attach_as(provider=NOVA_LUKS, encryption=encryption, control_location="Front-End")
        self.assertRegex(dump, r"Version:\s+1")
        self.assertRegex(dump, r"Cipher name:\s+aes\nCipher mode:\s+xts-plain64")
        self.assertRegex(dump, r"MK bits:\s+256")

    def test_a_back_end_location_is_refused(self):
        self.refuse("INVALID_FIELD", "control_location", provider="luks", control_location="back-end")

    def test_an_unknown_provider_is_refused(self):
        self.refuse("INVALID_FIELD", "provider", provider="nova.volume.encryptors.luks.LuksDecryptor")

    def test_a_provider_that_does_not_encrypt_is_refused(self):
        self.refuse("UNSUPPORTED_ENCRYPTION", "provider", provider="NoOpEncryptor")

    def test_what_the_header_says_counts_after_the_first_use(self):
        key, volume, device = self.key(), self.volume_id(), self.device(8)
        fields = {"volume_id": volume, "device": device.path, "key": {"key_id": key}}
        self.assertTrue(self.api("AttachVolume", provider="luks2", **fields).formatted)
        self.detach(volume)
        again = self.api("AttachVolume", provider=NOVA_LUKS, encryption={"key_size_bits": 256}, **fields)
        self.assertFalse(again.formatted)
        self.assertEqual(again.attachment.encryption.key_size_bits, 512)
        self.assertRegex(run("cryptsetup", "luksDump", device.path), r"Version:\s+2")
