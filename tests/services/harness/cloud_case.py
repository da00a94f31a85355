"""Tests with Keystone and Barbican."""

import atexit
import functools

from harness.case import ServiceCase
from servers.cloud import Cloud


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
            "timeout": "10s",
            **keys,
        }
        return {key: value for key, value in section.items() if value is not None}
