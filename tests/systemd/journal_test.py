"""What the journal and the audit's file have of the service, and how they are looked into and rotated."""

import json
import os
import pwd
import re
import subprocess
import uuid

from harness import wait_until
from harness.devices import run
from service import AGENT, CONFIG, ConfiguredCase

AUDIT = "/var/log/volcrypt/audit.log"
WITH_AUDIT = CONFIG.replace("debug", "info") + f'[audit]\nfile = "{AUDIT}"\n'
LOGROTATE = os.path.join(os.path.dirname(__file__), "../../packaging/debian/volcrypt.logrotate")
REQUEST = "req-11111111-2222-4333-8444-555555555555"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def journal(*arguments):
    """What it prints, after everything that was sent to it has been written."""
    run("journalctl", "--sync")
    return run("journalctl", "-u", AGENT, *arguments)


def entries(*matches):
    return [json.loads(line) for line in journal("-o", "json", *matches).splitlines()]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class JournalCase(ConfiguredCase):
    configuration = WITH_AUDIT

    def attach_refused(self, volume, disk):
        """What was not blank; the call's key."""
        key = self.key()
        run("mkfs.ext4", "-q", disk.path)
        metadata = (("x-openstack-request-id", REQUEST), ("traceparent", PARENT))
        fields = {"volume_id": volume, "device": disk.path, "key": {"key_id": key}, "metadata": metadata}
        self.api_refused("DEVICE_NOT_BLANK", "AttachVolume", **fields)
        return key


class Journal(JournalCase):
    def test_a_call_is_one_line_whose_fields_are_the_journals(self):
        volume, disk = self.volume_id(), self.device(mib=20)
        key = self.attach_refused(volume, disk)
        found = [one for one in entries(f"VOLCRYPT_VOLUME={volume}") if "VOLCRYPT_AUDIT" not in one]
        self.assertEqual(len(found), 1, found)
        (one,) = found
        self.assertRegex(one["MESSAGE"], f"^AttachVolume volume={volume} .*reason=DEVICE_NOT_BLANK")
        wanted = {
            "DEVICE": disk.path, "KEY": key, "REASON": "DEVICE_NOT_BLANK", "ROLE": "admin", "UID": "0", "PID": str(os.getpid()),
            "REQUEST_ID": REQUEST, "TRACEPARENT": PARENT,
        }
        self.assertEqual({name: one.get(f"VOLCRYPT_{name}") for name in wanted}, wanted)
        self.assertRegex(one["VOLCRYPT_DURATION_MS"], r"^\d+\.\d$")
        self.assertIn("ext4", one["VOLCRYPT_ERROR"])
        self.assertEqual((one["PRIORITY"], one["_SYSTEMD_UNIT"], one["_PID"]), ("4", AGENT, str(self.agent.pid)))
        matches = ("VOLCRYPT_REASON=DEVICE_NOT_BLANK", f"VOLCRYPT_REQUEST_ID={REQUEST}", f"VOLCRYPT_VOLUME={volume}")
        self.assertEqual(entries(*matches), found)

    def test_the_catalog_says_what_to_do(self):
        run("journalctl", "--update-catalog")
        volume, disk = self.volume_id(), self.device(mib=20)
        self.attach_refused(volume, disk)
        explained = journal("-x", f"VOLCRYPT_VOLUME={volume}", "VOLCRYPT_REASON=DEVICE_NOT_BLANK")
        self.assertIn("Subject: A volume was not attached: its device holds data that is no LUKS header", explained)
        self.assertIn(f"Volume {volume} is not formatted, and device {disk.path} is not blank. Nothing was written.", explained)

    def test_the_level_is_what_the_configuration_says_after_a_reload(self):
        pid = self.agent.pid
        self.addCleanup(self.agent.reload)
        self.addCleanup(self.agent.configure, WITH_AUDIT)
        self.assertFalse(self.reads_are_told())
        self.agent.configure(WITH_AUDIT.replace('"info"', '"debug"'))
        self.agent.reload()
        wait_until(self.reads_are_told, what="reads to be told")
        self.agent.configure(WITH_AUDIT)
        self.agent.reload()
        wait_until(lambda: not self.reads_are_told(), what="reads not to be told")
        self.assertEqual(self.agent.pid, pid)

    def reads_are_told(self):
        """Whether a call that only reads is in the journal; one that failed after it always is."""
        request = f"req-{uuid.uuid4()}"
        metadata = [("x-openstack-request-id", request)]
        self.api("GetInfo", metadata=metadata)
        self.api_refused("DEVICE_NOT_FOUND", "InspectVolume", device="/dev/none", metadata=metadata)
        told = [one["MESSAGE"].split()[0] for one in entries(f"VOLCRYPT_REQUEST_ID={request}")]
        self.assertEqual(told[-1:], ["InspectVolume"], told)
        return told[:-1] == ["GetInfo"]


class Audit(JournalCase):
    def use(self):
        """A volume's first use; the volume."""
        volume = self.volume_id()
        self.attach(volume, self.device(mib=20), self.key())
        return volume

    def told(self, volume, verb="AttachVolume"):
        """The lines of a volume in the journal, as they stand."""
        lines = journal("-o", "cat", "VOLCRYPT_AUDIT=1", f"VOLCRYPT_VOLUME={volume}").splitlines()
        return [line for line in lines if f'"verb":"{verb}"' in line]

    def test_journal_and_file_have_the_same_lines(self):
        volume = self.use()
        lines = self.told(volume)
        self.assertEqual([json.loads(line)["event"] for line in lines], ["begins", "done"])
        begins, done = map(json.loads, lines)
        self.assertEqual((begins["will"], begins["caller"]), ("formats the blank device", {"uid": 0, "pid": os.getpid()}))
        self.assertEqual((done["verb"], done["role"], done["result"], done["reason"]), ("AttachVolume", "admin", "OK", ""))
        self.assertEqual([line for line in read(AUDIT).splitlines() if volume in line], lines)

    def test_only_the_agent_reads_the_file(self):
        self.use()
        owner = pwd.getpwnam("volcrypt").pw_uid
        shown = [os.stat(path) for path in (os.path.dirname(AUDIT), AUDIT)]
        self.assertEqual([(oct(found.st_mode & 0o777), found.st_uid) for found in shown], [("0o700", owner), ("0o600", owner)])

    def test_a_rotation_loses_no_line(self):
        """By the command that the package's rule runs afterwards."""
        (command,) = re.findall(r"(?m)^  postrotate\n(?:    #.*\n)*    (.*)\n  endscript", read(LOGROTATE))
        old, pid, begun = AUDIT + ".1", self.agent.pid, self.agent.log_end()
        first = self.use()
        os.rename(AUDIT, old)
        self.addCleanup(os.unlink, old)
        second = self.use()
        self.assertEqual(subprocess.run(["sh", "-c", command], check=False).returncode, 0)
        wait_until(lambda: "were read again" in self.agent.log(begun), what="the agent to open its files again")
        third = self.use()
        for volume, path, other in ((first, old, AUDIT), (second, old, AUDIT), (third, AUDIT, old)):
            self.assertEqual([line for line in read(path).splitlines() if volume in line], self.told(volume))
            self.assertNotIn(volume, read(other))
        self.assertEqual(self.agent.pid, pid)
