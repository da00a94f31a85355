"""Volumes that the agent attaches when it starts: /etc/volcrypt/volumes.d."""

import os
import shutil
import subprocess

from harness import NodeCase, mapping_path, paths, wait_until
from harness.agent import CONFIG
from harness.agent_files import kmip_section
from harness.devices import BlockDevice
from servers.pykmip import Pki, PyKmip

VOLUMES_D = os.path.join(os.path.dirname(paths.CONFIG), "volumes.d")
TIMED_OUT = 8


class BootCase(NodeCase):
    def setUp(self):
        super().setUp()
        os.makedirs(VOLUMES_D)
        self.addCleanup(self.agent.restart)
        self.addCleanup(shutil.rmtree, VOLUMES_D)
        self.volume, self.disk, self.user_key = self.volume_id(), self.device(mib=20), self.key()

    def describe(self, volume=None, device=None, key=None, more=""):
        volume, device = volume or self.volume, device or self.disk.path
        with open(os.path.join(VOLUMES_D, f"{volume}.toml"), "w", encoding="utf-8") as file:
            file.write(f'device = "{device}"\nkey = "{key or self.user_key}"\n{more}')

    def make(self):
        """The volume, formatted, with something in it."""
        self.attach(self.volume, self.disk, self.user_key)
        BlockDevice(mapping_path(self.volume)).write(0, b"what was written")
        self.detach(self.volume)

    def wait(self, *options):
        self.ok("wait", self.volume, "--timeout", "2m", *options)
        self.assertEqual(self.state(), "STATE_ACTIVE")

    def state(self, volume=None):
        shown = self.ctl("show", volume or self.volume)
        return shown.json["attachment"]["state"] if shown.status == 0 else shown.reason

    def reason(self):
        return self.ok("show", self.volume)["attachment"].get("state_reason", "")


class AtTheStart(BootCase):
    def test_a_volume_is_attached_with_its_data(self):
        self.make()
        self.describe()
        self.agent.restart()
        self.wait()
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(0, 16), b"what was written")
        self.agent.restart()  # which finds it attached
        self.wait()
        self.detach(self.volume)
        self.assertEqual(self.state(), "NOT_ATTACHED")

    def test_one_that_waits_is_listed_with_the_reason_until_its_device_comes(self):
        self.make()
        link = f"/dev/late-{self.volume}"
        self.describe(device=link)
        self.agent.restart()
        wait_until(lambda: "DEVICE_NOT_FOUND" in self.reason(), what="the reason")
        self.assertEqual(self.state(), "STATE_WAITING")
        listed = subprocess.run([paths.CTL, "list"], capture_output=True, text=True, check=True).stdout
        self.assertRegex(listed, f"{self.volume} waits: DEVICE_NOT_FOUND: ")
        self.assertEqual(self.ctl("wait", self.volume, "--timeout", "1s").status, TIMED_OUT)
        os.symlink(self.disk.path, link)
        self.addCleanup(os.unlink, link)
        self.wait()
        self.detach(self.volume)

    def test_a_blank_device_is_formatted_only_if_the_file_says_so(self):
        self.describe()
        before = self.disk.sha256()
        self.agent.restart()
        wait_until(lambda: "VOLUME_NOT_FORMATTED" in self.reason(), what="the refusal")
        self.assert_untouched(self.disk, before)
        self.describe(more='first_use = "format-if-blank"\n')
        self.agent.reload()
        self.wait()
        self.detach(self.volume)

    def test_a_wrong_file_is_told_and_keeps_no_other_out(self):
        self.make()
        self.describe()
        self.describe(volume="wrong", more="nonsense = 1\n")
        self.agent.restart()
        self.wait()
        self.assertIn("wrong.toml:3: nonsense", self.agent_log())
        checked = subprocess.run([paths.AGENT, "--check-config"], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 1, checked)
        self.assertIn("wrong.toml:3: nonsense", checked.stdout + checked.stderr)
        self.detach(self.volume)

    def test_one_that_is_no_longer_described_waits_no_more(self):
        self.describe(device="/dev/never")
        self.agent.restart()
        wait_until(lambda: self.state() == "STATE_WAITING", what="it to wait")
        os.unlink(os.path.join(VOLUMES_D, f"{self.volume}.toml"))
        self.agent.reload()
        self.assertEqual(self.state(), "NOT_ATTACHED")
        self.assertEqual(self.ctl("wait", self.volume).reason, "NOT_ATTACHED")

    def test_a_device_that_hangs_holds_up_neither_others_nor_the_end(self):
        self.make()
        hung, other = self.linear(self.device(mib=8)), self.volume_id()
        self.describe(volume=other, device=hung.path)
        self.describe()
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + '[server]\noperation_timeout = "5s"\n')
        hung.suspend()
        try:
            self.agent.restart()
            self.wait()
            self.assertEqual(self.state(other), "STATE_WAITING")
            self.agent.terminate()
            self.assertEqual(self.agent.wait(), 0)
        finally:
            hung.resume()
            os.unlink(os.path.join(VOLUMES_D, f"{other}.toml"))
        self.agent.start()
        self.wait()
        self.detach(self.volume)


class WithItsKeyManagerLate(BootCase):
    def test_it_is_attached_once_that_answers(self):
        pki = Pki()
        self.addCleanup(pki.close)
        kmip = PyKmip(pki)
        self.addCleanup(kmip.close)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + '[key_managers.local]\ntype = "local"\n' + kmip_section(kmip))
        self.agent.restart()
        key = self.api("CreateKey", key_manager="kmip").key.key_id
        call = {"volume_id": self.volume, "device": self.disk.path, "key": {"key_manager": "kmip", "key_id": key}}
        self.assertTrue(self.api("AttachVolume", **call).formatted)
        self.detach(self.volume)
        self.describe(key=key, more='key_manager = "kmip"\n')
        kmip.process.kill()
        self.agent.restart()
        wait_until(lambda: "KEY_MANAGER_UNAVAILABLE" in self.reason(), what="the reason")
        kmip.process.start()
        self.wait()
        self.detach(self.volume)
