"""How a run of Python tests is shown and counted."""

import faulthandler
import time
import unittest

MOST_SECONDS = 600  # for one test


def in_short(trouble):
    """The message of a traceback: its last line, or as much of that as a list of failures has room for."""
    return trouble.strip().splitlines()[-1].strip()[:120]


class Progress(unittest.TestResult):
    """One line a test, written at once; what failed with its traceback and the log of that time."""

    def __init__(self, what, mark, since):
        """mark() is called before each test; since(what it returned) gives the text to print when the test failed."""
        super().__init__()
        self.passed = 0
        self.failed = 0
        self._what, self._mark, self._since = what, mark, since
        self._begin = 0.0
        self._troubles = []
        self._begin_mark = None

    def startTest(self, test):
        super().startTest(test)
        # What hangs for good, in the kernel or in a library, says where, and takes no more of the run's time.
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        self._begin = time.monotonic()
        self._troubles = []
        self._begin_mark = self._mark()

    def stopTest(self, test):
        name = test.id()
        seconds = time.monotonic() - self._begin
        if not self._troubles:
            self.passed += 1
            print(f"ok    {name} ({seconds:.1f} s)", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name} ({seconds:.1f} s): {in_short(self._troubles[0])}", flush=True)
            for trouble in self._troubles:
                print("      " + trouble.replace("\n", "\n      ").rstrip())
            log = self._since(self._begin_mark)[-6000:].rstrip()
            print(f"      {self._what}:\n        " + log.replace("\n", "\n        "), flush=True)
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._troubles.append(self.errors[-1][1])
        if not isinstance(test, unittest.TestCase):  # setUpClass, tearDownClass
            self.failed += 1
            print(f"FAIL  {test}: {in_short(self._troubles[-1])}\n      " + self._troubles[-1].replace("\n", "\n      "), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._troubles.append(self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            listed = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._troubles.append(f"{subtest}\n{listed[-1][1]}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._troubles.append(f"skipped: {reason}; tests do not skip")
