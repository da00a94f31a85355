"""Every line of the units' sandboxes is in force, and every verb works in them."""

import json
import os
import re
import shutil
import subprocess
import unittest

from harness import BlockDevice, NodeCase, mapping_path, paths
from harness.devices import MIB, run
from service import AGENT, HELPER, show, systemctl

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
CAP_IPC_LOCK, CAP_SYS_ADMIN = 14, 21
# What belongs to the unit's life and not to its sandbox, or would do something else than run the probe once.
NOT_FOR_THE_PROBE = r"^(Type|Exec\w+|Restart\w*|WatchdogSec|Requires|Wants|After|Before|StartLimit\w+|Also|WantedBy|.*CredentialEncrypted)="
EVERYWHERE_REFUSED = {
    "write /usr", "write /etc", "write /var/lib", "write /var/log", "write /run/systemd/system", "write /run/udev",
    "write /run/volcrypt", "write /home", "write /proc/sys",
    "write /sys", "write cgroups", "see what others have in /tmp", "see what root has in its home",
    "open /dev/kmsg", "open /dev/fuse", "set a user id bit", "map writable and executable", "make memory executable",
    "a user namespace", "a mount namespace", "mount", "set the clock", "set the host name", "load a module", "swap",
    "reboot", "bpf", "read the kernel's log", "ptrace", "another personality", "real time", "other groups", "a priority",
    "AF_PACKET", "AF_VSOCK", "reach a public address",
}
EVERYWHERE_ALLOWED = {"write /tmp", "AF_UNIX", "lock 4 MiB of memory"}
AGENT_ALLOWED = {"write /var/lib/volcrypt", "write /var/log/volcrypt", "AF_INET", "AF_INET6", "reach a private address"}
AGENT_REFUSED = {
    "write /run",
    "write /var/lib/volcrypt-helper", "write /run/volcrypt-helper/locks", "write /run/cryptsetup", "read /proc/devices",
    "open /dev/mapper/control", "open /dev/loop-control", "open a block device", "AF_NETLINK", "AF_ALG", "see PID 1",
}
HELPER_ALLOWED = {
    "write /var/lib/volcrypt-helper", "write /run/volcrypt-helper/locks", "write /run/cryptsetup", "read /proc/devices",
    "open /dev/mapper/control", "open /dev/loop-control", "open a block device", "AF_NETLINK", "AF_ALG",
}
HELPER_REFUSED = {"write /var/lib/volcrypt", "write /var/log/volcrypt", "AF_INET", "AF_INET6", "reach a private address"}


def installed(unit):
    return show(unit, "FragmentPath")


class Exposure(unittest.TestCase):
    def assert_at_most(self, unit, most):
        shown = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={int(most * 10)}", installed(unit)],
            capture_output=True, text=True, check=False,
        )
        level = re.search(r"exposure level for \S+: ([0-9.]+)", shown.stdout)
        self.assertTrue(level, shown)
        self.assertLessEqual(float(level.group(1)), most)
        self.assertEqual(shown.returncode, 0)

    def test_of_the_agent(self):
        self.assert_at_most(AGENT, 1.2)

    def test_of_the_helper(self):
        self.assert_at_most(HELPER, 1.6)

    def test_units_have_no_fault_that_systemd_knows(self):
        units = [installed(unit) for unit in (AGENT, HELPER, "volcryptd.socket", "volcrypt-helper.socket")]
        shown = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
        self.assertEqual([line for line in shown.stderr.splitlines() if "volcrypt" in line], [])


class InForce(NodeCase):
    """A probe in the place of the program tries what the lines forbid."""

    @classmethod
    def setUpClass(cls):
        run("ip", "route", "add", "default", "dev", "lo")  # so that packets get as far as the filter

    @classmethod
    def tearDownClass(cls):
        run("ip", "route", "del", "default", "dev", "lo")

    def probe(self, unit):
        with open(installed(unit), encoding="utf-8") as file:
            lines = [line for line in file if not re.match(NOT_FOR_THE_PROBE, line)]
        name, program, result = f"probe-{unit}", "/usr/local/lib/volcrypt-probe.py", f"/run/probe-{unit}.json"
        shutil.copy(PROBE, program)
        at = next(number for number, line in enumerate(lines) if line.strip() == "[Service]") + 1
        lines[at:at] = [f"Type=oneshot\nExecStart=/usr/bin/python3 {program}\nStandardOutput=truncate:{result}\n",
                        f"Environment=PROBE_DEVICE={self.device(mib=1).path}\n"]
        with open(f"/run/systemd/system/{name}", "w", encoding="utf-8") as file:
            file.writelines(lines)
        for hidden in ("/tmp/volcrypt-probe", "/root/volcrypt-probe"):
            with open(hidden, "w", encoding="ascii") as file:
                file.write("x")
        systemctl("daemon-reload")
        try:
            systemctl("start", name)
            with open(result, encoding="utf-8") as file:
                return json.load(file)
        finally:
            os.unlink(f"/run/systemd/system/{name}")

    def assert_tries(self, found, allowed, refused):
        for attempt in allowed:
            self.assertEqual(found["tries"][attempt], "ok", attempt)
        for attempt in refused:
            self.assertNotEqual(found["tries"][attempt], "ok", attempt)
        # /run: see the unit. PID 1: root sees its own.
        self.assertEqual(set(found["tries"]), allowed | refused | {"see PID 1", "write /run"})

    def assert_facts(self, found, oom):
        facts = found["facts"]
        self.assertEqual(facts["no new privileges"], "1")
        self.assertEqual(facts["system call filter"], "2")
        self.assertEqual(facts["core"], 0)
        self.assertEqual(facts["umask"], 0o077)
        self.assertIn(facts["swap"], ("0", "none"), "none where the kernel does not count swap")
        self.assertEqual(facts["oom"], oom)
        for name in ("mnt", "uts"):
            self.assertNotEqual(facts["namespaces"][name], os.readlink(f"/proc/self/ns/{name}"), name)
        for name in ("user", "ipc"):  # SO_PEERCRED, udev's semaphores
            self.assertEqual(facts["namespaces"][name], os.readlink(f"/proc/self/ns/{name}"), name)

    def test_of_the_agent(self):
        found = self.probe(AGENT)
        self.assert_tries(found, EVERYWHERE_ALLOWED | AGENT_ALLOWED, EVERYWHERE_REFUSED | AGENT_REFUSED)
        self.assert_facts(found, oom=0)
        self.assertNotEqual(found["facts"]["uid"], 0)
        self.assertEqual((found["facts"]["capabilities"], found["facts"]["effective"]), ([], 0))

    def test_of_the_helper(self):
        found = self.probe(HELPER)
        self.assert_tries(found, EVERYWHERE_ALLOWED | HELPER_ALLOWED, EVERYWHERE_REFUSED | HELPER_REFUSED)
        self.assert_facts(found, oom=-500)
        self.assertEqual(found["facts"]["capabilities"], [CAP_IPC_LOCK, CAP_SYS_ADMIN])
        self.assertNotEqual(found["facts"]["namespaces"]["net"], os.readlink("/proc/self/ns/net"))
        self.assertEqual(found["facts"]["interfaces"], ["lo"])

    def test_the_probe_can_succeed(self):
        environment = {**os.environ, "PROBE_DEVICE": self.device(mib=1).path}
        code = "import sys; sys.path.insert(0, sys.argv[1]); import probe, json; " \
               "print(json.dumps({n: probe.outcome(probe.TRIES[n]) for n in sys.argv[2:]}))"
        harmless = ["write /usr", "write /etc", "write /run", "write /proc/sys", "open /dev/kmsg", "set a user id bit",
                    "map writable and executable", "make memory executable", "a mount namespace", "AF_PACKET", "AF_NETLINK",
                    "a priority", "open a block device", "see PID 1", "read /proc/devices",
                    "reach a private address", "reach a public address"]
        shown = subprocess.run(["/usr/bin/python3", "-B", "-c", code, os.path.dirname(PROBE), *harmless],
                               env=environment, capture_output=True, text=True, check=True).stdout
        self.assertEqual(json.loads(shown), {name: "ok" for name in harmless})


class VerbsWork(NodeCase):
    def test_a_volume_of_each_format_from_first_use_to_its_end(self):
        for luks in ("luks1", "luks2"):
            with self.subTest(luks):
                key, volume, device = self.key(), self.volume_id(), self.device(mib=32)
                self.assertTrue(self.attach(volume, device, key, "--format", luks)["formatted"])
                BlockDevice(mapping_path(volume)).write(MIB, b"what was written")
                self.assertTrue(self.attach(volume, device, key)["already_attached"])
                self.assertEqual(self.ok("inspect", device.path)["content"], f"CONTENT_{luks.upper()}")
                device.grow(48)
                before = int(self.api("GetAttachment", volume_id=volume).attachment.size_bytes)
                grown = self.api("ExtendVolume", volume_id=volume, key={"key_id": key})
                self.assertEqual(int(grown.attachment.size_bytes), before + 16 * MIB)
                self.detach(volume)
                self.assertFalse(os.path.exists(mapping_path(volume)))
                self.attach(volume, device, key, "--read-only")
                self.assertEqual(BlockDevice(mapping_path(volume)).read(MIB, 16), b"what was written")
                with open(mapping_path(volume), "rb"):
                    self.assertTrue(self.detach(volume, "--deferred")["pending"])
                self.api("ForgetVolume", volume_id=volume, key={"key_id": key})

    def test_udev_makes_the_mappings_links(self):
        volume = self.volume_id()
        self.attach(volume, self.device(mib=20), self.key())
        self.assertTrue(os.path.islink(mapping_path(volume)))

    def test_a_volume_in_a_file(self):
        key, volume, file = self.key(), self.volume_id(), self.file_volume(mib=24)
        self.assertTrue(self.attach(volume, file, key)["formatted"])
        self.assertEqual(self.ok("inspect", file.path)["content"], "CONTENT_LUKS2")
        self.detach(volume)
        self.assertFalse(self.attach(volume, file, key)["formatted"])

    def test_a_volume_in_a_file_system_that_was_mounted_since(self):
        disk = self.device(mib=64)
        run("mkfs.ext4", "-q", disk.path)
        systemctl("start", HELPER)
        directory = self.mounted(disk, "mounted-since")
        key, volume, path = self.key(), self.volume_id(), os.path.join(directory, "volume")
        with open(path, "wb") as file:
            file.truncate(24 * MIB)
        self.assertTrue(self.attach(volume, path, key)["formatted"])
        self.detach(volume)

    def test_a_device_whose_driver_came_after_the_start(self):
        systemctl("restart", HELPER)
        run("modprobe", "brd", "rd_nr=1", "rd_size=32768")
        try:
            volume = self.volume_id()
            self.assertTrue(self.attach(volume, "/dev/ram0", self.key())["formatted"])
            self.detach(volume)
        finally:
            run("rmmod", "brd")

    def test_keys(self):
        key = self.key("--name", "of a test")
        self.assertEqual(self.ok("key", "show", key)["algorithm"], "aes")
        self.ok("key", "check")
        self.ok("key", "delete", key, "--yes")
