"""The PyKMIP server in the foreground: pykmip_main.py CONFIGURATION LOG"""

import sys

from kmip.services.server import KmipServer

with KmipServer(config_path=sys.argv[1], log_path=sys.argv[2]) as server:
    server.serve()
