"""The first-use record beside the key: what one host formatted or began to format, no other host formats."""

import os
import threading
import uuid

from harness import CloudCase, ServiceCase
from testkit.api import ApiError

ROUNDS = 25


def attach_at_once(attaches):
    """Runs the calls at the same moment; for each "formatted", "opened", or the reason of its refusal."""
    barrier, outcomes = threading.Barrier(len(attaches)), [None] * len(attaches)

    def attach(index, call):
        barrier.wait()
        try:
            outcomes[index] = "formatted" if call()["formatted"] else "opened"
        except ApiError as error:
            outcomes[index] = error.reason

    threads = [threading.Thread(target=attach, args=item) for item in enumerate(attaches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


class Hosts:
    """For the two cases below: two agents on hosts of different names, with one key manager."""

    def check_header_lost(self, first, second, key):
        volume = self.volume()
        self.assertTrue(self.attach(first, volume, key)["formatted"])
        self.detach(first, volume)
        volume.make_blank()
        error = self.attach_refused("VOLUME_HEADER_LOST", second, volume, key)
        self.assertEqual(volume.formats(), [])
        self.assertTrue(error.metadata["host"].startswith("first-host/"), error.metadata)
        self.attach_refused("VOLUME_HEADER_LOST", first, volume, key)
        self.assertEqual(volume.formats(), [])

    def check_race(self, first, second, key, rounds):
        for _ in range(rounds):
            volume = self.volume()
            calls = [lambda agent=agent, disk=volume: self.attach(agent, disk, key) for agent in (first, second)]
            outcomes = attach_at_once(calls)
            self.assertEqual(len(volume.formats()), 1, outcomes)
            self.assertEqual(outcomes.count("formatted"), 1, outcomes)
            (other,) = [outcome for outcome in outcomes if outcome != "formatted"]
            self.assertIn(other, {"FORMAT_INCOMPLETE", "opened"})


class WithBarbican(CloudCase, Hosts):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.first = self.agent({"barbican": self.section("nova")}, host="first-host")
        self.second = self.agent({"barbican": self.section("second")}, host="second-host")
        self.secret = self.nova.secret(os.urandom(32))

    def record(self, volume):
        return self.nova.user_metadata(self.secret)[f"volcrypt-{volume.volume_id}"]

    def test_a_volume_that_lost_its_header_is_not_formatted_by_a_host_that_never_saw_it(self):
        self.check_header_lost(self.first, self.second, self.secret)

    def test_of_two_hosts_with_one_blank_disk_exactly_one_formats(self):
        self.check_race(self.first, self.second, self.secret, ROUNDS)

    def test_a_host_that_begins_a_first_use_has_it_alone(self):
        volume = self.volume()
        volume.hold()
        call = self.start_attach(self.first, volume, self.secret)
        self.wait_until(volume.is_held)
        error = self.attach_refused("FORMAT_INCOMPLETE", self.second, volume, self.secret)
        self.assertTrue(error.metadata["host"].startswith("first-host/"), error.metadata)
        self.assertEqual(volume.formats(), [])
        volume.release()
        self.assertTrue(self.first.api.result(call).formatted)
        self.assertFalse(self.attach(self.second, volume, self.secret)["formatted"])
        self.assertEqual(len(volume.formats()), 1)

    def test_the_record_names_host_and_luks_uuid(self):
        volume = self.volume()
        luks_uuid = self.attach(self.first, volume, self.secret)["luks_uuid"]
        self.assertIn(luks_uuid, self.record(volume))
        self.assertIn("first-host/", self.record(volume))

    def test_a_later_attach_writes_a_record_that_is_missing(self):
        volume, key = self.volume(), os.urandom(32)
        volume.format_with(key)
        self.secret = self.nova.secret(key)
        self.attach(self.second, volume, self.secret)
        self.assertIn(volume.formats()[0]["luks_uuid"], self.record(volume))

    def test_a_volume_id_in_upper_case_has_its_record_too(self):
        volume = self.volume()
        volume.volume_id = volume.volume_id.upper()
        self.attach(self.first, volume, self.secret)
        self.detach(self.first, volume)
        volume.make_blank()
        self.attach_refused("VOLUME_HEADER_LOST", self.second, volume, self.secret)

    def test_volume_ids_that_barbican_cannot_have_in_a_key_are_recorded_all_the_same(self):
        for volume_id in ("volume.with.dots", "v" * 74, "Mixed_Case-1.0"):
            with self.subTest(volume_id):
                volume = self.volume()
                volume.volume_id = f"{volume_id[:60]}-{uuid.uuid4().hex[:8]}" if len(volume_id) < 74 else volume_id
                self.assertTrue(self.attach(self.first, volume, self.secret)["formatted"])
                self.detach(self.first, volume)
                self.assertIn(volume.volume_id.lower(), [v.lower() for v in self.key_metadata(self.first, self.secret).formatted_volumes])
                volume.make_blank()
                self.attach_refused("VOLUME_HEADER_LOST", self.second, volume, self.secret)

    def test_a_record_that_cannot_be_understood_forbids_a_format(self):
        for text in ("x", "{}", '{"state": "unheard of"}', "formatted"):
            with self.subTest(text):
                volume = self.volume()
                self.nova.add_user_metadata(self.secret, f"volcrypt-{volume.volume_id}", text)
                with self.assertRaises(ApiError) as caught:
                    self.attach(self.first, volume, self.secret)
                self.assertEqual(caught.exception.reason, "VOLUME_HEADER_LOST")
                self.assertEqual(volume.formats(), [])

    def test_user_metadata_of_others_is_left_alone(self):
        self.nova.add_user_metadata(self.secret, "owner", "somebody")
        volume = self.volume()
        self.attach(self.first, volume, self.secret)
        self.detach(self.first, volume)
        self.first.api("ForgetVolume", volume_id=volume.volume_id, key={"key_id": self.secret})
        self.assertEqual(self.nova.user_metadata(self.secret), {"owner": "somebody"})
        self.assertEqual(list(self.key_metadata(self.first, self.secret).formatted_volumes), [])

    def test_a_forgotten_volume_may_be_formatted_again(self):
        volume = self.volume()
        self.attach(self.first, volume, self.secret)
        self.detach(self.first, volume)
        volume.make_blank()
        self.second.api("ForgetVolume", volume_id=volume.volume_id, key={"key_id": self.secret})
        self.assertTrue(self.attach(self.second, volume, self.secret)["formatted"])


class WithLocalStore(ServiceCase, Hosts):
    """One store on a disk that both hosts have."""

    def setUp(self):
        super().setUp()
        store = {"store": {"type": "local", "path": os.path.join(self.directory, "shared.db")}}
        self.first, self.second = self.agent(store, host="first-host"), self.agent(store, host="second-host")
        self.key = self.create_key(self.first)

    def test_a_volume_that_lost_its_header_is_not_formatted_by_a_host_that_never_saw_it(self):
        self.check_header_lost(self.first, self.second, self.key)

    def test_of_two_hosts_with_one_blank_disk_exactly_one_formats(self):
        self.check_race(self.first, self.second, self.key, ROUNDS)
