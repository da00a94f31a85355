"""The network of two linked nodes (tools/computenode -l), and what one of them asks of the other."""

import xmlrpc.client

from harness.devices import run
from testkit.waiting import wait_until

FIRST, SECOND = "10.42.0.1", "10.42.0.2"
PORT = 8000
_ANSWER_SECONDS = 150  # longer than an attach may take there


def bring_up(address):
    run("ip", "address", "add", f"{address}/24", "dev", "vec0")
    run("ip", "link", "set", "vec0", "up")


class _Transport(xmlrpc.client.Transport):
    """With a bound for each answer."""

    def make_connection(self, host):
        connection = super().make_connection(host)
        connection.timeout = _ANSWER_SECONDS
        return connection


def second_node():
    """The other node, as second.py serves it, as soon as it answers."""
    proxy = xmlrpc.client.ServerProxy(f"http://{SECOND}:{PORT}", transport=_Transport(), allow_none=True)

    def answers():
        try:
            return proxy.is_there()
        except OSError:
            return False

    wait_until(answers, 120, "the second node to answer")
    return proxy
