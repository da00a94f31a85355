"""Tests with PyKMIP."""

import atexit
import functools

from harness.case import ServiceCase
from servers.pykmip import Pki, PyKmip


@functools.cache
def shared_pki():
    pki = Pki()
    atexit.register(pki.close)
    return pki


class KmipCase(ServiceCase):
    """self.server is this test's own: starting it takes half a second."""

    def setUp(self):
        super().setUp()
        self.pki = shared_pki()
        self.server = self.new_server()

    def new_server(self, **options):
        server = PyKmip(self.pki, **options)
        self.addCleanup(server.close)
        return server

    def section(self, *servers, client=None, **keys):
        """[key_managers.NAME] for these servers, addresses or PyKmip; without any, the test's own."""
        client = client or self.pki.client
        section = {
            "type": "kmip",
            "servers": [server if isinstance(server, str) else server.address for server in servers or (self.server,)],
            "client_certificate": client.certificate,
            "client_private_key": client.key,
            "ca_file": self.pki.authority.file,
            "timeout": "10s",
            **keys,
        }
        return {key: value for key, value in section.items() if value is not None}
