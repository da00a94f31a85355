"""What Barbican may hold under a key's id, and what attach makes of it."""

import datetime
import os
import uuid

from harness import CloudCase
from servers.front import Answer, CountingFront

PASSPHRASE = "correct horse battery staple"


class Secrets(CloudCase):
    def setUp(self):
        super().setUp()
        self.nova = self.user("nova")
        self.barbican = self.agent({"barbican": self.section("nova")})

    def test_a_symmetric_key_opens_the_volume_with_its_hexadecimal_text(self):
        key, volume = os.urandom(32), self.volume()
        secret = self.nova.secret(key)
        self.assertTrue(self.attach(self.barbican, volume, secret)["formatted"])
        self.assert_opened_by(volume, key)
        self.detach(self.barbican, volume)
        self.assertFalse(self.attach(self.barbican, volume, secret)["formatted"])

    def test_keys_of_16_32_and_64_bytes_need_no_slow_derivation(self):
        for size in (16, 32, 64):
            with self.subTest(size):
                key, volume = os.urandom(size), self.volume()
                self.attach(self.barbican, volume, self.nova.secret(key))
                self.assert_opened_by(volume, key)
                self.assertEqual(volume.formats()[0]["keyslot"], "fast")

    def test_a_key_of_one_byte_gets_slow_derivation(self):
        key, volume = b"\x07", self.volume()
        self.attach(self.barbican, volume, self.nova.secret(key))
        self.assert_opened_by(volume, key)
        self.assertEqual(volume.formats()[0]["keyslot"], "slow")

    def test_the_largest_payload_that_barbican_takes_is_used(self):
        key, volume = os.urandom(15000), self.volume()
        self.attach(self.barbican, volume, self.nova.secret(key, secret_type="opaque"))
        self.assert_opened_by(volume, key, "opaque")

    def test_a_payload_larger_than_barbican_could_have_is_unfit(self):
        front, volume = self.front(self.cloud.barbican), self.volume()
        front.intercept = lambda _, path, __: Answer(200, b"k" * 20001) if path.endswith("/payload") else None
        agent = self.agent({"barbican": self.section("nova", endpoint=front.url)})
        error = self.attach_refused("KEY_UNFIT", agent, volume, self.nova.secret(os.urandom(32), secret_type="opaque"))
        self.assertIn("20000", error.message)
        self.assertEqual(volume.formats(), [])

    def test_a_passphrase_is_taken_unchanged(self):
        volume = self.volume()
        self.attach(self.barbican, volume, self.nova.secret(PASSPHRASE, secret_type="passphrase"))
        self.assert_opened_by(volume, PASSPHRASE.encode(), "passphrase")
        self.assertEqual(volume.formats()[0]["keyslot"], "slow")

    def test_an_opaque_secret_is_taken_as_hexadecimal_text_with_slow_derivation(self):
        key, volume = os.urandom(32), self.volume()
        self.attach(self.barbican, volume, self.nova.secret(key, secret_type="opaque"))
        self.assert_opened_by(volume, key, "opaque")
        self.assertEqual(volume.formats()[0]["keyslot"], "slow")

    def test_other_types_of_secrets_are_unfit(self):
        for secret_type in ("private", "public", "certificate"):
            with self.subTest(secret_type):
                secret = self.nova.secret(os.urandom(32), secret_type=secret_type)
                error = self.attach_refused("KEY_UNFIT", self.barbican, self.volume(), secret)
                self.assertIn(secret_type, error.message)

    def test_a_key_that_is_shorter_or_longer_than_its_bit_length_is_unfit(self):
        for bits in (128, 512):
            with self.subTest(bits):
                secret = self.nova.secret(os.urandom(32), bit_length=bits)
                error = self.attach_refused("KEY_UNFIT", self.barbican, self.volume(), secret)
                self.assertIn(str(bits), error.message)
                self.assertIn("256", error.message)

    def test_a_key_without_payload_says_so(self):
        secret = self.nova.secret(None, algorithm="aes", bit_length=256)
        error = self.attach_refused("KEY_UNFIT", self.barbican, self.volume(), secret)
        self.assertIn("payload", error.message)

    def test_a_key_with_a_payload_of_no_bytes_is_unfit(self):
        self.attach_refused("KEY_UNFIT", self.barbican, self.volume(), self.nova.empty_payload())

    def test_a_key_stored_as_text_is_read_as_bytes(self):
        text, volume = "0123456789abcdef0123456789abcdef", self.volume()
        secret = self.nova.secret(text, algorithm="aes", bit_length=256)
        self.attach(self.barbican, volume, secret)
        self.assert_opened_by(volume, text.encode())

    def test_a_deleted_key_is_not_found(self):
        secret = self.nova.secret(os.urandom(32))
        self.nova.delete(secret)
        error = self.attach_refused("KEY_NOT_FOUND", self.barbican, self.volume(), secret)
        self.assertIn(secret, error.message)

    def test_an_unknown_key_is_not_found(self):
        self.attach_refused("KEY_NOT_FOUND", self.barbican, self.volume(), str(uuid.uuid4()))

    def test_an_expired_key_is_not_found_and_its_expiry_is_thought_of(self):
        _ = self.nova.token  # which takes a while
        # Barbican must have it before, as it takes none that has expired.
        soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=15)
        secret = self.nova.secret(os.urandom(32), expiration=soon.isoformat())
        self.wait_until(lambda: self.nova.status_of(secret) == 404)
        error = self.attach_refused("KEY_NOT_FOUND", self.barbican, self.volume(), secret)
        self.assertIn("expired", error.message)

    def test_an_id_that_is_no_uuid_is_refused_without_asking(self):
        before = len(self.cloud.barbican.requests())
        for key_id in ("no uuid", "../../v1/orders", "0" * 200, "{}", "a/b?c"):
            with self.subTest(key_id):
                self.attach_refused("INVALID_KEY_ID", self.barbican, self.volume(), key_id)
        self.assertEqual(len(self.cloud.barbican.requests()), before)

    def test_spellings_of_an_id_mean_the_same_key(self):
        secret = self.nova.secret(os.urandom(32))
        for spelling in (secret.upper(), f"{self.cloud.barbican.url}/v1/secrets/{secret}"):
            with self.subTest(spelling):
                self.assertTrue(self.attach(self.barbican, self.volume(), spelling)["formatted"])

    def test_nothing_is_sent_to_the_host_in_a_reference(self):
        elsewhere = CountingFront(self.cloud.barbican.port)
        self.addCleanup(elsewhere.close)
        secret = self.nova.secret(os.urandom(32))
        self.attach(self.barbican, self.volume(), f"{elsewhere.url}/v1/secrets/{secret}")
        self.assertEqual((elsewhere.connections, elsewhere.requests), (0, []))

    def test_a_fetch_takes_two_requests(self):
        """Those that follow are for the first-use record."""
        secret, volume = self.nova.secret(os.urandom(32)), self.volume()
        self.attach(self.barbican, volume, secret)
        self.detach(self.barbican, volume)
        before = len(self.cloud.barbican.requests(secret))
        self.attach(self.barbican, volume, secret)
        later = self.cloud.barbican.requests(secret)[before:]
        url = f"/v1/secrets/{secret}"
        self.assertEqual(later[:2], [("GET", url), ("GET", f"{url}/payload")])
        self.assertEqual([request for request in later[2:] if "payload" in request[1] or request[0] != "GET"], [])
