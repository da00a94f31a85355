"""Servers with certificates or versions of TLS that must not be trusted."""

import os
import socket
import ssl

from harness import CloudCase, KmipCase
from servers.certificates import Authority
from servers.front import Front, client_tls, server_tls


# Discover Versions by a client of KMIP 1.2, in TTLV.
DISCOVER_VERSIONS = bytes.fromhex(
    "42007801 00000060"  # request message
    "42007701 00000038"  # header
    "42006901 00000020 42006A02 00000004 0000000100000000 42006B02 00000004 0000000200000000"  # 1.2
    "42000D02 00000004 0000000100000000"  # one item
    "42000F01 00000018 42005C05 00000004 0000001E00000000 42007901 00000000"
)
SUCCESS = bytes.fromhex("42007F05 00000004 0000000000000000")  # result status


def speaks(port, newest, ca_file, certificate=None):
    """Whether a client as old as that is served."""
    context = client_tls(ca_file, certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = newest
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.version()


class Barbican(CloudCase):
    """A front of each wrong kind before a real Keystone and a real Barbican that are right."""

    tls = True

    def setUp(self):
        super().setUp()
        self.secret = self.user("nova").secret(os.urandom(32))
        self.authority = self.cloud.authority

    def tls_front(self, server, certificate, newest=None):
        front = Front(server.port, server_tls(certificate, newest), client_tls(self.cloud.ca_file))
        self.addCleanup(front.close)
        return front

    def sections(self, certificate, newest=None, **keys):
        """Sections that meet the front before Keystone, and before Barbican."""
        keystone = self.tls_front(self.cloud.keystone, certificate, newest)
        barbican = self.tls_front(self.cloud.barbican, certificate, newest)
        return {
            "keystone": self.section("nova", auth_url=f"https://{keystone.address}/v3", **keys),
            "barbican": self.section("nova", endpoint=f"https://{barbican.address}", **keys),
        }

    def assert_refused(self, words, certificate, newest=None):
        agent = self.agent(self.sections(certificate, newest))
        for name in ("keystone", "barbican"):
            with self.subTest(name):
                error = self.attach_refused("KEY_MANAGER_UNAVAILABLE", agent, self.volume(), self.secret, name)
                self.assertTrue(any(word in error.message for word in words), error.message)
                last = agent.api("CheckKeyManager", key_manager=name).steps[-1]
                self.assertEqual((last.name, last.passed), ("tls", False), last)
                self.assertTrue(last.remedy)

    def test_a_front_with_a_right_certificate_is_served(self):
        agent = self.agent(self.sections(self.authority.server("right")))
        for name in ("keystone", "barbican"):
            with self.subTest(name):
                self.assertTrue(self.attach(agent, self.volume(), self.secret, name)["formatted"])

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        stranger = Authority(os.path.join(self.directory, "stranger"), "somebody else's authority")
        self.assert_refused(("certificate",), stranger.server("stranger"))

    def test_a_certificate_for_another_host_is_refused(self):
        self.assert_refused(("certificate", "host"), self.authority.server("elsewhere", hosts=("elsewhere.example",)))

    def test_a_certificate_that_has_expired_is_refused(self):
        self.assert_refused(("expired",), self.authority.server("expired", expired=True))

    def test_a_server_that_speaks_nothing_newer_than_tls_1_1_is_refused(self):
        certificate = self.authority.server("old")
        front = self.tls_front(self.cloud.barbican, certificate, ssl.TLSVersion.TLSv1_1)
        self.assertEqual(speaks(front.port, ssl.TLSVersion.TLSv1_1, self.cloud.ca_file), "TLSv1.1", "the control")
        self.assert_refused(("TLS", "version"), certificate, ssl.TLSVersion.TLSv1_1)

    def test_a_server_of_tls_1_2_is_served(self):
        agent = self.agent(self.sections(self.authority.server("tls12"), ssl.TLSVersion.TLSv1_2))
        self.assertTrue(self.attach(agent, self.volume(), self.secret, "barbican")["formatted"])

    def test_a_server_without_tls_is_refused_where_tls_was_configured(self):
        port = self.front(self.cloud.barbican).port
        agent = self.agent({"barbican": self.section("nova", endpoint=f"https://127.0.0.1:{port}")})
        self.attach_refused("KEY_MANAGER_UNAVAILABLE", agent, self.volume(), self.secret)

    def test_the_systems_authorities_do_not_stand_in_for_the_configured_one(self):
        agent = self.agent({"barbican": self.section("nova", ca_file=None)})
        self.attach_refused("KEY_MANAGER_UNAVAILABLE", agent, self.volume(), self.secret)


class Kmip(KmipCase):
    """As above; the front shows the real server the client's certificate in the agent's place."""

    def setUp(self):
        super().setUp()
        self.authority = self.pki.authority
        self.key = self.create_key(self.agent({"kmip": self.section()}))

    def tls_front(self, certificate, newest=None):
        upstream = client_tls(self.authority.file, self.pki.client)
        front = Front(self.server.port, server_tls(certificate, newest, self.authority.file), upstream)
        self.addCleanup(front.close)
        return front

    def assert_refused(self, words, server, **keys):
        agent = self.agent({"kmip": self.section(server, timeout="30s", **keys)})
        error = self.attach_refused("KEY_MANAGER_UNAVAILABLE", agent, self.volume(), self.key)
        self.assertTrue(any(word in error.message for word in words), error.message)
        last = agent.api("CheckKeyManager", key_manager="kmip").steps[-1]
        self.assertEqual((last.name, last.passed), ("tls", False), last)
        self.assertTrue(last.remedy)

    def test_a_front_with_a_right_certificate_is_served(self):
        agent = self.agent({"kmip": self.section(self.tls_front(self.authority.server("right")).address)})
        self.assertTrue(self.attach(agent, self.volume(), self.key)["formatted"])

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        stranger = Authority(os.path.join(self.directory, "stranger"), "somebody else's authority")
        self.assert_refused(("certificate",), self.server, ca_file=stranger.file)

    def test_a_certificate_for_another_host_is_refused(self):
        front = self.tls_front(self.authority.server("elsewhere", hosts=("elsewhere.example",)))
        self.assert_refused(("certificate", "host", "name"), front.address)

    def test_a_certificate_that_has_expired_is_refused(self):
        self.assert_refused(("expired",), self.tls_front(self.authority.server("expired", expired=True)).address)

    def test_a_server_that_speaks_nothing_newer_than_tls_1_1_is_refused(self):
        front = self.tls_front(self.authority.server("old"), ssl.TLSVersion.TLSv1_1)
        spoken = speaks(front.port, ssl.TLSVersion.TLSv1_1, self.authority.file, self.pki.client)
        self.assertEqual(spoken, "TLSv1.1", "the control")
        self.assert_refused(("TLS", "version"), front.address)

    def test_a_client_of_an_unknown_authority_is_refused(self):
        stranger = Authority(os.path.join(self.directory, "stranger"), "somebody else's authority")
        self.assert_refused(("certificate",), self.server, client=stranger.client("compute-1"))

    def ask(self, certificate=None):
        """What the server answers a client that is not ours to Discover Versions."""
        context = client_tls(self.authority.file, certificate)
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(DISCOVER_VERSIONS)
                return secure.recv(4096)

    def test_the_server_serves_whoever_has_a_certificate_and_nobody_else(self):
        """So a test that reaches it has shown the agent's certificate."""
        self.assertIn(SUCCESS, self.ask(self.pki.client), "the control")
        self.assertNotIn("PEER_DID_NOT_RETURN_A_CERTIFICATE", self.server.log())
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.ask()
        self.wait_until(lambda: "PEER_DID_NOT_RETURN_A_CERTIFICATE" in self.server.log())
        self.assertIn(SUCCESS, self.ask(self.pki.client))

    def test_an_agent_without_certificate_does_not_start(self):
        agent = self.agent({"local": {"type": "local", "path": os.path.join(self.directory, "keys.db")}})
        agent.stop()
        agent.configure({"kmip": self.section(client_certificate=None, client_private_key=None)})
        with self.assertRaises(AssertionError) as caught:
            agent.start()
        self.assertIn("client_certificate", str(caught.exception))
