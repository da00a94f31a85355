"""The life of the packages on one host, in the order of the tests' names."""

import contextlib
import glob
import os
import re
import subprocess
import threading
import unittest
import uuid

from harness import BlockDevice, mapping_path, paths
from harness.agent import is_alive
from harness.devices import Device, run
from service import AGENT, HELPER, SOCKETS, main_pid, show, systemctl
from testkit.api import Api, ApiError, until_it_succeeds
from testkit.waiting import wait_until

ENDPOINT = f"unix:{paths.SOCKET}"
SECOND = f"{paths.AGENT_STATE}/second"  # a key store of the operator's, less its endings


def dpkg(*arguments):
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["dpkg", "--force-unsafe-io", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"dpkg {arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def status_of(package):
    return subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package], capture_output=True, text=True, check=False
    ).stdout


class Packages(unittest.TestCase):
    old = new = None  # directories
    volume, key, device = str(uuid.uuid4()), None, None

    def call(self, method, **fields):
        with contextlib.closing(Api(ENDPOINT)) as api:
            return until_it_succeeds(api, method, **fields)

    def assert_in_use(self):
        self.assertEqual(BlockDevice(mapping_path(self.volume)).read(0, 16), b"what was written")

    def test_1_after_the_installation_callers_are_served_and_it_starts_at_boot(self):
        dpkg("--install", *sorted(glob.glob(f"{self.old}/*.deb")))
        for unit in (AGENT, *SOCKETS):
            self.assertEqual(show(unit, "ActiveState"), "active", unit)
            self.assertEqual(systemctl("is-enabled", unit, check=False)[1].strip(), "enabled", unit)
        cls = type(self)
        cls.device, cls.key = Device(mib=24), self.call("CreateKey").key.key_id
        attached = self.call("AttachVolume", volume_id=self.volume, device=self.device.path, key={"key_id": self.key})
        self.assertTrue(attached.formatted)
        BlockDevice(mapping_path(self.volume)).write(0, b"what was written")

    def test_2_the_sample_configuration_is_right_and_what_else_belongs_to_it_is_found(self):
        run("volcryptd", "--check-config")
        for page in ("volcryptd.8", "volcrypt-helper.8", "volcryptctl.8"):
            self.assertTrue(os.path.exists(f"/usr/share/man/man8/{page}.gz"), page)
        self.assertEqual(run("pkg-config", "--variable=protodir", "volcrypt-api").strip(), "/usr/share/volcrypt/proto")
        self.assertTrue(os.path.exists("/usr/share/doc/volcrypt/examples/volcrypt-libvirt.rules"))
        rules = glob.glob("/usr/share/polkit-1/rules.d/*volcrypt*") + glob.glob("/etc/polkit-1/rules.d/*volcrypt*")
        self.assertEqual(rules, [], "in force where it might open all of libvirt")
        for name in ("volcrypt/v1/volume_encryptor.proto", "google_rpc/error_details.proto"):
            self.assertTrue(os.path.exists(f"/usr/share/volcrypt/proto/{name}"), name)
        self.assertTrue(os.path.exists("/etc/logrotate.d/volcrypt"))

    def test_2_the_documents_find_each_other_and_the_examples_they_name(self):
        count = 0
        for page in glob.glob("/usr/share/doc/volcrypt/docs/*.md"):
            with open(page, encoding="utf-8") as file:
                links = re.findall(r"\]\(([^):#]+)[^):]*\)", file.read())
            for link in links:
                count += 1
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(page), link)), f"{page}: {link}")
        self.assertGreater(count, 10)
        self.assertTrue(os.path.exists("/usr/share/doc/volcrypt/examples/volcrypt-libvirt.rules"))

    def test_3_an_upgrade_replaces_both_programs_under_a_volume_in_use_and_fails_no_caller(self):
        with open(paths.CONFIG, "a", encoding="utf-8") as file:
            file.write("# of the administrator\n")
        before = [main_pid(unit) for unit in (AGENT, HELPER)]
        table = run("dmsetup", "table", os.path.basename(mapping_path(self.volume)))
        with open(mapping_path(self.volume), "rb") as in_use, contextlib.closing(Device(mib=24)) as other:
            errors, stop = [], threading.Event()
            caller = threading.Thread(target=self.attach_and_detach, args=(other.path, errors, stop))
            caller.start()
            dpkg("--install", *sorted(glob.glob(f"{self.new}/*.deb")))
            stop.set()
            caller.join()
            in_use.read(16)
        self.assertEqual(errors, [])
        self.assertIn("+next", status_of("volcrypt"))
        wait_until(lambda: main_pid(AGENT) not in (0, before[0]), what="the new agent")
        self.assertFalse(is_alive(before[1]))
        self.assertEqual(run("dmsetup", "table", os.path.basename(mapping_path(self.volume))), table)
        self.assert_in_use()
        again = self.call("AttachVolume", volume_id=self.volume, device=self.device.path, key={"key_id": self.key})
        self.assertTrue(again.already_attached)
        with open(paths.CONFIG, encoding="utf-8") as file:
            self.assertIn("# of the administrator", file.read())

    def attach_and_detach(self, device, errors, stop):
        volume = str(uuid.uuid4())
        with contextlib.closing(Api(ENDPOINT)) as api:
            try:
                while not stop.is_set():
                    until_it_succeeds(api, "AttachVolume", volume_id=volume, device=device, key={"key_id": self.key})
                    until_it_succeeds(api, "DetachVolume", volume_id=volume)
            except ApiError as error:
                errors.append(error)

    def test_4_a_removal_leaves_the_volume_in_use_and_says_so(self):
        said = dpkg("--remove", "volcrypt", "volcrypt-ctl")
        self.assertIn("volumes stay attached", said)
        for unit in (AGENT, HELPER, *SOCKETS):
            self.assertNotEqual(systemctl("is-active", unit, check=False)[1].strip(), "active", unit)
        self.assert_in_use()
        self.assertTrue(os.path.exists(paths.CONFIG))

    def test_5_a_purge_keeps_a_store_that_holds_keys_and_says_where(self):
        said = dpkg("--purge", "volcrypt", "volcrypt-ctl")
        self.assertIn(paths.AGENT_STATE, said)
        for name in ("keys.db", "keys.kek"):
            self.assertTrue(os.path.exists(os.path.join(paths.AGENT_STATE, name)), name)
        self.assertFalse(os.path.exists(paths.CONFIG))
        self.assertEqual(status_of("volcrypt"), "")

    def test_6_installed_again_it_finds_keys_and_volumes(self):
        dpkg("--install", *sorted(glob.glob(f"{self.new}/*.deb")))
        again = self.call("AttachVolume", volume_id=self.volume, device=self.device.path, key={"key_id": self.key})
        self.assertTrue(again.already_attached)
        self.call("DetachVolume", volume_id=self.volume)
        attached = self.call("AttachVolume", volume_id=self.volume, device=self.device.path, key={"key_id": self.key})
        self.assertFalse(attached.formatted)
        self.assert_in_use()
        self.call("DetachVolume", volume_id=self.volume)

    def test_7_a_purge_keeps_a_second_store_beside_one_without_keys(self):
        self.call("DeleteKey", key={"key_id": self.key}, force=True)
        with open(paths.CONFIG, "a", encoding="utf-8") as file:
            file.write(f'[key_managers.second]\ntype = "local"\npath = "{SECOND}.db"\n')
        systemctl("restart", AGENT)
        self.call("CreateKey", key_manager="second")
        self.assert_keeps_second_store(dpkg("--purge", "volcrypt"))

    def test_8_a_purge_keeps_a_store_beside_which_there_is_no_keys_db(self):
        dpkg("--install", *sorted(glob.glob(f"{self.new}/volcrypt_*.deb")))
        dpkg("--remove", "volcrypt")
        for path in glob.glob(f"{paths.AGENT_STATE}/keys.*"):
            os.unlink(path)
        self.assert_keeps_second_store(dpkg("--purge", "volcrypt"))
        for path in glob.glob(f"{SECOND}.*"):
            os.unlink(path)

    def assert_keeps_second_store(self, said):
        self.assertIn("second.db", said)
        for path in (f"{SECOND}.db", f"{SECOND}.kek", paths.HELPER_STATE):
            self.assertTrue(os.path.exists(path), path)

    def test_9_a_purge_keeps_a_key_encryption_key_whose_store_is_elsewhere(self):
        dpkg("--install", *sorted(glob.glob(f"{self.new}/volcrypt_*.deb")))
        dpkg("--remove", "volcrypt")
        for path in glob.glob(f"{paths.AGENT_STATE}/keys.db*"):
            os.unlink(path)
        self.assertIn("elsewhere", dpkg("--purge", "volcrypt"))
        os.unlink(os.path.join(paths.AGENT_STATE, "keys.kek"))

    def test_9_a_purge_removes_a_store_without_keys_and_everything_else(self):
        dpkg("--install", *sorted(glob.glob(f"{self.new}/volcrypt_*.deb")))
        wait_until(lambda: os.path.exists(os.path.join(paths.AGENT_STATE, "keys.db")), what="the key store")
        dpkg("--purge", "volcrypt", "volcrypt-ctl")
        for directory in (paths.AGENT_STATE, paths.HELPER_STATE, "/var/log/volcrypt", os.path.dirname(paths.CONFIG)):
            self.assertFalse(os.path.exists(directory), directory)
        self.device.close()
