"""doctor, where what it asks of systemd is there: the units, the journal, credentials, limits."""

import os
import tarfile

from harness import NodeCase, paths
from harness.devices import run
from credentials_test import FIXED, FIXED_KEY, store
from service import AGENT, CONFIG, HELPER, systemctl


class Doctor(NodeCase):
    def examine(self, *options, status=0):
        result = self.ctl("doctor", *options)
        self.assertEqual(result.status, status, result)
        return {line["check"]: line for line in result.json["checks"]}

    def test_the_service_as_installed_has_no_fault(self):
        checks = self.examine()
        self.assertEqual([line for line in checks.values() if line["result"] == "FAULT"], [])
        for name in ("agent", "helper", "socket", "directories", "configuration", "memory-lock", "clock"):
            self.assertIn(name, checks)
        self.assertEqual(checks["memory-lock"]["result"], "OK", checks["memory-lock"])

    def test_an_agent_that_cannot_start_is_a_fault_and_the_remedy_finds_the_reason(self):
        self.agent.drop_in(AGENT, "limit", "[Service]\nLimitMEMLOCK=512K\n")
        try:
            self.assertNotEqual(systemctl("restart", AGENT, check=False)[0], 0)
            checks = self.examine(status=6)
            self.assertEqual(checks["agent"]["result"], "FAULT", checks["agent"])
            self.assertIn("journalctl -u volcryptd", checks["agent"]["remedy"])
            self.assertIn("RLIMIT_MEMLOCK", run("journalctl", "-b", "-u", "volcryptd", "-n", "20"))
        finally:
            self.agent.drop_in(AGENT, "limit", None)
            systemctl("reset-failed", AGENT)
            systemctl("restart", AGENT)

    def test_the_bundle_has_units_and_journal_and_no_credential(self):
        volume, key = self.volume_id(), os.urandom(32)
        self.addCleanup(self.agent.restart)
        self.addCleanup(os.unlink, store("fixed_key", key.hex().encode(), encrypted=True))
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(FIXED)
        self.agent.restart()
        self.attach(volume, self.device(mib=20), FIXED_KEY)
        self.detach(volume)
        path = os.path.join(paths.SCRATCH, "report.tar.gz")
        self.addCleanup(os.unlink, path)
        self.examine("--bundle", path)
        with tarfile.open(path) as archive:
            files = {os.path.basename(entry.name): archive.extractfile(entry).read() for entry in archive if entry.isfile()}
        for unit in (AGENT, HELPER):
            self.assertIn(f"Id={unit}\n".encode(), files["units.txt"])
        self.assertIn(b"ActiveState=active\n", files["units.txt"])
        self.assertIn(f"AttachVolume volume={volume} ".encode(), files["journal.txt"])
        everything = b"".join(files.values())
        self.assertEqual([form for form in (key, key.hex().encode(), key.hex().upper().encode()) if form in everything], [])
