"""A caller's own Keystone token: used for its request alone, and where it may leave the agent a right to read."""

import os

from harness import CloudCase


class CallersToken(CloudCase):
    """The agent is "second", and the key is private to "nova", so that only nova's token reads it."""

    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.secret = self.private_key()
        self.second = self.agent({"barbican": self.section("second")})

    def private_key(self):
        secret = self.nova.secret(os.urandom(32))
        self.nova.set_acl(secret, [], project_access=False)
        return secret

    def test_it_reads_what_the_agent_may_not(self):
        self.attach_refused("KEY_ACCESS_DENIED", self.second, self.volume(), self.secret)
        self.assertTrue(self.attach(self.second, self.volume(), self.secret, token=self.nova.token)["formatted"])

    def test_it_is_used_for_its_request_alone(self):
        volume = self.volume()
        self.attach(self.second, volume, self.secret, token=self.nova.token)
        self.detach(self.second, volume)
        self.attach_refused("KEY_ACCESS_DENIED", self.second, volume, self.secret)

    def test_calls_at_once_do_not_share_it(self):
        volumes = [self.volume() for _ in range(12)]
        tokens = [self.nova.token if index % 2 else None for index in range(len(volumes))]
        calls = [self.start_attach(self.second, volume, self.secret, token=t) for volume, t in zip(volumes, tokens)]
        for token, call in zip(tokens, calls):
            if token:
                self.assertTrue(self.second.api.result(call).formatted)
            else:
                self.refused("KEY_ACCESS_DENIED", lambda pending=call: self.second.api.result(pending))

    def test_the_first_use_is_recorded_with_it(self):
        volume = self.volume()
        self.attach(self.second, volume, self.secret, token=self.nova.token)
        self.assertEqual(list(self.nova.user_metadata(self.secret)), [f"volcrypt-{volume.volume_id}"])

    def test_a_token_that_is_none_is_rejected(self):
        for token in ("garbage", "g" * 300):
            with self.subTest(token[:8]):
                error = self.attach_refused("CALLER_TOKEN_REJECTED", self.second, self.volume(), self.secret, token=token)
                self.assertNotIn(token, error.message)

    def test_who_may_not_read_with_it_is_served_with_the_agents(self):
        secret = self.nova.secret(os.urandom(32))
        stranger = self.user("stranger")
        self.assertTrue(self.attach(self.second, self.volume(), secret, token=stranger.token)["formatted"])

    def test_where_neither_may_read_the_error_names_both(self):
        stranger = self.user("stranger")
        error = self.attach_refused("KEY_ACCESS_DENIED", self.second, self.volume(), self.secret, token=stranger.token)
        self.assertIn(error.metadata["credential"], ("caller", "agent"))
        self.assertIn("caller", " ".join(error.metadata.values()))
        self.assertIn("agent", " ".join(error.metadata.values()))

    def test_a_section_that_accepts_none_ignores_it(self):
        agent = self.agent({"barbican": self.section("second", accept_caller_token=False)})
        secret = self.nova.secret(os.urandom(32))
        self.assertTrue(self.attach(agent, self.volume(), secret, token="garbage")["formatted"])
        self.attach_refused("KEY_ACCESS_DENIED", agent, self.volume(), self.secret, token=self.nova.token)

    def test_keys_are_made_and_deleted_with_it(self):
        observer = self.agent({"barbican": self.section("observer")})
        metadata = self.tokens(self.nova.token)
        self.refused("KEY_ACCESS_DENIED", lambda: observer.api("CreateKey"))
        key = observer.api("CreateKey", metadata=metadata).key
        self.assertEqual(self.nova.metadata(key.key_id)["creator_id"], self.nova.user_id)
        self.refused("KEY_ACCESS_DENIED", lambda: observer.api("DeleteKey", key=key))
        observer.api("DeleteKey", key=key, metadata=metadata)
        self.assertEqual(self.nova.status_of(key.key_id), 404)

    def test_a_caller_that_may_not_make_a_key_makes_none_with_the_agents_rights(self):
        member = self.user("member")
        before = self.nova.secrets()
        error = self.refused(
            "KEY_ACCESS_DENIED", lambda: self.second.api("CreateKey", metadata=self.tokens(member.token))
        )
        self.assertEqual(error.metadata["credential"], "caller")
        self.assertEqual(self.nova.secrets(), before)

    def test_a_caller_that_may_not_delete_a_key_deletes_none_with_the_agents_rights(self):
        secret, member = self.nova.secret(os.urandom(32)), self.user("member")
        key = {"key_id": secret}
        error = self.refused(
            "KEY_ACCESS_DENIED", lambda: self.second.api("DeleteKey", key=key, metadata=self.tokens(member.token))
        )
        self.assertEqual(error.metadata["credential"], "caller")
        self.assertEqual(self.nova.status_of(secret), 200)

    def test_other_key_managers_take_no_notice_of_it(self):
        self.assertTrue(self.attach(self.second, self.volume(), self.create_key(self.second, "local"), "local", token="garbage"))


class AgentRead(CloudCase):
    """The agent is of another project, so without an access list it reads nothing of nova's."""

    def setUp(self):
        super().setUp()
        self.nova, self.stranger = self.user("nova"), self.user("stranger")
        self.secret = self.nova.secret(os.urandom(32))
        self.granting = self.agent({"barbican": self.section("stranger", grant_agent_read=True)})

    def attach_once(self, agent, volume, **options):
        self.attach(agent, volume, self.secret, **options)
        self.detach(agent, volume)

    def test_afterwards_the_agent_reads_without_the_caller(self):
        volume = self.volume()
        self.attach_refused("KEY_ACCESS_DENIED", self.granting, volume, self.secret)
        self.attach_once(self.granting, volume, token=self.nova.token)
        self.assertEqual(self.nova.acl(self.secret)["users"], [self.stranger.user_id])
        self.attach_once(self.granting, volume)

    def test_a_restart_of_the_agent_changes_nothing(self):
        volume = self.volume()
        self.attach_once(self.granting, volume, token=self.nova.token)
        self.granting.restart()
        self.attach_once(self.granting, volume)

    def other_host(self):
        return self.agent({"barbican": self.section("stranger", grant_agent_read=True)}, host="other-host")

    def test_the_host_that_a_guest_migrates_to_needs_no_caller(self):
        other, volume = self.other_host(), self.volume()
        self.attach_refused("KEY_ACCESS_DENIED", other, volume, self.secret)
        self.assertTrue(self.attach(self.granting, volume, self.secret, token=self.nova.token)["formatted"])
        self.assertFalse(self.attach(other, volume, self.secret)["formatted"])
        self.detach(self.granting, volume)
        self.assertTrue(self.attach(other, volume, self.secret)["already_attached"])
        self.assertEqual(len(volume.formats()), 1)

    def test_the_host_that_takes_over_from_a_dead_one_needs_no_caller(self):
        volume = self.volume()
        self.attach(self.granting, volume, self.secret, token=self.nova.token)
        self.granting.process.kill()
        self.granting.helper.kill()
        other = self.other_host()
        self.attach_refused("KEY_ACCESS_DENIED", other, volume, self.nova.secret(os.urandom(32)))
        self.assertFalse(self.attach(other, volume, self.secret)["formatted"])
        self.assertEqual(len(volume.formats()), 1)

    def test_others_in_the_list_stay(self):
        self.nova.set_acl(self.secret, ["service", "observer"])
        self.attach_once(self.granting, self.volume(), token=self.nova.token)
        expected = [self.cloud.user_ids[name] for name in ("service", "observer", "stranger")]
        self.assertCountEqual(self.nova.acl(self.secret)["users"], expected)

    def test_whether_the_project_may_read_stays(self):
        for access in (False, True):
            with self.subTest(access):
                self.secret = self.nova.secret(os.urandom(32))
                self.nova.set_acl(self.secret, ["service"], project_access=access)
                self.attach_once(self.granting, self.volume(), token=self.nova.token)
                self.assertEqual(self.nova.acl(self.secret)["project-access"], access)
                self.assertEqual(len(self.nova.acl(self.secret)["users"]), 2)

    def test_a_list_that_names_the_agent_already_is_not_written(self):
        volume = self.volume()
        self.attach_once(self.granting, volume, token=self.nova.token)
        before = len(self.cloud.barbican.requests(f"{self.secret}/acl"))
        self.attach_once(self.granting, volume, token=self.nova.token)
        later = self.cloud.barbican.requests(f"{self.secret}/acl")[before:]
        self.assertEqual([method for method, _ in later if method != "GET"], [])

    def test_without_a_callers_token_nothing_is_granted(self):
        self.nova.set_acl(self.secret, ["stranger"])
        self.attach_once(self.granting, self.volume())
        self.assertEqual(self.nova.acl(self.secret)["users"], [self.stranger.user_id])
        before = [method for method, _ in self.cloud.barbican.requests(f"{self.secret}/acl") if method == "PUT"]
        self.assertEqual(len(before), 1)  # ours

    def test_where_it_is_not_configured_nothing_is_granted(self):
        agent = self.agent({"barbican": self.section("stranger")})
        self.attach_once(agent, self.volume(), token=self.nova.token)
        self.assertEqual(self.nova.acl(self.secret), {"project-access": True})

    def test_a_caller_that_may_not_write_the_list_still_attaches(self):
        volume, observer = self.volume(), self.user("observer")
        self.attach_once(self.granting, volume, token=observer.token)
        self.assertEqual(self.nova.acl(self.secret), {"project-access": True})
        self.assertIn("read ACL", self.granting.log())
