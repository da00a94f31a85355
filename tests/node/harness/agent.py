"""The agent and its helper as the tests start, stop and kill them."""

import contextlib
import os
import signal
import subprocess
import time

from harness import paths
from testkit.waiting import wait_until

CONFIG = f"""
[volumes]
device_prefixes = ["/dev/", "{paths.VOLUMES}/"]
[log]
level = "debug"
"""


def state_of(pid):
    """The letter of proc(5); of a process that is gone, "X"."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before the open, or before the read
        return "X"


def is_alive(pid):
    return state_of(pid) not in "ZX"


class Agent:
    """volcryptd --spawn-helper with the tests' configuration. State and log outlive a restart."""

    config_path, socket = paths.CONFIG, paths.SOCKET

    def __init__(self, config=CONFIG, log_name="agent.log"):
        self.log_path = os.path.join(paths.OUT, log_name)
        self._process = None
        self.configure(config)

    def configure(self, config):
        """Writes the configuration; in force with the next start."""
        os.makedirs(os.path.dirname(self.config_path), exist_ok=True)
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(config)

    def start(self):
        assert not self.is_running(), "the agent runs already"
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, what="the agent to answer")

    def stop(self, timeout=90):
        """SIGTERM: finishes what runs, refuses the rest. Returns the exit status."""
        helpers = self.helper_pids()
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout)
        wait_until(lambda: not any(map(is_alive, helpers)), timeout, "the helper to go")
        return status

    def terminate(self):
        """SIGTERM, without waiting for what becomes of it."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout=60):
        """Until the agent has ended by itself; its exit status."""
        return self._process.wait(timeout)

    def reload(self):
        """SIGHUP: access rules and log level are read again."""
        since = self.log_end()
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: "were read again" in self.log(since), what="the configuration to be read again")

    def kill(self):
        """SIGKILL to the agent alone, as the kernel does when memory is short."""
        self._process.kill()
        self._process.wait(30)

    def kill_all(self):
        """SIGKILL to agent, helper and workers: a power failure, as far as processes can tell."""
        helpers = self.helper_pids()
        workers = self.worker_pids()
        self.kill()
        for pid in [*workers, *helpers]:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, [*workers, *helpers])), what="helper and workers to die")

    def restart(self):
        if self.is_running():
            self.stop()
        self.start()

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def helper_pids(self):
        """Of the resident helper; its workers are its children."""
        return [pid for pid in self._helpers_named("volcrypt-helper") if not self._is_child_of_helper(pid)]

    def worker_pids(self):
        """Of those that have an operation. A spare worker has none, and ends with the helper."""
        return self._helpers_named("volcrypt-worker")

    def worker_that_stays(self, state):
        """The one that is in this state (proc(5)) at two looks; None while there is none. For wait_until()."""
        seen = {pid for pid in self.worker_pids() if state_of(pid) == state}
        time.sleep(0.02)  # a worker on its way may be found waiting once
        return next((pid for pid in seen if state_of(pid) == state), None)

    def log(self, since=0):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            file.seek(since)
            return file.read()

    def log_end(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    @staticmethod
    def fail_at(point):
        """The next worker that reaches this number of encryptors/fail_point.h dies there."""
        with open(os.path.join(paths.HELPER_STATE, "failpoint"), "w", encoding="ascii") as file:
            file.write(str(point))

    @staticmethod
    def stop_at(point):
        """The next worker that reaches it stops there until SIGCONT."""
        with open(os.path.join(paths.HELPER_STATE, "failpoint"), "w", encoding="ascii") as file:
            file.write(f"{point} stop")

    @staticmethod
    def fail_point_is_pending():
        return os.path.exists(os.path.join(paths.HELPER_STATE, "failpoint"))

    @staticmethod
    def drop_fail_point():
        try:
            os.unlink(os.path.join(paths.HELPER_STATE, "failpoint"))
        except FileNotFoundError:
            pass

    def _command(self):
        return [paths.AGENT, "--config", self.config_path, "--spawn-helper"]

    def _answers(self):
        if self._process.poll() is not None:
            raise AssertionError(f"the agent ended with status {self._process.returncode}:\n{self.log()[-4000:]}")
        command = [paths.CTL, "--endpoint", f"unix:{self.socket}", "health"]
        if not os.path.exists(self.socket):
            time.sleep(0.02)
            return False
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0

    @staticmethod
    def _helpers_named(comm):
        """The processes of the helper's program that say that they are this. A child is called as its parent at first."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{name}/exe") != os.path.realpath(paths.HELPER):
                    continue
                with open(f"/proc/{name}/comm", encoding="ascii", errors="replace") as file:
                    if file.read().strip() == comm and is_alive(int(name)):
                        found.append(int(name))
            except OSError:
                continue
        return found

    @staticmethod
    def _is_child_of_helper(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            return os.readlink(f"/proc/{parent}/exe") == os.path.realpath(paths.HELPER)
        except OSError:
            return False
