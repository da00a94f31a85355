"""Tokens and credentials that are revoked in mid-life, with a Barbican that hears of it at once."""

import os

from harness import UncachedCase
from servers.front import Answer

TOKENS = "/v3/auth/tokens"


def token_of(front):
    """What the last request to a front carried."""
    return next(value for name, value in front.headers[-1].items() if name.lower() == "x-auth-token")


class Revocation(UncachedCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.keystone, self.barbican = self.front(self.cloud.keystone), self.front(self.cloud.barbican)
        keys = {"auth_url": f"{self.keystone.url}/v3", "endpoint": self.barbican.url}
        self.with_fronts = self.agent({"barbican": self.section("nova", **keys)})

    def test_a_revoked_token_is_renewed_once(self):
        secret = self.nova.secret(os.urandom(32))
        self.attach(self.with_fronts, self.volume(), secret)
        self.nova.revoke(token_of(self.barbican))
        self.keystone.forget()
        self.assertTrue(self.attach(self.with_fronts, self.volume(), secret)["formatted"])
        self.assertEqual(self.keystone.count("POST", TOKENS), 1)

    def test_a_token_that_is_always_refused_is_renewed_once_and_given_up(self):
        key, volume = os.urandom(32), self.volume()
        secret = self.nova.secret(key)
        volume.format_with(key)
        body = '{"error": {"code": 401, "title": "Unauthorized", "message": "no"}}'
        self.barbican.intercept = lambda *_: Answer(401, body)
        self.attach_refused("KEY_ACCESS_DENIED", self.with_fronts, volume, secret)
        self.assertEqual(self.keystone.count("POST", TOKENS), 2)
        self.assertEqual(self.barbican.count("GET", secret), 2)

    def test_calls_at_once_with_a_revoked_token_share_one_renewal(self):
        key = os.urandom(32)
        secret, volumes = self.nova.secret(key), [self.volume() for _ in range(4)]
        for volume in volumes:
            volume.format_with(key)
        self.attach(self.with_fronts, self.volume(), secret)
        self.nova.revoke(token_of(self.barbican))
        self.keystone.forget()
        calls = [self.start_attach(self.with_fronts, volume, secret) for volume in volumes]
        for call in calls:
            self.with_fronts.api.result(call)
        self.assertEqual(self.keystone.count("POST", TOKENS), 1)

    def test_keystone_that_was_restarted_changes_nothing(self):
        secret = self.nova.secret(os.urandom(32))
        self.attach(self.with_fronts, self.volume(), secret)
        self.cloud.keystone.process.kill()
        self.cloud.keystone.process.start()
        self.assertTrue(self.attach(self.with_fronts, self.volume(), secret)["formatted"])

    def test_a_callers_revoked_token_is_rejected_although_the_agents_own_would_do(self):
        token, secret = self.nova.new_token(), self.nova.secret(os.urandom(32))
        self.attach(self.with_fronts, self.volume(), secret, token=token)
        self.nova.revoke(token)
        self.attach_refused("CALLER_TOKEN_REJECTED", self.with_fronts, self.volume(), secret, token=token)
        self.assertTrue(self.attach(self.with_fronts, self.volume(), secret)["formatted"])

    def test_a_deleted_application_credential_is_noticed_in_mid_life(self):
        credential, secret = self.nova.application_credential("in use")
        agent = self.agent({"barbican": self.application_section(credential, secret)})
        key = self.create_key(agent)
        self.nova.delete_application_credential(credential)
        self.attach_refused("KEY_ACCESS_DENIED", agent, self.volume(), key)
