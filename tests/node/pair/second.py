#!/usr/bin/python3
"""The second of two linked nodes: runs an agent and does what the first node asks.

usage: tests/node/pair/second.py --build DIR
"""

import argparse
import os
import socket
import sys
from xmlrpc.server import SimpleXMLRPCServer

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = os.path.dirname(HERE)
NAME = "second-node"


class SecondNode:
    """Every method is a request of the first node's."""

    def __init__(self, agent):
        self._agent, self._api = agent, None
        self.ends = False

    def is_there(self):
        return True

    def start_agent(self, config, files):
        """`files`: {name: text} of what only the agent may read."""
        from harness.agent_files import give_to_agent
        from testkit.api import Api

        for name, text in files.items():
            give_to_agent(name, text)
        self._agent.configure(config)
        self._agent.start()
        self._api = Api(f"unix:{self._agent.socket}")

    def attach(self, fields):
        """{"formatted"} or {"reason", "metadata"}."""
        from testkit.api import ApiError

        try:
            return {"formatted": self._api("AttachVolume", **fields).formatted}
        except ApiError as error:
            return {"reason": error.reason, "metadata": error.metadata}

    def detach(self, volume_id):
        return self._api("DetachVolume", volume_id=volume_id).was_attached

    def fail_at(self, point):
        self._agent.fail_at(point)

    def write(self, path, data):
        from harness import BlockDevice

        BlockDevice(path).write(0, data.data)

    def read(self, path, length):
        from harness import BlockDevice

        return BlockDevice(path).read(0, length)

    def log(self):
        return self._agent.log()

    def end(self):
        """Stops the agent; its exit status. The last request."""
        self.ends = True
        return self._agent.stop() if self._agent.is_running() else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", required=True)
    os.environ["VOLCRYPT_BUILD"] = os.path.abspath(parser.parse_args().build)
    socket.sethostname(NAME)
    tests = os.path.dirname(NODE)
    sys.path[:0] = [HERE, NODE, tests]
    sys.dont_write_bytecode = True
    from harness import Agent  # needs VOLCRYPT_BUILD
    from harness.prepare_node import prepare_node
    from link import PORT, SECOND, bring_up

    prepare_node()
    bring_up(SECOND)
    node = SecondNode(Agent(log_name="second-node.log"))
    with SimpleXMLRPCServer((SECOND, PORT), allow_none=True, logRequests=False) as server:
        server.register_instance(node)
        while not node.ends:
            server.handle_request()


if __name__ == "__main__":
    main()
