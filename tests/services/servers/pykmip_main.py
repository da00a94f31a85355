"""The PyKMIP server in the foreground: pykmip_main.py CONFIGURATION LOG"""

import ctypes
import json
import os
import signal
import sys

from kmip.core import exceptions
from kmip.services.server import KmipServer, auth

# It forks a process that would outlive it when it is killed.
PR_SET_PDEATHSIG = 1
os.register_at_fork(after_in_child=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


class Users(auth.AuthAPI):
    """Demands a name and its password of every request, besides the certificate, which still says who owns what.

    It stands in the place of the one plug-in that PyKMIP knows; that one asks a web service, about certificates alone.
    """

    def __init__(self, url=None):
        with open(url, encoding="utf-8") as file:
            self._passwords = json.load(file)

    def authenticate(self, connection_certificate=None, connection_info=None, request_credentials=None):
        for credential in request_credentials or []:
            value = credential.credential_value
            if (value.username, value.password) in self._passwords.items():
                return auth.get_client_identity_from_certificate(connection_certificate), None
        raise exceptions.PermissionDenied("no user with this password")


auth.SLUGSConnector = Users

with KmipServer(config_path=sys.argv[1], log_path=sys.argv[2]) as server:
    server.serve()
