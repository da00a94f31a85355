"""No byte of a key stays anywhere but in the kernel and, wrapped, in the key store.

Looks for a key, its spellings and the volume key in the memory of agent and helper, in logs, in directories of state,
in command lines and environments. Each way of looking is first shown to find the same bytes where they have been put.
"""

import base64
import os
import re

from harness import NodeCase, paths
from harness.devices import run
from harness.key_store import key_bytes, key_hex
from testkit.needles import CHUNK, Needles, process_that_holds

DIRECTORIES = (paths.AGENT_STATE, paths.HELPER_STATE, "/run/volcrypt", "/run/volcrypt-helper", "/etc/volcrypt", paths.OUT)


def volume_key(device, passphrase):
    options = ("--batch-mode", "--dump-volume-key", "--key-file=-")
    dump = run("cryptsetup", "luksDump", *options, device.path, data=passphrase.encode())
    digits = re.search(rb"MK dump:\s*((?:[0-9a-f]{2}\s+)+)", dump).group(1)
    return bytes.fromhex(b"".join(digits.split()).decode())


class NoKeyAnywhere(NodeCase):
    def test_a_key_is_nowhere_after_its_use(self):
        self.agent.restart()  # so that what is found is of this test
        self.keys = {}
        self.use("luks1", self.device(mib=8))
        self.use("luks2", self.file_volume(mib=8))
        self.needles = Needles(self.keys)
        for check in (self.check_memory, self.check_command_lines, self.check_logs, self.check_files):
            with self.subTest(check.__name__):
                check()

    def use(self, luks, place):
        """Whatever takes a key: first use, a later attach, extending, and a refusal; the volume stays attached."""
        key, volume = self.key(), self.volume_id()
        self.attach(volume, place, key, "--format", luks)
        self.detach(volume)
        self.refused("KEY_REJECTED", "attach", volume, place.path, "--key", self.key())
        self.attach(volume, place, key)
        place.grow(mib=12)
        self.ok("extend", volume, "--key", key)
        self.keys[f"key of {luks}"] = key_bytes(key)
        self.keys[f"volume key of {luks}"] = volume_key(place, key_hex(key))

    def a_key(self):
        return next(iter(self.keys.values()))

    def check_memory(self):
        for spelling in (self.a_key().hex().encode(), base64.b64encode(self.a_key())):
            with process_that_holds(spelling) as holder:
                self.assertTrue(self.needles.in_memory(holder.pid), "the control: this is how it is found")
        (helper,) = self.agent.helper_pids()
        for pid in (self.agent.pid, helper):
            self.assertEqual(self.needles.in_memory(pid), set(), f"process {pid}")
        # Another control: their memory is really read.
        self.assertTrue(Needles({"path": paths.SOCKET.encode()}).in_memory(self.agent.pid))
        self.assertTrue(Needles({"path": paths.VOLUMES.encode()}).in_memory(helper))

    def check_command_lines(self):
        self.assertEqual(self.needles.in_command_lines(), set())
        for options in ({"arguments": [self.a_key().hex()]}, {"environment": {"KEY": self.a_key().hex()}}):
            with process_that_holds(b"", **options):
                self.assertTrue(self.needles.in_command_lines(), "the control: this is how it is found")

    def check_files(self):
        for directory in DIRECTORIES:
            self.assertEqual(self.needles.in_directory(directory), set())
        for spelling in (self.a_key(), self.a_key().hex().encode()):
            path = os.path.join(paths.AGENT_STATE, "control")
            with open(path, "wb") as file:
                file.write(b"x" * (CHUNK - 5) + spelling)  # across the border of what is read at once
            try:
                self.assertTrue(self.needles.in_directory(paths.AGENT_STATE), "the control: this is how it is found")
            finally:
                os.unlink(path)

    def check_logs(self):
        log = run("dmesg") + self.agent.log()
        self.assertEqual(self.needles.in_bytes(log.encode()), set())
        with open("/dev/kmsg", "w", encoding="ascii") as kernel_log:
            kernel_log.write(f"volcrypt test: {self.a_key().hex()}\n")
        self.assertTrue(self.needles.in_bytes(run("dmesg").encode()), "the control: this is how it is found")
