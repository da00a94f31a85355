"""Keys made, copied, deleted and shared with castellan, which is how Nova and Cinder use Barbican."""

import os
import time

from harness import CloudCase
from harness.castellan_client import Castellan

FIXED_KEY = "00000000-0000-0000-0000-000000000000"


class Create(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.barbican = self.agent({"barbican": self.section("nova")})

    def test_barbican_makes_the_key(self):
        for bits in (128, 256, 512):
            with self.subTest(bits):
                secret = self.create_key(self.barbican, bit_length=bits)
                self.assertEqual(len(self.nova.payload(secret)) * 8, bits)
                found = self.nova.metadata(secret)
                self.assertEqual((found["secret_type"], found["algorithm"], found["bit_length"]), ("symmetric", "aes", bits))

    def test_without_a_length_it_has_256_bits(self):
        self.assertEqual(len(self.nova.payload(self.create_key(self.barbican))), 32)

    def test_a_name_is_kept(self):
        self.assertEqual(self.nova.metadata(self.create_key(self.barbican, name="volume-7"))["name"], "volume-7")

    def test_a_length_or_algorithm_that_barbican_cannot_make_is_explained(self):
        for fields in ({"bit_length": 100}, {"algorithm": "rot13"}):
            with self.subTest(fields):
                error = self.refused("INVALID_FIELD", lambda wrong=fields: self.create_key(self.barbican, **wrong))
                self.assertGreater(len(error.message), 20)

    def test_metadata_tells_what_barbican_knows(self):
        secret = self.create_key(self.barbican, bit_length=512)
        found = self.key_metadata(self.barbican, secret)
        self.assertEqual((found.key.key_manager, found.key.key_id), ("barbican", secret))
        self.assertEqual((found.secret_type, found.algorithm, found.bit_length), ("symmetric", "aes", 512))
        self.assertEqual(found.status.lower(), "active")
        self.assertLess(abs(found.created_at.seconds - time.time()), 120)
        self.assertEqual(list(found.formatted_volumes), [])

    def test_metadata_names_the_volumes_that_were_formatted(self):
        secret, volumes = self.create_key(self.barbican), [self.volume(), self.volume()]
        for volume in volumes:
            self.attach(self.barbican, volume, secret)
        found = self.key_metadata(self.barbican, secret)
        self.assertCountEqual(found.formatted_volumes, [volume.volume_id for volume in volumes])

    def test_metadata_of_a_key_without_payload_is_there(self):
        secret = self.nova.secret(None, algorithm="aes", bit_length=256)
        self.assertEqual(self.key_metadata(self.barbican, secret).bit_length, 256)


class SlowOrders(CloudCase):
    """A Barbican whose workers have stopped: orders stay PENDING."""

    def setUp(self):
        super().setUp()
        self.cloud.barbican.process.stop()
        self.cloud.configure_barbican(orders_wait=True)
        self.cloud.barbican.process.start()

    def _put_right(self):
        self.cloud.barbican.process.stop()
        self.cloud.configure_barbican()
        super()._put_right()

    def test_an_order_that_never_ends_is_given_up_in_time(self):
        agent = self.agent({"barbican": self.section("nova", timeout="8s")})
        begin = time.monotonic()
        error = self.refused("KEY_MANAGER_TIMED_OUT", lambda: self.create_key(agent))
        self.assert_within(30, begin)
        self.assertIn("order", error.message)


class Delete(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.barbican = self.agent({"barbican": self.section("nova")})

    def delete(self, secret, force=False):
        self.barbican.api("DeleteKey", key={"key_id": secret}, force=force)

    def test_a_key_that_formatted_nothing_is_deleted(self):
        secret = self.create_key(self.barbican)
        self.delete(secret)
        self.assertEqual(self.nova.status_of(secret), 404)
        self.refused("KEY_NOT_FOUND", lambda: self.delete(secret))

    def test_a_key_that_formatted_a_volume_is_deleted_by_force_alone(self):
        secret, volume = self.create_key(self.barbican), self.volume()
        self.attach(self.barbican, volume, secret)
        error = self.refused("KEY_IN_USE", lambda: self.delete(secret))
        self.assertIn(volume.volume_id, error.message)
        self.assertEqual(self.nova.status_of(secret), 200)
        self.delete(secret, force=True)
        self.assertEqual(self.nova.status_of(secret), 404)

    def test_a_forgotten_volume_does_not_hold_its_key(self):
        secret, volume = self.create_key(self.barbican), self.volume()
        self.attach(self.barbican, volume, secret)
        self.detach(self.barbican, volume)
        self.barbican.api("ForgetVolume", volume_id=volume.volume_id, key={"key_id": secret})
        self.assertEqual(self.nova.user_metadata(secret), {})
        self.delete(secret)
        self.assertEqual(self.nova.status_of(secret), 404)


class Copy(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        fixed = {"type": "conf", "fixed_key_file": self.file("fixed", "5f" * 32)}
        self.agents = self.agent({"barbican": self.section("nova"), "fixed": fixed})

    def copy(self, manager, key_id, target, **fields):
        source = {"key_manager": manager, "key_id": key_id}
        answer = self.agents.api("CopyKey", source=source, key_manager=target, **fields)
        self.assertEqual(answer.key.key_manager, target)
        return answer.key.key_id

    def test_a_copy_has_the_same_bytes_and_opens_the_same_volume(self):
        for source, target in (("local", "barbican"), ("barbican", "local"), ("barbican", "barbican")):
            with self.subTest(f"{source} to {target}"):
                key, volume = self.create_key(self.agents, source), self.volume()
                self.attach(self.agents, volume, key, source)
                self.detach(self.agents, volume)
                copy = self.copy(source, key, target)
                self.assertNotEqual(copy, key)
                self.assertFalse(self.attach(self.agents, volume, copy, target)["formatted"])

    def test_a_copy_carries_the_first_use_records(self):
        for source, target in (("local", "barbican"), ("barbican", "local"), ("barbican", "barbican")):
            with self.subTest(f"{source} to {target}"):
                key, volumes = self.create_key(self.agents, source), [self.volume(), self.volume()]
                for volume in volumes:
                    self.attach(self.agents, volume, key, source)
                    self.detach(self.agents, volume)
                copy = self.copy(source, key, target)
                found = self.key_metadata(self.agents, copy, target)
                self.assertCountEqual(found.formatted_volumes, [volume.volume_id for volume in volumes])
                volumes[0].make_blank()
                self.attach_refused("VOLUME_HEADER_LOST", self.agents, volumes[0], copy, target)

    def test_the_fixed_key_can_be_copied_into_barbican(self):
        volume = self.volume()
        self.attach(self.agents, volume, FIXED_KEY)
        self.detach(self.agents, volume)
        copy = self.copy("fixed", FIXED_KEY, "barbican")
        self.assertEqual(self.nova.payload(copy).hex(), "5f" * 32)
        self.assertFalse(self.attach(self.agents, volume, copy, "barbican")["formatted"])

    def test_a_copy_keeps_type_and_name(self):
        secret = self.nova.secret("a passphrase", secret_type="passphrase")
        copy = self.copy("barbican", secret, "barbican", name="second")
        found = self.nova.metadata(copy)
        self.assertEqual((found["secret_type"], found["name"]), ("passphrase", "second"))
        self.assertEqual(self.nova.payload(copy), b"a passphrase")

    def test_a_secret_of_more_bits_than_barbican_can_note_is_copied(self):
        data = os.urandom(5000)
        copy = self.copy("barbican", self.nova.secret(data, secret_type="opaque"), "barbican")
        self.assertEqual(self.nova.payload(copy), data)

    def test_the_owner_of_a_copy_may_read_it(self):
        owner = self.user("stranger")
        copy = self.copy("local", self.create_key(self.agents, "local"), "barbican", owner_user_id=owner.user_id)
        self.assertEqual(self.nova.acl(copy)["users"], [owner.user_id])
        self.assertTrue(self.nova.acl(copy)["project-access"])
        self.assertEqual(owner.payload(copy), self.nova.payload(copy))

    def test_a_copy_without_owner_has_no_access_list(self):
        copy = self.copy("local", self.create_key(self.agents, "local"), "barbican")
        self.assertEqual(self.nova.acl(copy), {"project-access": True})

    def test_a_copy_into_the_fixed_key_is_refused(self):
        error = self.refused("INVALID_FIELD", lambda: self.copy("local", self.create_key(self.agents, "local"), "fixed"))
        self.assertEqual(error.metadata["field"], "key_manager")

    def test_a_copy_of_a_key_that_is_not_there_makes_nothing(self):
        missing = "11111111-2222-3333-4444-555555555555"
        before = len(self.cloud.barbican.requests())
        self.refused("KEY_NOT_FOUND", lambda: self.copy("local", missing, "barbican"))
        posts = [request for request in self.cloud.barbican.requests()[before:] if request[0] == "POST"]
        self.assertEqual(posts, [])


class WithCastellan(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.castellan = Castellan(self.nova)
        self.barbican = self.agent({"barbican": self.section("nova")})

    def test_a_key_that_castellan_made_opens_a_volume(self):
        secret, volume = self.castellan.create(), self.volume()
        self.attach(self.barbican, volume, secret)
        self.assert_opened_by(volume, self.castellan.get(secret))

    def test_a_key_that_castellan_stored_opens_a_volume(self):
        key, volume = os.urandom(64), self.volume()
        self.attach(self.barbican, volume, self.castellan.store(key))
        self.assert_opened_by(volume, key)

    def test_castellan_reads_a_key_that_we_made(self):
        secret, volume = self.create_key(self.barbican), self.volume()
        self.attach(self.barbican, volume, secret)
        self.assert_opened_by(volume, self.castellan.get(secret))

    def test_castellan_reads_a_copy(self):
        local = self.create_key(self.barbican, "local")
        source = {"key_manager": "local", "key_id": local}
        copy = self.barbican.api("CopyKey", source=source, key_manager="barbican").key.key_id
        volume = self.volume()
        self.attach(self.barbican, volume, local, "local")
        self.assert_opened_by(volume, self.castellan.get(copy))

    def test_castellan_deletes_a_key_with_our_record(self):
        secret = self.castellan.create()
        self.attach(self.barbican, self.volume(), secret)
        self.assertEqual(len(self.nova.user_metadata(secret)), 1)
        self.castellan.delete(secret)
        self.assertEqual(self.nova.status_of(secret), 404)

    def test_our_record_is_no_consumer(self):
        secret = self.castellan.create()
        self.attach(self.barbican, self.volume(), secret)
        self.assertEqual(self.nova.consumers(secret), [])


class Check(CloudCase):
    STEPS = ["resolve", "connect", "authenticate", "catalog", "read", "create"]

    def steps(self, agent, name="barbican"):
        return agent.api("CheckKeyManager", key_manager=name).steps

    def test_every_step_passes_where_all_is_right(self):
        steps = self.steps(self.agent({"barbican": self.section("nova")}))
        self.assertEqual([step.name for step in steps if not step.passed], [], steps)
        for name in self.STEPS:
            self.assertIn(name, [step.name for step in steps])

    def test_the_step_that_fails_is_the_last_and_has_a_remedy(self):
        cases = {
            "authenticate": {"password_file": self.file("wrong", "not the password")},
            "connect": {"auth_url": "http://127.0.0.1:1/v3"},
            "resolve": {"auth_url": "http://no-such-host.invalid:5000/v3"},
            "catalog": {"region": "NoSuchRegion"},
        }
        sections = {name: self.section("nova", **keys) for name, keys in cases.items()}
        sections["create"] = self.section("observer")
        sections["read"] = self.section("member")
        agent = self.agent(sections)
        for name in sections:
            with self.subTest(name):
                *passed, last = self.steps(agent, name)
                self.assertEqual([step.name for step in passed if not step.passed], [])
                self.assertEqual((last.name, last.passed), (name, False))
                self.assertGreater(len(last.remedy), 10)

    def test_it_is_about_the_agent_and_a_callers_token_is_tried_besides(self):
        agent = self.agent({"observer": self.section("observer")})
        token = self.user("nova").token
        answer = agent.api("CheckKeyManager", key_manager="observer", metadata=self.tokens(token))
        *_, create, caller = answer.steps
        self.assertEqual((create.name, create.passed), ("create", False))
        self.assertEqual((caller.name, caller.passed), ("caller", True))
        answer = agent.api("CheckKeyManager", key_manager="observer", metadata=self.tokens("garbage"))
        self.assertEqual((answer.steps[-1].name, answer.steps[-1].reason), ("caller", "CALLER_TOKEN_REJECTED"))

    def test_a_check_makes_nothing(self):
        agent = self.agent({"barbican": self.section("nova")})
        before = self.user("nova").secrets()
        self.steps(agent)
        self.assertEqual(self.user("nova").secrets(), before)

    def test_the_command_line_says_at_which_step_it_fails(self):
        agent = self.agent({"right": self.section("nova"), "wrong": self.section("nova", region="NoSuchRegion")})
        status, output, _ = self.ctl(agent, "key", "check", "right")
        self.assertEqual(status, 0, output)
        status, output, errors = self.ctl(agent, "key", "check", "wrong")
        self.assertNotEqual(status, 0)
        self.assertIn("catalog", output + errors)
