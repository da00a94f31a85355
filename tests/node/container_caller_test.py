"""A caller in a container: namespaces of its own, and of the host only what is mounted into it."""

import os
import re

from harness import Ctl, NodeCase, mapping_path, paths
from harness.agent import CONFIG
from harness.container import Container
from harness.ctl import where_anybody_finds_it
from harness.devices import run

FIRST_ID = 100000  # of the container, on the host
NOVA = 42436  # in the container; nobody has an account of this number anywhere
NOVA_ON_HOST = FIRST_ID + NOVA
NOBODY = 4711  # on the host, and not in the container
SOCKET_DIRECTORY = os.path.dirname(paths.SOCKET)
SOCKET_ALONE = "/mnt/volcryptd.sock"


class Containers(NodeCase):
    def setUp(self):
        super().setUp()
        # 65534 is how every user that is not mapped looks from inside; a rule for it must help nobody.
        self.agent.configure(CONFIG + f'[[access]]\nrole = "compute"\nusers = ["{NOVA_ON_HOST}", "65534"]\n')
        self.agent.reload()
        self.let_nova_connect()
        mounts = {SOCKET_DIRECTORY: SOCKET_DIRECTORY, paths.SOCKET: SOCKET_ALONE}
        self.container = self._keep(Container(FIRST_ID, mounts))
        self.nova = self.container.ctl(NOVA)
        self.key_id = self.key()

    def tearDown(self):
        self.agent.configure(CONFIG)
        self.agent.restart()
        super().tearDown()

    @staticmethod
    def let_nova_connect():
        """As SocketGroup= does under systemd."""
        os.chown(paths.SOCKET, -1, NOVA_ON_HOST)

    def assert_done(self, result):
        self.assertEqual(result.status, 0, result)
        return result.json

    def uids_logged(self, outcome):
        return set(re.findall(rf"reason={outcome} .*\buid=(\d+)", self.agent_log()))

    def test_the_numbers_on_the_host_are_what_access_rules_name(self):
        self.assertEqual(self.container.run(NOVA, "id", "-u"), (0, f"{NOVA}\n"))
        self.assertEqual(self.container.run(NOVA, "test", "-e", "/etc/passwd")[0], 1)
        self.assert_done(self.nova("list"))
        self.assertEqual(self.uids_logged("OK") - {"0"}, {str(NOVA_ON_HOST)})

    def test_devices_are_the_hosts_and_need_not_be_in_the_container(self):
        volume, device = self.volume_id(), self.device(mib=8)
        self.assertEqual(self.container.run(NOVA, "test", "-e", paths.SOCKET)[0], 0)
        for path in (device.path, "/dev/mapper"):
            self.assertEqual(self.container.run(NOVA, "test", "-e", path)[0], 1, path)
        attached = self.assert_done(self.nova("attach", volume, device.path, "--key", self.key_id))
        self.assertTrue(attached["formatted"])
        self.assertEqual(attached["attachment"]["device_path"], mapping_path(volume))
        with open(mapping_path(volume), "rb") as mapping:
            self.assertEqual(len(mapping.read(512)), 512)
        self.assertEqual(self.container.run(NOVA, "test", "-e", mapping_path(volume))[0], 1)
        self.assertTrue(self.assert_done(self.nova("detach", volume))["was_attached"])
        self.assert_not_attached(volume)

    def test_with_the_directory_mounted_a_new_socket_is_found_after_a_restart(self):
        alone = self.container.ctl(NOVA, socket=SOCKET_ALONE)
        self.assert_done(self.nova("list"))
        self.assert_done(alone("list"))
        before = os.stat(paths.SOCKET).st_ino
        self.agent.restart()
        self.let_nova_connect()
        self.assertNotEqual(os.stat(paths.SOCKET).st_ino, before)
        self.assert_done(self.nova("list"))
        # Whoever mounts the socket itself has the old one for ever.
        refused = alone("list")
        self.assertEqual((refused.reason, refused.status), ("AGENT_UNREACHABLE", 7), refused)

    def test_the_containers_root_is_nobody_to_the_agent(self):
        self.assertEqual(self.container.run(0, "id", "-u"), (0, "0\n"))
        refused = self.container.ctl(0, gid=NOVA)("list")
        self.assertEqual((refused.reason, refused.status), ("CALLER_UNKNOWN", 9), refused)
        self.assertEqual(self.uids_logged("CALLER_UNKNOWN"), {str(FIRST_ID)})

    def test_a_user_that_is_not_mapped_is_refused_and_logged_by_its_number_on_the_host(self):
        unmapped = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOVA_ON_HOST}", "--clear-groups", "--", "unshare", "--user", "--"]
        self.assertEqual(run(*unmapped, "id", "-u"), "65534\n")
        refused = Ctl(command=[*unmapped, where_anybody_finds_it(paths.CTL)])("list")
        self.assertEqual((refused.reason, refused.status), ("CALLER_UNKNOWN", 9), refused)
        self.assertEqual(self.uids_logged("CALLER_UNKNOWN"), {str(NOBODY)})
