"""Two hosts with one blank disk and one Barbican, both with the real helper and the real dm-crypt."""

import os
import shutil
import signal
import threading

from harness import NodeCase, mapping_path, wait_until
from harness.agent import CONFIG, Agent
from harness.agent_files import DEFAULT_IS_BARBICAN, barbican_section
from harness.devices import run
from harness.first_use import FORMAT_BEGINS
from servers.cloud import Cloud
from testkit.api import Api, ApiError

ROUNDS = 10
# The second: there is one kernel, so the other host's mapping has the name.
TOO_LATE = {"FORMAT_INCOMPLETE", "ATTACHED_DIFFERENTLY"}
# What the mapping or the open device of the other host looks like to a host that shares its kernel.
ONE_KERNEL = {"MAPPING_IN_USE", "DEVICE_IN_USE"}


class SecondHost(Agent):
    """Another agent with a helper of its own: another host name, other records and locks.

    The kernel is the same, and so are the mappings, which are named after the volume: of the two hosts only one at a
    time can have the volume open. To the other it is ATTACHED_DIFFERENTLY then.
    """

    NAME = "second-host"
    DIRECTORY = "/run/volcrypt-second"
    config_path, socket = f"{DIRECTORY}/volcryptd.toml", f"{DIRECTORY}/volcryptd.sock"

    def __init__(self, config):
        os.makedirs(self.DIRECTORY)
        shutil.chown(self.DIRECTORY, "volcrypt", "volcrypt")
        listen = f'[server]\nlisten = ["unix:{self.socket}"]\n'
        super().__init__(listen + config, "second-agent.log")

    def helper_pids(self):
        return [pid for pid in super().helper_pids() if parent_of(pid) == self.pid]

    def close(self):
        if self.is_running():
            self.stop()
        shutil.rmtree(self.DIRECTORY)

    def _command(self):
        own = ["--state", f"{self.DIRECTORY}/state", "--lock-dir", f"{self.DIRECTORY}/locks"]
        return ["unshare", "--uts", "--", "sh", "-c", 'hostname "$0" && exec "$@"', self.NAME, *super()._command(), *own]


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


class SamePlace:
    """Another device over the storage of one, as another host sees it: a loop device over the same file."""

    def __init__(self, device):
        self.path = run("losetup", "--find", "--show", device.file).strip()

    def close(self):
        run("losetup", "--detach", self.path)


class TwoHosts(NodeCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(tls=True)
        cls.addClassCleanup(cls.cloud.close)
        nova, second = (CONFIG + DEFAULT_IS_BARBICAN + barbican_section(cls.cloud, user) for user in ("nova", "second"))
        cls.addClassCleanup(cls.agent.restart)
        cls.addClassCleanup(cls.agent.configure, CONFIG)
        cls.agent.configure(nova)
        cls.agent.restart()
        cls.second = SecondHost(second)
        cls.addClassCleanup(cls.second.close)
        cls.second.start()

    def setUp(self):
        super().setUp()
        self.second_api = Api(f"unix:{self.second.socket}")
        self.addCleanup(self.second_api.close)

    def race(self, calls):
        """Starts them at the same moment; for each "formatted", "opened", or the ApiError of its refusal."""
        barrier, outcomes = threading.Barrier(len(calls)), [None] * len(calls)

        def attach(index, api, fields):
            barrier.wait()
            try:
                outcomes[index] = "formatted" if api("AttachVolume", **fields).formatted else "opened"
            except ApiError as error:
                outcomes[index] = error

        threads = [threading.Thread(target=attach, args=(index, *call)) for index, call in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        return outcomes

    def one_disk(self, key_id):
        """A blank disk, and the attach of one volume on it: [(api, fields)] of both hosts."""
        volume, disk = self.volume_id(), self.device(mib=16)
        elsewhere = self._keep(SamePlace(disk))
        key = {"key_id": key_id}
        return disk, [
            (self.api, {"volume_id": volume, "device": disk.path, "key": key}),
            (self.second_api, {"volume_id": volume, "device": elsewhere.path, "key": key}),
        ]

    def test_a_host_whose_disk_is_still_blank_is_told_who_is_about_to_format_it(self):
        nova = self.cloud.user("nova")
        self.addCleanup(nova.close)
        key_id = self.api("CreateKey").key.key_id
        disk, (first, (second_api, fields)) = self.one_disk(key_id)
        blank = disk.sha256()
        self.agent.stop_at(FORMAT_BEGINS)
        call = self.api.start("AttachVolume", **first[1])
        worker = wait_until(lambda: self.agent.worker_that_stays("T"), what="the worker that formats")
        with self.assertRaises(ApiError) as caught:
            second_api("AttachVolume", **fields)
        self.assertEqual(caught.exception.reason, "FORMAT_INCOMPLETE", caught.exception)
        self.assertTrue(caught.exception.metadata["host"].startswith("computenode/"), caught.exception.metadata)
        self.assert_untouched(disk, blank)
        os.kill(worker, signal.SIGCONT)
        self.assertTrue(self.api.result(call).formatted)
        self.check_first_use(nova.user_metadata(key_id), fields["volume_id"], disk, by_first=True)
        self.check_hand_over(fields["volume_id"], first, (second_api, fields))

    def test_of_two_hosts_with_one_blank_disk_exactly_one_formats(self):
        nova = self.cloud.user("nova")
        self.addCleanup(nova.close)
        key_id = self.api("CreateKey").key.key_id
        for _ in range(ROUNDS):
            disk, calls = self.one_disk(key_id)
            volume = calls[0][1]["volume_id"]
            outcomes = self.race(calls)
            (has,) = [index for index, outcome in enumerate(outcomes) if outcome in ("formatted", "opened")]
            other = outcomes[1 - has]
            # Who formats may have its mapping's name taken by who opens what it has just formatted: one kernel.
            formatter = has if outcomes[has] == "formatted" else 1 - has
            self.assertIn(other.reason, TOO_LATE | ONE_KERNEL if formatter == has else ONE_KERNEL, outcomes)
            self.check_first_use(nova.user_metadata(key_id), volume, disk, formatter == 0)
            self.check_hand_over(volume, calls[has], calls[1 - has])

    def check_first_use(self, records, volume, disk, by_first):
        """The header is the one that the record names, and the record names the host that formatted."""
        luks_uuid = run("cryptsetup", "luksUUID", disk.path).strip()
        self.assertEqual([name for name in records if volume in name], [f"volcrypt-{volume}"])
        record = records[f"volcrypt-{volume}"]
        for part in ("state=formatted", f"luks={luks_uuid}", f"host={'computenode' if by_first else SecondHost.NAME}/"):
            self.assertIn(part, record)

    def check_hand_over(self, volume, has, other):
        """What is written on the host that has the volume the other one reads, once it is closed there."""
        marker = os.urandom(4096)
        with open(mapping_path(volume), "wb", buffering=0) as mapping:
            mapping.write(marker)
            os.fsync(mapping.fileno())
        (api, _), (other_api, fields) = has, other
        self.assertTrue(api("DetachVolume", volume_id=volume).was_attached)
        answer = other_api("AttachVolume", **fields)
        self.assertEqual((answer.formatted, answer.already_attached), (False, False))
        with open(mapping_path(volume), "rb", buffering=0) as mapping:
            self.assertEqual(mapping.read(len(marker)), marker)
        self.assertTrue(other_api("DetachVolume", volume_id=volume).was_attached)
