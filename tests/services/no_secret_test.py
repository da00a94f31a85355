"""No key, password or token stays anywhere it could be found.

Each test uses one key manager in every way that succeeds or fails, then looks for its secrets in the memory of agent
and helper, in logs, answers, metrics, files, command lines and environments. Each way of looking is first shown to find
the same bytes where they have been put.
"""

import os

from harness import CloudCase, KmipCase, ServiceCase
from servers.front import Answer
from servers.process import free_ports
from testkit.api import ApiError
from testkit.needles import Needles, process_that_holds

FIXED_KEY = "00000000-0000-0000-0000-000000000000"


class Search(ServiceCase):
    def setUp(self):
        super().setUp()
        self.answers = []

    def agent(self, sections, **options):
        (port,) = free_ports(1)
        return super().agent(sections, metrics=port, **options)

    def note(self, call):
        """Makes a call whose answer or error is searched as well."""
        try:
            self.answers.append(str(call()))
        except ApiError as error:
            self.answers.append(f"{error} {error.metadata}")

    def assert_nowhere(self, agent, secrets):
        """`secrets`: bytes by what they are; not even in memory."""
        needles = Needles(secrets)
        sample = next(iter(secrets.values()))
        with process_that_holds(sample) as holder:
            self.assertTrue(needles.in_memory(holder.pid), "the control: this is how it is found")
        self.assertTrue(Needles({"path": agent.directory.encode()}).in_memory(agent.pid), "the control: it is really read")
        for pid in (agent.pid, agent.helper.pid):
            self.assertEqual(needles.in_memory(pid), set(), f"process {pid}")
        self.assert_not_written_down(agent, secrets)

    def assert_not_written_down(self, agent, secrets):
        needles, sample = Needles(secrets), next(iter(secrets.values()))
        said = "\n".join([agent.log(), agent.helper.log(), agent.metrics(), *self.answers]).encode()
        self.assertTrue(Needles({"volume": self.said_volume.encode()}).in_bytes(said), "the control: the log is there")
        self.assertIn(b'verb="AttachVolume"', said, "the control: so are the metrics")
        self.assertEqual(needles.in_bytes(said), set())
        self.assertEqual(needles.in_directory(agent.directory), set())
        with process_that_holds(b"", arguments=[sample.hex()]):
            self.assertTrue(needles.in_command_lines(), "the control: this is how it is found")
        self.assertEqual(needles.in_command_lines(), set())

    def use(self, agent, key_id, wrong_key, key_manager, **options):
        """First use, a later attach, and a refusal, all that takes a key."""
        volume = self.volume()
        self.said_volume = volume.volume_id
        self.note(lambda: self.attach(agent, volume, key_id, key_manager, **options))
        self.detach(agent, volume)
        self.note(lambda: self.attach(agent, volume, key_id, key_manager, **options))
        self.detach(agent, volume)
        self.note(lambda: self.attach_refused("KEY_REJECTED", agent, volume, wrong_key, key_manager, **options))
        self.note(lambda: self.key_metadata(agent, key_id, key_manager))
        self.assertEqual(len(volume.formats()), 1)

    def carry(self, agent, key_id, key_manager):
        """Copies there and back."""
        source = {"key_manager": key_manager, "key_id": key_id}
        local = agent.api("CopyKey", source=source, key_manager="local").key
        self.note(lambda: agent.api("CopyKey", source=local, key_manager=key_manager, name="back"))


class InBarbican(CloudCase, Search):
    """The agent keeps its password and its token, in pages that are locked and left out of dumps; of keys it keeps
    nothing. A caller's token goes through the memory of gRPC, which is not ours to wipe, and nowhere else."""

    def setUp(self):
        super().setUp()
        nova = self.user("nova")
        self.keys = [os.urandom(32), os.urandom(64)]
        self.token, self.revoked = nova.new_token(), nova.new_token()
        nova.revoke(self.revoked)
        self.ids = [nova.secret(key) for key in self.keys]
        self.wrong_password = os.urandom(20).hex()
        self.wrong_length = nova.secret(self.keys[0], bit_length=512)

    def use_all(self, agent, manager):
        self.use(agent, *self.ids, manager)
        self.use(agent, *self.ids, manager, token=self.token)
        self.carry(agent, self.ids[0], manager)
        for token in (None, self.token, self.revoked):
            self.note(lambda t=token: self.attach(agent, self.volume(), self.wrong_length, manager, token=t))
        self.note(lambda: agent.api("CheckKeyManager", key_manager=manager))

    def test_nothing_stays_of_what_was_used(self):
        credential, secret = self.user("nova").application_credential(self.id()[-60:])
        wrong = self.section("observer", password_file=self.file("wrong", self.wrong_password))
        application = self.application_section(credential, secret)
        agent = self.agent({"barbican": self.section("nova"), "application": application, "wrong": wrong})
        for manager in ("barbican", "application"):
            self.use_all(agent, manager)
        self.note(lambda: self.attach(agent, self.volume(), self.ids[0], "wrong"))
        own = {"password": self.cloud.passwords["nova"], "wrong password": self.wrong_password, "application": secret}
        self.assert_all_of_it(agent, own)

    def assert_all_of_it(self, agent, own, own_in_memory=True):
        """`own`: texts that the agent keeps. own_in_memory: nobody has sent them back to it."""
        self.assert_nowhere(agent, {f"key {index}": key for index, key in enumerate(self.keys)})
        own = {name: text.encode() for name, text in own.items()}
        if own_in_memory:
            self.assertTrue(Needles(own).in_memory(agent.pid), "the control: what is kept is found")
            self.assertEqual(Needles(own).in_memory(agent.pid, but_for_secret_pages=True), set())
        self.assertEqual(Needles(own).in_memory(agent.helper.pid), set())
        callers = {"token of a caller": self.token.encode(), "revoked token": self.revoked.encode()}
        self.assert_not_written_down(agent, {**own, **callers})


class InBarbicanOverTls(InBarbican):
    tls = True


class BehindABrokenFront(InBarbican):
    """Something before the servers that answers what no server would."""

    @staticmethod
    def for_payloads(answer):
        return lambda _, path, __: answer if path.endswith("/payload") else None

    def test_nothing_stays_of_what_was_used(self):
        barbican, keystone = self.front(self.cloud.barbican), self.front(self.cloud.keystone)
        url = f"{keystone.url}/v3"
        agent = self.agent({"barbican": self.section("nova", endpoint=barbican.url, auth_url=url)})
        self.use_all(agent, "barbican")
        own = {value for headers in barbican.headers for name, value in headers.items() if name.lower() == "x-auth-token"}
        own -= {self.token, self.revoked}
        self.assertTrue(own)
        for answer in (
            lambda _, __, headers: Answer(403, f'{{"description": "{dict(headers)}"}}'),  # repeats what it was sent
            self.for_payloads(Answer(500, self.keys[0].hex(), "text/html")),  # with a page for its developers
            self.for_payloads(Answer(404, f'{{"description": "{self.keys[0].hex()}"}}')),
            self.for_payloads(Answer(200, self.keys[0] * 1000, "application/octet-stream")),
        ):
            barbican.intercept = answer
            for token in (None, self.token):
                self.note(lambda t=token: self.attach(agent, self.volume(), self.ids[0], token=t))
        own = {f"the agent's token {index}": token for index, token in enumerate(own)}
        self.assert_all_of_it(agent, own, own_in_memory=False)


class InKmip(KmipCase, Search):
    """The agent keeps its password, in secret pages; it goes out with every request."""

    def setUp(self):
        super().setUp()
        self.passwords = {name: os.urandom(20).hex() for name in ("volcrypt", "unknown")}
        self.server = self.new_server(users={"volcrypt": self.passwords["volcrypt"]})

    def as_user(self, name):
        return self.section(username=name, password_file=self.file(name, self.passwords[name]))

    def test_nothing_stays_of_what_was_used(self):
        agent = self.agent({"kmip": self.as_user("volcrypt"), "denied": self.as_user("unknown")})
        with self.server.client(username="volcrypt", password=self.passwords["volcrypt"]) as client:
            uids = [self.create_key(agent), self.create_key(agent)]
            keys = [client.get(uid).value for uid in uids]
        self.use(agent, uids[0], uids[1], "kmip")
        self.carry(agent, uids[0], "kmip")
        self.note(lambda: self.attach(agent, self.volume(), "987654"))
        self.note(lambda: self.attach_refused("KEY_ACCESS_DENIED", agent, self.volume(), uids[0], "denied"))
        for manager in ("kmip", "denied"):
            self.note(lambda name=manager: agent.api("CheckKeyManager", key_manager=name))
        self.server.process.kill()
        self.note(lambda: self.attach(agent, self.volume(), uids[0]))
        self.assert_nowhere(agent, {f"key {index}": key for index, key in enumerate(keys)})
        self.assert_kept_in_secret_pages(agent, {f"password of {name}": text for name, text in self.passwords.items()})

    def assert_kept_in_secret_pages(self, agent, own):
        own = {name: text.encode() for name, text in own.items()}
        for name, text in own.items():
            self.assertTrue(Needles({name: text}).in_memory(agent.pid), f"the control: the {name} is kept")
        self.assertEqual(Needles(own).in_memory(agent.pid, but_for_secret_pages=True), set())
        self.assertEqual(Needles(own).in_memory(agent.helper.pid), set())
        self.assert_not_written_down(agent, own)


class FixedKey(Search):
    def test_the_fixed_key_is_in_secret_pages_alone(self):
        key = os.urandom(32)
        agent = self.agent({"fixed": {"type": "conf", "fixed_key_file": self.file("fixed", key.hex())}})
        volume = self.volume()
        self.said_volume = volume.volume_id
        self.note(lambda: self.attach(agent, volume, FIXED_KEY))
        needles = Needles({"fixed key": key})
        self.assertTrue(needles.in_memory(agent.pid), "the control: it is kept")
        self.assertEqual(needles.in_memory(agent.pid, but_for_secret_pages=True), set())
        self.assertEqual(needles.in_memory(agent.helper.pid), set())
        self.assert_not_written_down(agent, {"fixed key": key})
