"""A libvirtd of the test's own, with the directories that libvirt has compiled in: only for the throw-away node."""

import json
import os
import pwd
import signal
import subprocess
import time
import xml.etree.ElementTree

from testkit.waiting import wait_until

SOCKET = "/run/libvirt/libvirt-sock"
SECRETS_DIRECTORY = "/etc/libvirt/secrets"

# QEMU runs as root and without a sandbox: what it may do is not what is tested.
QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
"""

# Ends at nothing: no disk, no kernel. SCSI disks are released without a guest, virtio disks are not.
DOMAIN = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='scsi' model='virtio-scsi'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


class Libvirtd:
    """In system mode, as root, without access control: everybody may do everything."""

    uri = "qemu:///system"

    def __init__(self, out):
        self._process = None
        self.log_path = os.path.join(out, "libvirtd.log")
        os.makedirs("/etc/libvirt", exist_ok=True)
        with open("/etc/libvirt/libvirtd.conf", "w", encoding="utf-8") as file:
            file.write('auth_unix_rw = "none"\nauth_unix_ro = "none"\nunix_sock_rw_perms = "0777"\n')
            file.write(f'log_outputs = "2:file:{self.log_path}"\n')
        with open("/etc/libvirt/qemu.conf", "w", encoding="utf-8") as file:
            file.write(QEMU_CONF)
        try:
            pwd.getpwnam("libvirt-qemu")
        except KeyError:  # without which libvirtd ends at once, whoever QEMU runs as
            subprocess.run(["useradd", "--system", "--no-create-home", "--user-group", "libvirt-qemu"], check=True)

    def start(self):
        assert self._process is None, "libvirtd runs already"
        for path in ("/run/libvirtd.pid", SOCKET):
            if os.path.exists(path):
                os.unlink(path)
        self._process = subprocess.Popen(
            ["/usr/sbin/libvirtd", "--timeout", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LIBVIRT_AUTOSTART": "0"},
        )
        wait_until(self._answers, timeout=60, what="libvirtd to answer")

    def kill(self):
        """SIGKILL. Domains run on."""
        if self._process is not None:
            self.resume()
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def restart(self):
        self.kill()
        self.start()

    def freeze(self):
        """SIGSTOP: the kernel accepts connections, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def ensure(self):
        """Runs and answers again, whatever a test has done to it."""
        if self._process is None or self._process.poll() is not None:
            self._process = None
            self.start()
        self.resume()

    def virsh(self, *arguments, uri=None):
        """Must succeed; what it printed."""
        done = self.try_virsh(*arguments, uri=uri)
        assert done.returncode == 0, f"virsh {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def try_virsh(self, *arguments, uri=None):
        command = ["virsh", "-q", "-c", uri or self.uri, *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)

    # Secrets. secret:/// does not wait until libvirtd has made the acquaintance of every QEMU of this host.

    def secrets(self):
        """Of volumes: {volume id: secret UUID}."""
        found = {}
        for line in self.virsh("secret-list", uri="secret:///system").splitlines():
            words = line.split()
            if len(words) == 3 and words[1] == "volume":
                found[words[2]] = words[0]
        return found

    def secret_xml(self, uuid):
        return xml.etree.ElementTree.fromstring(self.virsh("secret-dumpxml", uuid, uri="secret:///system"))

    def undefine_secret(self, uuid):
        self.virsh("secret-undefine", uuid, uri="secret:///system")

    def define_secret(self, text, directory):
        path = os.path.join(directory, "secret.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.virsh("secret-define", path, uri="secret:///system")

    # Domains.

    def start_domain(self, name, directory):
        path = os.path.join(directory, f"{name}.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(DOMAIN.format(name=name))
        self.virsh("define", path)
        self.virsh("start", name)

    def remove_domain(self, name):
        self.ensure()
        self.try_virsh("destroy", name)
        self.try_virsh("undefine", name)

    def query(self, domain, command, **arguments):
        """QEMU's answer to a command of its protocol."""
        request = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(self.virsh("qemu-monitor-command", domain, request))["return"]

    def write_as_guest(self, domain, device, offset, length, byte):
        """By the guest's device. Whether it was written, only reading tells."""
        command = f'qemu-io -d {device} "write -P {byte:#x} {offset} {length}"'
        said = self.virsh("qemu-monitor-command", domain, "--hmp", command)
        assert said == "", said

    def reads_as_guest(self, domain, node, offset, length, byte):
        """Whether QEMU, asked for what its block node has there, gives this byte and nothing else."""
        socket = f"/run/nbd-of-{domain}"
        self.query(domain, "nbd-server-start", addr={"type": "unix", "data": {"path": socket}})
        try:
            self.query(domain, "nbd-server-add", device=node, name="disk")
            command = ["qemu-io", "-r", "-f", "raw", "-c", f"read -P {byte:#x} {offset} {length}", f"nbd+unix:///disk?socket={socket}"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        finally:
            self.query(domain, "nbd-server-stop")
        assert f"read {length}/{length} bytes" in done.stdout or "verification failed" in done.stdout, done
        return "verification failed" not in done.stdout

    def disks(self, domain, inactive=False):
        """{target: the disk's element}."""
        text = self.virsh("dumpxml", domain, *(["--inactive"] if inactive else []))
        root = xml.etree.ElementTree.fromstring(text)
        return {disk.find("target").get("dev"): disk for disk in root.findall("devices/disk")}

    def _answers(self):
        status = self._process.poll()
        assert status is None, f"libvirtd ended with status {status}: {self._log_end()}"
        if not os.path.exists(SOCKET):
            time.sleep(0.05)
            return False
        return self.try_virsh("uri", uri="secret:///system").returncode == 0

    def _log_end(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]
