"""A libvirtd in session mode, all of whose state is in a directory of its own. It has secrets and starts no guest."""

import base64
import os
import subprocess
import tempfile

from servers.process import ENVIRONMENT, Process, accepts_at

NOBODY = 65534  # of root it would be the system's; and its user must be in passwd


class SessionLibvirtd:
    """.process is the server's: kill(), freeze() and the rest."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="volcrypt-libvirtd-")
        directory = self._directory.name
        os.chown(directory, NOBODY, NOBODY)
        environment = {"HOME": directory}
        for name, part in (("CONFIG_HOME", "config"), ("CACHE_HOME", "cache"), ("DATA_HOME", "data"), ("RUNTIME_DIR", "run")):
            environment[f"XDG_{name}"] = os.path.join(directory, part)
            os.mkdir(environment[f"XDG_{name}"])
            os.chown(environment[f"XDG_{name}"], NOBODY, NOBODY)
        self._socket = os.path.join(directory, "run/libvirt/libvirt-sock")
        self.uri = f"secret:///session?socket={self._socket}"
        # Whoever becomes another user loses the wish to die with his parent: it is made anew.
        nobody = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig", "KILL"]
        command = ["setpriv", *nobody, "--", "/usr/sbin/libvirtd", "--timeout", "0", "--pid-file", f"{directory}/run/pid"]
        self.process = Process("libvirtd", command, directory, environment, lambda: accepts_at(self._socket))

    def start(self):
        """After a kill as well, which leaves its socket."""
        if os.path.exists(self._socket):
            os.unlink(self._socket)
        self.process.start()

    def close(self):
        self.process.kill()
        self._directory.cleanup()

    def secrets(self):
        """Of volumes: {volume id: secret UUID}."""
        lines = [line.split() for line in self._virsh("secret-list").splitlines()]
        return {words[2]: words[0] for words in lines if len(words) == 3 and words[1] == "volume"}

    def stored_value(self, uuid):
        """The bytes on libvirt's disk; None when there are none, as of an ephemeral secret."""
        path = os.path.join(self.secrets_directory, f"{uuid}.base64")
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return base64.b64decode(file.read())

    @property
    def secrets_directory(self):
        return os.path.join(self._directory.name, "config/libvirt/secrets")

    def _virsh(self, *arguments):
        command = ["virsh", "-q", "-c", self.uri, *arguments]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True, env=ENVIRONMENT
        ).stdout
