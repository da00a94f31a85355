#!/usr/bin/python3
"""Runs on the throw-away node: attach.py --build DIR [--rounds N] [--slow-rounds N]

Starts the agent, times everybody on one device in one boot, and prints the table of docs/performance.md.
"""

import collections
import os
import statistics
import subprocess
import sys
import time

from on_node import begin

HERE = os.path.dirname(os.path.abspath(__file__))

# Rows of the table, each with the row that it is compared with.
ROWS = [
    ("floor-luks2", None, "libcryptsetup in process, LUKS2 (the floor)"),
    ("volcrypt-luks2", "floor-luks2", "volcrypt through gRPC, LUKS2"),
    ("volcrypt-luks2-back-to-back", "floor-luks2", "volcrypt, LUKS2, each call at once after the last"),
    ("floor-luks1", None, "libcryptsetup in process, LUKS1 (the floor)"),
    ("volcrypt-luks1", "floor-luks1", "volcrypt through gRPC, LUKS1"),
    ("cryptsetup-pbkdf2-1000", "floor-luks2", "cryptsetup command, LUKS2, PBKDF2-1000"),
    ("cryptsetup-default", "floor-luks2", "cryptsetup command, LUKS2, its defaults"),
    ("os-brick-luks2", "volcrypt-luks2", "os-brick, luks2"),
    ("os-brick-luks", "volcrypt-luks1", "os-brick, luks (LUKS1)"),
]


def percentile_95(values):
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


def collect(command, samples):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        words = line.split()
        if len(words) == 4 and words[0] == "sample":
            samples[words[1], words[2]].append(float(words[3]))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if process.wait() != 0:
        sys.exit(f"attach.py: {command[0]} failed")


def print_table(samples):
    print("| who | operation | rounds | median ms | p95 ms | ratio |")
    print("|---|---|---|---|---|---|")
    for who, base, name in ROWS:
        for what in ("first", "later", "detach"):
            values = samples.get((who, what))
            if not values:
                continue
            median = statistics.median(values)
            ratio = ""
            if base and samples.get((base, what)):
                ratio = f"{median / statistics.median(samples[base, what]):.2f} x {base}"
            print(f"| {name} | {what} | {len(values)} | {median:.1f} | {percentile_95(values):.1f} | {ratio} |")


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def proportional_kib(pid):
    """Resident, where a page that several processes share counts in part for each."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def main():
    arguments = begin(__doc__, "attach", slow_rounds=20)
    from harness import Agent, paths
    from harness.devices import Device

    agent = Agent()
    agent.start()
    time.sleep(1)  # the spare workers are made when nothing runs
    (helper,) = agent.helper_pids()
    processes = [("volcryptd", agent.pid), ("volcrypt-helper", helper)]
    processes += [("spare worker", pid) for pid in children_of(helper)]
    idle = [(name, resident_kib(pid), proportional_kib(pid)) for name, pid in processes]
    device = Device(mib=256)
    samples = collections.defaultdict(list)
    bench = os.path.join(paths.BUILD, "tests/bench/attach_bench")
    collect([bench, device.path, f"unix:{paths.SOCKET}", str(arguments.rounds), str(arguments.slow_rounds)], samples)
    collect(["/usr/bin/python3", os.path.join(HERE, "time_os_brick.py"), device.path, str(arguments.slow_rounds)], samples)
    print_table(samples)
    print("\nIdle, resident, and with shared pages counted once (PSS):")
    for name, resident, proportional in idle:
        print(f"{name}: {resident} KiB, {proportional} KiB")
    agent.stop()


main()
