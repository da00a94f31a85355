"""Which of a directory's tests a run takes."""

import glob
import importlib
import os
import unittest


def load(directory, part, texts):
    """The I-th of N shares ("I/N") of the test classes in *_test.py, with about as many tests in each share.

    Of those only tests whose name (file.Class.test) contains one of `texts`, if there are any.
    """
    which, parts = (int(word) for word in part.split("/"))
    classes = []
    for path in sorted(glob.glob(os.path.join(directory, "*_test.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        classes += [list(found) for found in unittest.defaultTestLoader.loadTestsFromModule(module) if found.countTestCases()]
    suite = unittest.TestSuite()
    for tests in _shares(classes, parts)[which - 1]:
        suite.addTests(test for test in tests if not texts or any(text in test.id() for text in texts))
    return suite


def _shares(classes, parts):
    shares = [[] for _ in range(parts)]
    for tests in sorted(classes, key=len, reverse=True):
        min(shares, key=lambda share: sum(map(len, share))).append(tests)
    return [sorted(share, key=classes.index) for share in shares]
