"""The PyKMIP server in the foreground: pykmip_main.py CONFIGURATION LOG"""

import ctypes
import os
import signal
import sys

from kmip.services.server import KmipServer

# It forks a process that would outlive it when it is killed.
PR_SET_PDEATHSIG = 1
os.register_at_fork(after_in_child=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

with KmipServer(config_path=sys.argv[1], log_path=sys.argv[2]) as server:
    server.serve()
