#!/usr/bin/python3
"""Manual pages and completions know every option, command and configuration key that the programs know, and documents know
each other.

usage: tests/docs_test.py --build DIR
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAN = os.path.join(ROOT, "docs/man")
# What makes the agent name all keys of a table: one that it does not know.
KEY_MANAGERS = {"local": "", "barbican": "", "conf": "", "kmip": ""}
TABLES = ["[server]", "[server.tls]", "[volumes]", "[key_manager]", "[libvirt]", "[metrics]", "[audit]", "[log]", "[[access]]"] + [
    f'[key_managers.x]\ntype = "{name}"' for name in KEY_MANAGERS
]


def output_of(*command, check=True):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Case(unittest.TestCase):
    build = None

    def program(self, path):
        return os.path.join(self.build, path)

    def commands(self):
        """Every command of volcryptctl with its help: ("key", "create") -> text."""
        found, program = {}, self.program("tools/volcryptctl/volcryptctl")

        def walk(path):
            found[path] = output_of(program, *path, "--help")
            section = re.search(r"^Subcommands:\n((?:  .*\n)+)", found[path], re.MULTILINE)
            for name in re.findall(r"^  (\S+)", section.group(1), re.MULTILINE) if section else ():
                walk((*path, name))

        walk(())
        self.assertGreater(len(found), 12, "the help was not understood")
        return found

    def options(self, text):
        listed = [line for line in text.splitlines() if re.match(r"  +-", line)]
        self.assertTrue(listed, text)
        return {name for line in listed for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line.split("   ")[0].strip().split(" ")[0].replace(",", " "))}


class ManualPages(Case):
    def assert_page_names(self, page, names):
        words = set(re.findall(r"\*(-[a-z-]+)\*", text_of(os.path.join(MAN, page))))
        self.assertEqual(names - words, set(), f"missing in {page}")

    def test_volcryptd_has_every_option(self):
        self.assert_page_names("volcryptd.8.scd", self.options(output_of(self.program("agent/volcryptd"), "--help")))

    def test_volcrypt_helper_has_every_option(self):
        names = self.options(output_of(self.program("encryptors/volcrypt-helper"), "--help"))
        self.assertIn("--device-prefix", names)
        self.assert_page_names("volcrypt-helper.8.scd", names)

    def test_volcryptctl_has_every_option_and_command(self):
        page = text_of(os.path.join(MAN, "volcryptctl.8.scd"))
        for path, text in self.commands().items():
            self.assert_page_names("volcryptctl.8.scd", self.options(text))
            if path and not any(other[:-1] == path for other in self.commands_seen(page, path)):
                self.assertRegex(page, rf"(?m)^## {' '.join(path)}\b")

    @staticmethod
    def commands_seen(page, path):
        """Headings of commands of this command, which then has none of its own."""
        return [(*path, word) for word in re.findall(rf"(?m)^## {' '.join(path)} ([a-z]+)", page)]

    def test_volcryptctl_has_its_own_reasons(self):
        reasons = re.findall(r'k\w+Reason = "([A-Z_]+)"', text_of(os.path.join(ROOT, "tools/volcryptctl/exit_status.h")))
        self.assertGreater(len(reasons), 5)
        page = text_of(os.path.join(MAN, "volcryptctl.8.scd")).replace("\\_", "_")
        self.assertEqual([reason for reason in reasons if f"|  {reason}\n" not in page], [])

    @staticmethod
    def section_of(page, table):
        """What the page says of this table, or of key managers of this type."""
        kind = re.search(r'type = ".*"', table)
        mark = "*type* = " + kind.group().split(" = ")[1] if kind else f"# {table}\n".replace("_", "\\_")
        return next((part for part in re.split(r"(?m)^(?=# )", page) if mark in part), "")

    def test_the_configurations_page_has_every_key_that_the_agent_knows(self):
        page, count = text_of(self.program("docs/volcryptd.toml.5.scd")), 0
        for table in TABLES:
            with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(f"{table}\nnonsense_of_a_test = 1\n")
                file.flush()
                said = output_of(self.program("agent/volcryptd"), "--check-config", "--config", file.name, check=False)
            keys = re.search(r"nonsense_of_a_test: is unknown; the keys here are: (.*)", said)
            self.assertTrue(keys, f"{table}: {said}")
            section = self.section_of(page, table)
            for key in keys.group(1).split(", "):
                count += 1
                is_section = f"# {table[:-1]}.{key}]" in page
                self.assertTrue(is_section or f"*{key}* = ".replace("_", "\\_") in section, f"{table} {key}")
        self.assertGreater(count, 40)

    def test_every_page_is_made_and_formatted_without_complaint(self):
        for page in ("volcryptctl.8", "volcryptd.8", "volcrypt-helper.8", "volcryptd.toml.5"):
            path = self.program(f"docs/{page}")
            self.assertGreater(os.path.getsize(path), 1000, page)


class Documents(unittest.TestCase):
    """What one document says of another is so."""

    SOURCES = [path for pattern in ("README.md", "docs/*.md", "tests/*/README.md") for path in sorted(glob.glob(os.path.join(ROOT, pattern)))]
    # Everything that sends its reader to a document.
    SENDERS = SOURCES + [
        path
        for folder in ("agent", "encryptors", "tools", "proto", "systemd", "packaging", "docs")
        for path in sorted(glob.glob(os.path.join(ROOT, folder, "**"), recursive=True))
        if os.path.isfile(path) and not path.endswith((".md", ".png"))
    ]

    @staticmethod
    def headings(path):
        return re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```", "", text_of(path)))

    def anchors(self, path):
        """As Markdown makes them of headings."""
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in self.headings(path)}

    def test_every_link_leads_somewhere(self):
        count = 0
        for path in self.SOURCES:
            for link in re.findall(r"\]\(([^)]+)\)", text_of(path)):
                if re.match(r"[a-z]+:", link):
                    continue
                count += 1
                place, _, anchor = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(path), place)) if place else path
                self.assertTrue(os.path.exists(target), f"{os.path.relpath(path, ROOT)}: {link}")
                if anchor:
                    self.assertIn(anchor, self.anchors(target), f"{os.path.relpath(path, ROOT)}: {link}")
        self.assertGreater(count, 20)

    def test_documents_link_nothing_that_the_package_lacks(self):
        for path in sorted(glob.glob(os.path.join(ROOT, "docs/*.md"))):
            for link in re.findall(r"\]\(([^)]+)\)", text_of(path)):
                self.assertFalse(link.startswith(("../", "/")), f"{os.path.relpath(path, ROOT)}: {link}")

    def test_every_document_and_section_that_is_named_exists(self):
        documents, sections = 0, 0
        for path in self.SENDERS:
            # Comments and messages wrap anywhere.
            text = re.sub(r"\s*\n[ #/*]*", " ", text_of(path))
            for name in re.findall(r"(?<![\w/])docs/[\w/.-]*\w", text):
                documents += 1
                self.assertTrue(os.path.exists(os.path.join(ROOT, name)), f"{os.path.relpath(path, ROOT)}: {name}")
            for section, name in re.findall(r'"([A-Z][^"]*)" in (docs/[\w-]+\.md)', text):
                sections += 1
                self.assertIn(section, self.headings(os.path.join(ROOT, name)), os.path.relpath(path, ROOT))
        self.assertGreater(documents, 10)
        self.assertGreater(sections, 2)

    def test_the_api_shows_the_example_clients_as_they_are(self):
        page = text_of(os.path.join(ROOT, "docs/api.md"))
        for name, language in (("attach.py", "python"), ("attach.cc", "cpp")):
            self.assertIn(f"```{language}\n{text_of(os.path.join(ROOT, 'docs/examples', name))}```\n", page, name)

    def test_every_reason_is_in_the_api(self):
        reasons = re.findall(r'\{Reason::k\w+, "([A-Z_]+)"', text_of(os.path.join(ROOT, "encryptors/reason.cc")))
        self.assertGreater(len(reasons), 30)
        table = "".join(re.findall(r"(?m)^\|([^|]*)\|", text_of(os.path.join(ROOT, "docs/api.md"))))
        self.assertEqual(set(reasons) - set(re.findall(r"[A-Z_]{3,}", table)), set())


class Completions(Case):
    def script(self, name):
        return text_of(self.program(f"tools/completions/{name}"))

    def complete(self, *words):
        """What bash would offer for the last word."""
        code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _volcryptctl; printf "%s\\n" "${COMPREPLY[@]}"'
        script = self.program("tools/completions/volcryptctl")
        return output_of("bash", "-c", code, "bash", script, "volcryptctl", *words).split()

    def test_bash_offers_every_command_and_option(self):
        for path, text in self.commands().items():
            offered = self.complete(*path, "-")
            self.assertEqual(self.options(text) - set(offered), set(), path)
            if path:
                self.assertIn(path[-1], self.complete(*path[:-1], ""))

    def test_bash_offers_what_an_option_takes(self):
        self.assertEqual(self.complete("attach", "--format", ""), ["luks2", "luks1"])
        self.assertEqual(self.complete("-o", "json", "attach", "v", "--first-use", "re"), ["refuse"])
        self.assertEqual(self.complete("key", "create", "-o", "t"), ["table"])
        self.assertIn(os.path.join(ROOT, "README.md"), self.complete("inspect", os.path.join(ROOT, "READ")))

    def test_fish_offers_every_command_and_option(self):
        script = self.program("tools/completions/volcryptctl.fish")
        for path, text in self.commands().items():
            line = " ".join(("volcryptctl", *path))
            offered = {entry.split("\t")[0] for entry in output_of("fish", "--no-config", "-c", f"source {script}; complete -C '{line} --'").splitlines()}
            long_options = {name for name in self.options(text) if name.startswith("--")}
            self.assertEqual(long_options - offered, set(), path)
            if path:
                line = " ".join(("volcryptctl", *path[:-1]))
                said = output_of("fish", "--no-config", "-c", f"source {script}; complete -C '{line} '")
                self.assertIn(path[-1], [entry.split("\t")[0] for entry in said.splitlines()])

    def test_zsh_has_every_command_and_option_and_is_right_in_itself(self):
        output_of("zsh", "-n", self.program("tools/completions/_volcryptctl"))
        functions = dict(re.findall(r"(?ms)^(_volcryptctl\w*)\(\) \{\n(.*?)^\}", self.script("_volcryptctl")))
        for path, text in self.commands().items():
            body = functions["_".join(("_volcryptctl", *path))]
            for name in self.options(text):
                self.assertRegex(body, rf"['\)]{name}=?\[", f"{path} {name}")
            if path:
                self.assertIn(f"'{path[-1]}:", functions["_".join(("_volcryptctl", *path[:-1]))])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", required=True)
    Case.build = os.path.abspath(parser.parse_args().build)
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in (ManualPages, Documents, Completions))
    count = suite.countTestCases()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len({trouble[0].id().split(" ")[0] for trouble in result.failures + result.errors})
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
