"""A server in the foreground of a session of its own, so that all of it can be ended."""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess

from testkit.waiting import wait_until

# Debian's programs and modules, not those of whoever has a python3 of his own first in PATH.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
PYTHON = "/usr/bin/python3"
# A server dies with the tests. By a program of its own: code that Python runs between fork and exec runs in a copy of a
# process with gRPC's threads, whose locks it may find taken.
WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on now, and that the kernel gives to no client before somebody does."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first_of_clients = int(file.read().split()[0])
    with contextlib.ExitStack() as stack:
        ports = []
        for port in random.sample(range(first_of_clients // 2, first_of_clients), 100 + count):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise AssertionError(f"no {count} free ports below {first_of_clients}")


def accepts(port):
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def accepts_at(path):
    """Whether somebody listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


class Process:
    """launch() and wait_until_ready(), apart so that several servers start at once; stop() and kill() end the group."""

    def __init__(self, name, command, directory, environment=None, is_ready=None):
        """is_ready(): whether it answers; without, it does when it has written its ready_file."""
        self.name, self.log_path = name, os.path.join(directory, f"{name}.out")
        self.ready_file = os.path.join(directory, f"{name}.ready")
        self._command, self._directory = command, directory
        self._is_ready = is_ready or (lambda: os.path.exists(self.ready_file))
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self._process = None
        atexit.register(self.kill)

    def start(self):
        self.launch()
        self.wait_until_ready()

    def launch(self):
        assert not self.is_running(), f"{self.name} runs already"
        if os.path.exists(self.ready_file):
            os.unlink(self.ready_file)
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                [*WITH_PARENT, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env=self._environment,
                start_new_session=True,
            )

    def wait_until_ready(self, timeout=300):
        try:
            wait_until(self._is_ready_or_dead, timeout, f"{self.name} to answer")
        except AssertionError:
            self.kill()
            raise

    @property
    def pid(self):
        return self._process.pid

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout=70):
        """SIGTERM to the group, SIGKILL to what is left of it then. Returns the exit status."""
        if self.is_running():
            self._signal_group(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        self.kill()
        return self._process.returncode

    def kill(self):
        if self._process is None:
            return
        self._signal_group(signal.SIGKILL)
        self._process.wait(30)

    def freeze(self):
        """SIGSTOP: connections are accepted by the kernel, and nobody answers."""
        self._signal_group(signal.SIGSTOP)

    def thaw(self):
        self._signal_group(signal.SIGCONT)

    def log(self, since=0):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            file.seek(since)
            return file.read()

    def log_end(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def _is_ready_or_dead(self):
        if self._process.poll() is not None:
            raise AssertionError(f"{self.name} ended with status {self._process.returncode}:\n{self.log()[-4000:]}")
        return self._is_ready()

    def _signal_group(self, number):
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass
