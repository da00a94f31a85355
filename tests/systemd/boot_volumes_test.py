"""What is ordered after a volume that the agent attaches at boot."""

import os
import re
import shutil
import subprocess
import textwrap

from harness import NodeCase, mapping_path, paths, wait_until
from harness.agent_files import give_copy_to_agent
from harness.devices import BlockDevice, run
from credentials_test import store
from servers.pykmip import Pki, PyKmip
from service import AGENT, CONFIG, show, systemctl

VOLUMES_D = os.path.join(os.path.dirname(paths.CONFIG), "volumes.d")
OPERATIONS = os.path.join(os.path.dirname(__file__), "../../docs/operations.md")
UNITS = "/run/systemd/system"
NEEDS_IT = f"{UNITS}/needs-scratch.service"
SWAP = "volcrypt-swap.service"
PASSWORD = "what kmip asks for"
KMIP = """
[key_managers.local]
type = "local"
[key_managers.kmip]
type = "kmip"
servers = ["{kmip.address}"]
client_certificate = "{client}"
client_private_key = "credential:kmip.key"
ca_file = "{authority}"
username = "volcrypt"
password_file = "credential:kmip.password"
"""


class BootCase(NodeCase):
    """A volume that is to be attached from a link which the test makes later."""

    name = "scratch"

    def setUp(self):
        super().setUp()
        os.makedirs(VOLUMES_D, exist_ok=True)
        self.addCleanup(systemctl, "restart", AGENT)
        self.addCleanup(shutil.rmtree, VOLUMES_D)
        self.disk, self.link = self.device(mib=40), f"/dev/late-{self.name}"
        manager, key = self.new_key()
        with open(os.path.join(VOLUMES_D, f"{self.name}.toml"), "w", encoding="utf-8") as file:
            file.write(f'device = "{self.link}"\nkey = "{key}"\nkey_manager = "{manager}"\n')
        self.api("AttachVolume", volume_id=self.name, device=self.disk.path, key={"key_manager": manager, "key_id": key})
        self.addCleanup(self.ok, "forget", self.name, "--key", f"{manager}:{key}", "--yes")
        self.unit = f"volcrypt-volume@{self.name}.service"

    def new_key(self):
        """The key manager and the id."""
        return "local", self.key()

    def let_wait(self, unit, reason="DEVICE_NOT_FOUND"):
        """Detaches the volume, and starts the unit as a boot does."""
        self.detach(self.name)
        systemctl("stop", AGENT)
        systemctl("start", "--no-block", unit)
        wait_until(lambda: f"waits: {reason}" in run(paths.CTL, "list"), what="the volume to wait")
        self.assertEqual(show(self.unit, "ActiveState"), "activating")
        self.assertEqual(show(unit, "ActiveState"), "inactive")

    def let_come(self, unit):
        self.make_link()
        self.wait_for(unit)

    def make_link(self):
        os.symlink(self.disk.path, self.link)
        self.addCleanup(os.unlink, self.link)

    @staticmethod
    def wait_for(unit):
        wait_until(lambda: show(unit, "ActiveState") == "active", 120, f"{unit} to start")

    def end(self, unit):
        systemctl("stop", unit, self.unit)
        self.detach(self.name)


class OrderedCase(BootCase):
    """And a unit that reads it, ordered after it."""

    def setUp(self):
        super().setUp()
        with open(NEEDS_IT, "w", encoding="utf-8") as file:
            file.write(
                f"[Unit]\nRequires={self.unit}\nAfter={self.unit}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                f"ExecStart=/bin/dd if={mapping_path(self.name)} of=/run/scratch-was bs=16 count=1\n"
            )
        self.addCleanup(systemctl, "daemon-reload")
        self.addCleanup(os.unlink, NEEDS_IT)
        systemctl("daemon-reload")

        BlockDevice(mapping_path(self.name)).write(0, b"what was written")
        self.reader = os.path.basename(NEEDS_IT)

    def assert_was_read(self):
        with open("/run/scratch-was", "rb") as file:
            self.assertEqual(file.read(), b"what was written")
        os.unlink("/run/scratch-was")
        self.end(self.reader)


class OrderedAfterIt(OrderedCase):
    def test_it_starts_when_the_volume_is_there_and_not_before(self):
        self.let_wait(self.reader)
        self.let_come(self.reader)
        self.assert_was_read()


class WithItsKeyManagerLate(OrderedCase):
    """The key manager asks for a certificate and a password; its key and the password are credentials of the unit."""

    def new_key(self):
        pki = Pki()
        self.addCleanup(pki.close)
        self.kmip = PyKmip(pki, users={"volcrypt": PASSWORD})
        self.addCleanup(self.kmip.close)
        with open(pki.client.key, "rb") as file:
            self.addCleanup(os.unlink, store("kmip.key", file.read(), encrypted=True))
        self.addCleanup(os.unlink, store("kmip.password", PASSWORD.encode(), encrypted=True))
        authority = give_copy_to_agent("kmip-ca.pem", pki.authority.file)
        client = give_copy_to_agent("client.pem", pki.client.certificate)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + KMIP.format(kmip=self.kmip, authority=authority, client=client))
        self.agent.restart()
        return "kmip", self.api("CreateKey", key_manager="kmip").key.key_id

    def test_it_starts_once_that_answers(self):
        self.make_link()
        self.kmip.process.kill()
        self.let_wait(self.reader, "KEY_MANAGER_UNAVAILABLE")
        self.kmip.process.start()
        self.wait_for(self.reader)
        self.assert_was_read()


def documented(pattern):
    with open(OPERATIONS, encoding="utf-8") as file:
        found = re.findall(pattern, file.read(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, (pattern, found)
    return found[0]


class AsDocumented(BootCase):
    """The line of fstab and the unit in docs/operations.md."""

    def setUp(self):
        super().setUp()
        with open("/etc/fstab", "r+", encoding="utf-8") as file:
            before = file.read()
            file.write(documented(r"^    (/dev/mapper/volcrypt-scratch [^\n]*\n)"))
        wants = f"{UNITS}/multi-user.target.wants"
        os.makedirs(wants, exist_ok=True)
        with open(f"{UNITS}/{SWAP}", "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(documented(r"^(    \[Unit\]\n.*?WantedBy=[^\n]*\n)")))
        os.symlink(f"{UNITS}/{SWAP}", f"{wants}/{SWAP}")
        self.addCleanup(systemctl, "daemon-reload")
        self.addCleanup(os.unlink, f"{UNITS}/{SWAP}")
        self.addCleanup(os.unlink, f"{wants}/{SWAP}")
        self.addCleanup(self.write_fstab, before)
        systemctl("daemon-reload")

    @staticmethod
    def write_fstab(text):
        with open("/etc/fstab", "w", encoding="utf-8") as file:
            file.write(text)


class FileSystem(AsDocumented):
    def test_it_is_mounted_when_the_volume_is_there(self):
        run("mkfs.ext4", "-q", mapping_path(self.name))
        self.let_wait("srv-scratch.mount")
        self.let_come("srv-scratch.mount")
        self.assertTrue(os.path.ismount("/srv/scratch"))
        self.end("srv-scratch.mount")


class Swap(AsDocumented):
    name = "swap"

    def test_it_is_in_use_when_the_volume_is_there(self):
        run("mkswap", mapping_path(self.name))
        self.let_wait(SWAP)
        self.let_come(SWAP)
        self.assertIn(os.path.realpath(mapping_path(self.name)), run("swapon", "--show=NAME", "--noheadings"))
        self.end(SWAP)

    def test_a_boot_finds_no_cycle_in_the_order(self):
        units = {"srv-scratch.mount": "local-fs.target", SWAP: "multi-user.target"}
        for unit, target in units.items():
            self.assertIn(target, show(unit, "WantedBy"), unit)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--generators=yes", "default.target", *units], capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).splitlines()
        self.assertEqual([line for line in said if re.search("ordering cycle|scratch|volcrypt", line)], [])
        self.detach(self.name)
