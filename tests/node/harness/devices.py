"""Devices to attach: loop devices on a tmpfs, device-mapper tables over them, and regular files."""

import hashlib
import itertools
import os
import subprocess

from harness import paths

MIB = 1024 * 1024
SECTOR = 512
_PATIENCE_SECONDS = 120  # with a program that neither ends nor fails
_numbers = itertools.count(1)


def run(*command, data=None):
    """Runs a program and returns what it printed; an AssertionError shows its errors when it fails."""
    text = not isinstance(data, bytes)
    done = subprocess.run(command, input=data, capture_output=True, text=text, check=False, timeout=_PATIENCE_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def mapping_path(volume_id):
    return f"/dev/mapper/volcrypt-{volume_id}"


def hash_of(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(4 * MIB):
            digest.update(chunk)
    return digest.hexdigest()


class _Bytes:
    """Reading and writing at an offset, for whatever has a path."""

    path: str

    def read(self, offset, length):
        with open(self.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)

    def write(self, offset, data):
        fd = os.open(self.path, os.O_WRONLY)
        try:
            assert os.pwrite(fd, data, offset) == len(data)
            os.fsync(fd)
        finally:
            os.close(fd)

    def fill(self, data):
        """Writes `data` over and over, from the beginning to the end."""
        size = self.size()
        fd = os.open(self.path, os.O_WRONLY)
        try:
            chunk = data * max(1, MIB // len(data))
            written = 0
            while written < size:
                written += os.pwrite(fd, chunk[: size - written], written)
            os.fsync(fd)
        finally:
            os.close(fd)

    def size(self):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            return os.lseek(fd, 0, os.SEEK_END)
        finally:
            os.close(fd)

    def sha256(self):
        """Of everything, as the disk has it: caches are written out and dropped first."""
        if self.path.startswith("/dev/"):
            run("blockdev", "--flushbufs", self.path)
        return hash_of(self.path)


class FileVolume(_Bytes):
    """A regular file where the configuration allows volumes; sparse, so it reads as zeros."""

    def __init__(self, mib=64, name=None):
        self.path = os.path.join(paths.VOLUMES, name or f"volume-{next(_numbers)}")
        with open(self.path, "xb") as file:
            file.truncate(int(mib * MIB))

    def grow(self, mib):
        os.truncate(self.path, int(mib * MIB))

    def close(self):
        os.unlink(self.path)


class Mount:
    """A file system where the configuration allows volumes."""

    def __init__(self, device, name):
        self.path = os.path.join(paths.VOLUMES, name)
        os.mkdir(self.path)
        run("mount", device.path, self.path)

    def close(self):
        run("umount", self.path)
        os.rmdir(self.path)


class BlockDevice(_Bytes):
    """Any block device, such as a mapping, by its path."""

    def __init__(self, path):
        self.path = path


class Device(_Bytes):
    """A loop device over a sparse file on a tmpfs. Blank, unless `content` is the path of an image to copy."""

    def __init__(self, mib=64, content=None, read_only=False, sector_size=SECTOR, partitions=False):
        self.file = os.path.join(paths.SCRATCH, f"device-{next(_numbers)}")
        with open(self.file, "xb") as file:
            file.truncate(int(mib * MIB))
        if content is not None:
            run("dd", f"if={content}", f"of={self.file}", "conv=notrunc,sparse", "bs=1M", "status=none")
        options = ["--read-only"] * read_only + ["--partscan"] * partitions
        self.path = run("losetup", "--find", "--show", f"--sector-size={sector_size}", *options, self.file).strip()

    def grow(self, mib):
        """Makes the device `mib` MiB large, as a storage system does under an attached volume."""
        os.truncate(self.file, int(mib * MIB))
        run("losetup", "--set-capacity", self.path)

    def close(self):
        run("losetup", "--detach", self.path)
        os.unlink(self.file)


class DmDevice(_Bytes):
    """A device-mapper device of the test's own. `table` as for dmsetup; "SIZE" in it stands for all sectors of `over`.

    DmDevice.linear(device), .error(sectors), .zero(sectors), .flakey(device, up, down, *features) make the usual ones.
    """

    def __init__(self, table, over=None, read_only=False, name=None):
        self.name = name or f"test-{next(_numbers)}"
        self.path = f"/dev/mapper/{self.name}"
        self._over = over
        self._load_modules(table)
        run("dmsetup", "create", self.name, *(["--readonly"] if read_only else []), data=self._with_size(table))

    @classmethod
    def linear(cls, device, **options):
        return cls(f"0 SIZE linear {device.path} 0", over=device, **options)

    @classmethod
    def error(cls, sectors):
        return cls(f"0 {sectors} error")

    @classmethod
    def zero(cls, sectors):
        return cls(f"0 {sectors} zero")

    @classmethod
    def flakey(cls, device, up, down, *features):
        return cls(cls.flakey_table(device, up, down, *features), over=device)

    @staticmethod
    def flakey_table(device, up, down, *features):
        words = " ".join(features)
        return f"0 SIZE flakey {device.path} 0 {up} {down}" + (f" {len(words.split())} {words}" if features else "")

    def swap(self, table):
        """Replaces the table under whoever has the device open, as a failing storage path does."""
        self._load_modules(table)
        run("dmsetup", "load", self.name, data=self._with_size(table))
        run("dmsetup", "resume", self.name)

    def suspend(self):
        """From now on, I/O to the device hangs."""
        run("dmsetup", "suspend", "--nolockfs", "--noflush", self.name)

    def resume(self):
        run("dmsetup", "resume", self.name)

    def table(self):
        return run("dmsetup", "table", self.name).strip()

    def close(self):
        run("dmsetup", "resume", self.name)
        run("dmsetup", "remove", "--retry", self.name)

    def _with_size(self, table):
        return table.replace("SIZE", str(self._over.size() // SECTOR)) if self._over else table

    @staticmethod
    def _load_modules(table):
        for line in table.splitlines():
            target = line.split()[2]
            if target not in ("linear", "error", "striped", "crypt"):
                run("modprobe", f"dm-{target}")
