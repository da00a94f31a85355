"""Start, readiness, socket activation, reload and the watchdog."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from harness import Ctl, NodeCase, paths, wait_until
from harness.agent import is_alive, state_of
from service import AGENT, CONFIG, HELPER, SOCKETS, main_pid, show, systemctl

OUTSIDER = 42436
ACCESS = f"""
[[access]]
role = "compute"
users = ["{OUTSIDER}"]
"""
WATCHDOG_SECONDS = 15
HOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hold_threads.py")


class Start(NodeCase):
    def test_the_first_caller_starts_agent_and_helper(self):
        systemctl("stop", AGENT, HELPER)
        self.assertEqual(show(AGENT, "ActiveState"), "inactive")
        volume, device = self.volume_id(), self.device()
        self.assertTrue(self.attach(volume, device, self.key())["formatted"])
        self.assertEqual([show(unit, "ActiveState") for unit in (AGENT, HELPER)], ["active", "active"])

    def test_it_is_started_when_it_serves_and_says_so(self):
        self.agent.restart()
        self.assertEqual(show(AGENT, "SubState"), "running")
        self.assertEqual(show(AGENT, "StatusText"), "Serving")
        self.assertTrue(self.api("GetInfo", timeout=60).version)

    def test_it_is_told_which_boot_this_is_as_it_cannot_read_it(self):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip().replace("-", "")
        with open(f"/proc/{self.agent.pid}/environ", "rb") as file:
            self.assertIn(f"VOLCRYPT_BOOT_ID={boot}".encode(), file.read().split(b"\0"))

    def test_everything_is_wanted_at_boot(self):
        systemctl("enable", AGENT, *SOCKETS)
        try:
            for unit in (AGENT, *SOCKETS):
                self.assertEqual(systemctl("is-enabled", unit, check=False)[1].strip(), "enabled", unit)
        finally:
            systemctl("disable", AGENT, *SOCKETS)

    def test_journald_drops_none_of_its_lines(self):
        self.assertEqual(show(AGENT, "LogRateLimitIntervalUSec"), "0")

    def test_it_ends_after_libvirt_the_guests_and_containers(self):
        for unit in (AGENT, HELPER):
            before = show(unit, "Before").split()
            for other in ("libvirtd.service", "libvirt-guests.service", "nova-compute.service", "docker.service", "podman.service",
                          "podman-restart.service"):
                self.assertIn(other, before)

    def test_a_wrong_configuration_is_no_start_and_a_mended_one_starts_by_itself(self):
        self.agent.stop()
        self.agent.configure(CONFIG + "\n[nonsense]\n")
        try:
            status, _ = systemctl("start", AGENT, check=False)
            self.assertNotEqual(status, 0)
            wait_until(lambda: "nonsense" in self.agent_log(), what="the log to name what is wrong")
        finally:
            self.agent.configure(CONFIG)
        wait_until(self.agent.is_running, what="systemd to try again")

    def test_the_sockets_are_for_the_group_and_for_the_agent_alone(self):
        shown = {path: os.stat(path) for path in (paths.SOCKET, "/run/volcrypt-helper/helper.sock")}
        self.assertEqual([oct(found.st_mode & 0o777) for found in shown.values()], ["0o660", "0o600"])
        refused = Ctl(uid=OUTSIDER)("health")
        self.assertEqual((refused.status, refused.error["code"]), (9, "PERMISSION_DENIED"), refused)


class Reload(NodeCase):
    def tearDown(self):
        self.agent.configure(CONFIG)
        self.agent.reload()
        super().tearDown()

    def as_member(self):
        """volcryptctl as a user of the group, whom the socket lets in."""
        return Ctl(uid=OUTSIDER, gid=os.stat(paths.SOCKET).st_gid)

    def test_access_rules_come_into_force(self):
        pid, ctl = self.agent.pid, self.as_member()
        self.assertEqual(ctl("list").reason, "CALLER_UNKNOWN")
        self.agent.configure(CONFIG + ACCESS)
        self.agent.reload()
        self.assertEqual(ctl("list").status, 0)
        self.assertEqual(self.agent.pid, pid)

    def test_a_wrong_configuration_fails_the_reload_and_changes_nothing(self):
        pid = self.agent.pid
        self.agent.configure(CONFIG + "\n[nonsense]\n")
        status, _ = systemctl("reload", AGENT, check=False)
        self.assertNotEqual(status, 0)
        self.assertEqual((self.agent.pid, show(AGENT, "ActiveState")), (pid, "active"))
        self.assertTrue(self.api("GetInfo").version)


class Watchdog(NodeCase):
    @classmethod
    def setUpClass(cls):
        cls.agent.drop_in(AGENT, "watchdog", f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n")
        cls.agent.restart()

    @classmethod
    def tearDownClass(cls):
        cls.agent.drop_in(AGENT, "watchdog", None)
        cls.agent.restart()

    def assert_replaced(self, pid):
        wait_until(lambda: not is_alive(pid), 3 * WATCHDOG_SECONDS, "the watchdog to end it")
        wait_until(lambda: self.agent.pid not in (0, pid) and self.agent.is_running(), what="another agent")
        wait_until(lambda: "watchdog" in self.agent_log().lower(), what="the log to say why")
        self.assertTrue(self.api("GetInfo").version)

    def test_an_agent_that_stands_still_is_replaced_and_its_callers_are_served(self):
        pid = self.agent.pid
        volume, device = self.volume_id(), self.device()
        key = self.key()
        attached = self.attach(volume, device, key)
        os.kill(pid, signal.SIGSTOP)
        caller = self.new_api().start("GetAttachment", timeout=60, volume_id=volume)
        self.assert_replaced(pid)
        caller.cancel()
        self.assertEqual(self.api("GetAttachment", volume_id=volume).attachment.luks_uuid, attached["luks_uuid"])

    def test_an_agent_that_answers_nobody_is_replaced_though_its_main_thread_runs(self):
        pid = self.agent.pid
        holder = hold_all_threads_but_the_first(pid)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertNotIn(state_of(pid), "Tt")
        self.assert_replaced(pid)

    def test_an_agent_whose_operations_hang_is_left_alone(self):
        pid, key = self.agent.pid, self.key()
        disk = self.linear(self.device())
        disk.suspend()
        with self.new_api_closed() as api:
            calls = [api.start("AttachVolume", volume_id=self.volume_id(), device=disk.path, key={"key_id": key})]
            wait_until(self.agent.worker_pids, what="a worker")
            begin = time.monotonic()
            wait_until(lambda: time.monotonic() - begin > 1.5 * WATCHDOG_SECONDS, 60, "longer than the watchdog waits")
            self.assertEqual(self.agent.pid, pid)
            disk.resume()
            api.result(calls[0])

    def test_a_stop_waits_for_operations_longer_than_the_watchdog(self):
        volume, key = self.volume_id(), self.key()
        disk = self.linear(self.device())
        disk.suspend()
        with self.new_api_closed() as api:
            call = api.start("AttachVolume", volume_id=volume, device=disk.path, key={"key_id": key})
            wait_until(self.agent.worker_pids, what="a worker")
            systemctl("stop", "--no-block", AGENT)
            begin = time.monotonic()
            wait_until(lambda: time.monotonic() - begin > 1.5 * WATCHDOG_SECONDS, 60, "longer than the watchdog waits")
            self.assertEqual(show(AGENT, "ActiveState"), "deactivating")
            disk.resume()
            self.assertTrue(api.result(call).formatted)
        wait_until(lambda: show(AGENT, "ActiveState") != "deactivating", what="the end")
        self.assertEqual(show(AGENT, "Result"), "success")

    def new_api_closed(self):
        return contextlib.closing(self.new_api())


def hold_all_threads_but_the_first(pid):
    """As a deadlock would; the process that holds them."""
    holder = subprocess.Popen([sys.executable, HOLDER, str(pid)], stdout=subprocess.PIPE)
    assert int(holder.stdout.readline()) > 2, "there were no threads to hold"
    holder.stdout.close()
    return holder
