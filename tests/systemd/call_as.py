#!/usr/bin/python3
"""Calls the API as several users, one after the other. A program of its own, as it changes who it is.

usage: call_as.py ENDPOINT, with [{name: [uid, gid]}, {method: fields}] as JSON on stdin; {name: {method: [code, reason]}}
is printed.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.dont_write_bytecode = True
from testkit.api import Api, outcome_of


def main():
    users, calls = json.load(sys.stdin)
    os.setgroups([])
    found = {}
    for name, (uid, gid) in users.items():
        api = Api(f"unix:{sys.argv[1]}")  # which loads what the users may not read, and connects at the first call
        os.setegid(gid)
        os.seteuid(uid)
        found[name] = {method: outcome_of(api, method, **fields) for method, fields in calls.items()}
        os.seteuid(0)
        os.setegid(0)
        api.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
