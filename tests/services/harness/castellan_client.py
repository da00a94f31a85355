"""castellan, the library with which Nova and Cinder use Barbican, as one user of a cloud."""

import logging

from castellan import options
from castellan.common.credentials import keystone_password
from castellan.common.objects import symmetric_key
from castellan.key_manager import barbican_key_manager
from oslo_config import cfg

logging.getLogger("castellan").setLevel(logging.CRITICAL)  # it prints what it raises as well


class Castellan:
    def __init__(self, user):
        configuration = cfg.ConfigOpts()
        configuration([], project="castellan", default_config_files=[])
        cloud = user.cloud
        addresses = {"auth_endpoint": cloud.keystone.url, "barbican_endpoint": cloud.barbican.url}
        options.set_defaults(configuration, backend="barbican", verify_ssl=False, **addresses)
        self._manager = barbican_key_manager.BarbicanKeyManager(configuration)
        self._context = keystone_password.KeystonePassword(
            cloud.passwords[user.name],
            username=user.name,
            auth_url=cloud.keystone.url,
            user_domain_name="Default",
            project_name=user.project,
            project_domain_name="Default",
        )

    def create(self, bits=256):
        """As Cinder does for a new encrypted volume; the key's id."""
        return self._manager.create_key(self._context, algorithm="aes", length=bits)

    def store(self, key):
        return self._manager.store(self._context, symmetric_key.SymmetricKey("AES", len(key) * 8, key))

    def get(self, key_id):
        """As Nova does to attach; the bytes."""
        return self._manager.get(self._context, key_id).get_encoded()

    def delete(self, key_id):
        """As Cinder does when the volume is deleted."""
        self._manager.delete(self._context, key_id)
