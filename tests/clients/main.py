"""Plays every step on a fresh stage: `main.py --store URL`. With `--replicas DIR`, the directory of a cluster of
PostgreSQL, these are the steps on several control planes, and on one that is killed. The last line is `N passed, N failed`."""

import argparse
import os
import pathlib
import sys
import tempfile
import time
import unittest

from replicas import Replicas
from stage import Stage

OF_REPLICAS = ["steps_killed.py", "steps_replicas.py"]


class Sentences(unittest.TextTestResult):
    """One line for each step, in words, and what went wrong below it."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.passed = 0

    def startTest(self, test):
        super(unittest.TextTestResult, self).startTest(test)
        self.began = time.monotonic()

    def tell(self, test, verdict):
        words = test.id().split(".")[-1].removeprefix("test_").replace("_", " ")
        self.stream.writeln(f"{verdict:6} {words} ({time.monotonic() - self.began:.1f}s)")

    def addSuccess(self, test):
        self.passed += 1
        self.tell(test, "ok")

    def addFailure(self, test, err):
        super(unittest.TextTestResult, self).addFailure(test, err)
        self.tell(test, "FAILED")
        self.stream.writeln(self.failures[-1][1])

    def addError(self, test, err):
        super(unittest.TextTestResult, self).addError(test, err)
        self.tell(test, "FAILED")
        self.stream.writeln(self.errors[-1][1])

    def addSkip(self, test, reason):
        super(unittest.TextTestResult, self).addSkip(test, reason)
        self.testsRun -= 1
        self.tell(test, "left")

    def addSubTest(self, test, subtest, err):
        super(unittest.TextTestResult, self).addSubTest(test, subtest, err)
        if err is not None:
            self.stream.writeln(f"FAILED {subtest}\n{self._exc_info_to_string(err, test)}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--store", default="sqlite", help="`sqlite`, or a postgres:// URL of an empty database")
    arguments.add_argument("--replicas", metavar="DIR", help="the cluster that the store's database is of")
    arguments.add_argument("steps", nargs="*", help="only these files of steps, such as steps_access.py")
    chosen = arguments.parse_args()
    here = pathlib.Path(__file__).parent
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    with tempfile.TemporaryDirectory(prefix="doorward-clients-") as directory:
        store = f"sqlite:{directory}/doorward.db" if chosen.store == "sqlite" else chosen.store
        Stage.current = Replicas(directory, store, chosen.replicas) if chosen.replicas else Stage(directory, store)
        of_one = [path.name for path in sorted(here.glob("steps_*.py")) if path.name not in OF_REPLICAS]
        steps = chosen.steps or (OF_REPLICAS if chosen.replicas else of_one)
        try:
            loader = unittest.TestLoader()
            suite = unittest.TestSuite(
                loader.discover(str(here), pattern=pattern, top_level_dir=str(here)) for pattern in steps
            )
            result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Sentences, verbosity=0).run(suite)
        finally:
            Stage.current.close()
        if not result.wasSuccessful():
            for log in sorted(pathlib.Path(directory).glob("*.log")):
                print(f"the end of what doorward said, {log.stem}:", *log.read_text(errors="replace").splitlines()[-15:], sep="\n  ")
    failed = result.testsRun - result.passed
    print(f"{result.passed} passed, {failed} failed", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


main()
