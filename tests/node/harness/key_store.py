"""The embedded key store as root can read it: for tests that hand a key to cryptsetup, or look for one.

The format is written down in agent/keys/local/local_key_store.h.
"""

import os
import sqlite3
import struct
from contextlib import closing

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness import paths

STORE = os.path.join(paths.AGENT_STATE, "keys.db")
KEK = os.path.join(paths.AGENT_STATE, "keys.kek")
_NONCE_BYTES = 12


def key_bytes(key_id):
    """The key itself."""
    with closing(_open("ro")) as store:
        columns = "type, algorithm, bit_length, wrapped"
        row = store.execute(f"SELECT {columns} FROM keys WHERE key_id = ?", (key_id,)).fetchone()
    assert row is not None, f"no key {key_id} in {STORE}"
    key_type, algorithm, bits, wrapped = row
    fields = (b"volcrypt key 1", key_id.encode(), key_type.encode(), algorithm.encode())
    bound = b"".join(struct.pack(">I", len(field)) + field for field in fields) + struct.pack(">I", bits)
    with open(KEK, "rb") as file:
        kek = file.read()
    return AESGCM(kek).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], bound)


def key_hex(key_id):
    """What LUKS takes as the passphrase for this key."""
    return key_bytes(key_id).hex()


def first_uses(volume_id):
    """The first-use records of a volume under any key: a list of {key_id, state, host, luks_uuid}."""
    with closing(_open("ro")) as store:
        rows = store.execute("SELECT key_id, state, host, luks_uuid FROM first_uses WHERE volume_id = ?", (volume_id,))
        return [dict(zip(("key_id", "state", "host", "luks_uuid"), row)) for row in rows]


def drop_first_uses(volume_id):
    """As if the volume's first use had been on another store: the key stays, what it knows of the volume goes."""
    with closing(_open("rw")) as store, store:
        store.execute("DELETE FROM first_uses WHERE volume_id = ?", (volume_id,))


def _open(mode):
    return sqlite3.connect(f"file:{STORE}?mode={mode}", uri=True, timeout=30)
