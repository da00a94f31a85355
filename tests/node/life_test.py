"""The whole life of a volume: first use, data, detach, attach, what the agent says about it."""

import json
import os
import pwd
import stat

from harness import NodeCase, mapping_path, wait_until
from harness.agent import is_alive
from harness.devices import MIB, run

KIB = 1024
MARKER = b"a line that must not be on the raw device\n"


def luks2_header(device):
    return json.loads(run("cryptsetup", "luksDump", "--dump-json-metadata", device.path))


class WholeLife(NodeCase):
    def test_a_volume_lives_from_first_use_to_the_last_detach(self):
        key = self.key()
        volume, device = self.volume_id(), self.device()

        first = self.attach(volume, device, key)
        self.assertTrue(first["formatted"])
        self.assertFalse(first["already_attached"])
        self.assertEqual(first["device_path"], mapping_path(volume))
        self.assertEqual(first["device"], device.path)
        self.assertEqual(first["state"], "STATE_ACTIVE")
        self.assertEqual(int(first["size_bytes"]), 62 * MIB)  # all but the 2 MiB of the header
        self.write_file_system(volume)
        self.assertEqual(self.detach(volume), {"schema": "volcrypt/v1", "was_attached": True, "pending": False})
        self.assert_not_attached(volume)
        self.assertFalse(self.contains_marker(device.path))

        second = self.attach(volume, device, key)
        self.assertFalse(second["formatted"])
        self.assertEqual(second["luks_uuid"], first["luks_uuid"])
        self.assertTrue(self.contains_marker(mapping_path(volume)), "the positive control of the search")
        self.assertEqual(self.read_file_system(volume), MARKER)
        self.detach(volume)

    def test_attach_of_what_is_attached_changes_nothing(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        first = self.attach(volume, device, key)
        again = self.attach(volume, device, key)
        self.assertTrue(again["already_attached"])
        self.assertFalse(again["formatted"])
        self.assertEqual(again["luks_uuid"], first["luks_uuid"])

    def test_detach_of_an_unattached_volume_succeeds(self):
        volume = self.volume_id()
        self.assertFalse(self.detach(volume)["was_attached"])

    def test_detach_twice_succeeds(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        self.attach(volume, device, key)
        self.assertTrue(self.detach(volume)["was_attached"])
        self.assertFalse(self.detach(volume)["was_attached"])

    def test_list_and_show_say_what_is_attached(self):
        key = self.key()
        volumes = sorted(self.volume_id() for _ in range(2))
        devices = [self.device(), self.device()]
        for volume, device in zip(volumes, devices):
            self.attach(volume, device, key)
        listed = self.ok("list")["attachments"]
        self.assertEqual([attachment["volume_id"] for attachment in listed], volumes)
        self.assertEqual([attachment["device"] for attachment in listed], [device.path for device in devices])

        shown = self.ok("show", volumes[0])["attachment"]
        self.assertEqual(shown["key"]["key_id"], key)
        self.assertEqual(shown["open_count"], "0")
        self.assertEqual(shown["encryption"]["format"], "FORMAT_LUKS2")
        self.assertEqual(shown["encryption"]["cipher"], "aes-xts-plain64")
        self.assertEqual(shown["encryption"]["key_size_bits"], 512)
        self.assertTrue(shown["formatted_at"])
        with open(shown["device_path"], "rb"):
            self.assertEqual(self.ok("show", volumes[0])["attachment"]["open_count"], "1")

    def test_inspect_says_what_is_on_a_device(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        self.assertEqual(self.ok("inspect", device.path)["content"], "CONTENT_BLANK")
        attached = self.attach(volume, device, key)
        self.assertEqual(self.ok("inspect", device.path)["mapped_as"], f"volcrypt-{volume}")
        self.detach(volume)
        found = self.ok("inspect", device.path)
        self.assertEqual(found["content"], "CONTENT_LUKS2")
        self.assertEqual(found["luks"]["uuid"], attached["luks_uuid"])
        self.assertEqual(found["luks"]["volume_id"], volume)
        self.assertEqual(found["luks"]["key"]["key_id"], key)

    def test_the_header_is_as_documented(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        attached = self.attach(volume, device, key)
        header = luks2_header(device)
        self.assertEqual(list(header["keyslots"]), ["0"])
        self.assertEqual(header["keyslots"]["0"]["kdf"]["type"], "pbkdf2")
        self.assertEqual(header["keyslots"]["0"]["kdf"]["iterations"], 1000)
        self.assertEqual(header["segments"]["0"]["offset"], str(2 * MIB))
        self.assertEqual(header["segments"]["0"]["encryption"], "aes-xts-plain64")
        tokens = [token for token in header["tokens"].values() if token["type"] == "volcrypt"]
        self.assertEqual(len(tokens), 1)
        self.assertEqual(tokens[0]["volume_id"], volume)
        self.assertEqual(tokens[0]["key_id"], key)
        self.assertEqual(header["config"]["json_size"], str(16 * KIB - 4 * KIB))  # 16 KiB with the binary header
        self.assertEqual(header["config"]["keyslots_size"], "2064384")
        dump = run("cryptsetup", "luksDump", device.path)
        for name, value in (("UUID", attached["luks_uuid"]), ("Label", volume), ("Subsystem", "volcrypt")):
            self.assertRegex(dump, rf"(?m)^{name}:\s+{value}$")

    def test_the_mapping_is_a_block_device_with_the_volume_key_in_the_keyring(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        self.attach(volume, device, key)
        self.assertTrue(stat.S_ISBLK(os.stat(mapping_path(volume)).st_mode))
        table = run("dmsetup", "table", "--showkeys", f"volcrypt-{volume}").split()
        self.assertEqual(table[2:4], ["crypt", "aes-xts-plain64"])
        self.assertTrue(table[4].startswith(":64:logon:"), "a key in the table can be read by root at any time")

    def test_the_key_of_a_formatted_volume_is_not_deleted_unforced(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        self.attach(volume, device, key)
        self.detach(volume)
        self.refused("KEY_IN_USE", "key", "delete", key, "--yes")
        self.assertEqual(self.ok("key", "show", key)["formatted_volumes"], [volume])

    def write_file_system(self, volume):
        run("mkfs.ext4", "-q", mapping_path(volume))
        run("mount", mapping_path(volume), "/mnt")
        try:
            with open("/mnt/file", "wb") as file:
                file.write(MARKER)
        finally:
            run("umount", "/mnt")

    def read_file_system(self, volume):
        run("mount", "-o", "ro", mapping_path(volume), "/mnt")
        try:
            with open("/mnt/file", "rb") as file:
                return file.read()
        finally:
            run("umount", "/mnt")

    @staticmethod
    def contains_marker(path):
        with open(path, "rb") as file:
            return MARKER.strip() in file.read()


class Processes(NodeCase):
    def test_the_agent_has_no_privilege_and_the_helper_is_another_process(self):
        status = process_status(self.agent.pid)
        user = str(pwd.getpwnam("volcrypt").pw_uid)
        self.assertEqual(status["Uid"].split(), [user] * 4)
        for capabilities in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(status[capabilities], 16), 0, capabilities)
        (helper,) = self.agent.helper_pids()
        self.assertEqual(process_status(helper)["Uid"].split(), ["0"] * 4)
        self.assertEqual(int(process_status(helper)["Threads"]), 1)

    def test_no_worker_outlives_its_operation(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        self.attach(volume, device, key)
        wait_until(lambda: not self.agent.worker_pids(), what="the worker to end")

    def test_a_restarted_agent_finds_what_is_attached(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        before = self.attach(volume, device, key)
        self.agent.restart()
        self.assertEqual(self.ok("show", volume)["attachment"]["luks_uuid"], before["luks_uuid"])
        self.assertTrue(self.attach(volume, device, key)["already_attached"])
        self.assertTrue(self.detach(volume)["was_attached"])

    def test_a_killed_agent_takes_its_helper_along_and_nothing_else(self):
        key, volume, device = self.key(), self.volume_id(), self.device()
        before = self.attach(volume, device, key)
        helpers = self.agent.helper_pids()
        self.agent.kill()
        wait_until(lambda: not any(map(is_alive, helpers)), what="the helper to end")
        self.assertTrue(os.path.exists(mapping_path(volume)))
        self.agent.start()
        self.assertEqual(self.ok("show", volume)["attachment"]["luks_uuid"], before["luks_uuid"])


def process_status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
