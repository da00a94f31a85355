"""Bounded waiting: a test never sleeps for a guessed time."""

import time


def wait_until(condition, timeout=60.0, what="the condition"):
    """Calls condition() until it returns something true, and returns that. AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.02)
