"""What tests with libvirt have in common."""

import os
import time

from harness import key_store, paths
from harness.agent import CONFIG
from harness.case import NodeCase, leftover_loops
from harness.devices import mapping_path
from testkit.libvirtd import Libvirtd

RECORDS = os.path.join(paths.AGENT_STATE, "libvirt-secrets")
LIBVIRT_CONFIG = CONFIG + '[libvirt]\nuri = "qemu:///system"\n'


class LibvirtCase(NodeCase):
    """A libvirtd runs, .libvirtd, and the agent registers secrets with it. Both outlive the tests of a class; every
    attachment and secret is to be gone after each."""

    base_config, config = CONFIG, LIBVIRT_CONFIG

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirtd = cls.make_libvirtd()
        cls.libvirtd.start()
        cls.addClassCleanup(cls.libvirtd.kill)
        cls.agent.configure(cls.config)
        cls.addClassCleanup(cls.agent.restart)
        cls.addClassCleanup(cls.agent.configure, cls.base_config)
        cls.agent.restart()

    @classmethod
    def make_libvirtd(cls):
        return Libvirtd(paths.OUT)

    def tearDown(self):
        self.libvirtd.ensure()
        if not self.agent.is_running():
            self.agent.start()
        for attachment in self.api("ListAttachments").attachments:
            self.api("DetachVolume", volume_id=attachment.volume_id)
        super().tearDown()
        left = self.libvirtd.secrets()
        for uuid in left.values():
            self.libvirtd.undefine_secret(uuid)
        self.assertEqual(left, {}, "secrets left behind")
        self.assertEqual(os.listdir(RECORDS) if os.path.exists(RECORDS) else [], [], "records left behind")

    # QEMU decrypts.

    def attach_for_qemu(self, volume_id, device, key, **fields):
        """Must succeed; the response."""
        path = getattr(device, "path", device)
        fields = {"volume_id": volume_id, "device": path, "key": {"key_id": key}, "mode": "MODE_LIBVIRT_SECRET", **fields}
        return self.api("AttachVolume", **fields)

    def attach_for_qemu_refused(self, reason, volume_id, device, key, **fields):
        path = getattr(device, "path", device)
        fields = {"volume_id": volume_id, "device": path, "key": {"key_id": key}, "mode": "MODE_LIBVIRT_SECRET", **fields}
        return self.api_refused(reason, "AttachVolume", **fields)

    def attach_with_secret(self, volume_id, device, key):
        fields = {"volume_id": volume_id, "device": device.path, "key": {"key_id": key}}
        return self.api("AttachVolume", register_libvirt_secret=True, **fields)

    def one(self, volume_id):
        return self.api("GetAttachment", volume_id=volume_id).attachment

    def listed(self):
        return {attachment.volume_id: attachment for attachment in self.api("ListAttachments").attachments}

    def assert_unmapped(self, volume_id):
        self.assertFalse(os.path.exists(mapping_path(volume_id)), f"{mapping_path(volume_id)} exists")
        self.assertEqual([loop for loop in leftover_loops() if "/volumes/" in loop], [])

    def assert_whole_secret(self, volume_id, uuid):
        """One of ours, private and ephemeral. That it has the right value is for QEMU to say."""
        self.assertEqual(self.libvirtd.secrets().get(volume_id), uuid)
        secret = self.libvirtd.secret_xml(uuid)
        self.assertEqual((secret.get("ephemeral"), secret.get("private")), ("yes", "yes"))
        self.assertTrue(secret.findtext("description").startswith("volcrypt mode="))


class Timer:
    """with Timer() as timer: ...; timer.seconds."""

    def __enter__(self):
        self._begin = time.monotonic()
        return self

    def __exit__(self, *exception):
        self.seconds = time.monotonic() - self._begin


def passphrase_of(key_id):
    return key_store.key_hex(key_id).encode()


