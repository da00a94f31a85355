"""Every line of the units' sandboxes is in force, and every verb works in them."""

import json
import os
import pwd
import re
import shutil
import subprocess
import unittest

import probe
from harness import BlockDevice, Device, NodeCase, mapping_path, wait_until
from harness.devices import MIB, run
from sandbox_lines import INSIDE, LIFE, OUTSIDE, PROBES
from service import AGENT, CONFIG, HELPER, show, systemctl

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
VOLUME = "volcrypt-volume@probe.service"
CAP_IPC_LOCK, CAP_SYS_ADMIN = 14, 21
TWO_STORES = """
[key_managers.local]
type = "local"
[key_managers.other]
type = "local"
path = "/var/lib/volcrypt/other.db"
"""


def installed(unit):
    return show(unit, "FragmentPath")


def lines_for_the_probe(unit):
    """All but those of LIFE, with the headings; without comments."""
    with open(installed(unit), encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and line[0] != "#" and not re.match(LIFE, line)]


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

    def test_of_what_waits_for_a_volume_at_boot(self):
        self.assert_at_most(VOLUME, 1.0)

    def test_units_have_no_fault_that_systemd_knows(self):
        units = [installed(unit) for unit in (AGENT, HELPER, VOLUME, "volcryptd.socket", "volcrypt-helper.socket")]
        shown = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
        self.assertEqual([line for line in shown.stderr.splitlines() if "volcrypt" in line], [])


class InForce(NodeCase):
    """A probe in the place of the program tries what the lines forbid."""

    @classmethod
    def setUpClass(cls):
        systemctl("start", AGENT, HELPER)  # which makes their directories
        run("ip", "route", "add", "default", "dev", "lo")  # so that packets get as far as the filter
        cls.addClassCleanup(run, "ip", "route", "del", "default", "dev", "lo")
        cls.disk = Device(mib=1)
        cls.addClassCleanup(cls.disk.close)
        for hidden in ("/tmp/volcrypt-probe", "/home/volcrypt-probe"):
            with open(hidden, "w", encoding="ascii") as file:
                file.write("x")
            cls.addClassCleanup(os.unlink, hidden)
        cls.outside = cls.probe("probe-outside", ["[Service]", "KeyringMode=inherit"])
        cls.addClassCleanup(run, "ipcrm", "-m", str(cls.outside["facts"]["shared memory"]))

    @classmethod
    def probe(cls, name, lines):
        """What it finds as a service with these lines."""
        program, result = "/usr/local/lib/volcrypt-probe.py", f"/run/{name}.json"
        shutil.copy(PROBE, program)
        at = lines.index("[Service]") + 1
        lines[at:at] = [
            "Type=oneshot", f"ExecStart=/usr/bin/python3 {program}", f"StandardOutput=truncate:{result}",
            f"Environment=PROBE_DEVICE={cls.disk.path}",
        ]  # fmt: skip
        path = f"/run/systemd/system/{name}.service"
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        systemctl("daemon-reload")
        try:
            systemctl("start", name)
            with open(result, encoding="utf-8") as file:
                return json.load(file)
        finally:
            os.unlink(path)
            systemctl("daemon-reload")

    def probe_in_place_of(self, unit):
        found = self.probe(f"probe-{unit.removesuffix('.service')}", lines_for_the_probe(unit))
        which = (AGENT, HELPER, VOLUME).index(unit)
        self.assertEqual(found["tries"], {name: errors[which] for name, errors in INSIDE.items()})
        return found["facts"]

    def assert_facts(self, facts, **wanted):
        common = {
            "no new privileges": "1", "system call filter": "2", "core": [0, 0], "umask": 0o077, "ambient": 0,
            "state directory": 0o700,
        }  # fmt: skip
        wanted = {**common, **{name.replace("_", " "): value for name, value in wanted.items()}}
        self.assertEqual({name: facts[name] for name in wanted}, wanted)
        self.assertIn(facts["swap"], ("0", "none"), "none where the kernel does not count swap")
        for name in ("mnt", "uts"):
            self.assertNotEqual(facts["namespaces"][name], os.readlink(f"/proc/self/ns/{name}"), name)
        for name in ("user", "ipc"):  # SO_PEERCRED, udev's semaphores
            self.assertEqual(facts["namespaces"][name], os.readlink(f"/proc/self/ns/{name}"), name)
        self.assertEqual(facts["session keyring"], "_ses", "its own")
        self.assertIn("hidepid=invisible", facts["options of /proc"])

    def test_of_the_agent(self):
        account = pwd.getpwnam("volcrypt")
        self.agent.stop()  # what its user leaves is removed when the last service of this user ends
        run("systemd-run", "--quiet", "--wait", "--property=User=volcrypt", "ipcmk", "--shmem", "4096")
        self.assertIn(account.pw_uid, shared_memory().values(), "the control")
        facts = self.probe_in_place_of(AGENT)
        self.assert_facts(
            facts, uid=account.pw_uid, groups=[account.pw_gid] * 2, capabilities=[], effective=0, oom=0, logs_directory=0o700,
            locked_memory=[8 * MIB] * 2, open_files=[16384] * 2, tasks="4096",
        )  # fmt: skip
        wanted = {"LD_BIND_NOW": "1", "VOLCRYPT_BOOT_ID": boot_id()}
        self.assertEqual({name: facts["environment"].get(name) for name in wanted}, wanted)
        wait_until(lambda: account.pw_uid not in shared_memory().values(), what="what it left to be removed")

    def test_of_the_helper(self):
        facts = self.probe_in_place_of(HELPER)
        self.addCleanup(run, "ipcrm", "-m", str(facts["shared memory"]))
        powers = [CAP_IPC_LOCK, CAP_SYS_ADMIN]
        self.assert_facts(
            facts, uid=0, groups=[0], capabilities=powers, effective=sum(1 << power for power in powers), oom=-500, tasks="2048",
            interfaces=["lo"],
        )  # fmt: skip
        self.assertEqual(facts["environment"]["VOLCRYPT_HELPER_OPTIONS"], "")
        self.assertNotEqual(facts["namespaces"]["net"], os.readlink("/proc/self/ns/net"))

    def test_of_what_waits_for_a_volume_at_boot(self):
        facts = self.probe_in_place_of(VOLUME)
        self.addCleanup(run, "ipcrm", "-m", str(facts["shared memory"]))
        self.assertEqual((facts["no new privileges"], facts["system call filter"]), ("1", "2"))
        self.assertEqual((facts["uid"], facts["capabilities"], facts["effective"]), (0, [], 0))
        self.assertEqual(facts["interfaces"], ["lo"])
        for name in ("mnt", "uts", "net"):
            self.assertNotEqual(facts["namespaces"][name], os.readlink(f"/proc/self/ns/{name}"), name)
        self.assertEqual(facts["namespaces"]["user"], os.readlink("/proc/self/ns/user"), "root must be root to the agent")

    def test_outside_of_it_nothing_ends_as_inside(self):
        """Neither the tries nor the facts, so that each can tell; what a service leaves stays."""
        facts = self.outside["facts"]
        self.assertEqual(self.outside["tries"], {name: OUTSIDE.get(name, "ok") for name in INSIDE})
        self.assertEqual([name for name, error in OUTSIDE.items() if error in INSIDE[name]], [])
        self.assertIn(facts["shared memory"], shared_memory())
        self.assertEqual((facts["no new privileges"], facts["system call filter"]), ("0", "0"))
        self.assertNotEqual(facts["umask"], 0o077)
        self.assertNotEqual(facts["core"], [0, 0])
        self.assertNotEqual(facts["open files"], [16384, 16384])
        self.assertNotIn(facts["tasks"], ("4096", "2048"))
        self.assertNotEqual(facts["swap"], "0")
        self.assertNotIn("hidepid=invisible", facts["options of /proc"])
        self.assertEqual(facts["session keyring"], "_uid_ses.0", "what root's processes share")


class EveryLine(unittest.TestCase):
    """So that none is added that the probe does not look for."""

    def test_has_a_probe(self):
        lines = {line for unit in (AGENT, HELPER, VOLUME) for line in lines_for_the_probe(unit) if not line.startswith("[")}
        self.assertEqual(lines, set(PROBES))

    def test_the_probes_are_there(self):
        self.assertEqual(set(probe.TRIES), set(INSIDE))
        named = {name for names in PROBES.values() for name in names}
        self.assertEqual(named - set(INSIDE) - set(probe.FACTS), set())
        self.assertEqual(set(INSIDE) - named, set())


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip().replace("-", "")


def shared_memory():
    """{number: user} of what there is, of everybody."""
    with open("/proc/sysvipc/shm", encoding="ascii") as file:
        return {int(line.split()[1]): int(line.split()[7]) for line in file.readlines()[1:]}


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

    def test_a_key_is_copied_into_another_store(self):
        self.addCleanup(self.agent.restart)
        self.addCleanup(self.agent.configure, CONFIG)
        self.agent.configure(CONFIG + TWO_STORES)
        self.agent.restart()
        key, volume, disk = self.key(), self.volume_id(), self.device(mib=20)
        self.attach(volume, disk, key)
        self.detach(volume)
        copy = self.ok("key", "copy", key, "--to", "other")["key"]
        self.assertEqual(copy["key_manager"], "other")
        self.assertEqual(self.ok("key", "show", f"other:{copy['key_id']}")["formatted_volumes"], [volume])
        self.assertFalse(self.api("AttachVolume", volume_id=volume, device=disk.path, key=copy).formatted)

    def test_a_volume_is_detached_by_its_device(self):
        volume, disk = self.volume_id(), self.device(mib=20)
        self.attach(volume, disk, self.key())
        self.assertTrue(self.ok("detach", "--device", disk.path)["was_attached"])
        self.assert_not_attached(volume)
