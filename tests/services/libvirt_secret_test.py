"""A key of Barbican's on its way to libvirt: volumes that QEMU decrypts, and mappings with a secret beside them."""

import os

from harness import CloudCase
from servers.libvirtd import SessionLibvirtd
from testkit.needles import Needles

FOR_QEMU = {"mode": "MODE_LIBVIRT_SECRET"}
STATE_BROKEN = 3


class LibvirtSecrets(CloudCase):
    lifetime = "ephemeral"

    def setUp(self):
        super().setUp()
        self.libvirtd = SessionLibvirtd()
        self.addCleanup(self.libvirtd.close)
        self.libvirtd.start()
        self.nova = self.user("nova")
        self.key = os.urandom(32)
        self.secret = self.nova.secret(self.key)
        self.first = self.agent_of("first-host", self.libvirtd)

    def agent_of(self, host, libvirtd):
        libvirt = {"uri": libvirtd.uri, "secrets": self.lifetime}
        return self.agent({"barbican": self.section("nova")}, host=host, libvirt=libvirt)

    def attach_for_qemu(self, volume, key_id=None, **fields):
        return self.attach(self.first, volume, key_id or self.secret, **FOR_QEMU, **fields)

    def record(self, volume, key_id=None):
        return self.nova.user_metadata(key_id or self.secret).get(f"volcrypt-{volume.volume_id}", "")

    def assert_value(self, uuid, passphrase):
        """Without a word of what the values are."""
        value = self.libvirtd.stored_value(uuid)
        self.assertIsNotNone(value, "libvirt has no value")
        self.assertTrue(value == passphrase, "libvirt has another value than the key's")

    def assert_gone(self, uuid):
        self.assertEqual(self.libvirtd.secrets(), {})
        self.assertIsNone(self.libvirtd.stored_value(uuid))


class OnDisk(LibvirtSecrets):
    """Persistent secrets, whose values can be compared."""

    lifetime = "persistent"

    def test_the_value_is_the_key_the_first_use_is_recorded_and_detach_removes_the_secret(self):
        volume = self.volume()
        attached = self.attach_for_qemu(volume)
        uuid = attached["libvirt_secret_uuid"]
        self.assertTrue(attached["formatted"])
        self.assertEqual(self.libvirtd.secrets(), {volume.volume_id: uuid})
        self.assert_value(uuid, self.key.hex().encode())
        self.assert_opened_by(volume, self.key)
        self.assertIn(attached["luks_uuid"], self.record(volume))
        self.assertIn("first-host/", self.record(volume))
        self.detach(self.first, volume)
        self.assert_gone(uuid)
        self.assertIn(attached["luks_uuid"], self.record(volume))

    def test_a_passphrase_is_the_value_as_it_is(self):
        passphrase, volume = b"a passphrase of an older volume", self.volume()
        key_id = self.nova.secret(passphrase, secret_type="passphrase")
        uuid = self.attach_for_qemu(volume, key_id)["libvirt_secret_uuid"]
        self.assert_value(uuid, passphrase)
        self.assert_opened_by(volume, passphrase, "passphrase")

    def test_beside_a_mapping_the_value_is_the_key_too(self):
        volume = self.volume()
        attached = self.attach(self.first, volume, self.secret, register_libvirt_secret=True)
        self.assert_value(attached["libvirt_secret_uuid"], self.key.hex().encode())
        self.assertIn(attached["luks_uuid"], self.record(volume))
        self.detach(self.first, volume)
        self.assert_gone(attached["libvirt_secret_uuid"])

    def test_of_a_disk_on_the_network_the_secret_is_all(self):
        volume = self.volume()
        volume.path = ""
        uuid = self.attach_for_qemu(volume)["libvirt_secret_uuid"]
        self.assert_value(uuid, self.key.hex().encode())
        self.assertEqual(self.record(volume), "", "of what nobody formatted")
        self.detach(self.first, volume)
        self.assert_gone(uuid)

    def test_another_host_opens_the_volume_with_a_secret_of_its_own(self):
        volume = self.volume()
        first = self.attach_for_qemu(volume)
        self.detach(self.first, volume)
        elsewhere = SessionLibvirtd()
        self.addCleanup(elsewhere.close)
        elsewhere.start()
        second = self.attach(self.agent_of("second-host", elsewhere), volume, self.secret, **FOR_QEMU)
        self.assertFalse(second["formatted"])
        self.assertEqual(second["luks_uuid"], first["luks_uuid"])
        self.assertEqual(elsewhere.secrets(), {volume.volume_id: second["libvirt_secret_uuid"]})
        self.assertTrue(elsewhere.stored_value(second["libvirt_secret_uuid"]) == self.key.hex().encode())
        self.assertEqual(self.libvirtd.secrets(), {})


class InMemory(LibvirtSecrets):
    """Ephemeral secrets."""

    def test_the_key_stays_with_libvirtd_alone_and_on_no_disk(self):
        needles, volume = Needles({"key": self.key}), self.volume()
        uuid = self.attach_for_qemu(volume)["libvirt_secret_uuid"]
        self.assertIsNone(self.libvirtd.stored_value(uuid))
        self.assertTrue(needles.in_memory(self.libvirtd.process.pid), "libvirtd does not have the key")
        for pid in (self.first.pid, self.first.helper.pid):
            self.assertEqual(needles.in_memory(pid), set())
        self.assertEqual(needles.in_bytes((self.first.log() + self.libvirtd.process.log()).encode()), set())
        self.assertEqual(needles.in_directory(self.first.directory), set())

    def test_what_libvirtd_lost_is_registered_again_by_the_same_attach(self):
        volume = self.volume()
        uuid = self.attach_for_qemu(volume)["libvirt_secret_uuid"]
        self.libvirtd.process.kill()
        self.libvirtd.start()
        (listed,) = self.first.api("ListAttachments").attachments
        self.assertEqual((listed.volume_id, listed.state), (volume.volume_id, STATE_BROKEN))
        self.assertEqual(self.attach_for_qemu(volume)["libvirt_secret_uuid"], uuid)
        self.assertEqual(self.libvirtd.secrets(), {volume.volume_id: uuid})
        self.assertTrue(Needles({"key": self.key}).in_memory(self.libvirtd.process.pid))

    def test_while_barbican_is_away_what_is_attached_is_answered_and_nothing_else_registered(self):
        volume, other = self.volume(), self.volume()
        self.attach_for_qemu(volume)
        self.cloud.barbican.process.kill()
        self.assertTrue(self.attach_for_qemu(volume)["already_attached"])
        self.attach_refused("KEY_MANAGER_UNAVAILABLE", self.first, other, self.secret, **FOR_QEMU)
        self.assertEqual(set(self.libvirtd.secrets()), {volume.volume_id})
        self.assertEqual(other.formats(), [])
        self.detach(self.first, volume)
        self.assertEqual(self.libvirtd.secrets(), {})

    def test_a_wrong_key_becomes_no_secret(self):
        volume = self.volume()
        volume.format_with(self.key)
        wrong = self.nova.secret(os.urandom(32))
        self.attach_refused("KEY_REJECTED", self.first, volume, wrong, **FOR_QEMU)
        self.assertEqual(self.libvirtd.secrets(), {})
        self.assertEqual(self.record(volume, wrong), "")

    def test_a_volume_that_lost_its_header_becomes_no_secret(self):
        volume = self.volume()
        self.attach_for_qemu(volume)
        self.detach(self.first, volume)
        volume.make_blank()
        self.attach_refused("VOLUME_HEADER_LOST", self.first, volume, self.secret, **FOR_QEMU)
        self.assertEqual((volume.formats(), self.libvirtd.secrets()), ([], {}))

    def test_while_libvirtd_is_away_no_first_use_begins(self):
        volume = self.volume()
        self.libvirtd.process.kill()
        self.attach_refused("LIBVIRT_UNAVAILABLE", self.first, volume, self.secret, **FOR_QEMU)
        self.assertEqual((volume.formats(), self.record(volume)), ([], ""))
