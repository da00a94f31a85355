"""Agent and helper end, die and come back, and who may call them."""

import contextlib
import os
import signal
import subprocess



from harness import Ctl, NodeCase, mapping_path, paths, wait_until
from harness.agent import CONFIG
from harness.first_use import LOOKED_ONCE
from testkit.api import ApiError

NOBODY = 65534
COMPUTE_UID = 42436
ACCESS = f"""
[[access]]
role = "compute"
users = ["{COMPUTE_UID}"]
"""


class TheAgentEnds(NodeCase):
    def start_attach_that_stops(self):
        """A first use whose worker has stopped before it writes anything."""
        volume, device, key = self.volume_id(), self.device(mib=16), self.key()
        self.agent.stop_at(LOOKED_ONCE)
        call = self.api.start("AttachVolume", volume_id=volume, device=device.path, key={"key_id": key})
        worker = wait_until(lambda: self.agent.worker_that_stays("T"), what="the worker to stop")
        return volume, device, key, call, worker

    def test_sigterm_finishes_what_runs_and_refuses_the_rest(self):
        volume, _, _, call, worker = self.start_attach_that_stops()
        self.agent.terminate()
        wait_until(lambda: "ending: running operations finish" in self.agent_log(), what="the agent to begin to end")
        error = self.api_refused("HELPER_UNAVAILABLE", "ListAttachments")
        self.assertEqual(error.code, "UNAVAILABLE")
        self.assertFalse(call.done(), "the positive control: there was something to wait for")
        os.kill(worker, signal.SIGCONT)
        self.assertTrue(self.api.result(call).formatted)
        self.assertEqual(self.agent.wait(30), 0)
        wait_until(lambda: not self.agent.helper_pids(), what="the helper to end too")
        self.assertEqual(self.ctl("list").status, 7)
        self.agent.start()
        self.assertEqual(self.ok("show", volume)["attachment"]["state"], "STATE_ACTIVE")

    def test_killed_during_an_attach_it_leaves_nothing_that_the_same_attach_does_not_finish(self):
        volume, device, key, call, worker = self.start_attach_that_stops()
        self.agent.kill()
        with self.assertRaises(ApiError):
            self.api.result(call)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: not self.agent.worker_pids(), what="the worker to end")
        wait_until(lambda: not self.agent.helper_pids(), what="the helper to end")
        self.assertFalse(os.path.exists(mapping_path(volume)), "made behind the back of a caller who is gone")
        self.agent.start()
        self.assertTrue(self.attach(volume, device, key)["formatted"])

    def test_killed_with_open_mappings_it_finds_them_again(self):
        key = self.key()
        volumes = {self.volume_id(): volume for volume in (self.device(mib=8), self.file_volume(mib=8))}
        before = {volume: self.attach(volume, device, key) for volume, device in volumes.items()}
        self.agent.kill_all()
        self.agent.start()
        listed = {attachment["volume_id"]: attachment["luks_uuid"] for attachment in self.ok("list")["attachments"]}
        self.assertEqual(listed, {volume: attachment["luks_uuid"] for volume, attachment in before.items()})
        for volume, device in volumes.items():
            shown = self.ok("show", volume)["attachment"]
            self.assertEqual((shown["device"], shown["key"]["key_id"]), (device.path, key))
            self.assertTrue(self.attach(volume, device, key)["already_attached"])
            self.assertTrue(self.detach(volume)["was_attached"])
            self.assertFalse(self.attach(volume, device, key)["formatted"])


class TheHelperEnds(NodeCase):
    def test_an_agent_that_started_it_ends_with_it(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key)
        (helper,) = self.agent.helper_pids()
        os.kill(helper, signal.SIGKILL)
        self.assertEqual(self.agent.wait(30), 1)
        self.assertIn("only root could start another", self.agent_log())
        self.assertTrue(os.path.exists(mapping_path(volume)))
        self.agent.start()
        self.assertTrue(self.attach(volume, device, key)["already_attached"])


class TheHelperIsAnothersService(NodeCase):
    """As with systemd: somebody else starts the helper, and the agent goes on without it."""

    def setUp(self):
        super().setUp()
        self.directory = os.path.join(paths.SCRATCH, "service")
        os.makedirs(self.directory, exist_ok=True)
        self.endpoint = f"unix:{self.directory}/agent.sock"
        self.helper_socket = os.path.join(self.directory, "helper.sock")
        self.service = Ctl(self.endpoint)

    @contextlib.contextmanager
    def helper(self):
        prefixes = [f"--device-prefix={prefix}" for prefix in ("/dev/", f"{paths.VOLUMES}/")]
        process = subprocess.Popen([paths.HELPER, "--socket", self.helper_socket, "--peer-uid", "0", *prefixes])
        try:
            wait_until(lambda: os.path.exists(self.helper_socket), what="the helper's socket")
            yield process
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.helper_socket)

    @contextlib.contextmanager
    def volcryptd(self):
        config = os.path.join(self.directory, "volcryptd.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG + f'[server]\nlisten = ["{self.endpoint}"]\n[key_managers.local]\ntype = "local"\n')
            file.write(f'path = "{self.directory}/keys.db"\n')
        with open(self.agent.log_path, "ab") as log:
            command = [paths.AGENT, "--config", config, "--helper-socket", self.helper_socket]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: os.path.exists(f"{self.directory}/agent.sock"), what="the agent's socket")
            yield process
        finally:
            process.terminate()
            self.assertEqual(process.wait(60), 0)

    def serving(self):
        """What grpc.health.v1 says, and volcryptctl with it."""
        result = self.service("health")
        self.assertIn(result.status, (0, 7), result)
        return result.status == 0

    def test_without_it_calls_are_unavailable_and_what_is_attached_stays(self):
        volume, device = self.volume_id(), self.device(mib=8)
        with self.helper() as helper, self.volcryptd():
            wait_until(self.serving, what="the health of both")
            key = self.service("key", "create").json["key"]["key_id"]
            attach = ["attach", volume, device.path, "--key", key]
            attached = self.service(*attach).json["attachment"]
            helper.kill()
            helper.wait()
            for call in (attach, ["detach", volume], ["inspect", device.path]):
                result = self.service(*call)
                self.assertEqual((result.reason, result.status), ("HELPER_UNAVAILABLE", 7), result)
            wait_until(lambda: not self.serving(), what="the health to tell")
            (listed,) = self.service("list").json["attachments"]
            shown = self.service("show", volume).json["attachment"]
            self.assertEqual(listed["luks_uuid"], attached["luks_uuid"])
            self.assertEqual((shown["luks_uuid"], shown["device"]), (attached["luks_uuid"], device.path))
            self.assertEqual(self.service("key", "show", key).status, 0)

            with self.helper():
                wait_until(self.serving, what="the health of both")
                self.assertTrue(self.service(*attach).json["already_attached"])
                self.assertTrue(self.service("detach", volume).json["was_attached"])


class Callers(NodeCase):
    def setUp(self):
        super().setUp()
        self.agent.configure(CONFIG + ACCESS)
        self.agent.reload()
        self.assertEqual(os.stat(paths.SOCKET).st_mode & 0o777, 0o660)
        os.chmod(paths.SOCKET, 0o666)

    def tearDown(self):
        self.agent.configure(CONFIG)
        self.agent.reload()
        os.chmod(paths.SOCKET, 0o660)
        super().tearDown()

    def assert_refused(self, result, reason):
        self.assertEqual((result.reason, result.status), (reason, 9), result)

    def test_whom_nobody_named_may_do_nothing(self):
        nobody = Ctl(uid=NOBODY)
        for call in (["list"], ["show", "a"], ["detach", "a"], ["inspect", "/dev/loop0"], ["key", "create"]):
            self.assert_refused(nobody(*call), "CALLER_UNKNOWN")

    def test_compute_callers_attach_and_detach_and_administer_nothing(self):
        compute, key = Ctl(uid=COMPUTE_UID), self.key()
        volume, device = self.volume_id(), self.device(mib=8)
        attached = compute("attach", volume, device.path, "--key", key)
        self.assertEqual(attached.status, 0, attached)
        for call in (["list"], ["show", volume], ["extend", volume, "--key", key], ["health"], ["detach", volume]):
            result = compute(*call)
            self.assertEqual(result.status, 0, result)
        for call in (["key", "create"], ["key", "show", key], ["key", "delete", key, "--yes", "--force"]):
            self.assert_refused(compute(*call), "CALLER_NOT_ALLOWED")
        for call in (["inspect", device.path], ["forget", volume, "--yes"]):
            self.assert_refused(compute(*call), "CALLER_NOT_ALLOWED")
        result = compute("attach", volume, device.path)  # what the header says is for administrators
        self.assertEqual((result.reason, result.status), ("KEY_REQUIRED", 1), result)
        self.assertFalse(self.attach(volume, device, key)["formatted"])

    def test_an_administrator_may_leave_the_key_to_the_header(self):
        key, volume, device = self.key(), self.volume_id(), self.device(mib=8)
        self.attach(volume, device, key)
        self.detach(volume)
        self.assertEqual(self.ok("attach", volume, device.path)["attachment"]["key"]["key_id"], key)
        self.detach(volume)
        self.refused("KEY_REQUIRED", "attach", self.volume_id(), device.path)  # the token names another volume


class Configuration(NodeCase):
    def check(self, text):
        config = os.path.join(paths.SCRATCH, "checked.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        command = [paths.AGENT, "--check-config", "--config", config]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_a_good_one_is_told_so_without_starting(self):
        done = self.check(CONFIG + ACCESS)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "configuration OK\n", ""))

    def test_every_error_is_told_with_file_line_and_key(self):
        done = self.check(
            "[server]\nmax_operations = 0\n"  # lines 1 and 2
            '[volumes]\ncipher = 7\ncolour = "red"\n'
            '[log]\nlevel = "loud"\n'
        )
        self.assertEqual(done.returncode, 1)
        lines = done.stderr.splitlines()
        for line, key in ((2, "server.max_operations"), (4, "volumes.cipher"), (5, "volumes.colour"), (7, "log.level")):
            told = [text for text in lines if f"checked.toml:{line}:" in text and key in text]
            self.assertEqual(len(told), 1, f"line {line}, {key}: {done.stderr}")
        self.assertEqual(len(lines), 4, done.stderr)

    def test_an_agent_does_not_start_with_a_wrong_one(self):
        self.agent.stop()
        self.agent.configure(CONFIG + "nonsense = true\n")
        with self.assertRaisesRegex(AssertionError, "nonsense"):
            self.agent.start()
        self.assertFalse(self.agent.helper_pids())
        self.agent.configure(CONFIG)

    def test_a_second_agent_does_not_take_the_socket_of_the_first(self):
        command = [paths.AGENT, "--config", paths.CONFIG, "--spawn-helper"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another process listens there", second.stderr)
        wait_until(lambda: len(self.agent.helper_pids()) == 1, what="the second helper to end")
        self.assertEqual(self.ctl("health").status, 0)
