"""What a node needs before an agent runs on it."""

import os
import shutil
import subprocess

from harness import paths


def prepare_node():
    for directory in (paths.AGENT_STATE, paths.HELPER_STATE, os.path.dirname(paths.CONFIG)):
        shutil.rmtree(directory, ignore_errors=True)  # of an installed volcrypt on the machine outside
    for directory in (paths.OUT, paths.SCRATCH, os.path.dirname(paths.SOCKET)):
        os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60%", "tmpfs", paths.SCRATCH], check=True)
    os.makedirs(paths.VOLUMES, exist_ok=True)
    if not any(line.startswith("volcrypt:") for line in open("/etc/passwd", encoding="utf-8")):
        subprocess.run(["useradd", "--system", "--no-create-home", "volcrypt"], check=True)  # then the agent drops root
