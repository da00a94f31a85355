"""A thousand attachments at once, listed by the service as it is installed: each list is whole, and neither time nor memory
runs away."""

import contextlib
import re
import time
import urllib.request
import uuid

from harness import Device, wait_until
from harness.devices import run
from service import CONFIG, ConfiguredCase, systemctl

ADDRESS = "127.0.0.1:9464"
UDEV = ("systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-udevd.service")
MANY = 1000
NOT_ACTIVE = 10  # of each other state
AT_ONCE = 100  # mappings that one dmsetup makes
CALL_SECONDS = 20.0  # for one page, which takes 0.3 s on a quiet node
GROWTH_MIB = 8  # a leak of what is read for each page would be twice that
COUNTS = {"active": MANY - 2 * NOT_ACTIVE, "suspended": NOT_ACTIVE, "broken": NOT_ACTIVE, "waiting": 0}


def dmsetup(*arguments):
    run("env", "DM_DISABLE_UDEV=1", "dmsetup", *arguments)


def dmsetup_all(command, names):
    for begin in range(0, len(names), AT_ONCE):
        dmsetup(command, *names[begin : begin + AT_ONCE])


@contextlib.contextmanager
def without_udev():
    """Which would run dozens of programs for each mapping."""
    systemctl("stop", *UDEV)
    try:
        yield
    finally:
        systemctl("start", *UDEV)


class ThousandAttachments(ConfiguredCase):
    """The mappings have name and UUID of ours and linear tables in place of crypt's: the agent tells ours by these."""

    configuration = CONFIG + f'[metrics]\nlisten = "{ADDRESS}"\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.volumes = cls.kept_volumes = sorted(str(uuid.uuid4()) for _ in range(MANY))
        cls.names = [f"volcrypt-{volume}" for volume in cls.volumes]
        cls.loop = Device(mib=8)
        cls.addClassCleanup(cls.loop.close)
        cls.addClassCleanup(cls.remove)
        with without_udev():
            cls.create()

    @classmethod
    def create(cls):
        """The first ones suspended, the last ones without a backing device."""
        linear = f"0 8 linear {cls.loop.path} 0"
        tables = [linear] * (MANY - NOT_ACTIVE) + ["0 8 error"] * NOT_ACTIVE
        specs = [f"{name},CRYPT-LUKS2-{uuid.uuid4().hex}-{name},,rw,{table}" for name, table in zip(cls.names, tables)]
        # In another order than that of their names.
        specs = specs[1::2] + specs[::2]
        for begin in range(0, MANY, AT_ONCE):
            dmsetup("create", "--concise", ";".join(specs[begin : begin + AT_ONCE]))
        dmsetup_all("suspend", cls.names[:NOT_ACTIVE])

    @classmethod
    def remove(cls):
        with without_udev():
            dmsetup_all("resume", cls.names[:NOT_ACTIVE])
            dmsetup_all("remove", cls.names)

    def pages(self, size):
        """The ids on each page of a list, none of which takes long."""
        found, token = [], ""
        while True:
            begin = time.monotonic()
            page = self.api("ListAttachments", page_size=size, page_token=token)
            self.assertLess(time.monotonic() - begin, CALL_SECONDS)
            self.assertEqual(list(page.unreachable), [])
            found.append([attachment.volume_id for attachment in page.attachments])
            token = page.next_page_token
            if not token:
                return found
            self.assertLess(len(found), MANY)

    def scrape(self):
        begin = time.monotonic()
        with urllib.request.urlopen(f"http://{ADDRESS}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        self.assertLess(time.monotonic() - begin, CALL_SECONDS)
        return {state: int(float(count)) for state, count in re.findall(r'(?m)^volcrypt_attached_volumes{state="(\w+)"} (\S+)$', text)}

    def resident_mib(self):
        with open(f"/proc/{self.agent.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024

    def test_pages_of_every_size_are_complete_and_without_duplicates(self):
        for asked, sizes in ((0, [100] * 10), (500, [500] * 2), (MANY, [500] * 2), (333, [333] * 3 + [1])):
            with self.subTest(asked):
                pages = self.pages(asked)
                self.assertEqual([len(page) for page in pages], sizes)
                self.assertEqual(sum(pages, []), self.volumes)
        volume = self.volume_id()
        attached = self.attach(volume, self.device(mib=8), self.key())
        self.assertEqual(self.api("GetAttachment", volume_id=volume).attachment.luks_uuid, attached["luks_uuid"])
        self.assertEqual(sum(self.pages(500), []), sorted([*self.volumes, volume]))
        self.assertTrue(self.detach(volume)["was_attached"])
        self.assertEqual(sum(self.pages(500), []), self.volumes)

    def test_volcryptctl_and_the_metrics_know_them_all_by_their_states(self):
        listed = self.ok("list")["attachments"]
        self.assertEqual([one["volume_id"] for one in listed], self.volumes)
        states = [one["state"].removeprefix("STATE_").lower() for one in listed]
        self.assertEqual({state: states.count(state) for state in COUNTS}, COUNTS)
        self.assertEqual({one["device"] for one in listed}, {self.loop.path, ""})
        wait_until(lambda: self.scrape() == COUNTS, what="all to be counted")

    def test_listing_and_scraping_again_and_again_takes_no_more_memory(self):
        for _ in range(5):
            self.pages(500)
            self.scrape()
        before = self.resident_mib()
        for _ in range(10):
            self.pages(500)
            self.scrape()
        self.assertLess(self.resident_mib() - before, GROWTH_MIB)
