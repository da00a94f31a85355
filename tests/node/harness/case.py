"""The base of all node tests."""

import contextlib
import os
import signal
import unittest
import uuid

from harness import paths
from harness.agent import Agent
from harness.ctl import Ctl
from harness.devices import Device, DmDevice, FileVolume, Mount, mapping_path, run
from testkit.api import Api, ApiError, as_json
from testkit.waiting import wait_until

# volcryptctl's exit status for the reasons that the tests meet (docs: volcryptctl --help).
EXIT_STATUS = {
    "INVALID_FIELD": 1,
    "INVALID_VOLUME_ID": 1,
    "INVALID_KEY_ID": 1,
    "DEVICE_NOT_ALLOWED": 1,
    "UNSUPPORTED_ENCRYPTION": 1,
    "UNKNOWN_KEY_MANAGER": 1,
    "KEY_REQUIRED": 1,
    "KEY_NOT_FOUND": 2,
    "KEY_ACCESS_DENIED": 2,
    "KEY_REJECTED": 2,
    "KEY_UNFIT": 2,
    "DEVICE_NOT_FOUND": 4,
    "NOT_ATTACHED": 4,
    "DOMAIN_NOT_FOUND": 4,
    "ATTACHED_DIFFERENTLY": 5,
    "DEVICE_IN_USE": 5,
    "MAPPING_IN_USE": 5,
    "KEY_IN_USE": 5,
    "DISK_NOT_RELEASED": 5,
    "VOLUME_NOT_FORMATTED": 6,
    "DEVICE_NOT_BLANK": 6,
    "HEADER_DAMAGED": 6,
    "VOLUME_HEADER_LOST": 6,
    "FORMAT_INCOMPLETE": 6,
    "VOLUME_ERASED": 6,
    "HEADER_MISMATCH": 6,
    "HEADER_REFUSED": 6,
    "DEVICE_TOO_SMALL": 6,
    "DEVICE_READ_ONLY": 6,
    "STATE_NOT_WRITABLE": 6,
    "KERNEL_UNSUPPORTED": 6,
    "DOMAIN_REFUSED": 6,
    "HOST_FAULT": 6,
    "KEY_MANAGER_UNAVAILABLE": 7,
    "LIBVIRT_UNAVAILABLE": 7,
    "HELPER_UNAVAILABLE": 7,
    "DEVICE_IO_ERROR": 7,
    "OPERATION_IN_PROGRESS": 7,
    "TOO_MANY_OPERATIONS": 7,
    "OUT_OF_MEMORY": 7,
    "DEVICE_TIMED_OUT": 8,
    "KEY_MANAGER_TIMED_OUT": 8,
    "CALLER_UNKNOWN": 9,
    "CALLER_NOT_ALLOWED": 9,
    "WORKER_FAILED": 70,
}


class NodeCase(unittest.TestCase):
    """One agent runs for all tests of the run. Each test gets its own volumes, devices and keys, and must leave nothing
    behind: what it attached is detached for it, then every mapping and loop device left over fails it."""

    agent: Agent = None  # set by tests/node/run
    kept_volumes = ()  # attached by the class for all its tests
    maxDiff = None

    def setUp(self):
        self._resources = []
        self._loops_before = leftover_loops()  # of a test that failed: not this one's fault
        self._api, self._api_of = None, None
        self.ctl = Ctl()
        self.agent.drop_fail_point()
        if not self.agent.is_running():
            self.agent.start()
        self.log_begin = self.agent.log_end()

    def tearDown(self):
        self.agent.drop_fail_point()
        if not self.agent.is_running():
            self.agent.start()
        for resource in self._resources:
            if isinstance(resource, DmDevice):
                resource.resume()  # or what waits for it would hang the clean-up
        for worker in self.agent.worker_pids():  # which a test that failed left stopped
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        for volume_id in self._left_attached():
            with contextlib.suppress(ApiError):
                self.api("DetachVolume", volume_id=volume_id)
        wait_until(lambda: not self.agent.worker_pids(), 30, "the workers to end")
        if self._api is not None:
            self._api.close()
        left = self._left_attached()
        with contextlib.ExitStack() as stack:  # which closes the others too when one cannot be closed
            for resource in self._resources:
                stack.callback(resource.close)
        self.assertEqual(left, [], "mappings that would not detach")
        loops = [loop for loop in leftover_loops() if loop not in self._loops_before]
        self.assertEqual(loops, [], "loop devices left behind")

    # Things to test with. Removed after the test.

    def device(self, mib=64, **options):
        return self._keep(Device(mib, **options))

    def file_volume(self, mib=64, **options):
        return self._keep(FileVolume(mib, **options))

    def linear(self, device, **options):
        return self._keep(DmDevice.linear(device, **options))

    def mounted(self, device, name):
        """The directory of this name among the volumes, with the device's file system in it."""
        return self._keep(Mount(device, name)).path

    def dm(self, table, over=None, **options):
        return self._keep(DmDevice(table, over, **options))

    @staticmethod
    def volume_id():
        return str(uuid.uuid4())

    def key(self, *options):
        """Makes a key in the default key manager and returns its id."""
        if options:
            return self.ok("key", "create", *options)["key"]["key_id"]
        return self.api("CreateKey").key.key_id

    @property
    def api(self):
        """The gRPC API: without a process for each call, and with fields that volcryptctl has no option for."""
        if self._api is not None and self._api_of != self.agent.pid:
            self._api.close()  # its connection would wait before it tries again
            self._api = None
        if self._api is None:
            self._api, self._api_of = self.new_api(), self.agent.pid
        return self._api

    @staticmethod
    def new_api():
        """A connection of the test's own; it closes it."""
        return Api(f"unix:{paths.SOCKET}")

    # Calls and what they must come to.

    def ok(self, *arguments):
        """Calls volcryptctl, which must succeed; returns what it printed."""
        result = self.ctl(*arguments)
        self.assertEqual(result.status, 0, result)
        return result.json

    def refused(self, reason, *arguments):
        """Calls volcryptctl, which must fail with this reason and its exit status; returns the error's object."""
        result = self.ctl(*arguments)
        self.assertEqual(result.reason, reason, result)
        self.assertEqual(result.status, EXIT_STATUS[reason], result)
        return result.error

    def api_refused(self, reason, method, **fields):
        """Calls the API, which must fail with this reason; returns the ApiError."""
        with self.assertRaises(ApiError) as caught:
            self.api(method, **fields)
        self.assertEqual(caught.exception.reason, reason, caught.exception)
        return caught.exception

    def attach(self, volume_id, device, key, *options):
        """Attaches, which must succeed; returns the attachment, with "formatted" and "already_attached" in it."""
        path = device if isinstance(device, str) else device.path
        if options:
            answer = self.ok("attach", volume_id, path, "--key", key, *options)
        else:
            answer = as_json(self.api("AttachVolume", volume_id=volume_id, device=path, key={"key_id": key}))
        flags = {name: answer[name] for name in ("formatted", "already_attached")}
        return {**answer["attachment"], **flags}

    def detach(self, volume_id, *options):
        if options:
            return self.ok("detach", volume_id, *options)
        return as_json(self.api("DetachVolume", volume_id=volume_id))

    def assert_untouched(self, device, before):
        self.assertEqual(device.sha256(), before, f"{device.path} was written to")

    def assert_not_attached(self, volume_id):
        self.assertFalse(os.path.exists(mapping_path(volume_id)), f"{mapping_path(volume_id)} exists")
        self.api_refused("NOT_ATTACHED", "GetAttachment", volume_id=volume_id)

    def agent_log(self):
        """What the agent logged during this test."""
        return self.agent.log(self.log_begin)

    def _left_attached(self):
        kept = set(self.kept_volumes)
        return [volume_id for volume_id in attached_volumes() if volume_id not in kept]

    def _keep(self, resource):
        self._resources.append(resource)
        return resource


def attached_volumes():
    return sorted(name.removeprefix("volcrypt-") for name in dm_names() if name.startswith("volcrypt-"))


def dm_names():
    return [line.split()[0] for line in run("dmsetup", "ls").splitlines() if not line.startswith("No devices")]


def leftover_loops():
    """Loop devices that are in use although the test has closed its own."""
    found = []
    for name in os.listdir("/sys/block"):
        backing = f"/sys/block/{name}/loop/backing_file"
        if os.path.exists(backing):
            with open(backing, encoding="utf-8") as file:
                path = file.read().strip()
            if path.startswith(paths.SCRATCH):
                found.append(f"/dev/{name}: {path}")
    return found
