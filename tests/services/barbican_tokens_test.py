"""The agent's own Keystone token: one for everybody, renewed in time; and answers that no token helps with."""

import os
import time

from harness import CloudCase
from harness.cloud_case import shared_cloud
from servers.front import Answer

MANY = 50
TOKENS = "/v3/auth/tokens"


class OneToken(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.keystone = self.front(self.cloud.keystone)

    def test_50_attaches_at_once_take_one_token(self):
        key = os.urandom(32)
        secret, volumes = self.nova.secret(key), [self.volume() for _ in range(MANY)]
        for volume in volumes:
            volume.format_with(key)
        agent = self.agent({"barbican": self.section("nova", auth_url=f"{self.keystone.url}/v3")})
        calls = [self.start_attach(agent, volume, secret) for volume in volumes]
        for call in calls:
            self.assertFalse(agent.api.result(call).formatted)
        self.assertEqual(self.keystone.count("POST", TOKENS), 1)

    def test_later_calls_take_none(self):
        agent = self.agent({"barbican": self.section("nova", auth_url=f"{self.keystone.url}/v3")})
        for _ in range(3):
            self.attach(agent, self.volume(), self.create_key(agent))
        self.assertEqual(self.keystone.count("POST", TOKENS), 1)

    def test_each_section_has_a_token_of_its_own(self):
        url = f"{self.keystone.url}/v3"
        agent = self.agent({name: self.section(name, auth_url=url) for name in ("nova", "observer")})
        secret, volume = self.create_key(agent, "nova"), self.volume()
        self.attach(agent, volume, secret, "nova")
        self.refused("KEY_ACCESS_DENIED", lambda: self.create_key(agent, "observer"))
        self.assertEqual(self.keystone.count("POST", TOKENS), 2)

    def test_calls_at_once_that_are_refused_a_token_are_all_answered(self):
        self.keystone.intercept = lambda method, path, _: Answer(503, "busy", "text/plain") if TOKENS in path else None
        agent = self.agent({"barbican": self.section("nova", auth_url=f"{self.keystone.url}/v3", timeout="20s")})
        secret, begin = self.nova.secret(os.urandom(32)), time.monotonic()
        calls = [self.start_attach(agent, self.volume(), secret) for _ in range(10)]
        for call in calls:
            error = self.refused("KEY_MANAGER_UNAVAILABLE", lambda pending=call: agent.api.result(pending))
            self.assertIn("Keystone", error.message)
        self.assert_within(40, begin)
        self.keystone.intercept = None
        self.assertTrue(self.attach(agent, self.volume(), secret)["formatted"])


class ShortLives(CloudCase):
    """A Keystone whose tokens live for eight seconds. The tests' own are from before."""

    SECONDS = 8

    @classmethod
    def setUpClass(cls):
        cloud = shared_cloud(cls.tls)
        cls.nova, cls.service = cloud.user("nova"), cloud.user("service")
        _ = cls.nova.token, cls.service.token
        cls.configure(cls.SECONDS)

    @classmethod
    def tearDownClass(cls):
        cls.configure(3600)
        for user in (cls.nova, cls.service):
            user.close()

    @classmethod
    def configure(cls, seconds):
        keystone = shared_cloud(cls.tls).keystone
        keystone.process.stop()
        keystone.configure(token_seconds=seconds)
        keystone.process.start()

    def expired_token(self):
        token = self.nova.new_token()
        time.sleep(self.SECONDS + 1)  # Keystone counts whole seconds
        return token

    def test_tokens_that_expire_in_mid_life_are_renewed(self):
        agent = self.agent({"barbican": self.section("nova")})
        begin, secret = time.monotonic(), self.create_key(agent)
        before = self.cloud.keystone.tokens_issued()
        while time.monotonic() < begin + 3 * self.SECONDS:
            self.attach(agent, self.volume(), secret)
        self.assertGreaterEqual(self.cloud.keystone.tokens_issued() - before, 2)

    def test_a_callers_expired_token_is_the_callers_matter(self):
        token, secret = self.expired_token(), self.nova.secret(os.urandom(32))
        agent = self.agent({"barbican": self.section("nova")})
        error = self.attach_refused("CALLER_TOKEN_REJECTED", agent, self.volume(), secret, token=token)
        self.assertNotIn(token[:32], error.message)
        self.assertTrue(self.attach(agent, self.volume(), secret)["formatted"])

    def test_a_services_token_lets_a_callers_expired_one_pass(self):
        token, secret = self.expired_token(), self.nova.secret(os.urandom(32))
        self.nova.set_acl(secret, [], project_access=False)
        agent = self.agent({"barbican": self.section("second")})
        self.attach_refused("CALLER_TOKEN_REJECTED", agent, self.volume(), secret, token=token)
        self.assertTrue(self.attach(agent, self.volume(), secret, token=(token, self.service.token))["formatted"])


class Answers(CloudCase):
    """Answers that a real server gives rarely, or a broken proxy before it."""

    def setUp(self):
        super().setUp()
        self.secret = self.user("nova").secret(os.urandom(32))
        self.barbican = self.front(self.cloud.barbican)
        self.with_front = self.agent({"barbican": self.section("nova", endpoint=self.barbican.url, timeout="30s")})

    def comes_to(self, reason, status, body=b"", content_type="application/json", **headers):
        self.barbican.intercept = lambda *_: Answer(status, body, content_type, headers)
        begin = time.monotonic()
        error = self.attach_refused(reason, self.with_front, self.volume(), self.secret)
        self.assert_within(40, begin)
        return error

    def test_each_shape_of_error_body_is_understood(self):
        html = "<html><head><title>x</title></head><body><h1>406</h1>\nwrong version</body></html>"
        keystone = "The Keystone service is temporarily unavailable."
        cases = [
            ("KEY_NOT_FOUND", 404, '{"code": 404, "title": "Not Found", "description": "Secret not found."}', "application/json"),
            ("KEY_ACCESS_DENIED", 403, '{"code": 403, "title": "Forbidden", "description": "no"}', "application/json"),
            ("KEY_ACCESS_DENIED", 401, '{"error": {"code": 401, "title": "Unauthorized", "message": "no"}}', "application/json"),
            ("KEY_MANAGER_UNAVAILABLE", 503, keystone, "text/plain"),
            ("KEY_MANAGER_UNAVAILABLE", 503, f"<html>{keystone}</html>", "text/html"),
            ("KEY_UNFIT", 406, html, "text/html"),
            ("KEY_MANAGER_UNAVAILABLE", 502, "", "text/html"),
        ]
        for reason, status, body, content_type in cases:
            with self.subTest(f"{status} {content_type}"):
                error = self.comes_to(reason, status, body, content_type)
                self.assertNotIn("<", error.message)

    def test_what_is_no_answer_of_barbican_is_never_taken_for_a_key(self):
        for body in (b"", b"{}", b"[]", b"null", b"not JSON", b'{"secret_type": 7}', b"\xff\xfe", b"{" * 20000):
            with self.subTest(body[:20]):
                self.comes_to("KEY_MANAGER_UNAVAILABLE", 200, body)

    def test_an_endless_answer_is_cut_off(self):
        self.comes_to("KEY_MANAGER_UNAVAILABLE", 200, b" " * (8 << 20))

    def test_redirects_are_not_followed(self):
        elsewhere = self.front(self.cloud.barbican)
        self.comes_to("KEY_MANAGER_UNAVAILABLE", 302, Location=f"{elsewhere.url}/v1/secrets/{self.secret}")
        self.assertEqual(elsewhere.connections, 0)

    def test_words_of_a_server_cannot_forge_lines_of_the_log(self):
        body = '{"code": 403, "title": "x", "description": "a\\nvolcryptd: forged \\u001b[31m line"}'
        error = self.comes_to("KEY_ACCESS_DENIED", 403, body)
        self.assertNotIn("\n", error.message)
        self.assertNotIn("\x1b", error.message + self.with_front.log())

    def test_a_connection_that_ends_at_once_is_tried_again(self):
        broken = iter([True])

        def end_once(*_):
            if next(broken, False):
                raise OSError("the server hangs up")

        self.barbican.intercept = end_once
        self.assertTrue(self.attach(self.with_front, self.volume(), self.secret)["formatted"])

    def test_connections_are_kept(self):
        """For reads at least: a write may go over one that is surely alive, because it cannot be repeated."""
        volume = self.volume()
        self.attach(self.with_front, volume, self.secret)
        self.barbican.forget()
        for _ in range(3):
            self.detach(self.with_front, volume)
            self.attach(self.with_front, volume, self.secret)
        self.assertGreaterEqual(len(self.barbican.requests), 6)
        self.assertEqual(self.barbican.connections, 0)


class Catalog(CloudCase):
    def test_a_catalog_without_the_region_or_interface_says_which_there_are(self):
        for keys, word in (({"region": "Atlantis"}, "Atlantis"),):
            with self.subTest(word):
                agent = self.agent({"barbican": self.section("nova", **keys)})
                error = self.refused("KEY_MANAGER_UNAVAILABLE", lambda started=agent: self.create_key(started))
                self.assertIn(word, error.message)

    def test_each_interface_and_a_configured_endpoint_work(self):
        url = self.cloud.barbican.url
        cases = [{"interface": name} for name in ("public", "internal", "admin")]
        cases += [{"endpoint": url}, {"endpoint": f"{url}/"}, {"region": None}]
        sections = {f"case{index}": self.section("nova", **keys) for index, keys in enumerate(cases)}
        agent = self.agent(sections)
        for name in sections:
            with self.subTest(sections[name]):
                self.assertTrue(self.create_key(agent, name))

    def test_what_barbican_says_of_its_own_address_is_not_believed(self):
        elsewhere = self.front(self.cloud.barbican)
        self.cloud.barbican.process.stop()
        self.cloud.configure_barbican(href=elsewhere.url)
        self.cloud.barbican.process.start()
        try:
            agent = self.agent({"barbican": self.section("nova")})
            self.assertTrue(self.attach(agent, self.volume(), self.create_key(agent))["formatted"])
            self.assertEqual(elsewhere.connections, 0)
        finally:
            self.cloud.barbican.process.stop()
            self.cloud.configure_barbican()
            self.cloud.barbican.process.start()
