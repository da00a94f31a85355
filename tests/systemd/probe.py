#!/usr/bin/python3
"""Run in the place of a program of ours, in its unit's sandbox: tries what no program there should be able to do, and
what it must be able to do, and prints what came of each as JSON: "ok", or the name of the error or of the signal that
ended it. Each is tried in a process of its own, and harms nothing where nobody forbids it."""

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
SYSCALLS = {"settimeofday": 164, "sethostname": 170, "init_module": 175, "swapon": 167, "reboot": 169, "mount": 165,
            "personality": 135, "sched_setscheduler": 144, "bpf": 321, "syslog": 103, "unshare": 272, "ptrace": 101,
            "keyctl": 250, "shmget": 29, "getpid": 39}
OF_X32 = 0x40000000  # another architecture's numbers
KEYCTL_GET_KEYRING_ID, KEYCTL_DESCRIBE, SESSION_KEYRING = 0, 6, -3
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
PR_CAPBSET_READ = 23
AF_ALG, AF_PACKET = 38, 17
NAMESPACES = ("mnt", "net", "uts", "ipc", "user")


def system_call(name, *arguments):
    return checked(LIBC.syscall(SYSCALLS[name], *arguments))


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def foreign_system_call():
    checked(LIBC.syscall(OF_X32 | SYSCALLS["getpid"]))


def leave_shared_memory():
    """Which outlives whoever made it; its id."""
    return system_call("shmget", 0, 4096, 0o600)


def session_keyring():
    """Its name, by which one of the service's own is told from the user's."""
    number, described = system_call("keyctl", KEYCTL_GET_KEYRING_ID, SESSION_KEYRING, 0), ctypes.create_string_buffer(256)
    system_call("keyctl", KEYCTL_DESCRIBE, number, described, len(described))
    return described.value.decode().split(";")[-1]


def options_of_proc():
    """Those of the file system at /proc."""
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        words = [line.split() for line in file]
    return [line[-1] for line in words if line[4] == "/proc"][-1].split(",")


def mode_of(directory):
    return os.stat(directory).st_mode & 0o777 if directory else None


def write_to(path):
    os.close(os.open(path, os.O_WRONLY))


def make_in(directory):
    descriptor, path = tempfile.mkstemp(dir=directory)
    os.close(descriptor)
    os.unlink(path)


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
    "write /run/dbus": lambda: make_in("/run/dbus"),
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
    "see what others have in /home": lambda: read("/home/volcrypt-probe"),
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
    "mount": lambda: system_call("mount", b"none", b"/tmp", b"no such file system", 0, None),
    "set the clock": lambda: system_call("settimeofday", None, None),
    "set the host name": lambda: system_call("sethostname", os.uname().nodename.encode(), len(os.uname().nodename)),
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
    "another architecture's system call": foreign_system_call,
    "lock 4 MiB of memory": lambda: lock_memory(4 << 20),
}


def lock_memory(size):
    area = mmap.mmap(-1, size)
    if LIBC.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(area))), ctypes.c_size_t(size)) != 0:
        raise OSError(ctypes.get_errno(), "mlock")


def outcome(attempt):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
            said = "ok"
        except OSError as error:
            said = errno.errorcode.get(error.errno, str(error))
        except BaseException as error:  # never back into the parent's code
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    ended = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(ended)).name if os.WIFSIGNALED(ended) else said


def status(name):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def of_cgroup(name):
    """The limit, or "none" where the kernel does not count it."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        path = "/sys/fs/cgroup" + file.read().strip().split(":")[-1] + "/" + name
    if not os.path.exists(path):
        return "none"
    with open(path, encoding="ascii") as file:
        return file.read().strip()


FACTS = {
    "uid": os.getuid,
    "groups": lambda: [os.getgid(), *os.getgroups()],
    "capabilities": lambda: [n for n in range(64) if LIBC.prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1],
    "effective": lambda: int(status("CapEff"), 16),
    "ambient": lambda: int(status("CapAmb"), 16),
    "state directory": lambda: mode_of(os.environ.get("STATE_DIRECTORY")),
    "logs directory": lambda: mode_of(os.environ.get("LOGS_DIRECTORY")),
    "no new privileges": lambda: status("NoNewPrivs"),
    "system call filter": lambda: status("Seccomp"),
    "core": lambda: resource.getrlimit(resource.RLIMIT_CORE),
    "locked memory": lambda: resource.getrlimit(resource.RLIMIT_MEMLOCK),
    "open files": lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    "tasks": lambda: of_cgroup("pids.max"),
    "session keyring": session_keyring,
    "shared memory": leave_shared_memory,
    "environment": lambda: dict(os.environ),
    "umask": lambda: os.umask(0),
    "namespaces": lambda: {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
    "swap": lambda: of_cgroup("memory.swap.max"),
    "interfaces": lambda: sorted(os.listdir("/sys/class/net")),
    "options of /proc": options_of_proc,
    "oom": lambda: int(open("/proc/self/oom_score_adj", encoding="ascii").read()),
}


def main():
    found = {"facts": {name: find() for name, find in FACTS.items()}, "tries": {name: outcome(attempt) for name, attempt in TRIES.items()}}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
