"""Who may do what with a key: every role, projects, access lists; and that errors tell an operator what is missing."""

import os

from harness import CloudCase

MAY = None  # no reason: it works


class Roles(CloudCase):
    """The same key, of nova in the project "tenant", for an agent that is one user after another."""

    # User: what attach of a formatted volume, first use and CreateKey come to.
    MATRIX = {
        "nova": (MAY, MAY, MAY),
        "second": (MAY, MAY, MAY),
        "creator": (MAY, MAY, MAY),
        "manager": (MAY, MAY, MAY),
        "observer": (MAY, MAY, "KEY_ACCESS_DENIED"),
        "auditor": ("KEY_ACCESS_DENIED",) * 3,
        "member": ("KEY_ACCESS_DENIED",) * 3,
        "reader": ("KEY_ACCESS_DENIED",) * 3,
        "stranger": ("KEY_ACCESS_DENIED", "KEY_ACCESS_DENIED", MAY),
    }

    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.agents = self.agent({name: self.section(name) for name in self.MATRIX})

    def assert_comes_to(self, reason, call):
        if reason is MAY:
            call()
            return None
        return self.refused(reason, call)

    def test_each_role_attaches_a_formatted_volume_or_is_refused(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.attach(self.agents, volume, secret, "nova")
        self.detach(self.agents, volume)
        for name, (reason, _, _) in self.MATRIX.items():
            with self.subTest(name):
                self.assert_comes_to(reason, lambda user=name: self.attach(self.agents, volume, secret, user))
                if reason is MAY:
                    self.detach(self.agents, volume)
        self.assertEqual(len(volume.formats()), 1)

    def test_each_role_formats_or_is_refused(self):
        for name, (_, reason, _) in self.MATRIX.items():
            with self.subTest(name):
                secret, volume = self.nova.secret(os.urandom(32)), self.volume()
                self.assert_comes_to(reason, lambda user=name: self.attach(self.agents, volume, secret, user))
                self.assertEqual(len(volume.formats()), 1 if reason is MAY else 0)

    def test_each_role_creates_keys_or_is_refused(self):
        for name, (_, _, reason) in self.MATRIX.items():
            with self.subTest(name):
                self.assert_comes_to(reason, lambda user=name: self.create_key(self.agents, user))

    def test_a_missing_creator_role_is_named_when_a_key_is_to_be_made(self):
        for name in ("observer", "member"):
            with self.subTest(name):
                error = self.refused("KEY_ACCESS_DENIED", lambda user=name: self.create_key(self.agents, user))
                self.assertIn("creator", error.message)
                self.assertEqual(error.metadata.get("credential"), "agent")

    def test_a_refused_read_says_which_credential_and_which_roles_would_do(self):
        secret = self.nova.secret(os.urandom(32))
        error = self.attach_refused("KEY_ACCESS_DENIED", self.agents, self.volume(), secret, "member")
        self.assertEqual(error.metadata.get("credential"), "agent")
        self.assertIn(secret, error.message)
        for word in ("creator", "read ACL", "member"):
            self.assertIn(word, error.message)

    def test_a_record_that_may_not_be_written_is_a_warning_and_not_a_failure(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.assertTrue(self.attach(self.agents, volume, secret, "observer")["formatted"])
        self.assertEqual(self.nova.user_metadata(secret), {})
        warnings = [line for line in self.agents.log().splitlines() if "first-use record" in line]
        self.assertTrue(any(volume.volume_id in line for line in warnings), self.agents.log())

    def test_a_record_is_obeyed_by_who_may_not_write_it(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.attach(self.agents, volume, secret, "nova")
        self.detach(self.agents, volume)
        volume.make_blank()
        self.attach_refused("VOLUME_HEADER_LOST", self.agents, volume, secret, "observer")
        self.assertEqual(volume.formats(), [])

    def test_deleting_is_refused_without_a_role_that_may(self):
        secret = self.nova.secret(os.urandom(32))
        for name in ("observer", "auditor", "member", "stranger"):
            with self.subTest(name):
                key = {"key_manager": name, "key_id": secret}
                self.refused("KEY_ACCESS_DENIED", lambda reference=key: self.agents.api("DeleteKey", key=reference))
        self.assertEqual(self.nova.status_of(secret), 200)


class AccessLists(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.agents = self.agent({name: self.section(name) for name in ("nova", "second", "stranger", "observer")})

    def test_a_reader_of_another_project_attaches_and_cannot_record(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.nova.set_acl(secret, ["stranger"])
        self.assertTrue(self.attach(self.agents, volume, secret, "stranger")["formatted"])
        self.assertEqual(self.nova.user_metadata(secret), {})
        self.detach(self.agents, volume)
        self.assertFalse(self.attach(self.agents, volume, secret, "stranger")["formatted"])

    def test_a_reader_may_not_delete(self):
        secret = self.nova.secret(os.urandom(32))
        self.nova.set_acl(secret, ["stranger"])
        key = {"key_manager": "stranger", "key_id": secret}
        self.refused("KEY_ACCESS_DENIED", lambda: self.agents.api("DeleteKey", key=key))

    def test_a_private_key_is_denied_to_the_rest_of_its_project(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.nova.set_acl(secret, [], project_access=False)
        for name in ("second", "observer"):
            with self.subTest(name):
                self.attach_refused("KEY_ACCESS_DENIED", self.agents, volume, secret, name)
        self.assertTrue(self.attach(self.agents, volume, secret, "nova")["formatted"])


class Credentials(CloudCase):
    """What the agent itself is refused: that is an operator's matter and no key's."""

    def refused_with(self, **keys):
        secret = self.user("nova").secret(os.urandom(32))
        agent = self.agent({"barbican": self.section("nova", **keys)})
        return self.attach_refused("KEY_ACCESS_DENIED", agent, self.volume(), secret)

    def test_a_wrong_password_is_the_agents_credential(self):
        wrong = self.file("wrong", "not the password")
        error = self.refused_with(password_file=wrong)
        self.assertEqual(error.metadata.get("credential"), "agent")
        self.assertIn("nova", error.message)

    def test_an_unknown_user_or_project_is_the_agents_credential(self):
        for keys in ({"username": "nobody"}, {"project_name": "elsewhere"}, {"project_name": "no-such-project"}):
            with self.subTest(keys):
                self.assertEqual(self.refused_with(**keys).metadata.get("credential"), "agent")

    def with_application_credential(self, credential, secret):
        return self.agent({"barbican": self.application_section(credential, secret)})

    def test_an_application_credential_does_what_its_user_may(self):
        nova = self.user("nova")
        agent = self.with_application_credential(*nova.application_credential("volcrypt"))
        volume = self.volume()
        self.assertTrue(self.attach(agent, volume, self.create_key(agent))["formatted"])

    def test_an_application_credential_with_fewer_roles_is_refused_what_they_lack(self):
        nova = self.user("nova")
        agent = self.with_application_credential(*nova.application_credential("restricted", roles=["member"]))
        self.refused("KEY_ACCESS_DENIED", lambda: self.create_key(agent))

    def test_a_wrong_or_deleted_application_credential_is_the_agents(self):
        nova = self.user("nova")
        credential, secret = nova.application_credential("deleted")
        wrong = self.with_application_credential(credential, "not the secret")
        self.assertEqual(self.refused("KEY_ACCESS_DENIED", lambda: self.create_key(wrong)).metadata["credential"], "agent")
        nova.delete_application_credential(credential)
        deleted = self.with_application_credential(credential, secret)
        self.assertEqual(self.refused("KEY_ACCESS_DENIED", lambda: self.create_key(deleted)).metadata["credential"], "agent")


class OverTls(CloudCase):
    tls = True

    def test_password_and_application_credential_attach_over_tls(self):
        nova = self.user("nova")
        credential, secret = nova.application_credential("over TLS")
        application = self.application_section(credential, secret)
        agent = self.agent({"password": self.section("nova"), "application": application})
        for name in ("password", "application"):
            with self.subTest(name):
                volume, key = self.volume(), self.create_key(agent, name)
                self.assertTrue(self.attach(agent, volume, key, name)["formatted"])
                self.detach(agent, volume)
                self.assertFalse(self.attach(agent, volume, key, name)["formatted"])
