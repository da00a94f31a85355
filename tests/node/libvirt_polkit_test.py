"""The agent's user under libvirt's access control, with the rule that the package ships."""

import os
import pwd
import subprocess

from harness import paths
from harness.libvirt import LibvirtCase
from harness.polkit import Polkit
from testkit.libvirtd import DOMAIN, Libvirtd

RULE = os.path.join(os.path.dirname(__file__), "../../systemd/volcrypt-libvirt.rules")
FOREIGN = "11111111-2222-4333-8444-555555555555"


class AgentsUser(LibvirtCase):
    @classmethod
    def make_libvirtd(cls):
        polkit = Polkit()
        cls.addClassCleanup(polkit.stop)
        polkit.start(RULE)
        return Libvirtd(paths.OUT, access_control=True)

    def setUp(self):
        super().setUp()
        self.volume, self.disk, self.user_key = self.volume_id(), self.device(mib=8), self.key()

    def virsh_as(self, user, *arguments, uri="qemu:///system"):
        """As this user, in no group but its own."""
        account = pwd.getpwnam(user)
        command = ["setpriv", "--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
        command += ["virsh", "-q", "-c", uri, *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)

    def assert_denied(self, done):
        self.assertNotEqual(done.returncode, 0, done)
        self.assertRegex(done.stderr, "access denied|authentication unavailable|authentication failed", done)

    def file_for_anybody(self, name, text):
        path = os.path.join("/run", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        self.addCleanup(os.unlink, path)
        return path

    def test_it_does_all_that_the_agent_needs(self):
        attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
        self.assertTrue(self.attach_for_qemu(self.volume, self.disk, self.user_key).already_attached)
        self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)
        self.assertEqual(self.listed()[self.volume].state, 1)
        self.assertTrue(self.detach(self.volume)["was_attached"])
        attached = self.attach_with_secret(self.volume, self.disk, self.user_key).attachment
        self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)

    def test_it_reads_no_value_and_touches_no_secret_but_of_volumes(self):
        text = f"<secret ephemeral='yes'><uuid>{FOREIGN}</uuid><usage type='ceph'><name>client</name></usage></secret>"
        path = self.file_for_anybody("foreign.xml", text)
        self.libvirtd.virsh("secret-define", path, uri="secret:///system")
        self.addCleanup(self.libvirtd.try_virsh, "secret-undefine", FOREIGN, uri="secret:///system")
        self.libvirtd.virsh("secret-set-value", FOREIGN, "YWJj", uri="secret:///system")
        self.assertNotIn(FOREIGN, self.virsh_as("volcrypt", "secret-list", uri="secret:///system").stdout)
        for command in (["secret-get-value"], ["secret-dumpxml"], ["secret-undefine"]):
            self.assert_denied(self.virsh_as("volcrypt", *command, FOREIGN, uri="secret:///system"))
        self.assert_denied(self.virsh_as("volcrypt", "secret-define", path, uri="secret:///system"))
        text = "<secret ephemeral='yes'><usage type='volume'><volume>of-another</volume></usage></secret>"
        self.libvirtd.virsh("secret-define", self.file_for_anybody("volume.xml", text), uri="secret:///system")
        uuid = self.libvirtd.secrets()["of-another"]
        self.libvirtd.virsh("secret-set-value", uuid, "YWJj", uri="secret:///system")
        self.assert_denied(self.virsh_as("volcrypt", "secret-get-value", uuid, uri="secret:///system"))
        self.libvirtd.undefine_secret(uuid)

    def test_it_neither_makes_nor_sees_a_domain(self):
        path = self.file_for_anybody("domain.xml", DOMAIN.format(name="mine"))
        self.assert_denied(self.virsh_as("volcrypt", "define", path))
        self.assert_denied(self.virsh_as("volcrypt", "create", path))
        self.libvirtd.virsh("define", path)
        self.addCleanup(self.libvirtd.try_virsh, "undefine", "mine")
        self.assertNotIn("mine", self.virsh_as("volcrypt", "list", "--all").stdout)
        for command in ("dumpxml", "start", "undefine"):
            self.assertNotEqual(self.virsh_as("volcrypt", command, "mine").returncode, 0, command)
        self.assert_denied(self.virsh_as("volcrypt", "pool-create-as", "p", "dir", "--target", "/tmp"))

    def test_another_user_does_not_even_connect(self):
        self.assert_denied(self.virsh_as("nobody", "uri"))
