"""First uses that are cut short, and what must be true once the same attach has succeeded."""

import os
import shutil
import socket

from harness import key_store, paths
from harness.case import NodeCase
from harness.devices import MIB, mapping_path, run

# encryptors/fail_point.h
BLANK_PROVEN, INTENT_WRITTEN, FORMAT_BEGINS, FORMATTED, KEYSLOT_ADDED, TOKEN_SET = range(1, 7)
OPEN_VERIFIED, KNOWN_RECORDED, INTENT_REMOVED, ACTIVATING, ACTIVATED = range(7, 12)
LOOKED_ONCE = 12
FAIL_POINTS = (LOOKED_ONCE, *range(BLANK_PROVEN, ACTIVATED + 1))  # in the order in which they are passed


def fail_points(luks):
    """Those that a first use with this format passes: LUKS1 has no token."""
    return [point for point in FAIL_POINTS if luks == "luks2" or point != TOKEN_SET]


def has_come_to(point, place):
    """Whether a first use that got as far as `point` has been at the fail point `place`."""
    return FAIL_POINTS.index(point) >= FAIL_POINTS.index(place)


def has_intent(point):
    """Whether a first use that got as far as `point` has left an intent."""
    return has_come_to(point, INTENT_WRITTEN) and not has_come_to(point, INTENT_REMOVED)


class FirstUseCase(NodeCase):
    """Each test has .volume, .disk and .user_key, so far unused; .begin_anew() gives others."""

    def setUp(self):
        super().setUp()
        self.user_key = self.key()
        self.begin_anew()

    def begin_anew(self, mib=20):
        self.volume, self.disk = self.volume_id(), self.device(mib=mib)

    def interrupt(self, point, *options):
        """Begins the first use; its worker dies at this fail point. Returns the LUKS UUID that was claimed."""
        self.agent.fail_at(point)
        self.refused("WORKER_FAILED", "attach", self.volume, self.disk.path, "--key", self.user_key, *options)
        self.assertFalse(self.agent.fail_point_is_pending(), f"fail point {point} was not passed")
        (claim,) = key_store.first_uses(self.volume)
        self.assertEqual(claim["state"], "claimed")
        self.assertEqual(self.intent() is not None, has_intent(point))
        self.assertEqual(self.known() is not None, has_come_to(point, KNOWN_RECORDED))
        self.assertEqual(os.path.exists(mapping_path(self.volume)), point == ACTIVATED)
        return claim["luks_uuid"]

    def attach_again(self, *options):
        return self.attach(self.volume, self.disk, self.user_key, *options)

    def assert_refused(self, reason, *options, key=None):
        """The attach is refused and changes nothing on the device."""
        before = self.disk.sha256()
        error = self.refused(
            reason, "attach", self.volume, self.disk.path, "--key", key or self.user_key, *options
        )
        self.assertFalse(os.path.exists(mapping_path(self.volume)))
        self.assert_untouched(self.disk, before)
        return error

    def assert_converged(self, attached, luks_uuid, luks):
        """The volume is attached; header, records and data are those of one whole first use as `luks_uuid`."""
        self.assertEqual(attached["luks_uuid"], luks_uuid)
        self.assertEqual(attached["encryption"]["format"], f"FORMAT_{luks.upper()}")
        self.assertEqual(run("cryptsetup", "luksUUID", self.disk.path).strip(), luks_uuid)
        self.assertIsNone(self.intent())
        self.assertEqual(self.known()["luks_uuid"], luks_uuid)
        self.assertEqual(self.known()["format"], luks)
        (record,) = key_store.first_uses(self.volume)
        self.assertEqual((record["state"], record["luks_uuid"]), ("formatted", luks_uuid))
        header = self.ok("inspect", self.disk.path)["luks"]
        self.assertEqual([keyslot["index"] for keyslot in header["keyslots"]], [0])
        if luks == "luks2":
            self.assertEqual((header["volume_id"], header["key"]["key_id"]), (self.volume, self.user_key))
        self.assert_keeps_data()

    def assert_keeps_data(self):
        """Data written through the mapping is there after the next attach."""
        marker = os.urandom(4096)
        self.write_to_mapping(marker)
        self.detach(self.volume)
        again = self.attach_again()
        self.assertFalse(again["formatted"])
        self.assertEqual(self.read_from_mapping(len(marker)), marker)
        self.detach(self.volume)

    def write_to_mapping(self, data):
        with open(mapping_path(self.volume), "wb", buffering=0) as mapping:
            mapping.write(data)
            os.fsync(mapping.fileno())

    def read_from_mapping(self, length):
        with open(mapping_path(self.volume), "rb", buffering=0) as mapping:
            return mapping.read(length)

    # The helper's records: as dicts of their lines, or None.

    def intent(self):
        return read_record(self.intent_path())

    def known(self):
        return read_record(os.path.join(paths.HELPER_STATE, "known", self.volume))

    def intent_path(self):
        return os.path.join(paths.HELPER_STATE, "intents", self.volume)

    # Other hosts.

    def lose_records(self):
        """The helper's state is gone, as on a host that was installed anew."""
        for kind in ("intents", "known"):
            shutil.rmtree(os.path.join(paths.HELPER_STATE, kind), ignore_errors=True)

    def on_another_host(self):
        """With another name and no records of its own; with on_another_host(): ..."""
        return OtherHost(self.agent)

    def format_elsewhere(self, luks, passphrase, *options):
        """What another program does with the disk meanwhile."""
        run("cryptsetup", "luksFormat", "--batch-mode", "--type", luks, "--pbkdf", "pbkdf2", "--pbkdf-force-iterations",
            "1000", "--cipher", "aes-xts-plain64", *options, "--key-file", "-", self.disk.path,
            data=passphrase.encode())  # fmt: skip
        return run("cryptsetup", "luksUUID", self.disk.path).strip()

    def write_data_elsewhere(self, data=b"data" * 1024):
        """Opens the volume by cryptsetup, and writes into it."""
        name = f"elsewhere-{self.volume}"
        run("cryptsetup", "open", "--type", "luks", "--key-file", "-", self.disk.path, name,
            data=key_store.key_hex(self.user_key).encode())  # fmt: skip
        try:
            with open(f"/dev/mapper/{name}", "wb", buffering=0) as mapping:
                mapping.write(data)
                os.fsync(mapping.fileno())
        finally:
            run("cryptsetup", "close", name)

    def fill_disk(self, begin, end):
        """Random bytes in [begin, end), as a wipe leaves them."""
        self.disk.write(begin, os.urandom(end - begin))


class OtherHost:
    def __init__(self, agent):
        self._agent = agent
        self._name = socket.gethostname()
        self._kept = paths.HELPER_STATE + ".kept"

    def __enter__(self):
        self._agent.stop()
        socket.sethostname("another-host")
        os.rename(paths.HELPER_STATE, self._kept)
        self._agent.start()

    def __exit__(self, *exception):
        self._agent.stop()
        socket.sethostname(self._name)
        shutil.rmtree(paths.HELPER_STATE)
        os.rename(self._kept, paths.HELPER_STATE)
        self._agent.start()


def read_record(path):
    try:
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    assert lines[0] == "volcrypt-record 1", path
    return dict(line.split(" ", 1) for line in lines[1:])


HEADER_END = 2 * MIB  # of the layouts that volcrypt makes
