"""What doctor says of a healthy host, of one whose agent is down, and of mappings in trouble; and what it packs up."""

import os
import tarfile

from harness import NodeCase, mapping_path, paths
from harness.ctl import Ctl
from harness.devices import run
from harness.key_store import key_hex


class Doctor(NodeCase):
    def examine(self, status=0, ctl=None, options=()):
        """The lines of each check; the exit status must be this."""
        result = (ctl or self.ctl)("doctor", *options)
        self.assertEqual(result.status, status, result)
        if status != 0:
            self.assertEqual(result.reason, "HOST_FAULT", result)
        checks = {}
        for line in result.json["checks"]:
            checks.setdefault(line["check"], []).append(line)
            self.assertEqual(line["result"] == "OK", line["remedy"] == "", line)
        return checks

    def faults(self, checks):
        return sorted(name for name, lines in checks.items() if any(line["result"] == "FAULT" for line in lines))

    def test_a_healthy_host_has_no_fault(self):
        self.attach(self.volume_id(), self.device(mib=8), self.key())
        checks = self.examine()
        self.assertEqual(self.faults(checks), [])
        for name in ("modules", "device-mapper", "socket", "agent", "helper", "key-managers", "mappings", "workers"):
            self.assertEqual({line["result"] for line in checks[name]}, {"OK"}, checks[name])
        self.assertEqual(checks["role"][0]["found"], "this user is admin")
        self.assertIn("1 in use", checks["mappings"][0]["found"])

    def test_it_works_when_the_agent_is_down(self):
        self.attach(self.volume_id(), self.device(mib=8), self.key())
        self.agent.stop()
        checks = self.examine(status=6)
        self.assertEqual(self.faults(checks), ["agent", "socket"])
        self.assertIn("systemctl", checks["agent"][0]["remedy"])
        self.assertIn("1 in use", checks["mappings"][0]["found"])

    def test_a_mapping_whose_device_has_gone_is_a_fault(self):
        volume, file = self.volume_id(), self.file_volume(mib=8)
        self.attach(volume, file, self.key())
        kept = file.path + ".kept"
        os.link(file.path, kept)
        os.unlink(file.path)
        checks = self.examine(status=6)
        os.rename(kept, file.path)
        self.assertEqual(self.faults(checks), ["mappings"])
        self.assertIn(f"volcrypt-{volume}: its backing file is deleted", checks["mappings"][0]["found"])
        self.assertIn(f"volcryptctl detach {volume}", checks["mappings"][0]["remedy"])

    def test_a_suspended_mapping_is_a_fault_and_hangs_nothing(self):
        volume = self.volume_id()
        self.attach(volume, self.device(mib=8), self.key())
        run("dmsetup", "suspend", mapping_path(volume))
        try:
            checks = self.examine(status=6)
        finally:
            run("dmsetup", "resume", mapping_path(volume))
        self.assertEqual(self.faults(checks), ["mappings"])

    def test_an_ordinary_user_is_told_what_could_not_be_looked_at(self):
        checks = self.examine(ctl=Ctl(uid=12345))
        self.assertEqual(checks["key-store"][0]["result"], "WARNING")
        self.assertIn("as root", checks["key-store"][0]["remedy"])
        self.assertIn("WARNING", {line["result"] for line in checks["socket"] + checks["agent"]})

    def test_the_bundle_has_the_volume_and_no_key(self):
        volume, key = self.volume_id(), self.key()
        self.attach(volume, self.device(mib=8), key)
        path = os.path.join(paths.SCRATCH, "report.tar.gz")
        self.addCleanup(os.unlink, path)
        self.examine(options=("--bundle", path))
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
        with tarfile.open(path) as archive:
            files = {os.path.basename(entry.name): archive.extractfile(entry).read() for entry in archive if entry.isfile()}
        everything = b"".join(files.values())
        self.assertIn(volume.encode(), files["attachments.json"])
        self.assertIn(f"volcrypt-{volume}: 0 ".encode(), files["dm-table.txt"])
        self.assertIn(b"crypt aes-xts-plain64 0 0 ", files["dm-table.txt"])
        with open(os.path.join(paths.AGENT_STATE, "keys.kek"), "rb") as file:
            key_of_keys = file.read()
        secrets = [key_hex(key).encode(), bytes.fromhex(key_hex(key)), key_of_keys, key_of_keys.hex().encode()]
        self.assertEqual([secret for secret in secrets if len(secret) < 16 or secret in everything], [])
        self.assertEqual(self.ctl("doctor", "--bundle", path).status, 1, "it would have been replaced")
