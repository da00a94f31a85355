"""What crashes leaves no core, neither in a file nor for a program: it may have a key in it, or a token.

The node is set to dump whatever may be dumped; an ordinary process with the same bytes in it is shown to be, each time.
"""

import contextlib
import os
import pwd
import resource
import shutil
import signal
import socket
import uuid

from harness import Ctl, key_store, paths, wait_until
from harness.agent import is_alive
from harness.first_use import KEYSLOT_ADDED, FirstUseCase
from testkit.needles import Needles, process_that_holds

CORES = os.path.join(paths.SCRATCH, "cores")
COLLECTOR = os.path.join(paths.SCRATCH, "collect-core")
# What gets a core: a file, or a program, for which the limit of a core's size does not count.
PATTERNS = (f"{CORES}/%e.%p", f"|{COLLECTOR} {CORES}/%e.%p")
SETTINGS = {
    "/proc/sys/kernel/core_pipe_limit": "4",  # a process is not gone before the program has its core
    "/proc/sys/fs/suid_dumpable": "1",  # or who changed its user, as the agent does, has none anyhow
}


class NoCore(FirstUseCase):
    def setUp(self):
        super().setUp()
        with open(COLLECTOR, "w", encoding="ascii") as file:
            file.write('#!/bin/sh\nexec cat >"$1"\n')
        os.chmod(COLLECTOR, 0o755)
        os.makedirs(CORES)
        self.addCleanup(shutil.rmtree, CORES)
        for directory in (paths.SCRATCH, CORES):
            os.chmod(directory, 0o1777)  # the agent is not root
        for path, value in SETTINGS.items():
            self.set(path, value)
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.agent.restart()  # with that limit

    def set(self, path, value):
        with open(path, encoding="ascii") as file:
            self.addCleanup(write, path, file.read().strip())
        write(path, value)

    def for_each_pattern(self, crash, secret):
        """crash() must leave no core, where any other process leaves one with `secret` in it."""
        for pattern in PATTERNS:
            with self.subTest(pattern):
                empty(CORES)
                self.set("/proc/sys/kernel/core_pattern", pattern)
                for user in ("root", "volcrypt"):
                    self.assert_others_leave_one(secret, user)
                crash()
                self.assertEqual(os.listdir(CORES), [])

    def assert_others_leave_one(self, secret, user):
        with process_that_holds(secret.hex().encode(), user=pwd.getpwnam(user).pw_uid) as holder:
            os.kill(holder.pid, signal.SIGABRT)
            self.assertEqual(holder.wait(30), -signal.SIGABRT)
        self.assertTrue(Needles({"control": secret}).in_directory(CORES), f"the control: {user}'s processes leave cores")
        empty(CORES)

    def assert_holds(self, secret, pid):
        self.assertTrue(Needles({"secret": secret}).in_memory(pid), "the control: there is something to be found")

    def test_an_agent_that_crashes_leaves_none(self):
        with open(key_store.KEK, "rb") as file:
            secret = file.read()

        def crash():
            self.assert_holds(secret, self.agent.pid)
            helpers = self.agent.helper_pids()
            os.kill(self.agent.pid, signal.SIGABRT)
            self.assertEqual(self.agent.wait(), -signal.SIGABRT)
            wait_until(lambda: not any(map(is_alive, helpers)), what="the helper to end")
            self.agent.start()

        self.for_each_pattern(crash, secret)

    def test_a_helper_that_crashes_leaves_none(self):
        def crash():
            self.attach(self.volume, self.disk, self.user_key)
            self.detach(self.volume)
            (helper,) = self.agent.helper_pids()
            os.kill(helper, signal.SIGABRT)
            wait_until(lambda: not is_alive(helper), what="the helper to crash")
            self.agent.restart()

        self.for_each_pattern(crash, key_store.key_bytes(self.user_key))

    def test_a_worker_that_crashes_with_a_key_leaves_none(self):
        secret = key_store.key_bytes(self.user_key)

        def crash():
            self.begin_anew()
            self.agent.stop_at(KEYSLOT_ADDED)
            calling = self.ctl.start("attach", self.volume, self.disk.path, "--key", self.user_key)
            worker = wait_until(lambda: self.agent.worker_that_stays("T"), what="the worker in its first use")
            self.assert_holds(secret, worker)
            os.kill(worker, signal.SIGABRT)
            os.kill(worker, signal.SIGCONT)
            self.assertEqual(self.ctl.finish(calling).reason, "WORKER_FAILED")

        self.for_each_pattern(crash, secret)

    def test_a_volcryptctl_that_crashes_with_a_token_leaves_none(self):
        secret = os.urandom(60)
        path = os.path.join(paths.SCRATCH, "token")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secret.hex())

        def crash():
            with listening_socket() as endpoint:
                process = Ctl(endpoint).start("--os-token-file", path, "list")
                wait_until(lambda: may_hold(secret, process.pid), what="the token to be read")
                process.send_signal(signal.SIGABRT)
                process.communicate(timeout=30)
                self.assertEqual(process.returncode, -signal.SIGABRT)

        self.for_each_pattern(crash, secret)


def may_hold(secret, pid):
    """Whether it is in the memory of a process that is still being loaded, when not all of it can be read yet."""
    try:
        return Needles({"token": secret}).in_memory(pid)
    except OSError:
        return False


@contextlib.contextmanager
def listening_socket():
    """The endpoint of an agent that never answers."""
    path = os.path.join(paths.SCRATCH, f"{uuid.uuid4()}.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield f"unix:{path}"
    os.unlink(path)


def empty(directory):
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(value)
