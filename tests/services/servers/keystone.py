"""A real Keystone with the projects, roles and users of the tests, and Barbican in its catalog."""

import json
import os

from servers.uwsgi import uwsgi

_CONFIGURATION = """
[DEFAULT]
log_file = {directory}/keystone.log
[database]
connection = sqlite:///{directory}/keystone.db
[token]
provider = fernet
expiration = {token_seconds}
[fernet_tokens]
key_repository = {directory}/fernet-keys
[fernet_receipts]
key_repository = {directory}/fernet-keys
[credential]
key_repository = {directory}/credential-keys
[identity]
password_hash_rounds = 4
"""

REGION = "RegionOne"
# User: roles by project. What a role may do in Barbican is Barbican's own default policy.
USERS = {
    "barbican": {"service": ["admin", "service"]},
    "nova": {"tenant": ["creator", "member"]},
    "second": {"tenant": ["creator", "member"]},
    "creator": {"tenant": ["creator"]},
    "observer": {"tenant": ["observer"]},
    "auditor": {"tenant": ["audit"]},
    "member": {"tenant": ["member"]},
    "reader": {"tenant": ["reader"]},
    "manager": {"tenant": ["admin"]},
    "stranger": {"elsewhere": ["creator", "member"]},
    "service": {"service": ["service"]},
}
PROJECTS = ["service", "tenant", "elsewhere"]
ROLES = ["creator", "observer", "audit", "service"]


class Keystone:
    """Its data outlive stop() and start()."""

    def __init__(self, directory, port, certificate=None, host="127.0.0.1"):
        self.port, self._directory, address = port, directory, f"{host}:{port}"
        self.process = uwsgi("keystone", directory, address, certificate)
        self.url = f"{'http' if certificate is None else 'https'}://{address}/v3"

    def configure(self, token_seconds=3600):
        """In force with the next start."""
        with open(os.path.join(self._directory, "keystone.conf"), "w", encoding="utf-8") as file:
            file.write(_CONFIGURATION.format(directory=self._directory, token_seconds=token_seconds))

    def seed(self, passwords, barbican_url):
        """What the first start puts into the database."""
        users = [{"name": name, "password": passwords[name], "grants": grants} for name, grants in USERS.items()]
        seed = {
            "admin_password": passwords["admin"],
            "region": REGION,
            "url": self.url,
            "roles": ROLES,
            "projects": PROJECTS,
            "users": users,
            "services": [{"type": "key-manager", "name": "barbican", "url": barbican_url}],
        }
        path = os.path.join(self._directory, "seed.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            json.dump(seed, file)

    def ids(self):
        """{"users": {name: id}, "projects": {name: id}}"""
        with open(os.path.join(self._directory, "ids.json"), encoding="utf-8") as file:
            return json.load(file)

    def tokens_issued(self):
        """How many times somebody asked for a token since the first start."""
        return sum(line.startswith("POST /v3/auth/tokens") for line in self.process.log().splitlines())
