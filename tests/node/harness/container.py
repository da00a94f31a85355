"""A container as a compute service's engine makes one, of util-linux alone."""

import os
import subprocess

from harness import paths
from harness.ctl import Ctl, where_anybody_finds_it
from testkit.waiting import wait_until

CTL = "/volcryptctl"  # in the container

# In a mount namespace of its own: the root file system, with the host's programs and what is mounted from the host.
_ROOT = """
set -e
root=$1 program=$2
shift 2
mount -t tmpfs -o mode=0755 tmpfs "$root"
mkdir "$root/usr" "$root/dev" "$root/proc" "$root/run"
for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
mount --bind -o ro /usr "$root/usr"
mount --rbind /proc "$root/proc"
touch "$root/volcryptctl" "$root/dev/null"
mount --bind "$program" "$root/volcryptctl"
mount --bind /dev/null "$root/dev/null"
while [ $# -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}" && touch "$root$2"; fi
  mount --bind -o ro "$1" "$root$2"
  shift 2
done
exec unshare --user --mount --pid --fork --kill-child --root="$root" -- sh -c 'echo ready; read -r end'
"""


class Container:
    """Has user, mount and PID namespaces and a root file system of its own, with nothing but null in /dev and no account database.
    Its users and groups 0 to 65535 are the host's from `first_id` on, as engines with user namespaces map them.

    mounts: {path on the host: path in the container}, of directories and of files, read-only.
    """

    IDS = 65536

    def __init__(self, first_id, mounts):
        self.first_id = first_id
        directory = os.path.join(paths.SCRATCH, "container")
        os.makedirs(directory, exist_ok=True)
        pairs = [path for pair in mounts.items() for path in pair]
        self._outer = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _ROOT, "sh", directory, where_anybody_finds_it(paths.CTL), *pairs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._outer.stdout.readline() == "ready\n", "the container did not start"
        self._pid = wait_until(self._first_process, what="the container's first process")
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{self._pid}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 {first_id} {self.IDS}")

    def command(self, uid, gid=None):
        """What runs a program as this user of the container, in no other group than its own, or `gid`."""
        user = [f"--setuid={uid}", f"--setgid={uid if gid is None else gid}"]
        return ["nsenter", f"--target={self._pid}", "--user", "--mount", "--pid", "--root", "--wd=/", *user, "--"]

    def ctl(self, uid, gid=None, socket=paths.SOCKET):
        return Ctl(f"unix:{socket}", command=[*self.command(uid, gid), CTL])

    def run(self, uid, *command):
        """(exit status, standard output) of a program in the container."""
        done = subprocess.run([*self.command(uid), *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def close(self):
        self._outer.stdin.close()
        self._outer.wait(30)
        self._outer.stdout.close()

    def _first_process(self):
        """unshare stays outside of the PID namespace; its child is the first in it."""
        with open(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children", encoding="ascii") as file:
            return next(iter(file.read().split()), None)
