"""Clones and restored snapshots carry their parent's header, token and all, under another volume id."""

from harness import NodeCase, key_store
from harness.devices import run


class Clones(NodeCase):
    def setUp(self):
        super().setUp()
        self.parent, self.parents_key, self.parents_device = self.volume_id(), self.key(), self.device(mib=20)
        self.luks_uuid = self.attach(self.parent, self.parents_device, self.parents_key)["luks_uuid"]
        self.detach(self.parent)

    def test_a_clone_attaches_beside_its_parent_and_names_it(self):
        clone, device = self.volume_id(), self.clone()
        before = device.sha256()
        attached = self.attach(clone, device, self.parents_key)
        self.assertEqual(attached["header_volume_id"], self.parent)
        self.assertEqual(attached["luks_uuid"], self.luks_uuid)
        self.assertFalse(attached["formatted"])
        self.assertEqual(self.attach(self.parent, self.parents_device, self.parents_key)["header_volume_id"], "")
        self.assertEqual(len(self.ok("list")["attachments"]), 2)
        self.detach(clone)
        self.detach(self.parent)
        self.assert_untouched(device, before)

    def test_a_clone_with_a_key_of_its_own_attaches_and_names_its_parent(self):
        clone, device, key = self.volume_id(), self.clone(), self.key()
        parents_hex, own_hex = key_store.key_hex(self.parents_key), key_store.key_hex(key)
        run("cryptsetup", "luksChangeKey", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
            "--key-file", "-", "--keyfile-size", str(len(parents_hex)), device.path,
            data=(parents_hex + own_hex).encode())  # fmt: skip
        self.refused("KEY_REJECTED", "attach", clone, device.path, "--key", self.parents_key)
        attached = self.attach(clone, device, key)
        self.assertEqual(attached["header_volume_id"], self.parent)

    def test_a_clone_with_a_copy_of_its_parents_key_attaches_and_names_its_parent(self):
        clone, device = self.volume_id(), self.clone()
        before = device.sha256()
        copy = self.api("CopyKey", source={"key_id": self.parents_key}).key.key_id
        self.assertNotEqual(copy, self.parents_key)
        self.assertEqual(key_store.key_bytes(copy), key_store.key_bytes(self.parents_key))
        attached = self.attach(clone, device, copy)
        self.assertEqual(attached["header_volume_id"], self.parent)
        self.assertEqual(attached["luks_uuid"], self.luks_uuid)
        self.assertFalse(attached["formatted"])
        self.detach(clone)
        self.assert_untouched(device, before)

    def test_a_clone_that_this_host_knows_is_not_formatted_when_it_reads_as_zeros(self):
        clone, device = self.volume_id(), self.clone()
        path = self.linear(device)
        self.attach(clone, path, self.parents_key)
        self.detach(clone)
        path.swap("0 SIZE zero")
        self.refused("VOLUME_HEADER_LOST", "attach", clone, path.path, "--key", self.parents_key)
        path.swap(f"0 SIZE linear {device.path} 0")
        self.assertFalse(self.attach(clone, path, self.parents_key)["formatted"])

    def test_a_clone_needs_a_named_key(self):
        """The token's key is good for the volume that it names, and for no other."""
        device = self.clone()
        self.refused("KEY_REQUIRED", "attach", self.volume_id(), device.path)
        self.assertFalse(self.ok("attach", self.parent, device.path)["formatted"])

    def clone(self):
        return self.device(mib=20, content=self.parents_device.file)
