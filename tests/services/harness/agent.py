"""volcryptd over the fake helper, without privilege over any device."""

import json
import os
import tempfile
import urllib.request

from servers.process import Process, accepts_at
from testkit.api import Api

BUILD = os.environ.get("VOLCRYPT_BUILD", "")
VOLCRYPTD = os.path.join(BUILD, "agent/volcryptd")
FAKE_HELPER = os.path.join(BUILD, "tests/services/fake_helper")
VOLCRYPTCTL = os.path.join(BUILD, "tools/volcryptctl/volcryptctl")


class Agent:
    """An agent and its helper, whose state is in a directory of their own.

    sections: {name: {key: value}} of [key_managers.NAME]; `default` names one of them. `host`: the name of the host it
    believes to run on. `metrics`: the port of 127.0.0.1 for them, where they are wanted. `libvirt`: keys of [libvirt].
    """

    logs = []  # of the agents that were closed: what a failed test shows

    def __init__(self, sections, default=None, host=None, volumes="/dev/", operation_timeout="60s", metrics=None, libvirt=None):
        self._directory = tempfile.TemporaryDirectory(prefix="volcrypt-agent-")
        self.directory = self._directory.name
        self.endpoint = f"unix:{self.directory}/api.sock"
        self._host, self._volumes, self._timeout, self._metrics = host, volumes, operation_timeout, metrics
        self._libvirt = {"records": os.path.join(self.directory, "libvirt-secrets"), **(libvirt or {})}
        self._api = None
        self.config = os.path.join(self.directory, "volcryptd.toml")
        self.configure(sections, default)
        socket = os.path.join(self.directory, "helper.sock")
        command = [FAKE_HELPER, "--socket", socket, "--state", os.path.join(self.directory, "attached")]
        self.helper = Process("fake_helper", command, self.directory, is_ready=lambda: accepts_at(socket))
        self.process = Process("volcryptd", self._command(socket), self.directory, is_ready=self._answers)
        self.helper.start()

    def configure(self, sections, default=None):
        """In force with the next start."""
        local = {"type": "local", "path": os.path.join(self.directory, "keys.db")}
        tables = {
            "server": {"listen": [self.endpoint], "operation_timeout": self._timeout},
            "volumes": {"device_prefixes": [self._volumes]},
            "key_manager": {"default": default or next(iter(sections), "local")},
            **{f"key_managers.{name}": keys for name, keys in {"local": local, **sections}.items()},
            "metrics": {"listen": f"127.0.0.1:{self._metrics}" if self._metrics else ""},
            "libvirt": self._libvirt,
            "log": {"level": "debug"},
        }
        with open(self.config, "w", encoding="utf-8") as file:
            for name, keys in tables.items():
                file.write(f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))

    def start(self):
        self._log_begin = self.process.log_end()
        self.process.start()
        return self

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        self._hang_up()
        status = self.process.stop()
        assert status == 0, f"volcryptd ended with status {status}:\n{self.log()[-4000:]}"

    def close(self):
        try:
            if self.process.is_running():
                self.stop()
        finally:
            self._hang_up()
            self.process.kill()
            self.helper.stop()
            Agent.logs.append(self.log())
            self._directory.cleanup()

    @property
    def pid(self):
        return self.process.pid

    @property
    def api(self):
        if self._api is None:
            self._api = Api(self.endpoint)
        return self._api

    def log(self):
        return self.process.log()

    def metrics(self, path="/metrics"):
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}{path}", timeout=10) as answer:
            return answer.read().decode()

    def _hang_up(self):
        if self._api is not None:
            self._api.close()
            self._api = None

    def _command(self, helper_socket):
        command = [VOLCRYPTD, "--config", self.config, "--helper-socket", helper_socket]
        if self._host is None:
            return command
        script = 'hostname "$0" && exec "$@"'
        return ["unshare", "--uts", "--", "sh", "-c", script, self._host, *command]

    def _answers(self):
        return "volcryptd is ready" in self.process.log(self._log_begin)
