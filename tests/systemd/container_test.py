"""A caller in a container, let in as docs/operations.md says."""

import os

from harness import NodeCase, paths
from harness.container import Container
from harness.devices import run
from service import AGENT, CONFIG, systemctl

FIRST_ID = 100000  # of the container, on the host
NOVA = 42436  # in the container
NOVA_ON_HOST = FIRST_ID + NOVA
GROUP = "nova-container"
SOCKET = "volcryptd.socket"


class Containers(NodeCase):
    def setUp(self):
        super().setUp()
        self.agent.configure(CONFIG + f'[[access]]\nrole = "compute"\nusers = ["{NOVA_ON_HOST}"]\n')
        run("groupadd", "--system", f"--gid={NOVA_ON_HOST}", GROUP)
        self.agent.drop_in(SOCKET, "container", f"[Socket]\nSocketGroup={GROUP}\n")
        directory = os.path.dirname(paths.SOCKET)
        self.container = self._keep(Container(FIRST_ID, {directory: directory}))

    def tearDown(self):
        self.agent.drop_in(SOCKET, "container", None)
        self.agent.configure(CONFIG)
        systemctl("restart", SOCKET, AGENT)
        run("groupdel", GROUP)
        super().tearDown()

    def test_its_group_connects_and_finds_a_new_socket(self):
        nova, before = self.container.ctl(NOVA), os.stat(paths.SOCKET).st_ino
        systemctl("restart", SOCKET, AGENT)
        self.assertNotEqual(os.stat(paths.SOCKET).st_ino, before)
        volume, device = self.volume_id(), self.device(mib=24)
        attached = nova("attach", volume, device.path, "--key", self.key())
        self.assertEqual(attached.status, 0, attached)
        self.assertTrue(attached.json["formatted"])
        systemctl("restart", AGENT)
        self.assertEqual(nova("detach", volume).status, 0)
        self.assert_not_attached(volume)
        refused = self.container.ctl(NOVA + 1)("list")
        self.assertEqual((refused.status, refused.error["code"]), (9, "PERMISSION_DENIED"), refused)
        refused = self.container.ctl(NOVA + 1, gid=NOVA)("list")
        self.assertEqual(refused.reason, "CALLER_UNKNOWN", refused)
