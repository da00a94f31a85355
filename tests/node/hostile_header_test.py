"""Headers with right checksums that ask for what must not be given, written by whoever controls the storage.

libcryptsetup loads each of them, and would activate most. Each is refused before anything is activated.
"""

import json
import socket
import struct

from harness import NodeCase, key_store, paths
from harness.devices import MIB, run
from harness.luks2_header import Luks2Header


class MappingEvents:
    """The kernel's events of device-mapper's devices, those that came and went included."""

    def __init__(self):
        kobject_uevent, from_the_kernel = 15, 1  # linux/netlink.h, and the group that udev listens to
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, kobject_uevent)
        self._socket.setblocking(False)
        self._socket.bind((0, from_the_kernel))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._socket.close()

    def seen(self):
        """As "add@/devices/virtual/block/dm-0" and the like. An event is here before the call that caused it returns."""
        events = []
        while True:
            try:
                event = self._socket.recv(1 << 16).split(b"\0", 1)[0].decode()
            except BlockingIOError:
                return events
            if "/block/dm-" in event:
                events.append(event)


class HostileCase(NodeCase):
    FORMAT = "luks2"

    def setUp(self):
        super().setUp()
        self.device_ = self.device(mib=20)
        self.volume, self.user_key = self.volume_id(), self.key()
        self.attach(self.volume, self.device_, self.user_key, "--format", self.FORMAT)
        self.detach(self.volume)

    def assert_refused(self, *words):
        run("cryptsetup", "isLuks", self.device_.path)  # or the refusal would be about something else
        before = self.device_.sha256()
        with MappingEvents() as events:
            error = self.refused("HEADER_REFUSED", "attach", self.volume, self.device_.path, "--key", self.user_key)
            self.assertEqual(events.seen(), [], "a mapping was made, be it for a moment")
        for word in words:
            self.assertIn(word, error["message"])
        self.assert_untouched(self.device_, before)
        self.assert_not_attached(self.volume)


class Luks2(HostileCase):
    def setUp(self):
        super().setUp()
        self.header = Luks2Header(self.device_)

    def test_a_header_that_was_only_written_anew_opens(self):
        """The control: what the others are refused for is not the writing."""
        self.header.write()
        with MappingEvents() as events:
            self.attach(self.volume, self.device_, self.user_key)
            self.assertTrue(events.seen())

    def test_a_segment_in_clear(self):
        self.segment()["encryption"] = "cipher_null-ecb"
        self.assert_refused_after_write("cipher_null-ecb")

    def test_a_segment_of_another_kind(self):
        self.header.json["segments"]["0"] = {"type": "linear", "offset": str(2 * MIB), "size": "dynamic"}
        self.assert_refused_after_write("not encrypted")

    def test_a_cipher_that_is_not_allowed(self):
        self.segment()["encryption"] = "aes-ecb"
        self.assert_refused_after_write("aes-ecb")

    def test_another_cipher_than_this_host_has_seen_though_it_is_allowed(self):
        self.segment()["encryption"] = "aes-xts-plain"
        self.assert_refused_after_write("aes-xts-plain,", "aes-xts-plain64,", "has seen")

    def test_other_sectors_than_this_host_has_seen(self):
        self.segment()["sector_size"] = {512: 4096, 4096: 512}[self.segment()["sector_size"]]
        self.assert_refused_after_write("sectors of 512", "sectors of 4096")

    def test_a_segment_moved_over_the_header(self):
        self.segment()["offset"] = "0"
        self.assert_refused_after_write("byte 0", "inside the header")

    def test_a_segment_moved_over_the_header_of_a_volume_that_this_host_does_not_know(self):
        self.ok("forget", self.volume, "--yes")
        self.segment()["offset"] = "0"
        self.assert_refused_after_write("inside the header")

    def test_a_segment_moved_from_where_this_host_put_it(self):
        self.segment()["offset"] = str(3 * MIB)
        self.assert_refused_after_write(str(3 * MIB), str(2 * MIB))

    def test_a_segment_that_ends_before_the_device(self):
        self.segment()["size"] = str(MIB)
        self.assert_refused_after_write("cover")

    def test_a_second_segment(self):
        self.segment()["size"] = str(MIB)
        in_clear = {"type": "linear", "offset": str(3 * MIB), "size": "dynamic"}
        encrypted = {**self.segment(), "offset": str(3 * MIB), "size": "dynamic"}
        for second, digested in ((in_clear, ["0"]), (encrypted, ["0", "1"])):
            with self.subTest(second["type"]):
                self.header.json["segments"]["1"] = second
                self.header.json["digests"]["0"]["segments"] = digested
                self.assert_refused_after_write("exactly one segment")

    def test_shifted_initialisation_vectors(self):
        self.segment()["iv_tweak"] = "8"
        self.assert_refused_after_write("initialisation")

    def test_a_segment_with_integrity(self):
        integrity = {"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"}
        self.segment()["integrity"] = integrity
        self.assert_refused_after_write("integrity")

    def test_an_unknown_requirement(self):
        self.header.json["config"]["requirements"] = {"mandatory": ["something-new"]}
        self.assert_refused_after_write("requirement")

    def test_a_reencryption_under_way(self):
        run("cryptsetup", "reencrypt", "--batch-mode", "--init-only", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations",
            "1000", "--key-file", "-", self.device_.path, data=key_store.key_hex(self.user_key).encode())  # fmt: skip
        requirements = Luks2Header(self.device_).json["config"]["requirements"]["mandatory"]
        self.assertEqual(requirements, ["online-reencrypt-v2"])
        self.assert_refused("requirement")

    def test_the_requirement_of_an_offline_reencryption(self):
        self.header.json["config"]["requirements"] = {"mandatory": ["offline-reencrypt"]}
        self.assert_refused_after_write("requirement")

    def test_argon2_without_end(self):
        for kind in ("argon2i", "argon2id"):
            for time, memory, cpus in ((2**31 - 1, 32, 1), (4, 4 * 1024 * 1024, 4), (4, 1024, 64)):
                with self.subTest(kind=kind, time=time, memory=memory, cpus=cpus):
                    salt = self.keyslot()["kdf"]["salt"]
                    kdf = {"type": kind, "salt": salt, "time": time, "memory": memory, "cpus": cpus}
                    self.keyslot()["kdf"] = kdf
                    self.assert_refused_after_write("Argon2")

    def test_pbkdf2_without_end(self):
        self.keyslot()["kdf"]["iterations"] = 2**31 - 1
        self.assert_refused_after_write("PBKDF2")

    def test_a_digest_without_end(self):
        self.header.json["digests"]["0"]["iterations"] = 2**31 - 1
        self.assert_refused_after_write("digest")

    def test_one_absurd_keyslot_among_good_ones(self):
        absurd = json.loads(json.dumps(self.keyslot()))
        absurd["kdf"]["iterations"] = 2**31 - 1
        absurd["area"]["offset"] = str(int(absurd["area"]["offset"]) + int(absurd["area"]["size"]))
        self.header.json["keyslots"]["1"] = absurd
        self.header.json["digests"]["0"]["keyslots"].append("1")
        self.assert_refused_after_write("keyslot 1")

    def test_a_keyslot_that_stores_the_key_in_clear(self):
        self.keyslot()["area"]["encryption"] = "cipher_null-ecb"
        self.assert_refused_after_write("keyslot 0")

    def test_persistent_flags_do_not_reach_the_mapping(self):
        self.header.json["config"]["flags"] = ["allow-discards", "no-read-workqueue", "no-write-workqueue"]
        self.header.write()
        self.attach(self.volume, self.device_, self.user_key)
        table = run("dmsetup", "table", f"volcrypt-{self.volume}")
        self.assertNotIn("allow_discards", table)
        self.assertNotIn("workqueue", table)

    def test_the_token_of_another_program_is_ignored(self):
        self.header.json["tokens"]["7"] = {"type": "systemd-tpm2", "keyslots": ["0"], "volume_id": "elsewhere"}
        self.header.write()
        attached = self.attach(self.volume, self.device_, self.user_key)
        self.assertEqual(attached["header_volume_id"], "")

    def test_a_token_of_ours_that_is_garbled_is_ignored(self):
        token = next(name for name, token in self.header.json["tokens"].items() if token["type"] == "volcrypt")
        self.header.json["tokens"][token]["volume_id"] = "../../etc\n"
        self.header.write()
        self.assertEqual(self.attach(self.volume, self.device_, self.user_key)["header_volume_id"], "")

    def test_a_label_of_any_bytes_is_shown_and_commands_no_terminal(self):
        for copy in (0, 16384):
            self.device_.write(copy + 24, b"\xff\xfe\x1b[31m\x80".ljust(48, b"\0"))
        self.header.write()
        self.assertIn("[31m", self.ok("inspect", self.device_.path)["luks"]["label"])
        table = run(paths.CTL, "--endpoint", f"unix:{paths.SOCKET}", "inspect", self.device_.path)
        self.assertIn("[31m", table)
        self.assertNotIn("\x1b", table)
        self.attach(self.volume, self.device_, self.user_key)

    def assert_refused_after_write(self, *words):
        self.header.write()
        self.assert_refused(*words)

    def segment(self):
        return self.header.json["segments"]["0"]

    def keyslot(self):
        return self.header.json["keyslots"]["0"]


class Luks1(HostileCase):
    FORMAT = "luks1"
    # LUKS1 On-Disk Format Specification: offsets in the header, big-endian.
    CIPHER_MODE, PAYLOAD_OFFSET, DIGEST_ITERATIONS, KEYSLOT_0 = 40, 104, 164, 208

    def test_a_digest_without_end(self):
        self.device_.write(self.DIGEST_ITERATIONS, struct.pack(">I", 2**31 - 1))
        self.assert_refused("digest")

    def test_pbkdf2_without_end(self):
        self.device_.write(self.KEYSLOT_0 + 4, struct.pack(">I", 2**31 - 1))
        self.assert_refused("PBKDF2")

    def test_a_cipher_that_is_not_allowed(self):
        self.device_.write(self.CIPHER_MODE, b"ecb".ljust(32, b"\0"))
        self.assert_refused("aes-ecb")

    def test_a_cipher_that_is_none(self):
        self.device_.write(8, b"cipher_null".ljust(32, b"\0") + b"ecb".ljust(32, b"\0"))
        self.assert_refused("cipher_null-ecb")

    def test_data_moved_from_where_this_host_put_it(self):
        self.device_.write(self.PAYLOAD_OFFSET, struct.pack(">I", 3 * MIB // 512))
        self.assert_refused(str(3 * MIB))


class Foreign(NodeCase):
    """What other programs write by default is within the bounds."""

    def test_defaults_of_cryptsetup_are_opened(self):
        key = self.key()
        for options in (["--type", "luks2", "--pbkdf-memory", "65536"], ["--type", "luks1"]):
            with self.subTest(options):
                device = self.device(mib=32)
                run("cryptsetup", "luksFormat", "--batch-mode", *options, "--iter-time", "100", "--key-file", "-",
                    device.path, data=key_store.key_hex(key).encode())  # fmt: skip
                volume = self.volume_id()
                self.assertFalse(self.attach(volume, device, key)["formatted"])
