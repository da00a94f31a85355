"""Two hosts with one blank disk and one Barbican, both with the real helper and the real dm-crypt."""

import os
import shutil
import threading

from harness import NodeCase, mapping_path, paths
from harness.agent import CONFIG, Agent
from harness.agent_files import give_copy_to_agent, give_to_agent
from harness.devices import run
from servers.cloud import Cloud
from testkit.api import Api, ApiError

ROUNDS = 10
# The second: there is one kernel, so the other host's mapping has the name.
TOO_LATE = {"FORMAT_INCOMPLETE", "ATTACHED_DIFFERENTLY"}
BARBICAN = """
[key_manager]
default = "barbican"
[key_managers.barbican]
type = "barbican"
auth_url = "{cloud.keystone.url}"
username = "{user}"
password_file = "{password}"
project_name = "tenant"
region = "RegionOne"
interface = "internal"
ca_file = "{ca}"
"""


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
        ca = give_copy_to_agent("ca.pem", cls.cloud.ca_file)
        sections = {}
        for user in ("nova", "second"):
            password = give_to_agent(f"{user}.password", cls.cloud.passwords[user])
            sections[user] = CONFIG + BARBICAN.format(cloud=cls.cloud, user=user, password=password, ca=ca)
        cls.agent.configure(sections["nova"])
        cls.agent.restart()
        cls.second = SecondHost(sections["second"])
        cls.second.start()

    @classmethod
    def tearDownClass(cls):
        cls.second.close()
        cls.agent.configure(CONFIG)
        cls.agent.restart()
        cls.cloud.close()

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

    def test_of_two_hosts_with_one_blank_disk_exactly_one_formats(self):
        nova, by_record = self.cloud.user("nova"), 0
        self.addCleanup(nova.close)
        key_id = self.api("CreateKey").key.key_id
        for _ in range(ROUNDS):
            volume, disk = self.volume_id(), self.device(mib=16)
            elsewhere = self._keep(SamePlace(disk))
            key = {"key_id": key_id}
            calls = [
                (self.api, {"volume_id": volume, "device": disk.path, "key": key}),
                (self.second_api, {"volume_id": volume, "device": elsewhere.path, "key": key}),
            ]
            outcomes = self.race(calls)
            (has,) = [index for index, outcome in enumerate(outcomes) if outcome in ("formatted", "opened")]
            other = outcomes[1 - has]
            # Who formats may have its mapping's name taken by who opens what it has just formatted: one kernel.
            formatter = has if outcomes[has] == "formatted" else 1 - has
            self.assertIn(other.reason, TOO_LATE if formatter == has else ("MAPPING_IN_USE", "DEVICE_IN_USE"), outcomes)
            by_record += "host" in other.metadata
            self.check_first_use(nova.user_metadata(key_id), volume, disk, formatter == 0)
            self.check_hand_over(volume, calls[has], calls[1 - has])
        self.assertGreater(by_record, 0, "the record never decided; a look at the disk alone did")

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
