"""Reads LUKS2 headers and writes them anew with right checksums, as somebody who controls the storage can.

LUKS2 On-Disk Format Specification: two copies of a binary header of 4096 bytes with the metadata, JSON, behind it.
"""

import hashlib
import json
import struct

_BINARY_BYTES = 4096
_FIELDS = struct.Struct(">6sHQQ48s32s64s40s48sQ184s64s")  # to the end of the checksum
_CHECKSUM_AT, _CHECKSUM_BYTES = 448, 64
_MAGICS = (b"LUKS\xba\xbe", b"SKUL\xba\xbe")


class Luks2Header:
    """What is common to both copies: .json, to be changed at will, and .write()."""

    def __init__(self, device):
        self._device = device
        binary = device.read(0, _BINARY_BYTES)
        fields = _FIELDS.unpack(binary[: _FIELDS.size])
        assert fields[0] == _MAGICS[0] and fields[1] == 2, "no LUKS2 header"
        self.copy_bytes, self._sequence = fields[2], fields[3]
        area = device.read(_BINARY_BYTES, self.copy_bytes - _BINARY_BYTES)
        self.json = json.loads(area.rstrip(b"\0"))

    def write(self):
        """Both copies, with the next sequence number."""
        text = json.dumps(self.json, separators=(",", ":")).encode()
        area = text.ljust(self.copy_bytes - _BINARY_BYTES, b"\0")
        assert len(area) == self.copy_bytes - _BINARY_BYTES, "the metadata does not fit"
        self._sequence += 1
        for magic, offset in zip(_MAGICS, (0, self.copy_bytes)):
            binary = bytearray(self._device.read(offset, _BINARY_BYTES))
            struct.pack_into(">6sHQQ", binary, 0, magic, 2, self.copy_bytes, self._sequence)
            binary[_CHECKSUM_AT : _CHECKSUM_AT + _CHECKSUM_BYTES] = bytes(_CHECKSUM_BYTES)
            digest = hashlib.sha256(bytes(binary) + area).digest()
            binary[_CHECKSUM_AT : _CHECKSUM_AT + len(digest)] = digest
            self._device.write(offset, bytes(binary) + area)
