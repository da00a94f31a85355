"""The agent in its unit, without a right but what polkit's rule of the package gives its user in libvirt's access
control: the secrets of volumes, and neither their values nor anything else."""

import base64
import os
import pwd
import subprocess

from harness import paths, wait_until
from harness.libvirt import LibvirtCase, passphrase_of
from libvirt_service import OF_AGENT, OF_GROUP, LibvirtService, set_rule, shipped_rule, told_by_docs, write_rule
from service import AGENT, CONFIG, show, systemctl
from testkit.libvirtd import DOMAIN, SECRETS_DIRECTORY

URI = '[libvirt]\nuri = "qemu:///system"\n'
FOREIGN = "11111111-2222-4333-8444-555555555555"
FOREIGN_SECRET = f"<secret ephemeral='yes'><uuid>{FOREIGN}</uuid><usage type='ceph'><name>client</name></usage></secret>"
VALUE = base64.b64encode(b"a foreign value").decode()
EVERYTHING = """polkit.addRule(function(action, subject) {
    if (subject.user == "volcrypt" && action.id.indexOf("org.libvirt.") == 0) { return polkit.Result.YES; }
});
"""
OF_THE_GROUP = "libvirt-operator"
STATE_ACTIVE, STATE_BROKEN = 1, 3


class PolkitCase(LibvirtCase):
    base_config = CONFIG
    config = CONFIG + URI
    rule = None

    @classmethod
    def make_libvirtd(cls):
        cls.addClassCleanup(set_rule, OF_AGENT, None)
        write_rule(OF_GROUP, told_by_docs("isInGroup"))
        set_rule(OF_AGENT, cls.rule)
        return LibvirtService()

    def setUp(self):
        super().setUp()
        self.volume, self.disk, self.user_key = self.volume_id(), self.device(mib=8), self.key()

    def change_rule(self, text):
        set_rule(OF_AGENT, text)
        self.addCleanup(set_rule, OF_AGENT, self.rule)

    def virsh_as(self, user, *arguments, uri="secret:///system", groups="--clear-groups"):
        account = pwd.getpwnam(user)
        command = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", groups, "virsh", "-q", "-c", uri]
        return subprocess.run(
            [*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )

    def assert_done(self, done):
        self.assertEqual(done.returncode, 0, done)

    def assert_denied(self, done, how="access denied"):
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn(how, done.stderr)

    def file_for_anybody(self, name, text):
        path = os.path.join("/run", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        self.addCleanup(os.unlink, path)
        return path

    def foreign_secret(self):
        """Not of a volume, and not private: root may read its value."""
        path = self.file_for_anybody("foreign.xml", FOREIGN_SECRET)
        self.assert_done(self.virsh_as("root", "secret-define", path))
        self.addCleanup(self.libvirtd.try_virsh, "secret-undefine", FOREIGN, uri="secret:///system")
        self.assert_done(self.virsh_as("root", "secret-set-value", FOREIGN, VALUE))
        return path

    def volume_secret_of_nova(self):
        """Of a volume, and not private."""
        text = "<secret ephemeral='yes'><usage type='volume'><volume>of-nova</volume></usage></secret>"
        self.assert_done(self.virsh_as("root", "secret-define", self.file_for_anybody("volume.xml", text)))
        uuid = self.libvirtd.secrets()["of-nova"]
        self.addCleanup(self.libvirtd.try_virsh, "secret-undefine", uuid, uri="secret:///system")
        self.assert_done(self.virsh_as("root", "secret-set-value", uuid, VALUE))
        return uuid


class WithTheRule(PolkitCase):
    rule = shipped_rule()

    def test_the_agent_is_as_its_unit_makes_it(self):
        self.assertEqual(show(AGENT, "DropInPaths"), "")
        with open(f"/proc/{self.agent.pid}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        account = pwd.getpwnam("volcrypt")
        self.assertEqual(status["Uid"].split(), [str(account.pw_uid)] * 4)
        self.assertEqual(set(status["Groups"].split()) | set(status["Gid"].split()), {str(account.pw_gid)})
        self.assertEqual((int(status["CapEff"], 16), status["NoNewPrivs"], status["Seccomp"]), (0, "1", "2"))

    def test_it_registers_secrets_for_qemu_and_with_a_mapping(self):
        answer = self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.assertTrue(answer.formatted)
        self.assertTrue(self.attach_for_qemu(self.volume, self.disk, self.user_key).already_attached)
        self.assert_whole_secret(self.volume, answer.attachment.libvirt_secret_uuid)
        self.assertEqual(self.listed()[self.volume].state, STATE_ACTIVE)
        self.assertTrue(self.detach(self.volume)["was_attached"])
        self.assertEqual(self.libvirtd.secrets(), {})
        attached = self.attach_with_secret(self.volume, self.disk, self.user_key).attachment
        self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)
        self.assertTrue(self.detach(self.volume)["was_attached"])

    def test_libvirt_gets_the_key_itself(self):
        self.addCleanup(self.agent.restart)
        self.addCleanup(self.agent.configure, self.config)
        self.agent.configure(self.config + 'secrets = "persistent"\n')
        self.agent.restart()
        uuid = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment.libvirt_secret_uuid
        with open(os.path.join(SECRETS_DIRECTORY, f"{uuid}.base64"), "rb") as file:
            value = base64.b64decode(file.read())
        self.assertTrue(value == passphrase_of(self.user_key), "libvirt has another value")
        self.detach(self.volume)

    def test_a_restart_of_libvirtd_is_healed_by_the_same_attach(self):
        attached = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment
        self.libvirtd.restart()
        self.assertEqual(self.listed()[self.volume].state, STATE_BROKEN)
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.assert_whole_secret(self.volume, attached.libvirt_secret_uuid)

    def test_its_call_starts_a_libvirtd_that_had_nothing_to_do(self):
        self.libvirtd.stop()
        self.assertFalse(self.libvirtd.is_running())
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.assertTrue(self.libvirtd.is_running())

    def test_both_start_at_once_as_at_boot(self):
        self.libvirtd.kill()
        self.agent.stop()
        systemctl("start", "libvirtd.service", AGENT)
        self.attach_for_qemu(self.volume, self.disk, self.user_key)

    def test_its_user_reads_no_value(self):
        self.foreign_secret()
        for uuid in (FOREIGN, self.volume_secret_of_nova()):
            self.assertEqual(self.virsh_as("root", "secret-get-value", uuid).stdout.strip(), VALUE)
            self.assert_denied(self.virsh_as("volcrypt", "secret-get-value", uuid))
        self.libvirtd.undefine_secret(uuid)
        self.change_rule(EVERYTHING)
        self.assertEqual(self.virsh_as("volcrypt", "secret-get-value", FOREIGN).stdout.strip(), VALUE)

    def test_its_user_touches_no_secret_but_of_volumes(self):
        path = self.foreign_secret()
        self.assertIn(FOREIGN, self.virsh_as("root", "secret-list").stdout)
        self.assertNotIn(FOREIGN, self.virsh_as("volcrypt", "secret-list").stdout)
        for command in (["secret-dumpxml"], ["secret-set-value", "--base64", VALUE, "--secret"], ["secret-undefine"]):
            self.assert_denied(self.virsh_as("volcrypt", *command, FOREIGN))
        self.assert_denied(self.virsh_as("volcrypt", "secret-define", path))
        self.change_rule(EVERYTHING)
        self.assert_done(self.virsh_as("volcrypt", "secret-define", path))

    def test_its_user_neither_makes_nor_sees_a_domain(self):
        path = self.file_for_anybody("domain.xml", DOMAIN.format(name="mine"))
        as_agent = lambda *command: self.virsh_as("volcrypt", *command, uri="qemu:///system")
        self.addCleanup(self.libvirtd.try_virsh, "undefine", "mine")
        self.assert_denied(as_agent("define", path))
        self.assert_denied(as_agent("create", path))
        self.assert_denied(as_agent("pool-create-as", "p", "dir", "--target", "/tmp"))
        self.assert_done(self.virsh_as("root", "define", path, uri="qemu:///system"))
        self.assertEqual(as_agent("list", "--all").stdout.strip(), "")
        for command in ("dumpxml", "start", "undefine"):
            self.assertNotEqual(as_agent(command, "mine").returncode, 0, command)
        self.change_rule(EVERYTHING)
        self.assertIn("mine", as_agent("list", "--all").stdout)
        self.assert_done(as_agent("undefine", "mine"))
        self.assert_done(as_agent("define", path))

    def test_of_others_the_group_keeps_what_it_had_and_the_rest_do_not_connect(self):
        subprocess.run(["useradd", "--system", "--groups", "libvirt", OF_THE_GROUP], check=True)
        self.addCleanup(subprocess.run, ["userdel", OF_THE_GROUP], check=True, stderr=subprocess.DEVNULL)
        self.foreign_secret()
        done = self.virsh_as(OF_THE_GROUP, "secret-get-value", FOREIGN, groups="--init-groups")
        self.assertEqual(done.stdout.strip(), VALUE, done)
        self.assert_denied(self.virsh_as("nobody", "uri"), "authentication unavailable")


class WithoutTheRule(PolkitCase):
    def setUp(self):
        super().setUp()
        self.agent.restart()  # a connection that was allowed once stays

    def refused(self, says):
        error = self.attach_for_qemu_refused("LIBVIRT_UNAVAILABLE", self.volume, self.disk, self.user_key)
        self.assertRegex(error.message, f"{says}.*; docs/libvirt.md tells what rights")
        self.assertEqual(self.libvirtd.secrets(), {})

    def test_the_agent_does_not_connect_says_so_and_does_the_rest(self):
        self.refused("cannot be reached: authentication unavailable: .*org.libvirt.unix.manage")
        self.assertEqual(list(self.api("ListAttachments").unreachable), ["libvirt"])
        self.assertTrue(self.attach(self.volume_id(), self.device(mib=20), self.key())["formatted"])

    def test_a_rule_that_is_put_there_is_in_force_without_a_restart(self):
        self.refused("org.libvirt.unix.manage")
        self.addCleanup(set_rule, OF_AGENT, None)
        write_rule(OF_AGENT, shipped_rule())
        wait_until(lambda: not self.api("ListAttachments").unreachable, 30, "polkit to notice the rule")
        uuid = self.attach_for_qemu(self.volume, self.disk, self.user_key).attachment.libvirt_secret_uuid
        self.assert_whole_secret(self.volume, uuid)
        self.detach(self.volume)

    def test_a_rule_that_lacks_a_right_is_an_error_and_leaves_no_secret(self):
        rule = shipped_rule()
        for right in ("connect.getattr", "secret.write", "secret.save"):
            with self.subTest(right):
                line = f'"org.libvirt.api.{right}"'
                self.assertEqual(rule.count(line), 1)
                self.change_rule(rule.replace(line, '"none"'))
                self.agent.restart()
                self.refused("access denied")
        self.change_rule(rule)
        self.attach_for_qemu(self.volume, self.disk, self.user_key)
        self.detach(self.volume)
