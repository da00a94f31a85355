"""Tests with Keystone and Barbican."""

import atexit
import functools

from harness.case import ServiceCase
from servers.cloud import Cloud
from servers.front import CountingFront


@functools.cache
def shared_cloud(tls=False):
    """One for all tests of a run: starting it takes three seconds."""
    cloud = Cloud(tls=tls)
    atexit.register(cloud.close)
    return cloud


class CloudCase(ServiceCase):
    """self.cloud is shared by all tests and is running again after each."""

    tls = False

    def setUp(self):
        super().setUp()
        self.cloud = shared_cloud(self.tls)
        self.addCleanup(self._put_right)

    def _put_right(self):
        for server in (self.cloud.keystone, self.cloud.barbican):
            if server.process.is_running():
                server.process.thaw()
        self.cloud.start()

    def user(self, name):
        """One of servers/keystone.py's, who talks to the real servers without us."""
        user = self.cloud.user(name)
        self.addCleanup(user.close)
        return user

    def front(self, server, **options):
        """A CountingFront before the cloud's Keystone or Barbican."""
        front = CountingFront(server.port, **options)
        self.addCleanup(front.close)
        return front

    def section(self, user="nova", **keys):
        """[key_managers.NAME] for an agent that is this user. A key that is None is left out."""
        project = self.user(user).project
        section = {
            "type": "barbican",
            "auth_url": self.cloud.keystone.url,
            "username": user,
            "password_file": self.file(f"{user}.password", self.cloud.passwords[user]),
            "project_name": project,
            "region": "RegionOne",
            "interface": "public",
            "ca_file": self.cloud.ca_file,
            "timeout": "30s",
            **keys,
        }
        return {key: value for key, value in section.items() if value is not None}

    def application_section(self, credential, secret, **keys):
        """The same with an application credential of nova's."""
        keys |= {"application_credential_id": credential}
        keys |= {"application_credential_secret_file": self.file(f"{credential}.secret", secret)}
        return self.section("nova", username=None, password_file=None, project_name=None, **keys)


class ReconfiguredCase(CloudCase):
    """The cloud's Barbican runs with other options for the tests of a class."""

    barbican_options = {}

    @classmethod
    def setUpClass(cls):
        cls._configure(**cls.barbican_options)

    @classmethod
    def tearDownClass(cls):
        cls._configure()

    @classmethod
    def _configure(cls, **options):
        cloud = shared_cloud(cls.tls)
        cloud.barbican.process.stop()
        cloud.configure_barbican(**options)
        cloud.barbican.process.start()


class UncachedCase(ReconfiguredCase):
    """Barbican asks Keystone about every token of every request, so it hears at once that one is revoked."""

    barbican_options = {"token_cache_seconds": -1}


class NewPolicyCase(ReconfiguredCase):
    """Barbican takes the new defaults alone for who may do what, as later releases of OpenStack do."""

    barbican_options = {"new_policy": True}
