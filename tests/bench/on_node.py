"""What a benchmark on the throw-away node begins with: its arguments, and a node for the agent."""

import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def begin(usage, name, slow_rounds):
    """The arguments of tools/bench NAME. From now on the tests' `harness` and `testkit` can be imported.

    The node has no account for the agent, as tests/node would make one: it stays root, and no change of users is timed.
    """
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--slow-rounds", type=int, default=slow_rounds)
    arguments = parser.parse_args()
    if os.uname().nodename != "computenode":
        sys.exit(f"{name}.py: this changes the machine it runs on; call tools/bench {name}")
    os.environ["VOLCRYPT_BUILD"] = os.path.abspath(arguments.build)
    os.environ["DM_DISABLE_UDEV"] = "1"
    sys.path[:0] = [os.path.join(HERE, "../node"), os.path.dirname(HERE)]
    sys.dont_write_bytecode = True
    from harness import paths

    for directory in (paths.SCRATCH, paths.VOLUMES, paths.OUT, os.path.dirname(paths.SOCKET)):
        os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", paths.SCRATCH], check=True)
    return arguments
