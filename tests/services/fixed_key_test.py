"""The fixed key of Nova's and Cinder's ConfKeyManager."""

import os

from harness import ServiceCase

FIXED_KEY = "00000000-0000-0000-0000-000000000000"


class FixedKey(ServiceCase):
    def setUp(self):
        super().setUp()
        self.key = os.urandom(32)

    def section(self, digits=None, **keys):
        digits = self.key.hex() if digits is None else digits
        return {"type": "conf", "fixed_key_file": self.file(f"fixed-{len(digits)}", digits), **keys}

    def test_the_fixed_key_opens_volumes(self):
        agent, volume = self.agent({"fixed": self.section()}), self.volume()
        self.assertTrue(self.attach(agent, volume, FIXED_KEY)["formatted"])
        self.assert_opened_by(volume, self.key)
        self.detach(agent, volume)
        self.assertFalse(self.attach(agent, volume, FIXED_KEY)["formatted"])

    def test_digits_may_be_in_upper_case(self):
        agent, volume = self.agent({"fixed": self.section(self.key.hex().upper() + "\n")}), self.volume()
        self.attach(agent, volume, FIXED_KEY)
        self.assert_opened_by(volume, self.key)

    def test_its_id_means_it_whatever_the_default_is(self):
        agent = self.agent({"store": {"type": "local", "path": os.path.join(self.directory, "k.db")}, "fixed": self.section()})
        volume = self.volume()
        attachment = self.attach(agent, volume, FIXED_KEY)
        self.assert_opened_by(volume, self.key)
        self.assertTrue(attachment["formatted"])

    def test_without_a_section_its_id_is_unknown_to_the_default(self):
        self.attach_refused("KEY_NOT_FOUND", self.agent({}), self.volume(), FIXED_KEY)

    def test_any_other_id_is_not_found(self):
        agent = self.agent({"fixed": self.section()})
        self.attach_refused("KEY_NOT_FOUND", agent, self.volume(), "00000000-0000-0000-0000-000000000001")

    def test_it_is_neither_made_nor_deleted(self):
        agent = self.agent({"fixed": self.section()})
        self.refused("INVALID_FIELD", lambda: self.create_key(agent))
        self.refused("INVALID_FIELD", lambda: agent.api("DeleteKey", key={"key_id": FIXED_KEY}))

    def test_a_start_with_it_is_a_warning(self):
        self.assertIn("insecure", self.agent({"fixed": self.section()}).log())

    def test_a_short_key_gets_slow_derivation(self):
        agent, volume = self.agent({"fixed": self.section("0123456789abcdef")}), self.volume()
        self.attach(agent, volume, FIXED_KEY)
        self.assertEqual(volume.formats()[0]["keyslot"], "slow")

    def test_a_file_that_is_no_key_stops_the_start_and_shows_nothing_of_it(self):
        agent = self.agent({})
        agent.stop()
        for digits in ("0123456789abcde", "0123456789abcdeg", ""):
            with self.subTest(digits):
                agent.configure({"fixed": self.section(digits)})
                with self.assertRaises(AssertionError) as caught:
                    agent.start()
                self.assertIn("fixed", str(caught.exception))
                self.assertNotIn("0123456789", str(caught.exception))
