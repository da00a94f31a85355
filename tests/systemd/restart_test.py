"""Whatever ends in the middle of an operation: no mapping is lost, and no caller who repeats the call fails."""

import contextlib
import os
import signal
import threading
import time

from harness import BlockDevice, NodeCase, mapping_path, wait_until
from harness.agent import is_alive
from harness.devices import run
from service import AGENT, HELPER, SOCKETS, show, systemctl
from testkit.api import ApiError, until_it_succeeds

# encryptors/fail_point.h
FORMATTED, ACTIVATED = 4, 11


class RestartCase(NodeCase):
    def setUp(self):
        super().setUp()
        self.volume, self.disk, self.user_key = self.volume_id(), self.device(mib=20), self.key()

    def attach_that_stops(self, point):
        """An attach whose worker stops at this place, and the worker."""
        self.agent.stop_at(point)
        caller = self.new_api()
        self.addCleanup(caller.close)
        call = caller.start("AttachVolume", volume_id=self.volume, device=self.disk.path, key={"key_id": self.user_key})
        return caller, call, wait_until(lambda: self.agent.worker_that_stays("T"), what="the worker to stop")

    def assert_attached(self, formatted=None):
        answer = until_it_succeeds(self.api, "AttachVolume", volume_id=self.volume, device=self.disk.path, key={"key_id": self.user_key})
        self.assertTrue(os.path.exists(mapping_path(self.volume)))
        if formatted is not None:
            self.assertEqual(answer.formatted, formatted)


class Killed(RestartCase):
    def test_the_agent(self):
        for point in (FORMATTED, ACTIVATED):
            with self.subTest(point=point):
                _, call, worker = self.attach_that_stops(point)
                self.agent.kill()
                with self.assertRaises(ApiError) as caught:
                    self.api.result(call)
                self.assertEqual(caught.exception.code, "UNAVAILABLE")
                os.kill(worker, signal.SIGCONT)
                self.assert_attached()
                self.detach(self.volume)
                self.volume, self.disk = self.volume_id(), self.device(mib=20)

    def test_the_helper_and_its_worker_goes_on(self):
        caller, call, worker = self.attach_that_stops(FORMATTED)
        self.agent.kill_helper()
        self.assertTrue(is_alive(worker))
        os.kill(worker, signal.SIGCONT)
        self.assertTrue(caller.result(call).formatted)
        self.assert_attached(formatted=False)

    def test_the_worker(self):
        caller, call, worker = self.attach_that_stops(FORMATTED)
        os.kill(worker, signal.SIGKILL)
        with self.assertRaises(ApiError) as caught:
            caller.result(call)
        self.assertEqual(caught.exception.reason, "WORKER_FAILED")
        self.assert_attached(formatted=True)

    def test_both_again_and_again(self):
        for _ in range(3):
            self.agent.kill()
            self.agent.kill_helper()
        self.assert_attached(formatted=True)


class Restarted(RestartCase):
    def test_a_restart_of_the_helper_leaves_its_worker_and_does_not_wait_for_it(self):
        caller, call, worker = self.attach_that_stops(FORMATTED)
        helper = self.agent.helper_pid
        begin = time.monotonic()
        self.agent.restart_helper()
        self.assertLess(time.monotonic() - begin, 30)
        self.assertFalse(is_alive(helper))
        self.assertTrue(is_alive(worker))
        # The successor serves others, and the worker's locks keep it off this volume.
        other = self.volume_id()
        self.assertTrue(self.attach(other, self.device(mib=20), self.user_key)["formatted"])
        self.api_refused("OPERATION_IN_PROGRESS", "AttachVolume", volume_id=self.volume, device=self.disk.path, key={"key_id": self.user_key})
        os.kill(worker, signal.SIGCONT)
        self.assertTrue(caller.result(call).formatted)

    def test_a_stop_of_the_helper_waits_for_its_worker(self):
        caller, call, worker = self.attach_that_stops(FORMATTED)
        systemctl("stop", "--no-block", "volcrypt-helper.socket", HELPER)
        wait_until(lambda: show(HELPER, "ActiveState") == "deactivating", what="the stop to begin")
        self.assertTrue(is_alive(worker))
        os.kill(worker, signal.SIGCONT)
        self.assertTrue(caller.result(call).formatted)
        wait_until(lambda: show(HELPER, "ActiveState") == "inactive", what="the helper to end")
        self.assertEqual(show(HELPER, "Result"), "success")
        self.api_refused("HELPER_UNAVAILABLE", "AttachVolume", volume_id=self.volume_id(), device=self.disk.path, key={"key_id": self.user_key})
        systemctl("start", *SOCKETS)

    def test_callers_who_repeat_their_calls_notice_nothing(self):
        self.assert_attached(formatted=True)
        table = run("dmsetup", "table", os.path.basename(mapping_path(self.volume)))
        BlockDevice(mapping_path(self.volume)).write(0, b"what was written")
        disks = [self.device(mib=20) for _ in range(2)]
        stop, errors, rounds = threading.Event(), [], [0, 0]

        def work(number):
            volume, key = self.volume_id(), self.user_key
            with contextlib.closing(self.new_api()) as api:
                while not stop.is_set() or rounds[number] == 0:
                    try:
                        until_it_succeeds(api, "AttachVolume", volume_id=volume, device=disks[number].path, key={"key_id": key})
                        until_it_succeeds(api, "DetachVolume", volume_id=volume)
                    except ApiError as error:
                        errors.append(error)
                        return
                    rounds[number] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            self.agent.restart()
            self.agent.restart_helper()
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(run("dmsetup", "table", os.path.basename(mapping_path(self.volume))), table)
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(0, 16), b"what was written")

    def test_a_call_that_comes_while_nothing_runs_waits_for_the_next_start(self):
        self.agent.drop_in(AGENT, "slow", "[Service]\nExecStartPre=/bin/sleep 2\n")
        try:
            systemctl("stop", AGENT)
            begin = time.monotonic()
            self.ok("list")  # a process of its own: its connection is new
            self.assertGreater(time.monotonic() - begin, 1.5, "the control: the start was slow")
        finally:
            self.agent.drop_in(AGENT, "slow", None)

    def test_a_helper_that_does_not_come_up_is_told_though_systemd_holds_its_socket(self):
        healthy = lambda: self.ctl("health").status == 0
        wait_until(healthy, what="both to answer")
        self.agent.drop_in(HELPER, "broken", "[Service]\nExecStart=\nExecStart=/bin/false\n")
        try:
            systemctl("restart", HELPER, check=False)
            wait_until(lambda: not healthy(), what="the health to tell")
            self.assertEqual(show("volcrypt-helper.socket", "ActiveState"), "active")
        finally:
            self.agent.drop_in(HELPER, "broken", None)
        systemctl("restart", HELPER)
        wait_until(healthy, what="both to answer again")

    def test_mappings_outlive_a_stop_of_everything(self):
        self.assert_attached(formatted=True)
        BlockDevice(mapping_path(self.volume)).write(0, b"what was written")
        self.agent.stop_everything()
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(0, 16), b"what was written")
        self.agent.start()
        self.assert_attached(formatted=False)
