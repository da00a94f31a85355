"""The base of all tests of key managers."""

import hashlib
import os
import subprocess
import tempfile
import time
import unittest

from harness.agent import VOLCRYPTCTL, Agent
from harness.volume import Volume
from testkit.api import ApiError, as_json
from testkit.waiting import wait_until

# Codes that gRPC sends for the reasons that the tests meet: one reason has one code.
CODES = {
    "CALLER_TOKEN_REJECTED": "UNAUTHENTICATED",
    "FORMAT_INCOMPLETE": "FAILED_PRECONDITION",
    "INVALID_KEY_ID": "INVALID_ARGUMENT",
    "KEY_ACCESS_DENIED": "FAILED_PRECONDITION",
    "KEY_IN_USE": "FAILED_PRECONDITION",
    "KEY_MANAGER_TIMED_OUT": "DEADLINE_EXCEEDED",
    "KEY_MANAGER_UNAVAILABLE": "UNAVAILABLE",
    "KEY_NOT_FOUND": "FAILED_PRECONDITION",
    "KEY_REJECTED": "FAILED_PRECONDITION",
    "KEY_UNFIT": "FAILED_PRECONDITION",
    "LIBVIRT_UNAVAILABLE": "UNAVAILABLE",
    "UNKNOWN_KEY_MANAGER": "INVALID_ARGUMENT",
    "VOLUME_HEADER_LOST": "FAILED_PRECONDITION",
    "VOLUME_NOT_FORMATTED": "FAILED_PRECONDITION",
}


class ServiceCase(unittest.TestCase):
    """Each test starts agents of its own, which cost a few hundredths of a second. What it starts ends with it."""

    maxDiff = None
    wait_until = staticmethod(wait_until)

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="volcrypt-service-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def agent(self, sections, **options):
        """A running agent with these key managers besides "local"; the first is the default."""
        agent = Agent(sections, volumes=self.directory + "/", **options)
        self.addCleanup(agent.close)
        return agent.start()

    def volume(self):
        return Volume(self.directory)

    def attach(self, agent, volume, key_id, key_manager="", token=None, timeout=60, **fields):
        """Attaches, which must succeed; returns the attachment, with "formatted" and "already_attached" in it."""
        answer = as_json(agent.api.result(self.start_attach(agent, volume, key_id, key_manager, token, timeout, **fields)))
        return {**answer["attachment"], "formatted": answer["formatted"], "already_attached": answer["already_attached"]}

    def attach_when_back(self, agent, volume, key_id, timeout=60):
        """attach() right after an outage, repeated as callers do while the key manager is not quite there."""

        def attached():
            try:
                return self.attach(agent, volume, key_id)
            except ApiError as error:
                if error.reason not in ("KEY_MANAGER_TIMED_OUT", "KEY_MANAGER_UNAVAILABLE"):
                    raise
                return None

        return wait_until(attached, timeout, "the key manager to be back")

    def start_attach(self, agent, volume, key_id, key_manager="", token=None, timeout=60, **fields):
        """The call in flight; agent.api.result() waits for it."""
        key = {"key_manager": key_manager, "key_id": key_id}
        metadata = self.tokens(token)
        request = {"volume_id": volume.volume_id, "device": volume.path, "key": key, **fields}
        return agent.api.start("AttachVolume", timeout=timeout, metadata=metadata, **request)

    def detach(self, agent, volume):
        self.assertTrue(agent.api("DetachVolume", volume_id=volume.volume_id).was_attached)

    def attach_refused(self, reason, agent, volume, key_id, key_manager="", **options):
        """Must fail with this reason and the code that belongs to it; returns the ApiError."""
        return self.refused(reason, lambda: self.attach(agent, volume, key_id, key_manager, **options))

    def refused(self, reason, call):
        with self.assertRaises(ApiError) as caught:
            call()
        error = caught.exception
        self.assertEqual(error.reason, reason, f"{error} {error.metadata}")
        if reason in CODES:
            self.assertEqual(error.code, CODES[reason])
        return error

    def create_key(self, agent, key_manager="", **fields):
        return agent.api("CreateKey", key_manager=key_manager, **fields).key.key_id

    def key_metadata(self, agent, key_id, key_manager=""):
        return agent.api("GetKeyMetadata", key={"key_manager": key_manager, "key_id": key_id})

    def ctl(self, agent, *arguments):
        """volcryptctl -o json: (exit status, standard output, standard error)."""
        command = [VOLCRYPTCTL, "--endpoint", agent.endpoint, "-o", "json", *arguments]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)
        return result.returncode, result.stdout, result.stderr

    def assert_opened_by(self, volume, key, secret_type="symmetric"):
        """The volume was formatted once, with the passphrase that these bytes stand for."""
        (made,) = volume.formats()
        passphrase = key if secret_type == "passphrase" else key.hex().encode()
        self.assertEqual((made["digest"], made["type"]), (hashlib.sha256(passphrase).hexdigest(), secret_type))
        self.assertEqual(int(made["bytes"]), len(key))

    def assert_within(self, seconds, begin):
        self.assertLess(time.monotonic() - begin, seconds)

    def file(self, name, text):
        """A file that nobody else may read, such as a password's; its path."""
        path = os.path.join(self.directory, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    @staticmethod
    def tokens(token):
        """Of a call's metadata: `token` is a caller's token, or a pair with the service's."""
        if token is None:
            return ()
        names = ("x-auth-token", "x-service-token")
        return tuple(zip(names, (token,) if isinstance(token, str) else token))
