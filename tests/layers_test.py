#!/usr/bin/python3
"""A folder is a layer and includes go one way. Reads the includes of the sources and the libraries of the programs.

usage: tests/layers_test.py [--build DIR]     without a build, only the includes are read
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)

# What the agent may see of the privileged side: its interface, and the wire that it shares with it.
INTERFACE = {
    f"encryptors/{name}.h"
    for name in ("encryptor", "encryption", "inspection", "key", "passphrase", "reason", "secret_bytes", "frame", "wire", "volume_id", "valid_utf8", "unique_fd", "format_line")
}
GRPC = r"grpc|.*\.grpc\.pb\.h$"
PUBLIC_API = r"volcrypt/v1/|google_rpc/"
PRIVILEGED = r"libcryptsetup|libdevmapper|blkid"

# Folder, folders and files in it that are left out, pattern of includes, exceptions, why.
RULES = [
    ("encryptors", (), r"agent/|tools/|tests/", (), "the bottom layer includes nothing of ours"),
    ("encryptors", (), GRPC + "|" + PUBLIC_API, (), "the privileged side does not speak gRPC"),
    ("encryptors", (), r"curl|libvirt|nlohmann|sqlite|toml|CLI|spdlog", (), "the privileged side parses nothing of the network"),
    ("agent", ("agent/rpc",), GRPC + "|" + PUBLIC_API, (), "gRPC and its messages stop at agent/rpc"),
    ("agent", (), PRIVILEGED, (), "the agent opens no device"),
    ("agent", ("agent/keys/openstack", "agent/audit_event.cc"), r"nlohmann/", (), "JSON is Keystone's, Barbican's and the audit's"),
    ("agent", ("agent/keys/openstack/http_client.cc",), r"curl/", (), "one file knows libcurl"),
    ("agent", ("agent/metrics",), r"prometheus/", (), "who counts is told, by agent/metrics/observer.h"),
    ("agent", ("agent/libvirt",), r"libvirt/", (), "libvirt's interface is included in agent/libvirt alone"),
    ("agent", (), r"encryptors/", INTERFACE, "the agent sees the interface of the privileged side alone"),
    ("agent", (), r"tools/|tests/", (), "includes go one way"),
    ("tools/volcryptctl", (), r"agent/|encryptors/|tests/", (), "volcryptctl is a gRPC client and nothing else"),
    ("tools/volcryptctl", (), PRIVILEGED + "|sqlite|helper\\.pb", (), "volcryptctl is a gRPC client and nothing else"),
    ("tools/volcryptctl", ("tools/volcryptctl/domain.cc",), r"libvirt/", (), "one file knows the administrator's libvirt"),
]

# Program, libraries that it must not load.
LINKS = [
    ("agent/volcryptd", r"libcryptsetup|libdevmapper"),
    ("encryptors/volcrypt-helper", r"libgrpc|libcurl|libvirt|libprotobuf\.so|libsqlite|libssl"),
    ("tools/volcryptctl/volcryptctl", r"libcryptsetup|libdevmapper|libsqlite"),
]


# The same of what the program itself asks for: libvirt's glib loads libblkid, for purposes of its own.
DIRECT_LINKS = [
    ("agent/volcryptd", r"libcryptsetup|libdevmapper|libblkid"),
    ("tools/volcryptctl/volcryptctl", r"libcryptsetup|libdevmapper|libblkid|libsqlite"),
]


def sources(root, folder, left_out):
    for directory, _, names in os.walk(os.path.join(root, folder)):
        inside = os.path.relpath(directory, root)
        if any(inside == other or inside.startswith(other + "/") for other in left_out):
            continue
        for name in sorted(names):
            if name.endswith((".cc", ".h")) and os.path.join(inside, name) not in left_out:
                yield os.path.join(inside, name)


def violations(root):
    found = []
    for folder, left_out, pattern, exceptions, why in RULES:
        for path in sources(root, folder, left_out):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                included = INCLUDE.findall(file.read())
            for header in included:
                if re.match(pattern, header) and header not in exceptions:
                    found.append(f"{path} includes {header}: {why}")
    return found


def libraries_of(program):
    lines = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[0] for line in lines if line.strip()]


def direct_libraries_of(program):
    lines = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout.splitlines()
    return re.findall(r"\(NEEDED\).*\[(.*)\]", "\n".join(lines))


class Includes(unittest.TestCase):
    def test_includes_go_one_way(self):
        self.assertEqual(violations(ROOT), [])

    def test_every_folder_of_the_rules_has_sources(self):
        for folder in {rule[0] for rule in RULES}:
            self.assertTrue(list(sources(ROOT, folder, ())), f"no sources in {folder}: is the rule out of date?")

    def test_every_rule_can_fail(self):
        wrong = {
            "encryptors/a.cc": ["agent/config.h", "grpcpp/grpcpp.h", "volcrypt/v1/key.pb.h", "curl/curl.h", "nlohmann/json.hpp"],
            "agent/b.h": ["encryptors/luks.h", "libcryptsetup.h", "volcrypt/v1/key.grpc.pb.h", "grpcpp/server.h", "tools/x.h"],
            "agent/keys/g.cc": ["curl/curl.h", "nlohmann/json.hpp", "prometheus/counter.h", "libvirt/libvirt.h"],
            "agent/keys/openstack/h.cc": ["curl/curl.h"],
            "agent/rpc/c.cc": ["blkid/blkid.h", "encryptors/device.h"],
            "tools/volcryptctl/d.cc": ["agent/config.h", "encryptors/reason.h", "sqlite3.h", "libvirt/libvirt.h"],
        }
        right = {
            "agent/rpc/e.cc": ["grpcpp/server.h", "volcrypt/v1/key.pb.h", "encryptors/reason.h"],
            "agent/f.cc": ["encryptors/encryptor.h", "sqlite3.h"],
            "agent/audit_event.cc": ["nlohmann/json.hpp"],
            "agent/keys/openstack/i.cc": ["nlohmann/json.hpp"],
            "agent/keys/openstack/http_client.cc": ["curl/curl.h"],
            "agent/metrics/k.cc": ["prometheus/counter.h"],
            "agent/libvirt/j.cc": ["libvirt/libvirt.h", "agent/libvirt/k.h"],
            "encryptors/g.cc": ["libcryptsetup.h", "encryptors/luks.h", "helper.pb.h", "google/protobuf/message_lite.h"],
            "tools/volcryptctl/domain.cc": ["libvirt/libvirt.h"],
            "tools/volcryptctl/h.cc": ["grpcpp/channel.h", "volcrypt/v1/key.grpc.pb.h", "CLI/CLI.hpp"],
        }
        with tempfile.TemporaryDirectory() as root:
            for path, headers in {**wrong, **right}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.writelines(f'#include "{header}"\n' for header in headers)
            found = violations(root)
        for path, headers in wrong.items():
            for header in headers:
                self.assertTrue(any(line.startswith(f"{path} includes {header}:") for line in found), f"{path} {header}")
        for path in right:
            self.assertEqual([line for line in found if line.startswith(path)], [])


class Links(unittest.TestCase):
    build = None

    def test_programs_load_no_library_of_the_other_side(self):
        for program, forbidden in LINKS:
            with self.subTest(program):
                loaded = libraries_of(os.path.join(self.build, program))
                self.assertTrue(any(name.startswith("libc.so") for name in loaded), "ldd says nothing")
                self.assertEqual([name for name in loaded if re.match(forbidden, name)], [])

    def test_programs_ask_for_no_library_of_the_other_side(self):
        for program, forbidden in DIRECT_LINKS:
            with self.subTest(program):
                wanted = direct_libraries_of(os.path.join(self.build, program))
                self.assertTrue(any(name.startswith("libc.so") for name in wanted), "readelf says nothing")
                self.assertEqual([name for name in wanted if re.match(forbidden, name)], [])

    def test_the_check_can_fail(self):
        wanted = direct_libraries_of(os.path.join(self.build, "encryptors/volcrypt-helper"))
        self.assertTrue([name for name in wanted if re.match(r"libblkid", name)], "the helper has what the agent must not")
        loaded = libraries_of(os.path.join(self.build, "encryptors/volcrypt-helper"))
        self.assertTrue([name for name in loaded if re.match(LINKS[0][1], name)], "the helper has what the agent must not")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build")
    Links.build = parser.parse_args().build
    suite = unittest.TestSuite()
    for case in (Includes, Links) if Links.build else (Includes,):
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    count = suite.countTestCases()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len({trouble[0].id().split(" ")[0] for trouble in result.failures + result.errors})
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
