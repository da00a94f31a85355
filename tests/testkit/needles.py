"""Looks for secrets where they must not be: in memory, files, command lines.

A search that finds nothing proves something only after the same search has found what was put there:
process_that_holds() is for that.
"""

import base64
import os
import subprocess
import sys
from contextlib import contextmanager

MIB = 1 << 20
PIECE = 16  # bytes or digits together: a part of a key is found too, and nothing by chance
CHUNK = MIB
ZEROS = bytes(CHUNK)


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

    def in_memory(self, pid, but_for_secret_pages=False):
        """Of a process, but for what is mapped from files and cannot have been written to.

        Secret pages are those that are locked and left out of dumps, where the agent keeps what it needs again.
        """
        found, searched = set(), 0
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for begin, end, is_secret in _areas(pid):
                if not (is_secret and but_for_secret_pages):
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


def _areas(pid):
    """(begin, end, whether its pages are secret) of what the process may have written to."""
    area = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[0] == "VmFlags:":
                if area is not None:
                    yield *area, {"lo", "dd"} <= set(words[1:])
            elif not words[0].endswith(":"):
                addresses, permissions, _, _, inode, *_ = words
                is_searched = permissions[0] == "r" and (permissions[1] == "w" or inode == "0") and "[v" not in line
                area = tuple(int(address, 16) for address in addresses.split("-")) if is_searched else None


@contextmanager
def process_that_holds(data, arguments=(), environment=None, user=None):
    """A process that has read the bytes into its memory; never this one, which holds them all. `user`: its uid."""
    code = "import sys; data = sys.stdin.buffer.readline(); print('ready', flush=True); sys.stdin.read()"
    as_user = [] if user is None else ["setpriv", f"--reuid={user}", "--"]
    process = subprocess.Popen(
        [*as_user, sys.executable, "-I", "-c", code, *arguments],
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
