"""volcryptctl as the tests call it."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field

from harness import paths


@dataclass
class Result:
    """What a call of volcryptctl -o json came to."""

    command: str
    status: int
    stdout: str
    stderr: str
    json: dict = field(default_factory=dict)  # what it printed
    error: dict = field(default_factory=dict)  # code, reason, message, metadata

    @property
    def reason(self):
        return self.error.get("reason", "")

    def __str__(self):
        return f"{self.command}: status {self.status}\n{self.stdout}{self.stderr}"


class Ctl:
    """volcryptctl; with `uid` as that user, in no other group than its own, or `gid`. `command` is what runs it in
    another place."""

    def __init__(self, endpoint=f"unix:{paths.SOCKET}", uid=None, gid=None, command=(paths.CTL,)):
        options = ["--endpoint", endpoint, "-o", "json"]
        self._base = [*command, *options]
        if uid is not None:
            # Not Popen's own way, which forks a process with gRPC's threads: on a node the copy has spoilt the original.
            user = ["setpriv", f"--reuid={uid}", f"--regid={uid if gid is None else gid}", "--clear-groups", "--"]
            self._base = [*user, where_anybody_finds_it(paths.CTL), *options]

    def start(self, *arguments):
        """The running process, for calls that are meant to overlap; finish() turns it into a Result."""
        return subprocess.Popen(
            [*self._base, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process, timeout=120):
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as expired:
            process.kill()
            process.communicate()
            raise AssertionError(f"no answer within {timeout} s: {' '.join(process.args)}") from expired
        result = Result(" ".join(process.args[len(self._base) :]), process.returncode, stdout, stderr)
        if stdout.strip():
            result.json = json.loads(stdout)
            assert result.json["schema"] == "volcrypt/v1", result
        if result.status != 0 and stderr.strip():
            result.error = json.loads(stderr.strip().splitlines()[-1])["error"]
        return result

    def __call__(self, *arguments):
        return self.finish(self.start(*arguments))


def where_anybody_finds_it(program):
    """The build may lie where only root gets to."""
    copy = os.path.join(paths.SCRATCH, os.path.basename(program))
    if not os.path.exists(copy):
        shutil.copy(program, copy)
        os.chmod(copy, 0o755)
        os.chmod(paths.SCRATCH, 0o755)
    return copy
