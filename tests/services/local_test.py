"""The embedded key store and the fixed key: key managers without a server."""

from harness import ServiceCase


class Local(ServiceCase):
    def test_a_volume_is_formatted_once_and_opened_afterwards(self):
        agent = self.agent({})
        key, volume = self.create_key(agent), self.volume()
        self.assertTrue(self.attach(agent, volume, key)["formatted"])
        self.assertTrue(self.attach(agent, volume, key)["already_attached"])
        self.detach(agent, volume)
        self.assertFalse(self.attach(agent, volume, key)["formatted"])
        self.assertEqual(len(volume.formats()), 1)
