"""A first use that is cut short anywhere: the same attach converges, on one LUKS UUID, with all records."""

import os
import signal

from harness import key_store, mapping_path, wait_until
from harness.agent import is_alive
from harness.first_use import ACTIVATED, FORMAT_BEGINS, KEYSLOT_ADDED, FirstUseCase, fail_points, has_come_to
from testkit.api import ApiError


class WorkerKilled(FirstUseCase):
    """One test for each fail point and format, made below."""

    def converges_after(self, point, luks):
        luks_uuid = self.interrupt(point, "--format", luks)
        attached = self.attach_again("--format", luks)
        self.assertEqual(attached["formatted"], not has_come_to(point, KEYSLOT_ADDED))
        self.assertEqual(attached["already_attached"], point == ACTIVATED)
        self.assert_converged(attached, luks_uuid, luks)

    def test_killed_again_and_again_at_every_point_it_still_converges(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                self.begin_anew()
                luks_uuids = set()
                for point in fail_points(luks):
                    self.agent.fail_at(point)
                    result = self.ctl("attach", self.volume, self.disk.path, "--key", self.user_key, "--format", luks)
                    self.assertIn(result.reason, ("WORKER_FAILED", ""), result)
                    luks_uuids |= {record["luks_uuid"] for record in key_store.first_uses(self.volume)}
                    self.detach(self.volume)
                self.agent.drop_fail_point()
                self.assertEqual(len(luks_uuids), 1, "every attempt goes on with the UUID of the first")
                self.assert_converged(self.attach_again("--format", luks), *luks_uuids, luks)


def add_tests():
    for luks in ("luks1", "luks2"):
        for point in fail_points(luks):

            def test(self, point=point, luks=luks):
                self.converges_after(point, luks)

            setattr(WorkerKilled, f"test_{luks}_killed_at_point_{point}_converges", test)


add_tests()


class EverythingKilled(FirstUseCase):
    """Agent, helper and worker at once: a power failure, as far as processes can tell."""

    def test_killed_with_everything_at_each_point_it_converges(self):
        for point in fail_points("luks2"):
            with self.subTest(point=point):
                self.begin_anew()
                self.agent.fail_at(point)
                process = self.ctl.start("attach", self.volume, self.disk.path, "--key", self.user_key)
                wait_until(lambda: not self.agent.fail_point_is_pending(), 60, "the fail point")
                self.agent.kill_all()
                self.assertNotEqual(self.ctl.finish(process).status, 0)
                self.agent.start()
                (claim,) = key_store.first_uses(self.volume)
                self.assert_converged(self.attach_again(), claim["luks_uuid"], "luks2")


class AgentKilled(FirstUseCase):
    """Its worker goes on without it, until it sees that the caller has gone."""

    def test_killed_at_each_point_the_same_attach_converges(self):
        for point in fail_points("luks2"):
            with self.subTest(point=point):
                self.begin_anew()
                blank = self.disk.sha256()
                self.kill_agent_at(point)
                self.assertEqual(os.path.exists(mapping_path(self.volume)), point == ACTIVATED)
                if not has_come_to(point, FORMAT_BEGINS):
                    self.assert_untouched(self.disk, blank)
                (claim,) = key_store.first_uses(self.volume)
                self.assertEqual(claim["state"], "claimed")
                self.agent.start()
                self.assert_converged(self.attach_again(), claim["luks_uuid"], "luks2")

    def kill_agent_at(self, point):
        """The worker stops there, the agent alone is killed, and the worker goes on to its end."""
        self.agent.stop_at(point)
        fields = {"volume_id": self.volume, "device": self.disk.path, "key": {"key_id": self.user_key}}
        call = self.api.start("AttachVolume", **fields)
        worker = wait_until(lambda: self.agent.worker_that_stays("T"), 60, "the worker to stop")
        self.agent.kill()
        with self.assertRaises(ApiError):
            self.api.result(call)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: not is_alive(worker), 60, "the worker to end")
