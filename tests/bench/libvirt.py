#!/usr/bin/python3
"""Runs on the throw-away node: libvirt.py --build DIR [--rounds N] [--slow-rounds N]

Times what comes before QEMU opens a LUKS1 volume by itself: volcrypt's attach with MODE_LIBVIRT_SECRET, next to nova's
way, which is cryptsetup with its defaults and the calls of libvirt. Prints the table of docs/performance.md.
"""

import collections
import os
import statistics
import subprocess
import time
import uuid

from on_node import begin

KEY = os.urandom(32).hex().encode()

SECRET = """<secret ephemeral='no' private='no'>
  <usage type='volume'><volume>{volume}</volume></usage></secret>"""


class Timed:
    """with Timed(samples, "first"): ..."""

    def __init__(self, samples, what):
        self._values = samples[what]

    def __enter__(self):
        self._begin = time.perf_counter()

    def __exit__(self, *exception):
        self._values.append((time.perf_counter() - self._begin) * 1000)


def run(*command, data=None):
    subprocess.run(command, input=data, capture_output=True, check=True)


def make_blank(device):
    run("blkdiscard", "--force", "--zeroout", "--offset", "0", "--length", str(32 << 20), device.path)


def time_volcrypt(api, device, key, rounds):
    samples = collections.defaultdict(list)
    for _ in range(rounds):
        make_blank(device)
        fields = {"volume_id": str(uuid.uuid4()), "device": device.path, "key": {"key_id": key}, "mode": "MODE_LIBVIRT_SECRET"}
        for what in ("first", "later"):
            with Timed(samples, what):
                api("AttachVolume", **fields)
            with Timed(samples, "detach"):
                api("DetachVolume", volume_id=fields["volume_id"])
    return samples


def register_as_nova(volume, directory):
    path = os.path.join(directory, "secret.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SECRET.format(volume=volume))
    command = ["virsh", "-c", "secret:///system"]
    defined = subprocess.run([*command, "secret-define", path], capture_output=True, text=True, check=True).stdout
    secret = next(word for word in defined.split() if len(word) == 36)
    value = os.path.join(directory, "value")
    with open(value, "wb") as file:
        file.write(KEY)
    run(*command, "secret-set-value", "--secret", secret, "--file", value, "--plain")
    return secret


def time_nova(device, directory, rounds):
    """nova 26 with the provider "luks": isLuks, luksFormat if it says no, define the secret and set its value."""
    samples = collections.defaultdict(list)
    for _ in range(rounds):
        make_blank(device)
        volume = str(uuid.uuid4())
        for what in ("first", "later"):
            with Timed(samples, what):
                if subprocess.run(["cryptsetup", "isLuks", device.path], check=False).returncode != 0:
                    run("cryptsetup", "--batch-mode", "luksFormat", "--type", "luks1", "--key-file=-", device.path, data=KEY)
                secret = register_as_nova(volume, directory)
            with Timed(samples, "detach"):
                run("virsh", "-q", "-c", "secret:///system", "secret-undefine", secret)
    return samples


def print_table(volcrypt, nova):
    print("| who | operation | rounds | median ms | range ms | ratio |")
    print("|---|---|---|---|---|---|")
    for name, samples in (("volcrypt, MODE_LIBVIRT_SECRET", volcrypt), ("nova's way", nova)):
        for what in ("first", "later", "detach"):
            values = samples[what]
            median = statistics.median(values)
            ratio = f"{median / statistics.median(volcrypt[what]):.1f} x volcrypt" if samples is nova else ""
            print(f"| {name} | {what} | {len(values)} | {median:.1f} | {min(values):.1f} - {max(values):.1f} | {ratio} |")


def main():
    arguments = begin(__doc__, "libvirt", slow_rounds=5)
    from harness import Agent, paths
    from harness.devices import Device
    from harness.libvirt import LIBVIRT_CONFIG
    from testkit.api import Api
    from testkit.libvirtd import Libvirtd

    libvirtd = Libvirtd(paths.OUT)
    libvirtd.start()
    agent = Agent(LIBVIRT_CONFIG)
    agent.start()
    api = Api(f"unix:{paths.SOCKET}")
    key = api("CreateKey").key.key_id
    device = Device(mib=256)
    time_volcrypt(api, device, key, rounds=1)  # the first calls of all make connections
    volcrypt = time_volcrypt(api, device, key, arguments.rounds)
    nova = time_nova(device, paths.SCRATCH, arguments.slow_rounds)
    print_table(volcrypt, nova)
    api.close()
    agent.stop()
    libvirtd.kill()


main()
