"""Two nodes with one disk and one Barbican: kernels, locks, records and agents of their own, as in a cloud.

Nothing but the disk and what stands beside the key in Barbican tells either of the other. The servers run on the first.
"""

import os
import signal
import threading
import xmlrpc.client

from harness import BlockDevice, NodeCase, mapping_path, wait_until
from harness.agent import CONFIG
from harness.agent_files import DEFAULT_IS_BARBICAN, barbican_section
from harness.devices import run
from harness.first_use import FORMAT_BEGINS, FORMATTED
from link import FIRST, bring_up, second_node
from second import NAME
from servers.cloud import Cloud
from testkit.api import ApiError


class SharedDisk(NodeCase):
    @classmethod
    def setUpClass(cls):
        bring_up(FIRST)
        cls.cloud = Cloud(tls=True, host=FIRST)
        cls.addClassCleanup(cls.cloud.close)
        cls.second = second_node()
        cls.addClassCleanup(cls.end_second)
        config = CONFIG + DEFAULT_IS_BARBICAN + barbican_section(cls.cloud)
        cls.addClassCleanup(cls.agent.restart)
        cls.addClassCleanup(cls.agent.configure, CONFIG)
        cls.agent.configure(config)
        cls.agent.restart()
        with open(cls.cloud.ca_file, encoding="ascii") as file:
            cls.second.start_agent(config, {"ca.pem": file.read(), "nova.password": cls.cloud.passwords["nova"]})
        cls.disks = iter(sorted(f"/dev/{name}" for name in os.listdir("/dev") if name.startswith("ubd")))

    @classmethod
    def end_second(cls):
        status = cls.second.end()
        assert status == 0, f"the second node's agent ended with status {status}"

    def setUp(self):
        super().setUp()
        self.nova = self.cloud.user("nova")
        self.addCleanup(self.nova.close)
        self.key_id = self.api("CreateKey").key.key_id

    def use(self, disk):
        """The fields of an attach, the same on both nodes; the volume is new."""
        return {"volume_id": self.volume_id(), "device": disk, "key": {"key_id": self.key_id}}

    def attach_here(self, fields):
        """As the second node's: {"formatted"} or {"reason", "metadata"}."""
        try:
            return {"formatted": self.api("AttachVolume", **fields).formatted}
        except ApiError as error:
            return {"reason": error.reason, "metadata": error.metadata}

    def race(self, fields):
        """What the attach comes to here and there, begun at the same moment."""
        barrier, outcomes = threading.Barrier(2), [None, None]

        def attach(index, call):
            barrier.wait()
            outcomes[index] = call(fields)

        calls = (self.attach_here, self.second.attach)
        threads = [threading.Thread(target=attach, args=(index, call)) for index, call in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        return outcomes

    def test_of_two_nodes_with_one_blank_disk_exactly_one_formats(self):
        for disk in list(self.disks)[1:]:
            with self.subTest(disk):
                fields = self.use(disk)
                outcomes = self.race(fields)
                formatted = [bool(outcome.get("formatted")) for outcome in outcomes]
                self.assertEqual(sorted(formatted), [False, True], outcomes)
                other = outcomes[formatted.index(False)]
                if "reason" in other:
                    self.assertEqual(other["reason"], "FORMAT_INCOMPLETE", outcomes)
                self.check_record(fields, "computenode" if formatted[0] else NAME)
                self.check_hand_over(fields, from_here=formatted[0])

    def check_record(self, fields, host):
        luks_uuid = run("cryptsetup", "luksUUID", fields["device"]).strip()
        records = self.nova.user_metadata(self.key_id)
        self.assertEqual([name for name in records if fields["volume_id"] in name], [f"volcrypt-{fields['volume_id']}"])
        for part in ("state=formatted", f"luks={luks_uuid}", f"host={host}/"):
            self.assertIn(part, records[f"volcrypt-{fields['volume_id']}"])

    def check_hand_over(self, fields, from_here):
        """What is written on one node the other one reads, once the volume is closed there."""
        path, volume, marker = mapping_path(fields["volume_id"]), fields["volume_id"], os.urandom(4096)
        if from_here:
            BlockDevice(path).write(0, marker)
        else:
            self.second.write(path, xmlrpc.client.Binary(marker))
        for detach in (lambda: self.detach(volume), lambda: self.second.detach(volume)):
            detach()
        attach = self.second.attach if from_here else self.attach_here
        self.assertEqual(attach(fields), {"formatted": False})
        read = self.second.read(path, len(marker)).data if from_here else BlockDevice(path).read(0, len(marker))
        self.assertEqual(read, marker)
        self.second.detach(volume)

    def test_a_node_whose_disk_is_still_blank_is_told_who_is_about_to_format_it(self):
        fields = self.use(next(self.disks))
        self.agent.stop_at(FORMAT_BEGINS)
        call = self.api.start("AttachVolume", **fields)
        worker = wait_until(lambda: self.agent.worker_that_stays("T"), what="the worker that formats")
        there = self.second.attach(fields)
        self.assertEqual(there["reason"], "FORMAT_INCOMPLETE", there)
        self.assertTrue(there["metadata"]["host"].startswith("computenode/"), there)
        os.kill(worker, signal.SIGCONT)
        self.assertTrue(self.api.result(call).formatted)
        self.check_record(fields, "computenode")
        self.check_hand_over(fields, from_here=True)

    def test_a_first_use_that_was_cut_short_is_gone_on_with_by_its_own_node_alone(self):
        fields = self.use(next(self.disks))
        self.second.fail_at(FORMATTED)
        self.assertEqual(self.second.attach(fields)["reason"], "WORKER_FAILED")
        before = BlockDevice(fields["device"]).sha256()
        here = self.attach_here(fields)
        self.assertEqual(here["reason"], "FORMAT_INCOMPLETE", here)
        self.assertTrue(here["metadata"]["host"].startswith(f"{NAME}/"), here)
        self.assertEqual(BlockDevice(fields["device"]).sha256(), before)
        self.assertIn("formatted", self.second.attach(fields))
        self.check_record(fields, NAME)
        self.check_hand_over(fields, from_here=False)
