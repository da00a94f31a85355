#!/usr/bin/python3
"""Counts the test cases of the last `meson test` in a build directory and names those that failed.

usage: tests/tally.py BUILD       the last line: N passed, N failed, N skipped
"""

import json
import os
import sys
import xml.etree.ElementTree as ElementTree


def count(build):
    """(passed, failed names, skipped) of all cases, GoogleTest's one by one."""
    passed, failed, skipped = 0, [], 0
    programs_with_failures = set()
    logs = os.path.join(build, "meson-logs")
    for suite in ElementTree.parse(os.path.join(logs, "testlog.junit.xml")).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{suite.get('name')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
                programs_with_failures.add(suite.get("name"))
            elif case.find("skipped") is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
                skipped += 1
            else:
                passed += 1
    # A program whose cases all pass can still fail as a whole: a sanitizer's report at its end, a crash.
    with open(os.path.join(logs, "testlog.json"), encoding="utf-8") as file:
        for program in map(json.loads, file):
            name = program["name"].split(" / ")[-1]
            if program["result"] in ("OK", "EXPECTEDFAIL", "SKIP"):
                continue
            if not any(name in suite for suite in programs_with_failures):
                failed.append(f"{name}: {program['result']}, status {program['returncode']}")
    return passed, failed, skipped


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    passed, failed, skipped = count(sys.argv[1])
    for name in failed:
        print(f"FAIL  {name}")
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")


if __name__ == "__main__":
    main()
