"""A system bus and polkit, without systemd."""

import os
import shutil
import subprocess

from testkit.waiting import wait_until

BUS = "/run/dbus/system_bus_socket"
RULES = "/etc/polkit-1/rules.d"


class Polkit:
    def __init__(self):
        self._processes = []

    def start(self, *rules):
        """With these files among its rules."""
        os.makedirs(RULES, exist_ok=True)
        os.chmod(RULES, 0o755)
        for number, rule in enumerate(rules):
            shutil.copy(rule, os.path.join(RULES, f"{10 + number}-test.rules"))
        os.makedirs(os.path.dirname(BUS), exist_ok=True)
        if os.path.exists(BUS):
            os.unlink(BUS)
        self._run("/usr/bin/dbus-daemon", "--system", "--nofork", "--nopidfile")
        wait_until(lambda: os.path.exists(BUS), what="the system bus")
        self._run("/usr/lib/polkit-1/polkitd", "--no-debug")
        wait_until(self._is_on_the_bus, timeout=30, what="polkit on the system bus")

    def stop(self):
        for process in reversed(self._processes):
            process.kill()
            process.wait(30)
        self._processes = []

    def _run(self, *command):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._processes.append(process)

    @staticmethod
    def _is_on_the_bus():
        command = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]
        command += ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.PolicyKit1"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return "boolean true" in done.stdout
