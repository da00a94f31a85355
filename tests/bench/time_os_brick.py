#!/usr/bin/python3
"""Times os-brick's own LUKS encryptors, as nova-compute uses them: time_os_brick.py DEVICE ROUNDS

Prints "sample os-brick-PROVIDER first|later|detach MILLISECONDS" lines. Runs on the throw-away node, as root.
"""

import os
import sys
import time

from castellan.common.objects import symmetric_key
from os_brick import encryptors, privileged

privileged.default.set_client_mode(False)  # privileged calls in this process: cheaper for os-brick than its daemon


class OneKey:
    """A key manager that answers at once, so that only the encryptor is timed."""

    def get(self, context, key_id, metadata_only=False):
        return symmetric_key.SymmetricKey("AES", 256, bytes(range(32)))


def sample(who, what, work):
    begin = time.monotonic()
    work()
    print(f"sample {who} {what} {(time.monotonic() - begin) * 1000:.3f}", flush=True)


def blank(device):
    with open(device, "r+b", buffering=0) as file:
        for _ in range(17):
            file.write(bytes(1 << 20))
        os.fsync(file.fileno())


def attach_and_detach(device, provider, what):
    # os-brick points the link that it was given at the mapping, so each attach needs a fresh one.
    link = "/dev/disk/by-id/os-brick" + device.replace("/", "+")
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(device, link)
    connection = {"driver_volume_type": "iscsi", "data": {"device_path": link, "volume_id": "v", "encrypted": True}}
    options = {"control_location": "front-end", "provider": provider, "encryption_key_id": "k",
               "cipher": "aes-xts-plain64", "key_size": 512}
    encryptor = encryptors.get_volume_encryptor("", connection, OneKey(), **options)
    sample(f"os-brick-{provider}", what, lambda: encryptor.attach_volume(None, **options))
    sample(f"os-brick-{provider}", "detach", lambda: encryptor.detach_volume(**options))


def main():
    device, rounds = sys.argv[1], int(sys.argv[2])
    for _ in range(rounds):
        for provider in ("luks2", "luks"):
            blank(device)
            attach_and_detach(device, provider, "first")
            attach_and_detach(device, provider, "later")


main()
