"""What log and audit tell a device by: not the name alone, which another may have tomorrow."""

import json
import os
import shutil
import time

from harness import NodeCase
from harness.agent import CONFIG
from harness.devices import run


def number(path):
    device = os.stat(path).st_rdev
    return f"{os.major(device)}:{os.minor(device)}"


class DevicesAreToldByWhatTheyAre(NodeCase):
    def told(self, verb):
        """The last line of the agent's log about a call."""
        return [line for line in self.agent_log().splitlines() if f" {verb} " in line][-1]

    def test_what_is_attached_and_detached_is_told_with_its_identity(self):
        volume, device, key = self.volume_id(), self.device(mib=32), self.key()
        uuid = self.attach(volume, device, key)["luks_uuid"]
        self.assertIn(f'device_identity={number(device.path)} luks_uuid={uuid}', self.told("AttachVolume"))
        self.attach(volume, device, key)
        self.assertIn(f'device_identity={number(device.path)} luks_uuid={uuid}', self.told("AttachVolume"))
        self.detach(volume)
        line = self.told("DetachVolume")
        self.assertIn(f'device_identity={number(device.path)} luks_uuid={uuid}', line)
        self.assertIn(f"device={os.path.realpath(device.path)}", line)

    def test_a_refused_device_is_told_with_its_identity(self):
        device = self.device(mib=16)
        device.fill(b"data of somebody")
        error = self.api_refused("DEVICE_NOT_BLANK", "AttachVolume", volume_id=self.volume_id(), device=device.path,
                                 key={"key_id": self.key()})
        self.assertEqual(error.metadata["device_identity"], number(device.path))
        self.assertIn(f"device_identity={number(device.path)}", self.told("AttachVolume"))

    def test_a_mapping_below_is_told_by_its_dm_uuid(self):
        device = self.linear(self.device(mib=32))
        run("dmsetup", "rename", os.path.basename(device.path), "--setuuid", "LVM-of-a-test")
        self.attach(self.volume_id(), device, self.key())
        self.assertIn(f'device_identity="{number(device.path)} dm=LVM-of-a-test"', self.told("AttachVolume"))


class TheAuditsFileHangs(NodeCase):
    """Its disk does not answer, and those of the volumes do."""

    def setUp(self):
        super().setUp()
        self.disk = self.linear(self.device(mib=32))
        run("mkfs.ext4", "-q", self.disk.path)
        directory = self.mounted(self.disk, "audit")
        shutil.chown(directory, "volcrypt")
        self.file = os.path.join(directory, "audit.log")
        self.agent.configure(CONFIG + f'[audit]\nfile = "{self.file}"\n')
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.restart()

    def tearDown(self):
        self.disk.resume()
        self.agent.configure(CONFIG)
        self.agent.restart()  # which lets go of the file
        super().tearDown()

    def lines(self):
        with open(self.file, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_what_cannot_be_undone_is_refused_in_time_and_the_rest_is_done(self):
        volume, device, key = self.volume_id(), self.device(mib=32), self.key()
        before = device.sha256()
        self.disk.suspend()
        error = self.api_refused("STATE_NOT_WRITABLE", "AttachVolume", volume_id=volume, device=device.path,
                                 key={"key_id": key})
        self.assertIn("no answer within 5s", error.message)
        self.assert_untouched(device, before)
        begin = time.monotonic()
        self.assertFalse(self.detach(volume)["was_attached"])
        self.assertLess(time.monotonic() - begin, 4, "what comes after one that has waited in vain does not wait too")
        self.disk.resume()
        self.assertTrue(self.attach(volume, device, key)["formatted"])
        told = [(line["event"], line.get("reason")) for line in self.lines() if line.get("volume") == volume]
        self.assertEqual(told[-2:], [("begins", None), ("done", "")])
