"""libvirtd as Debian's units run it, with the access control that docs/libvirt.md tells the administrator to set up."""

import os
import re
import textwrap

from service import main_pid, show, systemctl
from testkit.libvirtd import QEMU_CONF, Libvirtd

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
UNIT = "libvirtd.service"
SOCKETS = ("libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket")
RULES = "/etc/polkit-1/rules.d"
OF_AGENT, OF_GROUP = "10-volcrypt-libvirt.rules", "20-libvirt-group.rules"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def told_by_docs(word):
    """The example of docs/libvirt.md that has this word."""
    blocks = re.findall(r"(?m)(?:^ {7}.*\n)+", read("docs/libvirt.md"))
    (block,) = [block for block in blocks if word in block]
    return textwrap.dedent(block)


def shipped_rule():
    return read("systemd/volcrypt-libvirt.rules")


def set_rule(name, text):
    """polkit's rule of this name, or with None no such rule; in force."""
    path = os.path.join(RULES, name)
    if text is not None:
        write_rule(name, text)
    elif os.path.exists(path):
        os.unlink(path)
    systemctl("reset-failed", "polkit.service", check=False)  # and the count of its starts
    systemctl("restart", "polkit.service")


def write_rule(name, text):
    """As an administrator does; polkit notices by itself, a little later."""
    with open(os.path.join(RULES, name), "w", encoding="utf-8") as file:
        file.write(text)


class LibvirtService(Libvirtd):
    """The secrets it had end with it, its sockets do not unless it is killed."""

    def __init__(self):  # pylint: disable=super-init-not-called
        path, told = "/etc/libvirt/libvirtd.conf", told_by_docs("access_drivers")
        if told not in read(path):
            with open(path, "a", encoding="utf-8") as file:
                file.write(told)
        with open("/etc/libvirt/qemu.conf", "w", encoding="utf-8") as file:
            file.write(QEMU_CONF)

    def start(self):
        systemctl("start", *SOCKETS, UNIT)

    ensure = start

    def stop(self):
        """Until somebody connects."""
        systemctl("stop", UNIT)

    def kill(self):
        """And nobody can."""
        systemctl("stop", *SOCKETS, UNIT)

    def restart(self):
        systemctl("restart", UNIT)

    def is_running(self):
        return show(UNIT, "ActiveState") == "active" and main_pid(UNIT) != 0
