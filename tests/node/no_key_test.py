"""No byte of a key stays anywhere but in the kernel and, wrapped, in the key store.

Looks for a key, its spellings and the volume key in the memory of agent and helper, in logs, in directories of state,
in command lines and environments. Each way of looking is first shown to find the same bytes where they have been put.
"""

import base64
import os
import re
import subprocess
import sys
from contextlib import contextmanager

from harness import NodeCase, paths
from harness.devices import MIB, run
from harness.key_store import key_bytes, key_hex

PIECE = 16  # bytes or digits together: a part of a key is found too, and nothing by chance
CHUNK = MIB
ZEROS = bytes(CHUNK)
DIRECTORIES = (paths.AGENT_STATE, paths.HELPER_STATE, "/run/volcrypt", "/run/volcrypt-helper", "/etc/volcrypt", paths.OUT)


class Needles:
    """Every piece of every spelling of some keys."""

    def __init__(self, keys):
        self.pieces = {}
        for name, key in keys.items():
            spellings = {
                "raw": key,
                "hex": key.hex().encode(),
                "upper-case hex": key.hex().upper().encode(),
                "base64": base64.b64encode(key).rstrip(b"="),
                "url-safe base64": base64.urlsafe_b64encode(key).rstrip(b"="),
            }
            for spelling, data in spellings.items():
                length = PIECE if spelling == "raw" else 2 * PIECE
                for begin in range(0, len(data) - length + 1, length):
                    self.pieces.setdefault(data[begin : begin + length], f"{name}, {spelling}, from byte {begin}")

    def in_bytes(self, data):
        return {what for piece, what in self.pieces.items() if piece in data}

    def in_file(self, file, begin=0, end=None):
        """Of a file that may be larger than memory; pieces may lie across the borders of what is read at once."""
        found, tail = set(), b""
        file.seek(begin)
        while end is None or begin < end:
            chunk = file.read(CHUNK if end is None else min(CHUNK, end - begin))
            if not chunk:
                break
            begin += len(chunk)
            if chunk != ZEROS:
                found |= self.in_bytes(tail + chunk)
            tail = chunk[-2 * PIECE :]
        return found

    def in_memory(self, pid):
        """Of a process, but for what is mapped from files and cannot have been written to."""
        found, searched = set(), 0
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in maps:
                addresses, permissions, _, _, inode, *_ = line.split()
                if permissions[0] != "r" or (permissions[1] != "w" and inode != "0") or "[v" in line:
                    continue
                begin, end = (int(address, 16) for address in addresses.split("-"))
                found |= self.in_file(memory, begin, end)
                searched += end - begin
        assert searched > 0, f"nothing of process {pid} was searched"
        return found

    def in_directory(self, directory):
        found = set()
        for parent, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(parent, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as file:
                        found |= {f"{path}: {what}" for what in self.in_file(file)}
        return found

    def in_command_lines(self):
        """And in environments, of all processes."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as file:
                        found |= {f"{name} of process {pid}: {what}" for what in self.in_file(file)}
                except OSError:
                    continue  # has ended
        return found


@contextmanager
def process_that_holds(data, arguments=(), environment=None):
    """A process that has read the bytes into its memory; never this one, which holds them all."""
    code = "import sys; data = sys.stdin.buffer.readline(); print('ready', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        process.stdin.write(data + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


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
