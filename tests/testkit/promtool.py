"""Prometheus' own judge of what it is given."""

import subprocess


def promtool(*arguments, stdin=""):
    """(exit status, what it printed)."""
    command = ["promtool", *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stdout + result.stderr


def wrong_with_metrics(text):
    """What it finds wrong with the metrics of ours in a scrape: its exit status, and its lines."""
    status, found = promtool("check", "metrics", stdin=text)
    return status, [line for line in found.splitlines() if line.startswith("volcrypt_")]
