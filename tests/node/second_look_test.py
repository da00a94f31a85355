"""The device changes between the two looks of the proof that it is blank: nothing is written."""

import os
import signal

from harness import key_store, wait_until
from harness.devices import MIB
from harness.first_use import FORMATTED, LOOKED_ONCE, FirstUseCase


class SecondLook(FirstUseCase):
    def refused_after(self, change, reason, *words):
        """The worker has looked once and stopped; then comes the change."""
        self.agent.stop_at(LOOKED_ONCE)
        calling = self.ctl.start("attach", self.volume, self.disk.path, "--key", self.user_key)
        worker = wait_until(self.stopped_worker, what="the worker between its looks")
        change()
        before = self.disk.sha256()
        os.kill(worker, signal.SIGCONT)
        result = self.ctl.finish(calling)
        self.assertEqual(result.reason, reason, result)
        for word in (*words, "nothing was written"):
            self.assertIn(word, result.error["message"])
        self.assert_untouched(self.disk, before)
        self.assert_not_attached(self.volume)

    def stopped_worker(self):
        return self.agent.worker_that_stays("T")

    def test_data_written_meanwhile_is_left_alone(self):
        for offset in (0, MIB, 20 * MIB - 512):
            with self.subTest(offset=offset):
                self.begin_anew()
                self.refused_after(lambda: self.disk.write(offset, b"data"), "DEVICE_NOT_BLANK", "a moment ago")
                self.assertIsNone(self.intent())
                self.assertEqual(key_store.first_uses(self.volume), [])

    def test_a_device_that_grows_meanwhile_is_not_the_one_that_was_looked_at(self):
        self.refused_after(lambda: self.disk.grow(mib=24), "DEVICE_NOT_BLANK", "changed its identity")
        self.assertIsNone(self.intent())
        self.assertEqual(key_store.first_uses(self.volume), [])

    def test_an_interrupted_format_that_somebody_else_writes_to_meanwhile_is_left_alone(self):
        self.interrupt(FORMATTED)
        self.refused_after(lambda: self.disk.write(4 * MIB, b"data"), "FORMAT_INCOMPLETE", "while it was looked at")

    def test_without_a_change_the_stopped_first_use_goes_on(self):
        self.agent.stop_at(LOOKED_ONCE)
        calling = self.ctl.start("attach", self.volume, self.disk.path, "--key", self.user_key)
        os.kill(wait_until(self.stopped_worker, what="the worker between its looks"), signal.SIGCONT)
        self.assertTrue(self.ctl.finish(calling).json["formatted"])
