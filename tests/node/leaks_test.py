"""What many operations leave behind: nothing."""

import contextlib
import os
import time

from harness import NodeCase, wait_until
from harness.case import dm_names
from harness.devices import run

ROUNDS = 25  # of two volumes


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def volume_keys():
    """The volume keys that libcryptsetup has put into a keyring."""
    with open("/proc/keys", encoding="utf-8") as keys:
        return sorted(line for line in keys if " logon " in line)


def zombies():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as file:
                lines = dict(line.split(":\t", 1) for line in file if ":\t" in line)
        except OSError:
            continue
        if lines["State"].startswith("Z") and lines["Name"].startswith("volcrypt"):
            found.append(int(name))
    return found


class Leaks(NodeCase):
    def what_there_is(self):
        """When the workers have ended and the kernel has collected their keyrings, which takes it a moment."""
        wait_until(lambda: not self.agent.worker_pids(), what="the workers to end")
        wait_until(lambda: not volume_keys(), what="the kernel to drop the workers' keyrings")
        (helper,) = self.agent.helper_pids()
        return {
            "device-mapper devices": sorted(dm_names()),
            "loop devices": sorted(run("losetup", "--noheadings", "--list", "--output=BACK-FILE").split()),
            "descriptors of the agent": descriptors(self.agent.pid),
            "descriptors of the helper": descriptors(helper),
            "threads of the helper": threads(helper),
            "zombies": zombies(),
        }

    def what_stays(self):
        """The same at two looks: the agent probes the helper now and then, which takes a spare worker from it for a moment."""
        looks = [self.what_there_is()]

        def two_looks_agree():
            time.sleep(0.3)
            looks.append(self.what_there_is())
            return looks[-1] == looks[-2]

        wait_until(two_looks_agree, what="two looks to agree")
        return looks[-1]

    def attach_and_detach(self, volume, device, key, wrong_key):
        self.api("AttachVolume", volume_id=volume, device=device.path, key=key)
        self.assertTrue(self.api("AttachVolume", volume_id=volume, device=device.path, key=key).already_attached)
        self.assertTrue(self.api("DetachVolume", volume_id=volume).was_attached)
        self.api_refused("KEY_REJECTED", "AttachVolume", volume_id=volume, device=device.path, key=wrong_key)

    def test_fifty_rounds_leave_nothing(self):
        key, wrong_key = {"key_id": self.key()}, {"key_id": self.key()}
        volumes = [(self.volume_id(), self.device(mib=4)), (self.volume_id(), self.file_volume(mib=4))]
        for volume, device in volumes:
            self.attach_and_detach(volume, device, key, wrong_key)
        before = self.what_stays()
        for _ in range(ROUNDS):
            for volume, device in volumes:
                self.attach_and_detach(volume, device, key, wrong_key)
        seen = {}

        def nothing_is_left():
            seen.update(self.what_there_is())
            return seen == before

        with contextlib.suppress(AssertionError):  # the comparison says what is left
            wait_until(nothing_is_left, 60)
        self.assertEqual(seen, before)
