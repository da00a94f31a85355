"""volcryptctl's key commands, as an administrator types them, against every kind of key manager at once."""

import json
import os

from harness import CloudCase, KmipCase

FIXED_KEY = "00000000-0000-0000-0000-000000000000"
USAGE, KEY, IN_USE = 1, 2, 5  # exit statuses
MANAGERS = ("local", "barbican", "kmip")  # that make keys, take copies and delete


class KeyCommands(CloudCase, KmipCase):
    """One agent with four sections. What a command says is compared with what Barbican and PyKMIP hold."""

    def setUp(self):
        super().setUp()
        self.nova, self.fixed = self.user("nova"), os.urandom(32)
        conf = {"type": "conf", "fixed_key_file": self.file("fixed", self.fixed.hex())}
        sections = {"barbican": CloudCase.section(self, "nova"), "kmip": KmipCase.section(self), "conf": conf}
        self.shared = self.agent(sections, default="local")

    def key(self, *arguments):
        """`volcryptctl key ...`, which must succeed; its answer."""
        status, output, errors = self.ctl(self.shared, "key", *arguments)
        self.assertEqual((status, errors), (0, ""), output)
        answer = json.loads(output)
        self.assertEqual(answer.pop("schema"), "volcrypt/v1")
        return answer

    def key_refused(self, expected, reason, *arguments):
        """Must end with this status and reason, and print nothing as an answer; the error."""
        status, output, errors = self.ctl(self.shared, "key", *arguments)
        self.assertEqual((status, output), (expected, ""), errors)
        error = json.loads(errors.splitlines()[-1])["error"]
        self.assertEqual(error["reason"], reason, error)
        return error

    def new_key(self, manager, *command):
        """As MANAGER:ID, which other commands take."""
        key = self.key(*command)["key"]
        self.assertEqual(key["key_manager"], manager)
        return f"{manager}:{key['key_id']}"

    def create(self, manager, *options):
        return self.new_key(manager, "create", "--manager", manager, *options)

    def copy(self, source, manager, *options):
        return self.new_key(manager, "copy", source, "--to", manager, *options)

    def bytes_of(self, key):
        """As the server gives them to somebody else."""
        manager, key_id = key.split(":")
        if manager == "barbican":
            return self.nova.payload(key_id)
        with self.server.client() as client:
            return client.get(key_id).value

    def shown(self, key):
        """`key show`, without what differs from key to key."""
        answer = self.key("show", key)
        manager, key_id = key.split(":")
        self.assertEqual(answer.pop("key"), {"key_manager": manager, "key_id": key_id})
        self.assertRegex(answer.pop("created_at"), r"^20\d\d-\d\d-\d\dT[\d:.]+Z$")
        return {**answer, "status": answer["status"].lower()}

    def test_a_key_is_made_shown_and_deleted(self):
        for manager in MANAGERS:
            for options, bits in ((), 256), (("--bits", "128", "--name", f"{manager}-128"), 128):
                with self.subTest(manager, bits=bits):
                    key = self.create(manager, *options)
                    facts = {"secret_type": "symmetric", "algorithm": "aes", "bit_length": bits, "status": "active"}
                    self.assertEqual(self.shown(key), {**facts, "formatted_volumes": []})
                    self.assertEqual(self.key("delete", key, "--yes"), {})
                    self.key_refused(KEY, "KEY_NOT_FOUND", "show", key)

    def test_what_is_made_and_deleted_is_so_in_the_servers(self):
        barbican, kmip = self.create("barbican", "--name", "volume 42"), self.create("kmip", "--name", "volume-42")
        self.assertEqual((len(self.bytes_of(barbican)), len(self.bytes_of(kmip))), (32, 32))
        secret = barbican.removeprefix("barbican:")
        self.assertEqual(self.nova.metadata(secret)["name"], "volume 42")
        with self.server.client() as client:
            self.assertEqual(client.locate(), [kmip.removeprefix("kmip:")])
            self.key("delete", kmip, "--yes")
            self.assertEqual(client.locate(), [])
        self.key("delete", barbican, "--yes")
        self.assertEqual(self.nova.status_of(secret), 404)

    def test_nothing_is_deleted_without_confirmation(self):
        for manager in MANAGERS:
            with self.subTest(manager):
                key = self.create(manager)
                self.key_refused(USAGE, "NOT_CONFIRMED", "delete", key)
                self.assertEqual(self.shown(key)["status"], "active")

    def test_a_key_goes_round_all_key_managers_unchanged(self):
        """local, Barbican, KMIP and local again, each copy made of the one before."""
        local = self.create("local", "--name", "round")
        volume = self.volume()
        self.attach(self.shared, volume, local.removeprefix("local:"), "local")
        self.detach(self.shared, volume)
        barbican = self.copy(local, "barbican")
        kmip = self.copy(barbican, "kmip", "--name", "round-2")
        again = self.copy(kmip, "local")
        self.assertNotEqual(again, local)
        self.assertEqual(self.bytes_of(barbican), self.bytes_of(kmip))
        self.assert_opened_by(volume, self.bytes_of(kmip))
        for key in (local, barbican, kmip, again):
            with self.subTest(key):
                facts = self.shown(key)
                self.assertEqual((facts["secret_type"], facts["bit_length"]), ("symmetric", 256))
                self.attach(self.shared, volume, key.split(":")[1], key.split(":")[0])
                self.detach(self.shared, volume)
        self.assertEqual(len(volume.formats()), 1)

    def test_a_copy_takes_the_records_along_and_is_protected_by_them(self):
        local, volume = self.create("local"), self.volume()
        self.attach(self.shared, volume, local.removeprefix("local:"), "local")
        self.detach(self.shared, volume)
        for key in (local, self.copy(local, "barbican")):
            with self.subTest(key):
                self.assertEqual(self.shown(key)["formatted_volumes"], [volume.volume_id])
                self.key_refused(IN_USE, "KEY_IN_USE", "delete", key, "--yes")
                self.key("delete", key, "--yes", "--force")
                self.key_refused(KEY, "KEY_NOT_FOUND", "show", key)

    def test_the_source_of_a_copy_can_go(self):
        for source, target in (("local", "barbican"), ("barbican", "kmip"), ("kmip", "local")):
            with self.subTest(source, target=target):
                key = self.create(source)
                copy = self.copy(key, target)
                self.key("delete", key, "--yes")
                self.key_refused(KEY, "KEY_NOT_FOUND", "show", key)
                self.assertEqual(self.shown(copy)["status"], "active")

    def test_the_fixed_key_is_shown(self):
        for key in (FIXED_KEY, f"conf:{FIXED_KEY}"):
            with self.subTest(key):
                answer = self.key("show", key)
                self.assertEqual(answer["key"], {"key_manager": "conf", "key_id": FIXED_KEY})
                self.assertEqual((answer["secret_type"], answer["algorithm"]), ("symmetric", "aes"))
                self.assertEqual((answer["bit_length"], answer["status"]), (256, "active"))
                self.assertEqual(answer["formatted_volumes"], [])

    def test_the_fixed_key_is_copied_out_and_stays(self):
        for manager in ("barbican", "kmip"):
            with self.subTest(manager):
                copy = self.copy(FIXED_KEY, manager, "--name", "from-conf")
                self.assertEqual(self.bytes_of(copy), self.fixed)
                self.assertEqual(self.shown(copy)["secret_type"], "opaque")  # nobody vouches that it is random
        self.assertEqual(self.key("show", FIXED_KEY)["status"], "active")

    def test_a_fixed_key_manager_makes_takes_and_deletes_nothing(self):
        local = self.create("local")
        commands = {
            "create": ("create", "--manager", "conf"),
            "copy": ("copy", local, "--to", "conf"),
            "delete": ("delete", FIXED_KEY, "--yes"),
            "delete by force": ("delete", f"conf:{FIXED_KEY}", "--yes", "--force"),
        }
        for name, command in commands.items():
            with self.subTest(name):
                error = self.key_refused(USAGE, "INVALID_FIELD", *command)
                self.assertEqual(error["metadata"]["field"], "key_manager")
                self.assertEqual(error["code"], "INVALID_ARGUMENT")
        self.assertEqual(self.key("show", FIXED_KEY)["status"], "active")
