#!/usr/bin/python3
"""keys.py --build DIR [--rounds N]

Times the fetch of one key from each key manager, the servers running beside it on this machine: the server itself (the
same requests, written by hand, on a connection that is kept), volcrypt, and castellan, with which nova does it. Cold is
the first fetch of a process, warm any later one. They take turns, so that what else the machine does meets all of them.
"""

import argparse
import collections
import gc
import http.client
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
TURNS = 5
COLD_ROUNDS = 5  # of a turn, as in keys_bench.cc
REST = 0.1  # as in samples.h

# Rows of the table, each with the row that it is compared with.
ROWS = [
    ("server-barbican", None, "Barbican itself, two requests"),
    ("volcrypt-barbican", "server-barbican", "volcrypt, Barbican"),
    ("castellan", "volcrypt-barbican", "castellan, Barbican"),
    ("server-kmip", None, "PyKMIP itself, two requests"),
    ("volcrypt-kmip", "server-kmip", "volcrypt, KMIP"),
    ("volcrypt-local", None, "volcrypt, the embedded store"),
    ("volcrypt-fixed", None, "volcrypt, the fixed key"),
]


def sample(samples, who, what, work):
    time.sleep(REST)
    begin = time.perf_counter()
    result = work()
    samples[who, what].append(1000 * (time.perf_counter() - begin))
    return result


def time_barbican(samples, user, secret, rounds):
    """The two requests of a fetch as nobody could send fewer."""
    connection = http.client.HTTPConnection("127.0.0.1", user.cloud.barbican.port, timeout=20)
    token = user.new_token()

    def request(path, accept):
        connection.request("GET", f"/v1/secrets/{secret}{path}", headers={"X-Auth-Token": token, "Accept": accept})
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return answer.read()

    def fetch():
        request("", "application/json")
        assert len(request("/payload", "application/octet-stream")) == 32

    fetch()
    for _ in range(rounds):
        sample(samples, "server-barbican", "warm", fetch)
    connection.close()


def time_castellan(samples, user, secret, rounds):
    from harness.castellan_client import Castellan

    def cold():
        client = Castellan(user)
        client.get(secret)
        return client

    for _ in range(COLD_ROUNDS):
        client = None
        gc.collect()  # closes its connection, or Barbican would wait for it
        client = sample(samples, "castellan", "cold", cold)
    for _ in range(rounds):
        sample(samples, "castellan", "warm", lambda: client.get(secret))
    client = None
    gc.collect()


def ttlv(tag, kind, value):
    """KMIP's encoding of one item."""
    return struct.pack(">I", tag << 8 | kind) + struct.pack(">I", len(value)) + value + bytes(-len(value) % 8)


def kmip_request(operation, payload):
    """Of KMIP 1.2."""

    def number(tag, kind, value):
        return ttlv(tag, kind, struct.pack(">I", value))

    version = ttlv(0x420069, 1, number(0x42006A, 2, 1) + number(0x42006B, 2, 2))
    header = ttlv(0x420077, 1, version + number(0x42000D, 2, 1))
    batch = ttlv(0x42000F, 1, number(0x42005C, 5, operation) + ttlv(0x420079, 1, payload))
    return ttlv(0x420078, 1, header + batch)


def time_kmip(samples, server, key_id, rounds):
    from servers.front import client_tls

    identifier = ttlv(0x420094, 7, key_id.encode())
    # Whether the key may be used, and the key.
    requests = [kmip_request(0x0B, identifier + ttlv(0x42000A, 7, b"State")), kmip_request(0x0A, identifier)]
    context = client_tls(server.pki.authority.file, server.pki.client)
    with socket.create_connection(("127.0.0.1", server.port), 20) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as connection, connection.makefile("rb") as answers:

            def fetch():
                for request in requests:
                    connection.sendall(request)
                    (length,) = struct.unpack(">4xI", answers.read(8))
                    assert bytes.fromhex("42007f050000000400000000") in answers.read(length), "not a success"

            fetch()
            for _ in range(rounds):
                sample(samples, "server-kmip", "warm", fetch)


def time_volcrypt(samples, bench, configuration, name, key_id, rounds):
    process = subprocess.Popen([bench, configuration, name, key_id, str(rounds)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        words = line.split()
        if len(words) == 4 and words[0] == "sample":
            samples[words[1], words[2]].append(float(words[3]))
    if process.wait() != 0:
        sys.exit(f"keys.py: keys_bench {name} failed")


def write_file(directory, name, text):
    path = os.path.join(directory, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    return path


def configure(directory, cloud, server):
    text = f"""
[key_managers.local]
type = "local"
path = "{directory}/keys.db"
[key_managers.fixed]
type = "conf"
fixed_key_file = "{write_file(directory, "fixed", "5f" * 32)}"
[key_managers.barbican]
type = "barbican"
auth_url = "{cloud.keystone.url}"
username = "nova"
password_file = "{write_file(directory, "password", cloud.passwords["nova"])}"
project_name = "tenant"
[key_managers.kmip]
type = "kmip"
servers = ["{server.address}"]
client_certificate = "{server.pki.client.certificate}"
client_private_key = "{server.pki.client.key}"
ca_file = "{server.pki.authority.file}"
"""
    return write_file(directory, "volcryptd.toml", text)


def new_kmip_key(server):
    from kmip import enums

    with server.client() as client:
        key_id = client.create(enums.CryptographicAlgorithm.AES, 256)
        client.activate(key_id)
    return key_id


def print_table(samples):
    print("| who | fetch | rounds | median ms | p95 ms | ratio |")
    print("|---|---|---|---|---|---|")
    for who, base, name in ROWS:
        for what in ("cold", "warm"):
            values = samples.get((who, what))
            if not values:
                continue
            median = statistics.median(values)
            percentile_95 = sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]
            ratio = ""
            if base and samples.get((base, what)):
                ratio = f"{median / statistics.median(samples[base, what]):.2f} x {base}"
            print(f"| {name} | {what} | {len(values)} | {median:.2f} | {percentile_95:.2f} | {ratio} |")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    os.environ["VOLCRYPT_BUILD"] = os.path.abspath(arguments.build)
    sys.path[:0] = [os.path.join(TESTS, "services"), TESTS]
    sys.dont_write_bytecode = True
    from servers.cloud import Cloud
    from servers.pykmip import Pki, PyKmip

    bench = os.path.join(arguments.build, "tests/bench/keys_bench")
    samples = collections.defaultdict(list)
    cloud, pki = Cloud(keeps_connections=True), Pki()
    server = PyKmip(pki)
    user = cloud.user("nova")
    secret, kmip_key = user.secret(os.urandom(32)), new_kmip_key(server)
    user.close()  # Barbican serves one connection at a time
    with tempfile.TemporaryDirectory() as directory:
        configuration = configure(directory, cloud, server)
        rounds = -(-arguments.rounds // TURNS)
        for _ in range(TURNS):
            time_barbican(samples, user, secret, rounds)
            time_volcrypt(samples, bench, configuration, "barbican", secret, rounds)
            time_castellan(samples, user, secret, rounds)
            time_kmip(samples, server, kmip_key, rounds)
            time_volcrypt(samples, bench, configuration, "kmip", kmip_key, rounds)
            time_volcrypt(samples, bench, configuration, "fixed", "00000000-0000-0000-0000-000000000000", rounds)
            time_volcrypt(samples, bench, configuration, "local", "new", rounds)
    print_table(samples)
    for each in (server, pki, cloud):
        each.close()


main()
