#!/usr/bin/python3
"""Run in the place of a program of ours, in its unit's sandbox: tries what no program there should be able to do, and
what it must be able to do, and prints what came of each as JSON: "ok" or the error's name."""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
SYSCALLS = {"settimeofday": 164, "sethostname": 170, "init_module": 175, "swapon": 167, "reboot": 169, "mount": 165,
            "personality": 135, "sched_setscheduler": 144, "setns": 308, "bpf": 321, "syslog": 103, "unshare": 272,
            "ptrace": 101, "process_vm_readv": 310, "iopl": 172, "add_key": 248}
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
PR_CAPBSET_READ = 23
AF_ALG, AF_PACKET, AF_VSOCK = 38, 17, 40


def system_call(name, *arguments):
    if LIBC.syscall(SYSCALLS[name], *arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write_to(path):
    os.close(os.open(path, os.O_WRONLY))


def make_in(directory):
    os.close(tempfile.mkstemp(dir=directory)[0])


def make_set_user_id(directory):
    descriptor, path = tempfile.mkstemp(dir=directory)
    os.close(descriptor)
    try:
        os.chmod(path, 0o4755)
    finally:
        os.unlink(path)


def write_and_execute():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def make_executable():
    # A signed 64-bit -1 for the descriptor of an anonymous mapping.
    LIBC.mmap.restype = ctypes.c_void_p
    LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    address = LIBC.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if LIBC.mprotect(ctypes.c_void_p(address), 4096, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")


def open_socket(family, kind=socket.SOCK_STREAM):
    socket.socket(family, kind).close()


def connect_to(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((address, 9))
        udp.send(b"x")


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def block_device(path):
    os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))


def new_session_group():
    os.setgroups([])


TRIES = {
    "write /usr": lambda: make_in("/usr"),
    "write /etc": lambda: make_in("/etc"),
    "write /var/lib": lambda: make_in("/var/lib"),
    "write /run": lambda: make_in("/run"),
    "write /run/systemd/system": lambda: make_in("/run/systemd/system"),
    "write /run/udev": lambda: make_in("/run/udev"),
    "write /run/volcrypt": lambda: make_in("/run/volcrypt"),
    "write /home": lambda: make_in("/home"),
    "write /tmp": lambda: make_in("/tmp"),
    "write /var/lib/volcrypt": lambda: make_in("/var/lib/volcrypt"),
    "write /var/log": lambda: make_in("/var/log"),
    "write /var/log/volcrypt": lambda: make_in("/var/log/volcrypt"),
    "write /var/lib/volcrypt-helper": lambda: make_in("/var/lib/volcrypt-helper"),
    "write /run/volcrypt-helper/locks": lambda: make_in("/run/volcrypt-helper/locks"),
    "write /run/cryptsetup": lambda: make_in("/run/cryptsetup"),
    "write /proc/sys": lambda: write_to("/proc/sys/vm/swappiness"),
    "write /sys": lambda: write_to("/sys/kernel/uevent_helper" if os.path.exists("/sys/kernel/uevent_helper") else "/sys/kernel/profiling"),
    "write cgroups": lambda: write_to("/sys/fs/cgroup/cgroup.procs"),
    "see what others have in /tmp": lambda: read("/tmp/volcrypt-probe"),
    "see what root has in its home": lambda: read("/root/volcrypt-probe"),
    "see PID 1": lambda: read("/proc/1/stat"),
    "read /proc/devices": lambda: read("/proc/devices"),
    "open /dev/kmsg": lambda: read("/dev/kmsg"),
    "open /dev/mapper/control": lambda: block_device("/dev/mapper/control"),
    "open /dev/loop-control": lambda: block_device("/dev/loop-control"),
    "open a block device": lambda: block_device(os.environ["PROBE_DEVICE"]),
    "open /dev/fuse": lambda: block_device("/dev/fuse"),
    "set a user id bit": lambda: make_set_user_id("/tmp"),
    "map writable and executable": write_and_execute,
    "make memory executable": make_executable,
    "a user namespace": lambda: system_call("unshare", CLONE_NEWUSER),
    "a mount namespace": lambda: system_call("unshare", CLONE_NEWNS),
    "mount": lambda: system_call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "set the clock": lambda: system_call("settimeofday", None, None),
    "set the host name": lambda: system_call("sethostname", b"x", 1),
    "load a module": lambda: system_call("init_module", None, 0, b""),
    "swap": lambda: system_call("swapon", b"/tmp", 0),
    "reboot": lambda: system_call("reboot", 0, 0, 0, None),
    "bpf": lambda: system_call("bpf", 0, None, 0),
    "read the kernel's log": lambda: system_call("syslog", 3, ctypes.create_string_buffer(64), 64),
    "ptrace": lambda: system_call("ptrace", 0, 0, None, None),
    "another personality": lambda: system_call("personality", 0x0040000),
    "real time": lambda: system_call("sched_setscheduler", 0, 1, ctypes.byref(ctypes.c_int(1))),
    "other groups": new_session_group,
    "a priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "AF_UNIX": lambda: open_socket(socket.AF_UNIX),
    "AF_INET": lambda: open_socket(socket.AF_INET),
    "reach a private address": lambda: connect_to("10.1.2.3"),
    "reach a public address": lambda: connect_to("198.51.100.1"),
    "AF_INET6": lambda: open_socket(socket.AF_INET6),
    "AF_NETLINK": lambda: open_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "AF_PACKET": lambda: open_socket(AF_PACKET, socket.SOCK_RAW),
    "AF_ALG": lambda: open_socket(AF_ALG, socket.SOCK_SEQPACKET),
    "AF_VSOCK": lambda: open_socket(AF_VSOCK),
    "lock 4 MiB of memory": lambda: lock_memory(4 << 20),
}


def lock_memory(size):
    area = mmap.mmap(-1, size)
    if LIBC.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(area))), ctypes.c_size_t(size)) != 0:
        raise OSError(ctypes.get_errno(), "mlock")


def outcome(attempt):
    try:
        attempt()
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def status(name):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def facts():
    with open("/proc/self/cgroup", encoding="ascii") as file:
        cgroup = "/sys/fs/cgroup" + file.read().strip().split(":")[-1]
    swap = "none"
    if os.path.exists(cgroup + "/memory.swap.max"):
        with open(cgroup + "/memory.swap.max", encoding="ascii") as file:
            swap = file.read().strip()
    return {
        "uid": os.getuid(),
        "capabilities": [n for n in range(64) if LIBC.prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1],
        "effective": int(status("CapEff"), 16),
        "no new privileges": status("NoNewPrivs"),
        "system call filter": status("Seccomp"),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "umask": os.umask(0),
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "net", "uts", "ipc", "user")},
        "swap": swap,
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "oom": int(open("/proc/self/oom_score_adj", encoding="ascii").read()),
    }


def main():
    found = {"facts": facts(), "tries": {name: outcome(attempt) for name, attempt in TRIES.items()}}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
