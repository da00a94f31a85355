"""The units as the tests start, stop and change them."""

import os
import re
import subprocess

from harness import NodeCase, paths
from harness.agent import Agent, is_alive
from testkit.waiting import wait_until

AGENT, HELPER = "volcryptd.service", "volcrypt-helper.service"
SOCKETS = ("volcryptd.socket", "volcrypt-helper.socket")
CONFIG = """
[log]
level = "debug"
"""
# As volcrypt-helper(8) says for volumes in files.
FILE_VOLUMES = f"""[Service]
Environment="VOLCRYPT_HELPER_OPTIONS=--device-prefix /dev/ --device-prefix {paths.VOLUMES}/"
ReadWritePaths={paths.VOLUMES}
"""


def systemctl(*arguments, check=True):
    """Its output; of a command that may fail, the exit status and the output."""
    done = subprocess.run(["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if not check:
        return done.returncode, done.stdout + done.stderr
    if done.returncode != 0:
        journal = subprocess.run(["journalctl", "-b", "-o", "cat", "-n", "30"], capture_output=True, text=True, check=False).stdout
        raise AssertionError(f"systemctl {' '.join(arguments)}: {done.stdout}{done.stderr}\n{journal}")
    return done.stdout


def show(unit, name):
    """One property, as text."""
    return systemctl("show", "--value", f"--property={name}", unit).strip()


def main_pid(unit):
    return int(show(unit, "MainPID"))


class Service(Agent):
    """What NodeCase calls the agent: here, both units."""

    def __init__(self):
        self.configure(CONFIG)
        self.drop_in(HELPER, "file-volumes", FILE_VOLUMES)

    def configure(self, config):
        super().configure(config)
        os.chmod(self.config_path, 0o644)

    @staticmethod
    def drop_in(unit, name, text):
        """Adds to the unit, or with None takes away again; in force with its next start."""
        directory = f"/run/systemd/system/{unit}.d"
        path = os.path.join(directory, f"{name}.conf")
        if text is None:
            os.unlink(path)
        else:
            os.makedirs(directory, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        systemctl("daemon-reload")

    def start(self):
        systemctl("start", *SOCKETS, AGENT)

    def stop(self, timeout=20):
        systemctl("stop", AGENT)

    def restart(self):
        systemctl("restart", AGENT)

    def restart_helper(self):
        systemctl("restart", HELPER)

    def stop_everything(self):
        systemctl("stop", *SOCKETS, AGENT, HELPER)

    def reload(self):
        systemctl("reload", AGENT)

    def is_running(self):
        return systemctl("is-active", AGENT, check=False)[0] == 0

    @property
    def pid(self):
        return main_pid(AGENT)

    @property
    def helper_pid(self):
        """The resident helper's; started when it does not run."""
        systemctl("start", HELPER)
        return main_pid(HELPER)

    def kill(self):
        """SIGKILL to the agent, and until systemd has started another."""
        self._kill(AGENT)

    def kill_helper(self):
        self.helper_pid
        self._kill(HELPER)

    @staticmethod
    def _kill(unit):
        killed = main_pid(unit)
        os.kill(killed, 9)
        wait_until(lambda: not is_alive(killed), what=f"{unit} to die")
        wait_until(lambda: main_pid(unit) not in (0, killed) and show(unit, "ActiveState") == "active", what=f"another {unit}")

    def log_end(self):
        shown = subprocess.run(["journalctl", "-n", "0", "--show-cursor"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"cursor: (\S+)", shown)
        return found.group(1) if found else ""

    def log(self, since=""):
        after = [f"--after-cursor={since}"] if since else []
        return subprocess.run(
            ["journalctl", "-o", "cat", "-u", "volcrypt*", *after], capture_output=True, text=True, check=False
        ).stdout


class ConfiguredCase(NodeCase):
    """Its tests share an agent with this configuration."""

    configuration = CONFIG

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.agent.restart)
        cls.addClassCleanup(cls.agent.configure, CONFIG)
        cls.agent.configure(cls.configuration)
        cls.agent.restart()
