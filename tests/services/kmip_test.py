"""Keys in a KMIP server: made, fetched, copied, found by name; whose they are and what became of them."""

import os
import secrets
import warnings

from harness import KmipCase

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kmip import enums
    from kmip.pie import objects

OUT_OF_USE = enums.RevocationReasonCode.CESSATION_OF_OPERATION


class Kmip(KmipCase):
    def setUp(self):
        super().setUp()
        self.kmip = self.agent({"kmip": self.section()})

    def client(self, certificate=None):
        client = self.server.client(certificate)
        client.open()
        self.addCleanup(client.close)
        return client

    def register(self, client, key, activate=True, **fields):
        uid = client.register(objects.SymmetricKey(enums.CryptographicAlgorithm.AES, len(key) * 8, key, **fields))
        if activate:
            client.activate(uid)
        return uid


class Keys(Kmip):
    def test_the_server_makes_keys_that_open_volumes(self):
        client = self.client()
        for bits in (128, 256, 512):
            with self.subTest(bits):
                volume, uid = self.volume(), self.create_key(self.kmip, bit_length=bits)
                self.assertTrue(self.attach(self.kmip, volume, uid)["formatted"])
                self.assert_opened_by(volume, client.get(uid).value)
                self.assertEqual(volume.formats()[0]["keyslot"], "fast")
                self.detach(self.kmip, volume)
                self.assertFalse(self.attach(self.kmip, volume, uid)["formatted"])

    def test_keys_registered_by_others_open_volumes(self):
        for size in (16, 32, 64):
            with self.subTest(size):
                key, volume = os.urandom(size), self.volume()
                self.attach(self.kmip, volume, self.register(self.client(), key))
                self.assert_opened_by(volume, key)

    def test_a_password_is_taken_as_a_passphrase(self):
        client, volume = self.client(), self.volume()
        uid = client.register(objects.SecretData(b"a passphrase", enums.SecretDataType.PASSWORD))
        client.activate(uid)
        self.attach(self.kmip, volume, uid)
        self.assert_opened_by(volume, b"a passphrase", "passphrase")
        self.assertEqual(volume.formats()[0]["keyslot"], "slow")

    def test_a_key_that_was_never_activated_formats_nothing(self):
        volume = self.volume()
        error = self.attach_refused("KEY_UNFIT", self.kmip, volume, self.register(self.client(), os.urandom(32), False))
        self.assertIn("activ", error.message)
        self.assertEqual(volume.formats(), [])

    def test_a_revoked_key_opens_what_it_formatted_and_formats_nothing_more(self):
        client, volume = self.client(), self.volume()
        uid = self.create_key(self.kmip)
        self.attach(self.kmip, volume, uid)
        self.detach(self.kmip, volume)
        client.revoke(OUT_OF_USE, uid)
        self.assertFalse(self.attach(self.kmip, volume, uid)["formatted"])
        blank = self.volume()
        self.attach_refused("KEY_UNFIT", self.kmip, blank, uid)
        self.assertEqual(blank.formats(), [])

    def test_a_destroyed_key_is_not_found(self):
        client, uid = self.client(), self.create_key(self.kmip)
        client.revoke(OUT_OF_USE, uid)
        client.destroy(uid)
        self.attach_refused("KEY_NOT_FOUND", self.kmip, self.volume(), uid)

    def test_an_unknown_key_is_not_found(self):
        self.attach_refused("KEY_NOT_FOUND", self.kmip, self.volume(), "987654")

    def test_another_clients_key_is_denied(self):
        uid = self.register(self.client(self.pki.authority.client("compute-2")), os.urandom(32))
        error = self.attach_refused("KEY_ACCESS_DENIED", self.kmip, self.volume(), uid)
        self.assertIn(uid, error.message)

    def test_a_key_that_is_asked_for_is_never_anothers(self):
        """PyKMIP answers a request without an identifier with the last key that any client touched."""
        key, volume = os.urandom(32), self.volume()
        uid, other = self.register(self.client(), key), self.client()
        for _ in range(5):
            other.get(self.register(other, os.urandom(32)))
        self.attach(self.kmip, volume, uid)
        self.assert_opened_by(volume, key)
        self.attach_refused("KEY_NOT_FOUND", self.kmip, self.volume(), "name:not-there")

    def test_metadata_tells_what_the_server_knows(self):
        uid = self.create_key(self.kmip, bit_length=512)
        found = self.key_metadata(self.kmip, uid)
        self.assertEqual((found.secret_type, found.algorithm, found.bit_length), ("symmetric", "aes", 512))
        self.assertEqual(found.status.lower(), "active")

    def test_a_length_that_the_server_does_not_make_is_refused(self):
        self.refused("INVALID_FIELD", lambda: self.create_key(self.kmip, bit_length=300))

    def test_a_first_use_is_not_recorded_and_the_log_says_so(self):
        volume = self.volume()
        self.assertTrue(self.attach(self.kmip, volume, self.create_key(self.kmip))["formatted"])
        self.assertIn("first-use record", self.kmip.log())

    def test_the_fetched_key_never_depends_on_what_another_agent_does(self):
        """Two agents, many keys, all at once on their kept connections."""
        second = self.agent({"kmip": self.section()})
        client, keys = self.client(), [os.urandom(32) for _ in range(12)]
        uids = [self.register(client, key) for key in keys]
        volumes = [self.volume() for _ in keys]
        calls = [
            (agent, self.start_attach(agent, volume, uid))
            for agent, volume, uid in zip([self.kmip, second] * 6, volumes, uids)
        ]
        for agent, call in calls:
            self.assertTrue(agent.api.result(call).formatted)
        for volume, key in zip(volumes, keys):
            self.assert_opened_by(volume, key)


class Names(Kmip):
    def test_a_key_is_found_by_its_name(self):
        key, volume = os.urandom(32), self.volume()
        self.register(self.client(), key, name="volume-seven")
        self.attach(self.kmip, volume, "name:volume-seven")
        self.assert_opened_by(volume, key)

    def test_the_name_that_a_key_was_made_with_finds_it(self):
        uid, volume = self.create_key(self.kmip, name="volume-8"), self.volume()
        self.attach(self.kmip, volume, "name:volume-8")
        self.assert_opened_by(volume, self.client().get(uid).value)

    def test_a_name_that_several_keys_have_is_refused(self):
        client = self.client()
        for _ in range(2):
            self.register(client, os.urandom(32), name="twins")
        volume = self.volume()
        error = self.attach_refused("KEY_UNFIT", self.kmip, volume, "name:twins")
        self.assertIn("twins", error.message)
        self.assertEqual(volume.formats(), [])

    def test_a_name_that_no_key_has_is_not_found_and_makes_none(self):
        client = self.client()
        before = len(client.locate())
        self.attach_refused("KEY_NOT_FOUND", self.kmip, self.volume(), "name:nobody")
        self.assertEqual(len(client.locate()), before)

    def test_a_name_of_another_clients_key_is_not_found(self):
        self.register(self.client(self.pki.authority.client("compute-2")), os.urandom(32), name="theirs")
        self.attach_refused("KEY_NOT_FOUND", self.kmip, self.volume(), "name:theirs")


class Passwords(KmipCase):
    """A server that demands a name and password in the header of each request, besides the certificate."""

    def setUp(self):
        super().setUp()
        self.password = secrets.token_hex(20)
        self.server = self.new_server(users={"volcrypt": self.password})

    def agent_with(self, password, username="volcrypt"):
        return self.agent({"kmip": self.section(username=username, password_file=self.file("password", password))})

    def test_the_right_password_makes_and_fetches_keys(self):
        agent, volume = self.agent_with(self.password), self.volume()
        key = self.create_key(agent)
        self.assertTrue(self.attach(agent, volume, key)["formatted"])
        with self.server.client(username="volcrypt", password=self.password) as client:
            self.assert_opened_by(volume, client.get(key).value)

    def test_a_wrong_password_or_name_is_denied_and_formats_nothing(self):
        key = self.create_key(self.agent_with(self.password))
        for username, password in (("volcrypt", "x" + self.password[1:]), ("somebody", self.password)):
            with self.subTest(username):
                agent, volume = self.agent_with(password, username), self.volume()
                error = self.attach_refused("KEY_ACCESS_DENIED", agent, volume, key)
                self.assertEqual(error.metadata.get("credential"), "agent")
                for text in ("username", "password_file"):
                    self.assertIn(text, error.message)
                self.assertNotIn(password, error.message)
                self.assertEqual(volume.formats(), [])

    def test_a_certificate_alone_is_denied(self):
        self.refused("KEY_ACCESS_DENIED", lambda: self.create_key(self.agent({"kmip": self.section()})))

    def test_a_check_fails_where_the_password_is_looked_at(self):
        steps = self.agent_with(self.password).api("CheckKeyManager", key_manager="kmip").steps
        self.assertEqual([step.name for step in steps if not step.passed], [], steps)
        *_, last = self.agent_with("wrong").api("CheckKeyManager", key_manager="kmip").steps
        self.assertEqual((last.name, last.passed), ("authenticate", False))
        self.assertIn("password_file", last.remedy)

    def test_a_password_that_nobody_asks_for_does_no_harm(self):
        self.server = self.new_server()
        agent = self.agent_with(self.password)
        self.assertTrue(self.attach(agent, self.volume(), self.create_key(agent))["formatted"])


class CopiesAndDeletion(Kmip):
    def setUp(self):
        super().setUp()
        self.pyclient = self.client()

    def copy(self, manager, key_id, target, **fields):
        source = {"key_manager": manager, "key_id": key_id}
        return self.kmip.api("CopyKey", source=source, key_manager=target, **fields).key.key_id

    def test_a_copy_has_the_same_bytes_and_opens_the_same_volume(self):
        for source, target in (("local", "kmip"), ("kmip", "local"), ("kmip", "kmip")):
            with self.subTest(f"{source} to {target}"):
                key, volume = self.create_key(self.kmip, source), self.volume()
                self.attach(self.kmip, volume, key, source)
                self.detach(self.kmip, volume)
                copy = self.copy(source, key, target, name="copy")
                self.assertFalse(self.attach(self.kmip, volume, copy, target)["formatted"])

    def test_a_copy_is_active(self):
        copy = self.copy("local", self.create_key(self.kmip, "local"), "kmip")
        self.assertTrue(self.attach(self.kmip, self.volume(), copy)["formatted"])

    def test_a_deleted_key_is_gone_although_it_was_active(self):
        uid = self.create_key(self.kmip)
        self.kmip.api("DeleteKey", key={"key_id": uid})
        self.assertNotIn(uid, self.pyclient.locate())
        self.refused("KEY_NOT_FOUND", lambda: self.kmip.api("DeleteKey", key={"key_id": uid}))

    def test_another_clients_key_is_not_deleted(self):
        other = self.client(self.pki.authority.client("compute-2"))
        uid = self.register(other, os.urandom(32))
        self.refused("KEY_ACCESS_DENIED", lambda: self.kmip.api("DeleteKey", key={"key_id": uid}, force=True))
        self.assertEqual(len(other.get(uid).value), 32)


class Check(Kmip):
    def test_every_step_passes_where_all_is_right(self):
        steps = self.kmip.api("CheckKeyManager", key_manager="kmip").steps
        self.assertEqual([step.name for step in steps if not step.passed], [], steps)
        for name in ("resolve", "connect", "tls"):
            self.assertIn(name, [step.name for step in steps])

    def test_a_check_makes_nothing(self):
        before = len(self.client().locate())
        self.kmip.api("CheckKeyManager", key_manager="kmip")
        self.assertEqual(len(self.client().locate()), before)

    def test_a_server_that_is_down_fails_at_connect(self):
        self.server.process.kill()
        *_, last = self.kmip.api("CheckKeyManager", key_manager="kmip").steps
        self.assertEqual((last.name, last.passed), ("connect", False))
        self.assertTrue(last.remedy)
