"""A volume as the fake helper keeps it: a file of lines (volume_files.h)."""

import hashlib
import os
import uuid


class Volume:
    """Blank at first. .hold() makes a format wait before it writes, until release()."""

    def __init__(self, directory):
        self.volume_id = str(uuid.uuid4())
        self.path = os.path.join(directory, self.volume_id)
        self.make_blank()

    def make_blank(self):
        """As if it had been wiped, or as a storage that is broken might show it."""
        with open(self.path, "w", encoding="ascii"):
            pass

    def format_with(self, key):
        """As if it had been formatted elsewhere, with a symmetric key of these bytes."""
        with open(self.path, "w", encoding="ascii") as file:
            digest = hashlib.sha256(key.hex().encode()).hexdigest()
            file.write(f"{uuid.uuid4()} {digest} symmetric fast {len(key)}\n")

    def formats(self):
        """One a format: {luks_uuid, digest, type, keyslot, bytes}."""
        names = ("luks_uuid", "digest", "type", "keyslot", "bytes")
        with open(self.path, encoding="ascii") as file:
            return [dict(zip(names, line.split())) for line in file]

    def hold(self):
        with open(self.path + ".hold", "w", encoding="ascii"):
            pass

    def is_held(self):
        """Whether a format waits."""
        return os.path.exists(self.path + ".waiting")

    def release(self):
        if os.path.exists(self.path + ".hold"):
            os.unlink(self.path + ".hold")
