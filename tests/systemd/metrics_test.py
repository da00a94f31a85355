"""The metrics that the unit serves, judged by Prometheus' own promtool."""

import re
import urllib.request

from service import CONFIG, ConfiguredCase
from testkit.promtool import wrong_with_metrics

ADDRESS = "127.0.0.1:9464"


class Metrics(ConfiguredCase):
    configuration = CONFIG + f'[metrics]\nlisten = "{ADDRESS}"\n'

    def test_promtool_finds_nothing_wrong_after_work_and_a_refusal(self):
        volume, key = self.volume_id(), self.key()
        self.attach(volume, self.device(mib=20), key)
        self.api_refused("DEVICE_NOT_FOUND", "AttachVolume", volume_id=self.volume_id(), device="/dev/none", key={"key_id": key})
        with urllib.request.urlopen(f"http://{ADDRESS}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        for series, value in {
            'volcrypt_operations_total{code="OK",reason="OK",verb="AttachVolume"}': 1,
            'volcrypt_operations_total{code="NOT_FOUND",reason="DEVICE_NOT_FOUND",verb="AttachVolume"}': 1,
            'volcrypt_first_uses_total{key_manager="local"}': 1,
            "volcrypt_helper_up": 1,
            "volcrypt_workers_busy": 0,
        }.items():
            self.assertEqual(re.findall(rf"(?m)^{re.escape(series)} (\S+)$", text), [str(value)], series)
        self.assertEqual(wrong_with_metrics(text), (0, []))
        status, found = wrong_with_metrics(text + "# TYPE volcrypt_things counter\nvolcrypt_things 1\n")
        self.assertNotEqual(status, 0, "the control")
        self.assertTrue(found, "the control")
