"""Keystone and Barbican that are killed, stopped and restarted, between calls and during them."""

import contextlib
import os
import re
import time

from harness import CloudCase
from harness.cloud_case import shared_cloud
from servers.front import Front
from testkit.api import ApiError

SECONDS = 3  # the section's timeout, where something hangs
CLAIM_SECONDS = 10  # where something hangs only after a first use was claimed
DEATH_SECONDS = 20  # where something dies in mid-call
GRACE = 20  # for a busy machine


class Outage(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.key = os.urandom(32)
        self.secret = self.nova.secret(self.key)
        self.short, self.long = self.section("nova", timeout=f"{SECONDS}s"), self.section("nova")

    def formatted_volume(self):
        volume = self.volume()
        volume.format_with(self.key)
        return volume

    def opens(self, agent):
        self.assertFalse(self.attach_when_back(agent, self.formatted_volume(), self.secret)["formatted"])

    def refused_in_time(self, reason, agent, **options):
        begin = time.monotonic()
        error = self.attach_refused(reason, agent, self.formatted_volume(), self.secret, **options)
        self.assert_within(SECONDS + GRACE, begin)
        return error

    def test_barbican_that_is_down_is_unavailable_until_it_is_back(self):
        agent = self.agent({"barbican": self.long})
        self.opens(agent)
        self.cloud.barbican.process.kill()
        error = self.refused_in_time("KEY_MANAGER_UNAVAILABLE", agent)
        self.assertIn("Barbican", error.message)
        self.assertIn(str(self.cloud.barbican.port), error.message)
        self.cloud.barbican.process.start()
        self.opens(agent)

    def test_keystone_that_is_down_is_unavailable_until_it_is_back(self):
        agent = self.agent({"barbican": self.long})
        self.cloud.keystone.process.kill()
        error = self.refused_in_time("KEY_MANAGER_UNAVAILABLE", agent)
        self.assertIn("Keystone", error.message)
        self.cloud.keystone.process.start()
        self.opens(agent)

    def test_while_a_token_lives_keystone_is_not_needed(self):
        agent = self.agent({"barbican": self.long})
        self.opens(agent)
        self.cloud.keystone.process.kill()
        self.opens(agent)  # Barbican remembers the token as well

    def test_barbican_that_hangs_is_timed_out_until_it_goes_on(self):
        agent = self.agent({"barbican": self.short})
        self.opens(agent)
        self.cloud.barbican.process.freeze()
        error = self.refused_in_time("KEY_MANAGER_TIMED_OUT", agent)
        self.assertIn("Barbican", error.message)
        self.cloud.barbican.process.thaw()
        self.opens(agent)

    def test_keystone_that_hangs_is_timed_out_until_it_goes_on(self):
        agent = self.agent({"barbican": self.short})
        self.cloud.keystone.process.freeze()
        error = self.refused_in_time("KEY_MANAGER_TIMED_OUT", agent)
        self.assertIn("Keystone", error.message)
        self.cloud.keystone.process.thaw()
        self.opens(agent)

    def test_the_callers_deadline_counts_when_it_is_earlier(self):
        agent = self.agent({"barbican": self.section("nova", timeout="60s")})
        self.opens(agent)
        self.cloud.barbican.process.freeze()
        volume = self.formatted_volume()
        with self.assertRaises(ApiError) as caught:
            self.attach(agent, volume, self.secret, timeout=SECONDS)
        self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")
        # Which the caller's own gRPC would say too: it is the agent that must have given up.
        ended = re.compile(rf"AttachVolume volume={volume.volume_id} .*reason=KEY_MANAGER_TIMED_OUT ")
        self.wait_until(lambda: ended.search(agent.log()), GRACE, "the agent to give up")

    def test_who_needs_another_key_manager_is_not_delayed(self):
        other = shared_cloud(tls=True)
        agent = self.agent({"barbican": self.section("nova", timeout="30s"), "other": self.section_of(other)})
        local, elsewhere = self.create_key(agent, "local"), self.create_key(agent, "other")
        self.opens(agent)
        self.cloud.barbican.process.freeze()
        calls = [self.start_attach(agent, self.formatted_volume(), self.secret) for _ in range(4)]
        for key, manager in ((local, "local"), (elsewhere, "other")):
            self.assertTrue(self.attach(agent, self.volume(), key, manager)["formatted"])
        self.assertFalse(any(call.done() for call in calls))
        self.cloud.barbican.process.thaw()
        for call in calls:
            self.assertFalse(agent.api.result(call).formatted)

    def section_of(self, other):
        password = self.file("other.password", other.passwords["nova"])
        return self.section("nova", auth_url=other.keystone.url, password_file=password, ca_file=other.ca_file)

    def test_a_repeat_of_an_attach_needs_no_key_manager(self):
        agent, volume = self.agent({"barbican": self.long}), self.formatted_volume()
        self.attach(agent, volume, self.secret)
        self.cloud.barbican.process.kill()
        self.assertTrue(self.attach(agent, volume, self.secret)["already_attached"])

    def test_a_claim_left_standing_is_confirmed_by_the_first_repeat_that_reaches_barbican(self):
        """As an agent leaves it that died when the mapping was there and the record was not confirmed yet."""
        agent, volume = self.agent({"barbican": self.long}), self.formatted_volume()
        self.attach(agent, volume, self.secret)
        name = f"volcrypt-{volume.volume_id}"
        formatted = self.nova.user_metadata(self.secret)[name]
        claimed = formatted.replace("state=formatted", "state=claimed")
        self.nova.set_user_metadata(self.secret, name, claimed)
        self.cloud.barbican.process.kill()
        self.assertTrue(self.attach(agent, volume, self.secret)["already_attached"])
        self.assertIn(f"the first-use record of volume {volume.volume_id} beside its key cannot be read", agent.log())
        self.cloud.barbican.process.start()
        self.assertEqual(self.nova.user_metadata(self.secret)[name], claimed)
        self.assertTrue(self.attach(agent, volume, self.secret)["already_attached"])
        self.assertEqual(self.nova.user_metadata(self.secret)[name], formatted)


class DuringCalls(CloudCase):
    """A front before Barbican holds its answers back while something happens to it."""

    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.key = os.urandom(32)
        self.secret = self.nova.secret(self.key)
        self.barbican = Front(self.cloud.barbican.port)
        self.addCleanup(self.barbican.close)
        self.through_front = self.agent_with(55)  # seconds: longer than a restart takes

    def agent_with(self, seconds):
        endpoint = f"http://{self.barbican.address}"
        return self.agent({"barbican": self.section("nova", endpoint=endpoint, timeout=f"{seconds}s")})

    @contextlib.contextmanager
    def attach_in_flight(self, agent):
        """Yields when a request has reached Barbican and its answer is held back."""
        volume, begin = self.volume(), len(self.cloud.barbican.requests(self.secret))
        volume.format_with(self.key)
        self.barbican.hold()
        call = self.start_attach(agent, volume, self.secret)
        self.wait_until(lambda: len(self.cloud.barbican.requests(self.secret)) > begin, DEATH_SECONDS)
        yield call
        self.barbican.release()

    def test_a_restart_of_barbican_during_a_read_is_not_noticed(self):
        with self.attach_in_flight(self.through_front) as call:
            self.cloud.barbican.process.kill()
            self.cloud.barbican.process.start()
            self.barbican.drop()  # the answer is lost with the connection
        self.assertFalse(self.through_front.api.result(call).formatted)

    def test_the_death_of_barbican_during_a_read_is_unavailable(self):
        agent = self.agent_with(DEATH_SECONDS)
        with self.attach_in_flight(agent) as call:
            self.cloud.barbican.process.kill()
            self.barbican.close()
        begin = time.monotonic()
        self.refused("KEY_MANAGER_UNAVAILABLE", lambda: agent.api.result(call))
        self.assert_within(DEATH_SECONDS + GRACE, begin)

    def test_a_pause_of_barbican_within_the_timeout_is_not_noticed(self):
        volume = self.volume()
        volume.format_with(self.key)
        self.cloud.barbican.process.freeze()
        call = self.start_attach(self.through_front, volume, self.secret)
        time.sleep(0.5)  # the pause itself
        self.assertFalse(call.done())
        self.cloud.barbican.process.thaw()
        self.assertFalse(self.through_front.api.result(call).formatted)

    def test_an_order_whose_answer_is_lost_says_how_to_find_the_key(self):
        agent = self.agent_with(SECONDS)
        self.attach_when_back(agent, self.volume(), self.secret)  # with a token and an endpoint that are kept
        before = self.nova.secrets()
        self.barbican.hold()
        error = self.refused("KEY_MANAGER_TIMED_OUT", lambda: self.create_key(agent, name="of volume 7"))
        self.assertEqual((error.metadata["key_may_exist"], error.metadata["name"]), ("true", "of volume 7"))
        self.assertIn("the name of volume 7", error.message)
        self.barbican.release()
        self.wait_until(lambda: self.nova.secrets() == before + 1, 30)

    def first_use_in_flight(self, agent, timeout=60):
        """A volume whose first use is claimed in Barbican and about to begin on the device; and the call."""
        volume = self.volume()
        volume.hold()
        call = self.start_attach(agent, volume, self.secret, timeout=timeout)
        self.wait_until(volume.is_held)
        return volume, call

    def test_a_first_use_that_barbican_cannot_confirm_is_closed_again_and_goes_on_later(self):
        agent = self.agent({"barbican": self.section("nova")})
        volume, call = self.first_use_in_flight(agent)
        self.cloud.barbican.process.kill()
        volume.release()
        error = self.refused("KEY_MANAGER_UNAVAILABLE", lambda: agent.api.result(call))
        self.assertIn("formatted", error.message)
        self.refused("NOT_ATTACHED", lambda: agent.api("GetAttachment", volume_id=volume.volume_id))
        self.cloud.barbican.process.start()
        answer = self.attach_when_back(agent, volume, self.secret)
        self.assertFalse(answer["formatted"])
        self.assertEqual(len(volume.formats()), 1)
        self.assertEqual(list(self.key_metadata(agent, self.secret).formatted_volumes), [volume.volume_id])

    def test_a_first_use_that_barbican_hangs_in_is_closed_again_and_goes_on_later(self):
        agent = self.agent({"barbican": self.section("nova", timeout=f"{CLAIM_SECONDS}s")})
        volume, call = self.first_use_in_flight(agent)
        self.cloud.barbican.process.freeze()
        volume.release()
        self.refused("KEY_MANAGER_UNAVAILABLE", lambda: agent.api.result(call))
        self.refused("NOT_ATTACHED", lambda: agent.api("GetAttachment", volume_id=volume.volume_id))
        self.cloud.barbican.process.thaw()
        self.attach_when_back(agent, volume, self.secret)
        self.assertEqual(len(volume.formats()), 1)

    def test_an_agent_that_dies_in_a_first_use_goes_on_with_its_claim(self):
        agent = self.agent({"barbican": self.section("nova")})
        volume, call = self.first_use_in_flight(agent)
        agent.process.kill()
        call.cancel()
        agent.start()
        volume.release()
        self.wait_until(volume.formats)
        self.attach(agent, volume, self.secret)
        self.assertEqual(len(volume.formats()), 1)
        self.assertEqual(list(self.key_metadata(agent, self.secret).formatted_volumes), [volume.volume_id])


class DuringTokenRequests(CloudCase):
    """A front before Keystone holds back the token that it has just given while something happens to it."""

    def setUp(self):
        super().setUp()
        self.key = os.urandom(32)
        self.secret = self.user("nova").secret(self.key)
        self.keystone = Front(self.cloud.keystone.port)
        self.addCleanup(self.keystone.close)

    def agent_with(self, seconds):
        auth_url = f"http://{self.keystone.address}/v3"
        return self.agent({"barbican": self.section("nova", auth_url=auth_url, timeout=f"{seconds}s")})

    def start(self, agent):
        volume = self.volume()
        volume.format_with(self.key)
        return self.start_attach(agent, volume, self.secret)

    @contextlib.contextmanager
    def attaches_in_flight(self, agent):
        """Yields when Keystone has answered the first request for a token, for which all of them wait."""
        self.keystone.hold()
        calls = [self.start(agent) for _ in range(3)]
        self.wait_until(lambda: self.keystone.held > 0, DEATH_SECONDS)
        self.assertEqual(self.keystone.connections, 1)
        yield calls
        self.keystone.release()

    def test_a_restart_of_keystone_is_not_noticed(self):
        agent = self.agent_with(55)  # longer than a restart takes
        with self.attaches_in_flight(agent) as calls:
            self.cloud.keystone.process.kill()
            self.cloud.keystone.process.start()
            self.keystone.drop()  # the token is lost with the connection
        for call in calls:
            self.assertFalse(agent.api.result(call).formatted)

    def test_the_death_of_keystone_is_unavailable_until_it_is_back(self):
        agent = self.agent_with(DEATH_SECONDS)
        with self.attaches_in_flight(agent) as calls:
            self.cloud.keystone.process.kill()
            self.keystone.drop()
        begin = time.monotonic()
        for call in calls:
            error = self.refused("KEY_MANAGER_UNAVAILABLE", lambda pending=call: agent.api.result(pending))
            self.assertIn("Keystone", error.message)
        self.assert_within(DEATH_SECONDS + GRACE, begin)
        self.cloud.keystone.process.start()
        self.assertFalse(agent.api.result(self.start(agent)).formatted)
