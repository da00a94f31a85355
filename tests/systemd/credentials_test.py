"""Secrets come from systemd's credential stores, encrypted or not, and only the agent sees them."""

import os
import shutil
import subprocess

from harness import NodeCase, paths, wait_until
from harness.devices import run
from service import AGENT, CONFIG, show, systemctl

FIXED_KEY = "00000000-0000-0000-0000-000000000000"
FIXED = CONFIG + """
[key_manager]
default = "fixed"
[key_managers.fixed]
type = "conf"
fixed_key_file = "credential:fixed_key"
high_entropy = true
"""
BARBICAN = """
[key_managers.local]
type = "local"
[key_managers.with-secret]
type = "barbican"
auth_url = "https://127.0.0.1:1/v3"
application_credential_id = "00000000000000000000000000000000"
application_credential_secret_file = "credential:keystone.secret"
timeout = "2s"
[key_managers.with-password]
type = "barbican"
auth_url = "https://127.0.0.1:1/v3"
username = "volcrypt"
password_file = "credential:keystone.password"
project_name = "service"
timeout = "2s"
"""
ASIDE = "/var/lib/volcrypt-aside"
SECRETS = (
    "volcrypt.kek", "keystone.secret", "keystone.password", "kmip.key", "kmip.password", "fixed_key", "server.key"
)  # fmt: skip


def store(name, data, encrypted):
    directory = "/etc/credstore.encrypted" if encrypted else "/etc/volcrypt-secrets"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, name)
    if encrypted:
        run("systemd-creds", "encrypt", f"--name={name}", "--with-key=host", "-", path, data=data)
    else:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    return path


class Credentials(NodeCase):
    def give(self, name, data, encrypted):
        path = store(name, data, encrypted)
        self.addCleanup(self.agent.restart)
        self.addCleanup(os.unlink, path)
        if not encrypted:
            self.agent.drop_in(AGENT, "plain", f"[Service]\nLoadCredential={name}:{path}\n")
            self.addCleanup(self.agent.drop_in, AGENT, "plain", None)

    def check_fixed_key(self, encrypted):
        self.give("fixed_key", os.urandom(32).hex().encode(), encrypted)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(FIXED)
        self.agent.restart()
        volume, device = self.volume_id(), self.device(mib=20)
        self.assertTrue(self.attach(volume, device, FIXED_KEY)["formatted"])
        self.agent.reload()
        self.agent.restart()
        self.detach(volume)
        self.assertFalse(self.attach(volume, device, FIXED_KEY)["formatted"])
        self.detach(volume)

    def test_a_fixed_key_that_is_encrypted_on_disk(self):
        self.check_fixed_key(encrypted=True)

    def test_a_fixed_key_in_a_plain_file_of_roots(self):
        self.check_fixed_key(encrypted=False)

    def test_without_the_credential_the_agent_says_which_is_missing(self):
        self.agent.stop()
        self.agent.configure(FIXED)
        try:
            self.assertNotEqual(systemctl("start", AGENT, check=False)[0], 0)
            wait_until(lambda: "fixed_key" in self.agent_log(), what="the log to name the credential")
        finally:
            self.agent.configure(CONFIG)
            self.agent.start()

    def test_the_key_encryption_key(self):
        self.agent.stop()
        os.rename(paths.AGENT_STATE, ASIDE)
        credential = store("volcrypt.kek", os.urandom(32), encrypted=True)
        try:
            self.agent.start()
            volume = self.volume_id()
            self.assertTrue(self.attach(volume, self.device(mib=20), self.key())["formatted"])
            self.assertFalse(os.path.exists(os.path.join(paths.AGENT_STATE, "keys.kek")), "it was made beside the store")
            self.detach(volume)
        finally:
            self.agent.stop()
            os.unlink(credential)
            shutil.rmtree(paths.AGENT_STATE)
            os.rename(ASIDE, paths.AGENT_STATE)
            self.agent.start()

    def test_those_for_barbican(self):
        """The agent starts only when it has both, and then says of a Keystone that is not there that it is away."""
        self.addCleanup(self.agent.restart)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + BARBICAN)
        self.addCleanup(os.unlink, store("keystone.password", b"a password", encrypted=True))
        self.assertNotEqual(systemctl("restart", AGENT, check=False)[0], 0)
        wait_until(lambda: "keystone.secret" in self.agent_log(), what="the log to name the credential")
        self.addCleanup(os.unlink, store("keystone.secret", b"an application's secret", encrypted=True))
        systemctl("restart", AGENT)
        for manager in ("with-secret", "with-password"):
            self.api_refused("KEY_MANAGER_UNAVAILABLE", "GetKeyMetadata", key={"key_manager": manager, "key_id": FIXED_KEY})

    def test_each_secret_of_the_configuration_may_be_one(self):
        shown = show(AGENT, "LoadCredentialEncrypted") + subprocess.run(
            ["systemctl", "cat", AGENT], capture_output=True, text=True, check=True
        ).stdout
        for name in SECRETS:
            self.assertIn(f"LoadCredentialEncrypted={name}\n", shown)
