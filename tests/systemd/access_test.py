"""Who may call what, row by row, over both transports, at the service as it is installed."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys

import grpc

from harness import paths, wait_until
from harness.devices import run
from credentials_test import store
from servers.certificates import Authority
from service import CONFIG, ConfiguredCase
from testkit.api import Api, outcome_of

PKI = "/etc/volcrypt/pki"
PORT = 9443
CALL_AS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "call_as.py")
NOBODY, COMPUTE, ADMIN = "nobody", "compute", "admin"
USERS = {NOBODY: 42430, COMPUTE: 42431, ADMIN: 42432}
# The second one's other name is nobody's.
NAMES = {NOBODY: ["other.example.org"], COMPUTE: ["compute.example.org"], ADMIN: ["host.example.org", "spiffe://example.org/ops"]}
ACCESS = f"""
[server]
listen = ["unix:{paths.SOCKET}", "tcp:127.0.0.1:{PORT}"]
[server.tls]
certificate = "{PKI}/agent.pem"
private_key = "credential:server.key"
client_ca = "{PKI}/ca.pem"
client_crl_directory = "{PKI}/crl"
[[access]]
role = "compute"
users = ["{USERS[COMPUTE]}"]
certificate_names = ["compute.example.org"]
[[access]]
role = "admin"
users = ["{USERS[ADMIN]}"]
certificate_names = ["spiffe://example.org/ops"]
"""
NO_ID = {"volume_id": "?"}
BAD_VOLUME = ("INVALID_ARGUMENT", "INVALID_VOLUME_ID")
NO_MANAGER = ("INVALID_ARGUMENT", "UNKNOWN_KEY_MANAGER")
NO_KEY = {"key": {"key_manager": "none", "key_id": "00000000-0000-0000-0000-000000000000"}}
# The least role, a request that changes nothing, and what it comes to when it is let in.
METHODS = {
    "AttachVolume": (COMPUTE, NO_ID, BAD_VOLUME),
    "DetachVolume": (COMPUTE, NO_ID, BAD_VOLUME),
    "ExtendVolume": (COMPUTE, NO_ID, BAD_VOLUME),
    "GetAttachment": (COMPUTE, {"volume_id": "none"}, ("NOT_FOUND", "NOT_ATTACHED")),
    "ListAttachments": (COMPUTE, {}, ("OK", "")),
    "GetInfo": (COMPUTE, {}, ("OK", "")),
    "InspectVolume": (ADMIN, {"device": "/dev/none"}, ("NOT_FOUND", "DEVICE_NOT_FOUND")),
    "ForgetVolume": (ADMIN, NO_ID, BAD_VOLUME),
    "CreateKey": (ADMIN, {"key_manager": "none"}, NO_MANAGER),
    "CopyKey": (ADMIN, {"source": NO_KEY["key"], "key_manager": "none"}, NO_MANAGER),
    "GetKeyMetadata": (ADMIN, NO_KEY, NO_MANAGER),
    "DeleteKey": (ADMIN, NO_KEY, NO_MANAGER),
    "CheckKeyManager": (ADMIN, {"key_manager": "none"}, NO_MANAGER),
    "SetMaintenance": (ADMIN, {"on": False}, ("OK", "")),
}
CALLS = {method: fields for method, (_, fields, _) in METHODS.items()}


def expected(role, method):
    least, _, allowed = METHODS[method]
    if role == NOBODY:
        return "UNAUTHENTICATED", "CALLER_UNKNOWN"
    return ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED") if (role, least) == (COMPUTE, ADMIN) else allowed


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Access(ConfiguredCase):
    """The private key is a credential of the unit."""

    configuration = CONFIG + ACCESS

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(shutil.rmtree, PKI)
        cls.authority = Authority(PKI)
        os.mkdir(f"{PKI}/crl")
        cls.server = cls.authority.server("agent")
        cls.addClassCleanup(os.unlink, store("server.key", read(cls.server.key), encrypted=True))
        super().setUpClass()

    def over_tcp(self, client=None):
        """A connection as the owner of the certificate."""
        own = (read(client.key), read(client.certificate)) if client else (None, None)
        api = Api(f"127.0.0.1:{PORT}", grpc.ssl_channel_credentials(read(self.authority.file), *own))
        self.addCleanup(api.close)
        return api

    def client(self, name, names=NAMES[ADMIN], **options):
        return self.authority.client(name, names, **options)

    def handshake(self, client=None):
        """(the server's certificate, whether it speaks to this client after that)."""
        context = ssl.create_default_context(cafile=self.authority.file)
        context.set_alpn_protocols(["h2"])
        if client:
            context.load_cert_chain(client.certificate, client.key)
        with socket.create_connection(("127.0.0.1", PORT), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                shown = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True)).encode()
                with contextlib.suppress(ConnectionError):
                    return shown, secure.recv(1) != b""  # HTTP/2's settings come unasked
                return shown, False

    def assert_rows(self, role, found):
        self.assertEqual({m: tuple(outcome) for m, outcome in found.items()}, {m: expected(role, m) for m in METHODS}, role)

    def test_every_method_is_in_the_table(self):
        self.assertEqual(set(METHODS), self.api.methods)

    def test_by_the_user_over_the_unix_socket(self):
        group = os.stat(paths.SOCKET).st_gid
        users = {role: (uid, group) for role, uid in USERS.items()}
        command = [sys.executable, CALL_AS, paths.SOCKET]
        done = subprocess.run(command, input=json.dumps([users, CALLS]), capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        for role, found in json.loads(done.stdout).items():
            self.assert_rows(role, found)

    def test_by_the_certificates_names_over_tcp(self):
        for role, names in NAMES.items():
            api = self.over_tcp(self.client(role, names))
            self.assert_rows(role, {method: outcome_of(api, method, **fields) for method, fields in CALLS.items()})
        api = self.over_tcp(self.authority.client("compute.example.org"))
        self.assertEqual(outcome_of(api, "GetInfo"), ("UNAUTHENTICATED", "CALLER_UNKNOWN"), "the common name is no name")
        self.assertIn("certificate=compute.example.org", self.agent_log())

    def test_a_certificate_that_is_not_trusted_ends_the_handshake(self):
        revoked, right = self.client("revoked"), self.client("right")
        self.assertEqual(outcome_of(self.over_tcp(revoked), "GetInfo"), ("OK", ""), "the control: before it is revoked")
        self.authority.revoke(revoked, f"{PKI}/crl/1.crl")
        run("openssl", "rehash", f"{PKI}/crl")
        stranger = Authority(f"{PKI}/stranger", "somebody else's authority")
        rows = {
            "none": None,
            "of another authority": stranger.client("foreign", NAMES[ADMIN]),
            "of a server": self.authority.server("server", NAMES[ADMIN]),
            "expired": self.client("expired", expired=True),
            "revoked": revoked,
        }
        begun = self.agent.log_end()
        for what, client in rows.items():
            with self.subTest(what):
                self.assertEqual(outcome_of(self.over_tcp(client), "GetInfo"), ("UNAVAILABLE", ""))
                self.assertEqual(self.handshake(client), (read(self.server.certificate), False))
        self.assertEqual([line for line in self.agent.log(begun).splitlines() if "GetInfo" in line], [], "no call began")
        self.assertEqual(outcome_of(self.over_tcp(right), "GetInfo"), ("OK", ""))

    def test_a_renewed_certificate_is_shown_without_a_restart(self):
        pid, client = self.agent.pid, self.client("renews")
        self.assertEqual(self.handshake(client), (read(self.server.certificate), True))
        kept = self.over_tcp(client)
        self.assertEqual(outcome_of(kept, "GetInfo"), ("OK", ""))
        renewed = self.authority.server("renewed", key_of=self.server)
        text = read(renewed.certificate)
        os.rename(renewed.certificate, self.server.certificate)
        wait_until(lambda: self.handshake(client)[0] == text, what="the renewed certificate")
        self.assertEqual(outcome_of(kept, "GetInfo"), ("OK", ""), "a connection that there is stays")
        self.assertEqual(self.agent.pid, pid)
