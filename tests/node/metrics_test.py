"""What the metrics say of real mappings, and of a device that hangs."""

import re
import urllib.request

from harness import NodeCase, mapping_path, wait_until
from harness.agent import CONFIG
from harness.devices import run

ADDRESS = "127.0.0.1:9464"


class Metrics(NodeCase):
    def setUp(self):
        self.addCleanup(self.agent.restart)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + f'[metrics]\nlisten = "{ADDRESS}"\n')
        self.agent.restart()
        super().setUp()

    def value(self, series):
        with urllib.request.urlopen(f"http://{ADDRESS}/metrics", timeout=60) as answer:
            (value,) = re.findall(rf"^{re.escape(series)} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(value)

    def attached(self, state):
        return self.value(f'volcrypt_attached_volumes{{state="{state}"}}')

    def test_attached_volumes_are_counted_by_what_the_kernel_says_of_them(self):
        key, volumes = self.key(), [self.volume_id(), self.volume_id()]
        for volume in volumes:
            self.attach(volume, self.device(mib=8), key)
        wait_until(lambda: self.attached("active") == 2, what="both to be counted")
        name = mapping_path(volumes[0])
        run("dmsetup", "suspend", name)
        try:
            wait_until(lambda: self.attached("suspended") == 1, what="the suspended one to be counted")
            self.assertEqual(self.attached("active"), 1)
        finally:
            run("dmsetup", "resume", name)
        for volume in volumes:
            self.detach(volume)
        wait_until(lambda: self.attached("active") == 0, what="none to be counted")
        self.assertEqual(self.value('volcrypt_first_uses_total{key_manager="local"}'), 2)

    def test_a_device_that_hangs_is_seen_and_holds_up_no_scrape(self):
        key, device = self.key(), self.linear(self.device(mib=8))
        device.suspend()
        request = {"volume_id": self.volume_id(), "device": device.path, "key": {"key_id": key}}
        call = self.api.start("AttachVolume", timeout=15, **request)
        wait_until(lambda: self.value("volcrypt_workers_busy") == 1, what="the worker to be counted")
        wait_until(lambda: self.value("volcrypt_workers_timed_out_total") == 1, what="it to time out")
        self.assertEqual(self.value("volcrypt_workers_busy"), 0)
        self.assertIsNotNone(call.exception())
        self.assertEqual(self.value("volcrypt_workers_stuck"), 1)
        device.resume()
        wait_until(lambda: self.value("volcrypt_workers_stuck") == 0, 30, "the worker to end")
        wait_until(lambda: not self.agent.worker_pids(), 30, "it to be reaped")
