"""KMIP servers that are killed, stopped and restarted, between calls and during them; and the next in the list."""

import os
import time

from harness import KmipCase
from servers.front import Front

SECONDS = 3  # the section's timeout, where something hangs
LONG_SECONDS = 30  # where nothing does
DEATH_SECONDS = 20  # where something dies in mid-call
GRACE = 20  # for a busy machine


class Outage(KmipCase):
    def setUp(self):
        super().setUp()
        self.long = self.agent_with(LONG_SECONDS)
        self.key = self.create_key(self.long)

    def agent_with(self, seconds):
        return self.agent({"kmip": self.section(timeout=f"{seconds}s")})

    def refused_in_time(self, reason, agent):
        begin = time.monotonic()
        error = self.attach_refused(reason, agent, self.volume(), self.key)
        self.assert_within(SECONDS + GRACE, begin)
        return error

    def test_a_server_that_is_down_is_unavailable_until_it_is_back(self):
        self.server.process.kill()
        error = self.refused_in_time("KEY_MANAGER_UNAVAILABLE", self.long)
        self.assertIn(self.server.address, error.message)
        self.server.process.start()
        self.assertTrue(self.attach_when_back(self.long, self.volume(), self.key)["formatted"])

    def test_a_restart_between_calls_is_not_noticed(self):
        self.attach(self.long, self.volume(), self.key)
        self.server.process.kill()
        self.server.process.start()
        self.assertTrue(self.attach_when_back(self.long, self.volume(), self.key)["formatted"])

    def test_a_server_that_hangs_is_timed_out_until_it_goes_on(self):
        agent = self.agent_with(SECONDS)
        self.attach_when_back(agent, self.volume(), self.key)  # over a connection that is kept
        self.server.process.freeze()
        self.refused_in_time("KEY_MANAGER_TIMED_OUT", agent)
        self.server.process.thaw()
        self.assertTrue(self.attach_when_back(agent, self.volume(), self.key)["formatted"])

    def test_a_server_that_never_answers_a_handshake_is_timed_out(self):
        agent = self.agent_with(SECONDS)
        self.server.process.freeze()
        self.refused_in_time("KEY_MANAGER_TIMED_OUT", agent)
        self.server.process.thaw()

    def test_who_needs_another_key_manager_is_not_delayed(self):
        agent = self.long
        local = self.create_key(agent, "local")
        self.server.process.freeze()
        calls = [self.start_attach(agent, self.volume(), self.key) for _ in range(4)]
        self.assertTrue(self.attach(agent, self.volume(), local, "local")["formatted"])
        self.assertFalse(any(call.done() for call in calls))
        self.server.process.thaw()
        for call in calls:
            self.assertTrue(agent.api.result(call).formatted)

    def test_a_repeat_of_an_attach_needs_no_server(self):
        volume = self.volume()
        self.attach(self.long, volume, self.key)
        self.server.process.kill()
        self.assertTrue(self.attach(self.long, volume, self.key)["already_attached"])


class DuringCalls(KmipCase):
    def setUp(self):
        super().setUp()
        self.front = Front(self.server.port)
        self.addCleanup(self.front.close)
        self.through_front = self.agent_with(55)  # seconds: longer than a restart takes
        self.key = self.create_key(self.through_front)

    def agent_with(self, seconds):
        return self.agent({"kmip": self.section(self.front.address, timeout=f"{seconds}s")})

    def attach_in_flight(self, agent):
        self.front.hold()
        call = self.start_attach(agent, self.volume(), self.key)
        self.wait_until(lambda: self.front.held > 0, DEATH_SECONDS)
        return call

    def test_a_restart_during_a_read_is_not_noticed(self):
        call = self.attach_in_flight(self.through_front)
        self.server.process.kill()
        self.server.process.start()
        self.front.drop()  # as the connection to the server that was
        self.front.release()
        self.assertTrue(self.through_front.api.result(call).formatted)

    def test_the_death_of_the_server_during_a_read_is_unavailable(self):
        agent = self.agent_with(DEATH_SECONDS)
        call = self.attach_in_flight(agent)
        self.server.process.kill()
        self.front.close()
        self.refused("KEY_MANAGER_UNAVAILABLE", lambda: agent.api.result(call))

    def test_a_pause_within_the_timeout_is_not_noticed(self):
        self.server.process.freeze()
        call = self.start_attach(self.through_front, self.volume(), self.key)
        time.sleep(0.5)  # the pause itself
        self.assertFalse(call.done())
        self.server.process.thaw()
        self.assertTrue(self.through_front.api.result(call).formatted)


class SeveralServers(KmipCase):
    """The same keys in two servers, as those who sell them in pairs replicate them."""

    def setUp(self):
        super().setUp()
        self.second = self.new_server()
        self.key = os.urandom(32)
        uids = [self.registered(server) for server in (self.server, self.second)]
        self.assertEqual(uids[0], uids[1], "two new servers count alike")
        self.uid = uids[0]

    def registered(self, server):
        from kmip import enums
        from kmip.pie import objects

        with server.client() as client:
            uid = client.register(objects.SymmetricKey(enums.CryptographicAlgorithm.AES, 256, self.key))
            client.activate(uid)
        return uid

    def opens(self, agent):
        volume = self.volume()
        volume.format_with(self.key)
        self.attach(agent, volume, self.uid)

    def test_the_second_takes_over_when_the_first_is_down(self):
        agent = self.agent({"kmip": self.section(self.server, self.second)})
        self.opens(agent)
        self.server.process.kill()
        self.opens(agent)
        self.server.process.start()
        self.second.process.kill()
        self.opens(agent)

    def test_the_second_takes_over_when_the_first_hangs(self):
        agent = self.agent({"kmip": self.section(self.server, self.second, timeout="12s")})
        self.opens(agent)
        self.server.process.freeze()
        self.opens(agent)
        self.server.process.thaw()

    def test_the_second_takes_over_when_the_first_is_not_to_be_trusted(self):
        from servers.certificates import Authority

        stranger = Authority(os.path.join(self.directory, "stranger")).server("stranger")
        wrong = self.new_server(server=stranger)
        self.opens(self.agent({"kmip": self.section(wrong, self.second)}))

    def test_what_the_first_denies_the_second_is_not_asked(self):
        agent = self.agent({"kmip": self.section(self.server, self.second)})
        with self.second.client() as client:
            from kmip import enums

            extra = client.create(enums.CryptographicAlgorithm.AES, 256)
            client.activate(extra)
        self.attach_refused("KEY_NOT_FOUND", agent, self.volume(), extra)

    def test_a_check_goes_past_the_one_that_is_down(self):
        agent = self.agent({"kmip": self.section(self.server, self.second)})
        self.server.process.kill()
        first, *others = agent.api("CheckKeyManager", key_manager="kmip").steps
        self.assertEqual((first.name, first.passed), ("connect", True))
        self.assertIn(self.server.address, first.detail)
        self.assertIn("check that the server runs", first.remedy)
        self.assertEqual([step.name for step in others if not step.passed or step.remedy], [])
        status, output, _ = self.ctl(agent, "key", "check", "kmip")
        self.assertEqual(status, 0, output)
        self.second.process.kill()
        steps = agent.api("CheckKeyManager", key_manager="kmip").steps
        self.assertEqual([step.name for step in steps if not step.passed], ["connect", "connect"])
        status, _, errors = self.ctl(agent, "key", "check", "kmip")
        self.assertEqual(status, 7, errors)

    def test_when_all_are_down_the_error_names_all(self):
        agent = self.agent({"kmip": self.section(self.server, self.second, timeout=f"{LONG_SECONDS}s")})
        self.server.process.kill()
        self.second.process.kill()
        error = self.attach_refused("KEY_MANAGER_UNAVAILABLE", agent, self.volume(), self.uid)
        for server in (self.server, self.second):
            self.assertIn(server.address, error.message)
