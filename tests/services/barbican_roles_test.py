"""Who may do what with a key: every role, projects, access lists; and that errors tell an operator what is missing."""

import os

from harness import CloudCase, NewPolicyCase


class Roles(CloudCase):
    """The same key, of nova in the project "tenant", for an agent that is one user after another."""

    # see: its metadata. read: its bytes. record: a first use beside it. delete: it. make: another one.
    RIGHTS = {
        "nova": {"see", "read", "record", "delete", "make"},
        "second": {"see", "read", "record", "delete", "make"},
        "creator": {"see", "read", "record", "delete", "make"},
        "manager": {"see", "read", "record", "delete", "make"},
        "observer": {"see", "read"},
        "auditor": {"see"},
        "member": set(),
        "reader": set(),
        "stranger": {"make"},
    }

    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.agents = self.agent({name: self.section(name) for name in self.RIGHTS})

    def for_each_role(self, right, call):
        """call(user, whether it may, a new key of nova's)"""
        for name, rights in self.RIGHTS.items():
            with self.subTest(name):
                call(name, right in rights, self.nova.secret(os.urandom(32)))

    def works_or_is_denied(self, works, call):
        if works:
            call()
        else:
            self.refused("KEY_ACCESS_DENIED", call)

    def test_each_role_sees_a_key_or_is_refused(self):
        def see(user, may, secret):
            self.works_or_is_denied(may, lambda: self.key_metadata(self.agents, secret, user))

        self.for_each_role("see", see)

    def test_each_role_attaches_a_formatted_volume_or_is_refused(self):
        def attach(user, may, secret):
            volume = self.volume()
            self.attach(self.agents, volume, secret, "nova")
            self.detach(self.agents, volume)
            self.works_or_is_denied(may, lambda: self.attach(self.agents, volume, secret, user))
            self.assertEqual(len(volume.formats()), 1)

        self.for_each_role("read", attach)

    def test_each_role_formats_or_is_refused(self):
        def attach(user, may, secret):
            volume = self.volume()
            self.works_or_is_denied(may, lambda: self.attach(self.agents, volume, secret, user))
            self.assertEqual(len(volume.formats()), 1 if may else 0)

        self.for_each_role("read", attach)

    def test_each_role_records_a_first_use_or_is_refused(self):
        def attach(user, may, secret):
            volume = self.volume()
            reads = "read" in self.RIGHTS[user]
            self.works_or_is_denied(reads, lambda: self.attach(self.agents, volume, secret, user))
            recorded = [f"volcrypt-{volume.volume_id}"] if may else []
            self.assertEqual(list(self.nova.user_metadata(secret)), recorded)

        self.for_each_role("record", attach)

    def test_each_role_creates_keys_or_is_refused(self):
        def create(user, may, _):
            self.works_or_is_denied(may, lambda: self.create_key(self.agents, user))

        self.for_each_role("make", create)

    def test_each_role_deletes_a_key_or_is_refused(self):
        def delete(user, may, secret):
            key = {"key_manager": user, "key_id": secret}
            self.works_or_is_denied(may, lambda: self.agents.api("DeleteKey", key=key))
            self.assertEqual(self.nova.status_of(secret), 404 if may else 200)

        self.for_each_role("delete", delete)

    def test_a_check_ends_at_the_first_step_that_the_roles_do_not_allow(self):
        for name, rights in self.RIGHTS.items():
            with self.subTest(name):
                steps = self.agents.api("CheckKeyManager", key_manager=name).steps
                ends_at = [] if "make" in rights else ["create"] if "read" in rights else ["read"]
                self.assertEqual([step.name for step in steps if not step.passed], ends_at)
                for step in steps:
                    self.assertEqual("the roles creator and member" in step.remedy, not step.passed)

    def test_whoever_may_not_make_keys_is_told_which_roles_may(self):
        for name in (name for name, rights in self.RIGHTS.items() if "make" not in rights):
            with self.subTest(name):
                error = self.refused("KEY_ACCESS_DENIED", lambda user=name: self.create_key(self.agents, user))
                self.assertIn("the roles creator and member", error.message)
                self.assertIn(f"agent's user {name}", error.message)
                self.assertEqual(error.metadata.get("credential"), "agent")

    def test_whoever_may_not_read_is_told_which_roles_may(self):
        def attach(user, may, secret):
            if may:
                return
            error = self.attach_refused("KEY_ACCESS_DENIED", self.agents, self.volume(), secret, user)
            self.assertEqual(error.metadata.get("credential"), "agent")
            for text in (secret, "the roles creator and member", "read ACL", f"agent's user {user}"):
                self.assertIn(text, error.message)

        self.for_each_role("read", attach)


class RolesByTheNewPolicy(NewPolicyCase, Roles):
    RIGHTS = {
        "nova": {"see", "read", "record", "delete", "make"},
        "second": {"see", "read", "record", "delete", "make"},
        "creator": set(),
        "manager": {"see", "read", "record", "delete", "make"},
        "observer": set(),
        "auditor": set(),
        "member": {"see", "read", "record", "delete", "make"},
        "reader": set(),
        "stranger": {"make"},
    }


class AccessLists(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        users = ("nova", "second", "stranger", "observer", "reader")
        self.agents = self.agent({name: self.section(name) for name in users})

    def test_a_reader_of_another_project_attaches_and_cannot_record(self):
        for name in ("stranger", "reader"):  # whatever its roles are
            with self.subTest(name):
                secret, volume = self.nova.secret(os.urandom(32)), self.volume()
                self.nova.set_acl(secret, [name])
                self.assertTrue(self.attach(self.agents, volume, secret, name)["formatted"])
                self.assertEqual(self.nova.user_metadata(secret), {})
                self.detach(self.agents, volume)
                self.assertFalse(self.attach(self.agents, volume, secret, name)["formatted"])

    def test_a_record_that_may_not_be_written_is_a_warning_and_not_a_failure(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.nova.set_acl(secret, ["reader"])
        self.assertTrue(self.attach(self.agents, volume, secret, "reader")["formatted"])
        warnings = [line for line in self.agents.log().splitlines() if "first-use record" in line]
        self.assertTrue(any(volume.volume_id in line for line in warnings), self.agents.log())

    def test_a_record_is_obeyed_by_who_may_not_write_it(self):
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.nova.set_acl(secret, ["reader"])
        self.attach(self.agents, volume, secret, "nova")
        self.detach(self.agents, volume)
        volume.make_blank()
        self.attach_refused("VOLUME_HEADER_LOST", self.agents, volume, secret, "reader")
        self.assertEqual(volume.formats(), [])

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


class AccessListsByTheNewPolicy(NewPolicyCase, AccessLists):
    """A list says who reads a key whatever the policy."""


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
