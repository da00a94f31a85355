"""A device that does not answer costs its own volume and no other, and nothing is done behind a caller who has gone."""

import contextlib
import os
import re
import signal

from harness import BlockDevice, NodeCase, mapping_path, wait_until
from harness.agent import CONFIG, is_alive
from harness.devices import MIB, run
from harness.first_use import LOOKED_ONCE
from testkit.api import ApiError

PATIENCE = 3  # seconds that the callers wait for a device that hangs


class HungCase(NodeCase):
    def fields(self, volume, device, key):
        return {"volume_id": volume, "device": device.path, "key": {"key_id": key}}

    def assert_times_out(self, method, **fields):
        since = self.agent.log_end()
        self.assert_call_times_out(self.api.start(method, timeout=PATIENCE, **fields), method, fields, since)

    def assert_call_times_out(self, call, method, fields, since=None):
        self.assertEqual(self.error_of(call).code, "DEADLINE_EXCEEDED")
        self.assertEqual(self.logged_reason(method, fields, since), "DEVICE_TIMED_OUT")

    def assert_in_progress(self, method, **fields):
        error = self.api_refused("OPERATION_IN_PROGRESS", method, **fields)
        self.assertEqual(error.code, "ABORTED")

    def assert_others_work(self, key):
        volume, device = self.volume_id(), self.device(mib=4)
        self.assertTrue(self.api("AttachVolume", **self.fields(volume, device, key)).formatted)
        self.assertEqual(self.api("GetAttachment", volume_id=volume).attachment.volume_id, volume)
        self.assertIn(volume, [a.volume_id for a in self.api("ListAttachments").attachments])
        self.assertTrue(self.api("DetachVolume", volume_id=volume).was_attached)

    def error_of(self, call):
        with self.assertRaises(ApiError) as caught:
            self.api.result(call)
        return caught.exception

    def logged_reason(self, method, fields, since=None):
        """Of the first such call since then. On a slow host the answer with it comes after the caller's deadline."""
        about = f"volume={fields['volume_id']}" if "volume_id" in fields else f"device={fields['device']}"
        line = re.compile(rf"\b{method} {re.escape(about)} .*\breason=(\w+)")
        begin = self.log_begin if since is None else since
        return wait_until(lambda: line.search(self.agent.log(begin)), what=f"{line.pattern} in the log").group(1)

    def hung_workers(self, count):
        """When the others have ended, which they do a moment after their answer."""

        def hung():
            workers = self.agent.worker_pids()
            return workers if len(workers) == count else None

        return wait_until(hung, what=f"{count} workers to hang")

    def workers_end(self):
        wait_until(lambda: not self.agent.worker_pids(), 30, "the workers to end")

    @contextlib.contextmanager
    def suspended(self, device):
        device.suspend()
        try:
            yield
        finally:
            device.resume()


class HungDevice(HungCase):
    def test_it_costs_its_own_volume_until_it_answers_again(self):
        key, volume, device = self.key(), self.volume_id(), self.linear(self.device(mib=8))
        blank = device.sha256()
        fields = self.fields(volume, device, key)
        with self.suspended(device):
            self.assert_times_out("AttachVolume", **fields)
            self.assert_in_progress("AttachVolume", **fields)
            self.assert_in_progress("DetachVolume", volume_id=volume)
            self.refused("NOT_ATTACHED", "show", volume)
            self.assert_others_work(key)
            self.assertEqual(self.ctl("health").status, 0)
        self.workers_end()
        self.assert_not_attached(volume)
        self.assert_untouched(device, blank)
        self.assertTrue(self.api("AttachVolume", **fields).formatted)

    def test_a_formatted_volume_is_not_opened_behind_its_caller(self):
        key, volume, device = self.key(), self.volume_id(), self.linear(self.device(mib=8))
        fields = self.fields(volume, device, key)
        self.api("AttachVolume", **fields)
        BlockDevice(mapping_path(volume)).write(0, b"what was written")
        self.api("DetachVolume", volume_id=volume)
        before = device.sha256()
        with self.suspended(device):
            self.assert_times_out("AttachVolume", **fields)
        self.workers_end()
        self.assert_not_attached(volume)
        self.assert_untouched(device, before)
        self.assertFalse(self.api("AttachVolume", **fields).formatted)
        self.assertEqual(BlockDevice(mapping_path(volume)).read(0, 16), b"what was written")

    def test_a_volume_is_not_formatted_behind_its_caller(self):
        disk = self.device(mib=16)
        blank = disk.sha256()
        device = self.linear(disk)
        key, volume = self.key(), self.volume_id()
        fields = self.fields(volume, device, key)
        self.agent.stop_at(LOOKED_ONCE)
        call = self.api.start("AttachVolume", timeout=PATIENCE + 10, **fields)
        worker = wait_until(lambda: self.agent.worker_that_stays("T"), what="the worker that formats")
        with self.suspended(device):
            os.kill(worker, signal.SIGCONT)
            self.assert_call_times_out(call, "AttachVolume", fields)
            self.assertTrue(is_alive(worker))
        self.workers_end()
        self.assert_not_attached(volume)
        self.assert_untouched(disk, blank)
        self.assertTrue(self.attach(volume, device, key)["formatted"])

    def test_a_hung_device_under_an_attached_volume_hides_nothing(self):
        key, volume, device = self.key(), self.volume_id(), self.linear(self.device(mib=8))
        self.api("AttachVolume", **self.fields(volume, device, key))
        with self.suspended(device):
            for _ in range(2):
                shown = self.ok("show", volume)["attachment"]["device"]
                self.assertEqual(os.stat(shown).st_rdev, os.stat(device.path).st_rdev)
                self.assertEqual([a["volume_id"] for a in self.ok("list")["attachments"]], [volume])
            self.assert_others_work(key)
        self.assertTrue(self.attach(volume, device, key)["already_attached"])

    def test_inspection_times_out_and_leaves_the_device_alone(self):
        device = self.linear(self.device(mib=8))
        with self.suspended(device):
            self.assert_times_out("InspectVolume", device=device.path)
        self.workers_end()
        self.assertEqual(self.ok("inspect", device.path)["content"], "CONTENT_BLANK")


class HungAgent(HungCase):
    def tearDown(self):
        if self.agent.is_running():
            self.agent.kill_all()
        self.agent.configure(CONFIG)
        super().tearDown()

    def test_hung_volumes_starve_others_no_longer_than_until_their_deadlines(self):
        self.agent.configure(CONFIG + "[server]\nmax_operations = 2\n")
        self.agent.restart()
        key = self.key()
        hung = [self.linear(self.device(mib=4)) for _ in range(4)]
        calls = [self.fields(self.volume_id(), device, key) for device in hung]
        with contextlib.ExitStack() as stack:
            for device in hung:
                stack.enter_context(self.suspended(device))
            running = [self.api.start("AttachVolume", timeout=20, **fields) for fields in calls[:2]]
            self.hung_workers(2)
            waiting = [self.api.start("AttachVolume", timeout=PATIENCE, **fields) for fields in calls[2:]]
            for call, fields in zip(waiting, calls[2:]):
                self.error_of(call)
                self.assertEqual(self.logged_reason("AttachVolume", fields), "TOO_MANY_OPERATIONS")
            self.assert_others_work(key)  # as soon as there is a slot again
            for call, fields in zip(running, calls[:2]):
                self.assert_call_times_out(call, "AttachVolume", fields)
            for fields in calls[2:]:
                self.assert_times_out("AttachVolume", **fields)
            self.assert_others_work(key)
            self.hung_workers(4)  # nobody may kill one
        self.workers_end()

    def test_a_hung_worker_outlives_agent_and_helper_and_keeps_its_lock(self):
        key, volume, device = self.key(), self.volume_id(), self.linear(self.device(mib=8))
        fields = self.fields(volume, device, key)
        with self.suspended(device):
            self.assert_times_out("AttachVolume", **fields)
            (worker,) = self.hung_workers(1)
            self.agent.terminate()
            self.assertEqual(self.agent.wait(30), 0)
            self.assertTrue(is_alive(worker))
            self.agent.start()
            self.refused("OPERATION_IN_PROGRESS", "attach", volume, device.path, "--key", key)
            self.assertTrue(is_alive(worker))
        wait_until(lambda: not is_alive(worker), what="the worker to end")
        wait_until(lambda: len(self.agent.helper_pids()) == 1, what="the old helper to end after its worker")
        self.assertTrue(self.attach(volume, device, key)["formatted"])

    def test_sigterm_waits_for_a_hung_operation_no_longer_than_its_deadline(self):
        key, volume, device = self.key(), self.volume_id(), self.linear(self.device(mib=8))
        with self.suspended(device):
            fields = self.fields(volume, device, key)
            call = self.api.start("AttachVolume", timeout=PATIENCE, **fields)
            (worker,) = self.hung_workers(1)
            self.agent.terminate()
            self.assert_call_times_out(call, "AttachVolume", fields)
            self.assertEqual(self.agent.wait(30), 0)
            self.assertTrue(is_alive(worker))
        wait_until(lambda: not self.agent.helper_pids() and not is_alive(worker), what="helper and worker to end")


class GoneDevice(HungCase):
    """A disk of scsi_debug, which can be pulled out and plugged in again with what was on it."""

    def setUp(self):
        super().setUp()
        run("modprobe", "scsi_debug", "dev_size_mb=16", "delay=0")
        run("modprobe", "sd_mod")
        self.disk = wait_until(self.find_disk, what="the disk of scsi_debug")

    def tearDown(self):
        super().tearDown()
        run("modprobe", "--remove", "scsi_debug")

    @staticmethod
    def find_disk():
        for name in os.listdir("/sys/block"):
            model = f"/sys/block/{name}/device/model"
            if os.path.exists(model) and os.path.exists(f"/dev/{name}"):
                with open(model, encoding="ascii") as file:
                    if file.read().strip() == "scsi_debug":
                        return BlockDevice(f"/dev/{name}")
        return None

    def test_an_attachment_whose_disk_is_gone_is_broken_and_can_be_detached(self):
        key, volume = self.key(), self.volume_id()
        self.attach(volume, self.disk, key)
        mapping = BlockDevice(mapping_path(volume))
        mapping.write(MIB, b"what was written" * 32)
        name = os.path.basename(self.disk.path)
        host = os.path.realpath(f"/sys/block/{name}/device").split("/host")[1].split("/")[0]
        with open(f"/sys/block/{name}/device/delete", "w", encoding="ascii") as delete:
            delete.write("1")

        for attachment in (self.ok("list")["attachments"][0], self.ok("show", volume)["attachment"]):
            self.assertEqual(attachment["state"], "STATE_BROKEN")
            self.assertIn("gone", attachment["state_reason"])
        self.refused("ATTACHED_DIFFERENTLY", "attach", volume, self.disk.path, "--key", key)
        self.assertTrue(self.detach(volume)["was_attached"])
        self.refused("DEVICE_NOT_FOUND", "attach", volume, self.disk.path, "--key", key)

        with open(f"/sys/class/scsi_host/host{host}/scan", "w", encoding="ascii") as scan:
            scan.write("- - -")
        again = wait_until(self.find_disk, what="the disk to come back")
        self.assertFalse(self.attach(volume, again, key)["formatted"])
        self.assertEqual(mapping.read(MIB, 16), b"what was written")
