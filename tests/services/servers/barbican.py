"""A real Barbican, which keeps its secrets in SQLite and asks a Keystone about every token."""

import base64
import os

from servers.uwsgi import uwsgi

_CONFIGURATION = """
[DEFAULT]
log_file = {directory}/barbican.log
sql_connection = sqlite:///{directory}/barbican.db
db_auto_create = false
host_href = {href}
transport_url = fake://
[queue]
enable = {orders_wait}
[oslo_policy]
enforce_new_defaults = {new_policy}
enforce_scope = {new_policy}
[keystone_authtoken]
auth_type = password
auth_url = {keystone_url}
www_authenticate_uri = {keystone_url}
username = barbican
password = {password}
user_domain_id = default
project_name = service
project_domain_id = default
service_type = key-manager
token_cache_time = {token_cache_seconds}
{ca_line}
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = {kek}
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = {directory}
"""
_PIPELINES = """
[composite:main]
use = egg:Paste#urlmap
/: version
/v1: api
[pipeline:version]
pipeline = proxy microversion version_app
[pipeline:api]
pipeline = proxy token context microversion api_app
[app:api_app]
paste.app_factory = barbican.api.app:create_main_app
[app:version_app]
paste.app_factory = barbican.api.app:create_version_app
[filter:context]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory
[filter:microversion]
paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory
[filter:token]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:proxy]
paste.filter_factory = oslo_middleware:HTTPProxyToWSGI.factory
"""


class Barbican:
    """Its data outlive stop() and start()."""

    def __init__(self, directory, port, certificate=None, keeps_connections=False, host="127.0.0.1"):
        self.port, self._directory, address = port, directory, f"{host}:{port}"
        self._kek = base64.b64encode(os.urandom(32)).decode()
        self.process = uwsgi("barbican", directory, address, certificate, keeps_connections)
        self.url = f"{'http' if certificate is None else 'https'}://{address}"

    def configure(
        self, keystone_url, password, ca_file=None, href=None, orders_wait=False, token_cache_seconds=300, new_policy=False
    ):
        """In force with the next start. `href`: what it says its own address is. `orders_wait`: orders stay PENDING.

        It believes in a token for `token_cache_seconds`; with -1 it asks Keystone every time, which takes 0.1 s.
        `new_policy`: roles mean what later releases of OpenStack have them mean.
        """
        values = {
            "directory": self._directory,
            "href": href or self.url,
            "orders_wait": str(orders_wait).lower(),
            "new_policy": str(new_policy).lower(),
            "keystone_url": keystone_url,
            "password": password,
            "token_cache_seconds": token_cache_seconds,
            "ca_line": f"cafile = {ca_file}" if ca_file else "",
            "kek": self._kek,
        }
        os.makedirs(os.path.join(self._directory, ".barbican"), exist_ok=True)
        for name, text in ((".barbican/barbican.conf", _CONFIGURATION.format(**values)), ("barbican.ini", _PIPELINES)):
            with open(os.path.join(self._directory, name), "w", encoding="utf-8") as file:
                file.write(text)

    def requests(self, text=""):
        """(method, path) of what it answered since the first start, of those whose path contains the text."""
        lines = (line.split(" ") for line in self.process.log().splitlines())
        return [(words[0], words[1]) for words in lines if len(words) == 3 and words[1].startswith("/") and text in words[1]]
