"""A real PyKMIP server, and a client of it for what the tests do on their own."""

import json
import logging
import os
import tempfile
import warnings

from servers.certificates import Authority
from servers.process import PYTHON, Process, accepts, free_ports

_MAIN = os.path.join(os.path.dirname(__file__), "pykmip_main.py")
# "Basic" would be TLS 1.0. With a key of EC P-256 its fixed list of ciphers has modern ones.
_CONFIGURATION = """
[server]
hostname=127.0.0.1
port={port}
certificate_path={server.certificate}
key_path={server.key}
ca_path={ca_file}
auth_suite=TLS1.2
tls_cipher_suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
policy_path={directory}/policy
enable_tls_client_auth=True
logging_level=INFO
database_path={directory}/pykmip.db
"""
_USERS = """
[auth:slugs]
enabled=True
url={path}
"""


class Pki:
    """An authority with which several servers and clients know each other."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="volcrypt-kmip-pki-")
        self.directory = self._directory.name
        self.authority = Authority(self.directory, "test KMIP authority")
        self.server = self.authority.server("server")
        self.client = self.authority.client("compute-1")

    def close(self):
        self._directory.cleanup()


class PyKmip:
    """Its keys outlive stop() and start(). SIGTERM takes it ten seconds, so it is killed.

    `users`: {name: password} of those whom it serves; without, a certificate is enough, and passwords are ignored.
    """

    def __init__(self, pki, server=None, users=None):
        self._directory = tempfile.TemporaryDirectory(prefix="volcrypt-kmip-")
        self.directory, self.pki = self._directory.name, pki
        (self.port,) = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        configuration = os.path.join(self.directory, "server.conf")
        os.makedirs(os.path.join(self.directory, "policy"))
        values = {"port": self.port, "server": server or pki.server, "ca_file": pki.authority.file}
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(_CONFIGURATION.format(directory=self.directory, **values))
            if users is not None:
                file.write(_USERS.format(path=self._write_users(users)))
        command = [PYTHON, "-I", "-W", "ignore", _MAIN, configuration, os.path.join(self.directory, "server.log")]
        self.process = Process("pykmip", command, self.directory, is_ready=lambda: accepts(self.port))
        self.process.start()

    def close(self):
        self.process.kill()
        self._directory.cleanup()

    def log(self):
        with open(os.path.join(self.directory, "server.log"), encoding="utf-8") as file:
            return file.read()

    def _write_users(self, users):
        path = os.path.join(self.directory, "users.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            json.dump(users, file)
        return path

    def client(self, certificate=None, username=None, password=None):
        """PyKMIP's own client, as the owner of the certificate: with PyKmip.client() as client: client.create(...)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from kmip.pie.client import ProxyKmipClient
        logging.getLogger("kmip").setLevel(logging.CRITICAL)
        certificate = certificate or self.pki.client
        return ProxyKmipClient(
            hostname="127.0.0.1",
            port=self.port,
            cert=certificate.certificate,
            key=certificate.key,
            ca=self.pki.authority.file,
            ssl_version="PROTOCOL_TLSv1_2",
            config_file=os.devnull,
            username=username,
            password=password,
        )
