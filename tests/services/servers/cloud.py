"""Keystone and Barbican together, and what the tests ask of them as one user or another."""

import base64
import secrets
import tempfile

import requests

from servers.barbican import Barbican
from servers.certificates import Authority
from servers.keystone import USERS, Keystone
from servers.process import free_ports

_SECONDS = 20  # for any request of the tests themselves


class Cloud:
    """Started once for many tests; a test that stops a server or configures it anew puts it right again."""

    def __init__(self, tls=False, token_seconds=3600, keeps_connections=False, host="127.0.0.1"):
        self._directory = tempfile.TemporaryDirectory(prefix="volcrypt-cloud-")
        self.directory = self._directory.name
        self.authority = Authority(self.directory) if tls else None
        certificate = self.authority.server("server", hosts=("localhost", host)) if tls else None
        self.passwords = {name: secrets.token_hex(20) for name in ["admin", *USERS]}
        keystone_port, barbican_port = free_ports(2)
        self.keystone = Keystone(self.directory, keystone_port, certificate, host)
        self.barbican = Barbican(self.directory, barbican_port, certificate, keeps_connections, host)
        self.keystone.configure(token_seconds)
        self.keystone.seed(self.passwords, self.barbican.url)
        self.configure_barbican()
        self.start()
        ids = self.keystone.ids()
        self.user_ids, self.project_ids = ids["users"], ids["projects"]

    def configure_barbican(self, **options):
        password = self.passwords["barbican"]
        self.barbican.configure(self.keystone.url, password, ca_file=self.ca_file, **options)

    def start(self):
        down = [server.process for server in (self.keystone, self.barbican) if not server.process.is_running()]
        for process in down:
            process.launch()
        for process in down:
            process.wait_until_ready()

    def stop(self):
        self.barbican.process.stop()
        self.keystone.process.stop()

    def close(self):
        self.stop()
        self._directory.cleanup()

    @property
    def ca_file(self):
        return self.authority.file if self.authority else None

    def user(self, name):
        return User(self, name)


class User:
    """A user of the cloud, in its own project, as it speaks for itself."""

    def __init__(self, cloud, name):
        self.cloud, self.name = cloud, name
        self.user_id = cloud.user_ids[name]
        (self.project,) = USERS[name]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = cloud.ca_file or False
        self._token = None

    def new_token(self):
        """Another token of this user; `token` is not replaced."""
        identity = {
            "methods": ["password"],
            "password": {
                "user": {"name": self.name, "domain": {"id": "default"}, "password": self.cloud.passwords[self.name]}
            },
        }
        scope = {"project": {"name": self.project, "domain": {"id": "default"}}}
        url = f"{self.cloud.keystone.url}/auth/tokens"
        answer = self._session.post(url, json={"auth": {"identity": identity, "scope": scope}}, timeout=_SECONDS)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    @property
    def token(self):
        """The one that its own requests carry, from the first of them on."""
        if self._token is None:
            self._token = self.new_token()
        return self._token

    def revoke(self, token):
        headers = {"X-Auth-Token": self.token, "X-Subject-Token": token}
        answer = self._session.delete(f"{self.cloud.keystone.url}/auth/tokens", headers=headers, timeout=_SECONDS)
        assert answer.status_code == 204, answer.text

    def application_credential(self, name, roles=None):
        """(id, secret) of a new one, with some of the user's roles or all."""
        wanted = {"name": name, **({"roles": [{"name": role} for role in roles]} if roles else {})}
        url = f"{self.cloud.keystone.url}/users/{self.user_id}/application_credentials"
        made = self._demand(201, "POST", url, json={"application_credential": wanted}).json()["application_credential"]
        return made["id"], made["secret"]

    def delete_application_credential(self, credential_id):
        url = f"{self.cloud.keystone.url}/users/{self.user_id}/application_credentials/{credential_id}"
        self._demand(204, "DELETE", url)

    def secret(self, payload=None, secret_type="symmetric", **fields):
        """Stores a secret as Cinder does; returns its id. Bytes are sent as base64, text as it is, None not at all."""
        body = {"secret_type": secret_type, **fields}
        if isinstance(payload, bytes):
            body |= {
                "payload": base64.b64encode(payload).decode(),
                "payload_content_type": "application/octet-stream",
                "payload_content_encoding": "base64",
            }
        elif payload is not None:
            body |= {"payload": payload, "payload_content_type": "text/plain"}
        if secret_type == "symmetric" and isinstance(payload, bytes):
            body = {"algorithm": "aes", "bit_length": 8 * len(payload), **body}
        return self._demand(201, "POST", self._url("secrets"), json=body).json()["secret_ref"].rpartition("/")[2]

    def empty_payload(self):
        """A secret with a payload of no bytes: Barbican takes base64 that is none for it."""
        body = {"secret_type": "symmetric", "algorithm": "aes", "bit_length": 256, "payload": "!!!"}
        body |= {"payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"}
        return self._demand(201, "POST", self._url("secrets"), json=body).json()["secret_ref"].rpartition("/")[2]

    def metadata(self, secret_id):
        return self._demand(200, "GET", self._url("secrets", secret_id)).json()

    def payload(self, secret_id):
        headers = {"Accept": "application/octet-stream"}
        return self._demand(200, "GET", self._url("secrets", secret_id, "payload"), headers=headers).content

    def status_of(self, secret_id):
        """200 when this user may see it, else 403 or 404."""
        return self._request("GET", self._url("secrets", secret_id)).status_code

    def delete(self, secret_id):
        self._demand(204, "DELETE", self._url("secrets", secret_id))

    def user_metadata(self, secret_id):
        return self._demand(200, "GET", self._url("secrets", secret_id, "metadata")).json()["metadata"]

    def add_user_metadata(self, secret_id, key, value):
        body = {"key": key, "value": value}
        self._demand(201, "POST", self._url("secrets", secret_id, "metadata") + "/", json=body)

    def set_user_metadata(self, secret_id, key, value):
        body = {"key": key, "value": value}
        self._demand(200, "PUT", self._url("secrets", secret_id, "metadata", key), json=body)

    def consumers(self, secret_id):
        return self._demand(200, "GET", self._url("secrets", secret_id, "consumers")).json()["consumers"]

    def secrets(self):
        """How many there are."""
        return self._demand(200, "GET", self._url("secrets")).json()["total"]

    def acl(self, secret_id):
        return self._demand(200, "GET", self._url("secrets", secret_id, "acl")).json()["read"]

    def set_acl(self, secret_id, users, project_access=True):
        """`users`: names; they may read the secret wherever they are."""
        read = {"users": [self.cloud.user_ids[name] for name in users], "project-access": project_access}
        self._demand(200, "PUT", self._url("secrets", secret_id, "acl"), json={"read": read})

    def close(self):
        self._session.close()

    def _url(self, *parts):
        return "/".join((self.cloud.barbican.url, "v1", *parts))

    def _demand(self, status, method, url, **options):
        answer = self._request(method, url, **options)
        assert answer.status_code == status, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer

    def _request(self, method, url, headers=None, **options):
        headers = {"X-Auth-Token": self.token, **(headers or {})}
        return self._session.request(method, url, headers=headers, timeout=_SECONDS, **options)
