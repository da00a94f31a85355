"""Volumes on a real kernel whose keys come from each of the four key managers, the servers running beside them."""

import secrets

from harness import NodeCase, mapping_path
from harness.agent import CONFIG
from harness.agent_files import DIRECTORY, barbican_section, give_to_agent, kmip_section
from harness.devices import run
from harness.first_use import OtherHost
from harness.key_store import key_bytes
from servers.cloud import Cloud
from servers.pykmip import Pki, PyKmip

FIXED_KEY = "00000000-0000-0000-0000-000000000000"
SECTIONS = """
[key_manager]
default = "local"
[key_managers.local]
type = "local"
[key_managers.fixed]
type = "conf"
fixed_key_file = "{files}/fixed"
high_entropy = true
"""


class KeyManagers(NodeCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(tls=True)
        cls.addClassCleanup(cls.cloud.close)
        cls.pki = Pki()
        cls.addClassCleanup(cls.pki.close)
        cls.kmip = PyKmip(cls.pki)
        cls.addClassCleanup(cls.kmip.close)
        cls.fixed_key = secrets.token_bytes(32)
        give_to_agent("fixed", cls.fixed_key.hex())
        cls.addClassCleanup(cls.agent.restart)
        cls.addClassCleanup(cls.agent.configure, CONFIG)
        sections = SECTIONS.format(files=DIRECTORY) + kmip_section(cls.kmip) + barbican_section(cls.cloud)
        cls.agent.configure(CONFIG + sections)
        cls.agent.restart()

    def check(self, manager, key_id, key):
        """First use, repeat, detach, later attach; by a key that cryptsetup takes too; data that stays."""
        device, volume = self.device(mib=16), self.volume_id()
        call = {"volume_id": volume, "device": device.path, "key": {"key_manager": manager, "key_id": key_id}}
        self.assertTrue(self.api("AttachVolume", **call).formatted)
        self.assertTrue(self.api("AttachVolume", **call).already_attached)
        with open(mapping_path(volume), "r+b", buffering=0) as mapping:
            mapping.write(key_id.encode().ljust(4096))
        self.detach(volume)
        run("cryptsetup", "open", "--test-passphrase", "--key-file", "-", device.path, data=key.hex().encode())
        answer = self.api("AttachVolume", **call)
        self.assertEqual((answer.formatted, answer.already_attached), (False, False))
        with open(mapping_path(volume), "rb", buffering=0) as mapping:
            self.assertEqual(mapping.read(4096).rstrip(), key_id.encode())
        found = self.api("GetAttachment", volume_id=volume).attachment.key
        self.assertEqual((found.key_manager, found.key_id), (manager, key_id))
        return device, volume, call

    def new_key(self, manager):
        return self.api("CreateKey", key_manager=manager).key.key_id

    def test_with_the_embedded_store(self):
        key_id = self.new_key("local")
        self.check("local", key_id, key_bytes(key_id))

    def test_with_the_fixed_key(self):
        self.check("fixed", FIXED_KEY, self.fixed_key)

    def test_with_barbican(self):
        key_id, nova = self.new_key("barbican"), self.cloud.user("nova")
        self.addCleanup(nova.close)
        device, volume, call = self.check("barbican", key_id, nova.payload(key_id))
        self.assertEqual(list(nova.user_metadata(key_id)), [f"volcrypt-{volume}"])
        self.detach(volume)
        device.write(0, bytes(device.size()))  # as a storage that has lost it would show it
        with OtherHost(self.agent):
            error = self.api_refused("VOLUME_HEADER_LOST", "AttachVolume", **call)
        self.assertIn("computenode", error.metadata["host"])
        self.assertEqual(device.read(0, device.size()), bytes(device.size()))

    def test_with_kmip(self):
        key_id = self.new_key("kmip")
        with self.kmip.client() as client:
            key = client.get(key_id).value
        self.check("kmip", key_id, key)
