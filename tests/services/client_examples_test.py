"""The example clients of docs/api.md, made by the commands that stand there from the definitions as they are installed."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid

from harness import ServiceCase
from harness.agent import BUILD

DOCS = os.path.join(os.path.dirname(__file__), "../../docs")


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False, **options)


class ClientExamples(ServiceCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="volcrypt-clients-")
        cls.addClassCleanup(directory.cleanup)
        cls.clients = directory.name
        for name in ("attach.py", "attach.cc"):
            shutil.copy(os.path.join(DOCS, "examples", name), cls.clients)
        with open(os.path.join(DOCS, "api.md"), encoding="utf-8") as file:
            (section,) = re.findall(r"(?ms)^## A client\n(.*?)^## ", file.read())
        commands = re.findall(r"(?ms)^```sh\n(.*?)^```", section)
        assert len(commands) == 2, "the stubs, and the C++ client"
        environment = {**os.environ, "PKG_CONFIG_PATH": cls.installed()}
        made = run("bash", "-euc", "\n".join(commands), cwd=cls.clients, env=environment)
        assert made.returncode == 0, made.stdout + made.stderr

    @classmethod
    def installed(cls):
        """Installs the definitions below a directory of the test's own; where their pkg-config file is."""
        root = os.path.join(cls.clients, "installed")
        done = run("meson", "install", "-C", BUILD, "--no-rebuild", "--tags", "devel", "--destdir", root)
        assert done.returncode == 0, done.stdout + done.stderr
        (file,) = glob.glob(f"{root}/**/volcrypt-api.pc", recursive=True)
        with open(file, encoding="utf-8") as original:
            text = original.read()
        with open(file, "w", encoding="utf-8") as moved:
            moved.write(text.replace("protodir=", f"protodir={root}", 1))
        return os.path.dirname(file)

    def setUp(self):
        super().setUp()
        self.server = self.agent({})
        self.key = self.create_key(self.server)
        python = (sys.executable, os.path.join(self.clients, "attach.py"))
        self.examples = {"Python": python, "C++": (os.path.join(self.clients, "attach"),)}

    def call(self, client, *arguments, socket=None):
        socket = socket or self.server.endpoint.removeprefix("unix:")
        return run(*self.examples[client], socket, *arguments)

    def test_each_attaches_prints_the_device_and_detaches(self):
        for client in self.examples:
            with self.subTest(client):
                volume = self.volume()
                done = self.call(client, volume.volume_id, volume.path, self.key)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, f"/dev/mapper/volcrypt-{volume.volume_id}\n")
                self.assertEqual(len(volume.formats()), 1)
                self.assertEqual(len(self.server.api("ListAttachments").attachments), 0)
                self.assertRegex(self.server.log(), rf'(?m)DetachVolume.*{volume.volume_id}')

    def test_each_says_the_reason_of_a_refusal(self):
        for client in self.examples:
            with self.subTest(client):
                volume, key = self.volume(), str(uuid.uuid4())
                done = self.call(client, volume.volume_id, volume.path, key)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, "^KEY_NOT_FOUND: .")

    def test_each_says_when_there_is_no_agent(self):
        said = {"Python": "UNAVAILABLE", "C++": "code 14"}
        for client in self.examples:
            with self.subTest(client):
                volume = self.volume()
                done = self.call(client, volume.volume_id, volume.path, self.key, socket=f"{self.directory}/nobody")
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, f"^{said[client]}: .")
