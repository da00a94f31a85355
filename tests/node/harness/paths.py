"""Where everything lies in the node. Nothing here outlasts it."""

import os

BUILD = os.environ.get("VOLCRYPT_BUILD", "")
OUT = os.environ.get("NODE_OUT", "/run/node-out")
AGENT = os.path.join(BUILD, "agent/volcryptd")
HELPER = os.path.join(BUILD, "encryptors/volcrypt-helper")
CTL = os.path.join(BUILD, "tools/volcryptctl/volcryptctl")
CONFIG = "/etc/volcrypt/volcryptd.toml"
SOCKET = "/run/volcrypt/volcryptd.sock"
AGENT_STATE = "/var/lib/volcrypt"
HELPER_STATE = "/var/lib/volcrypt-helper"
SCRATCH = "/run/volcrypt-test"  # a tmpfs: the backing files of loop devices
VOLUMES = "/run/volcrypt-test/volumes"  # where file volumes may lie (device_prefixes)
