"""Whether the tests notice when the code is wrong: small random faults, one at a time, and which of them survive.

Run it by hand:  python tests/benchmarks/mutate.py [--sample 100] [--seed 1] [--module PART OF A NAME] [--minutes 60]

Each fault is put into a copy of the checkout, where the tests that concern its module run (`mutation.targets`): the
nearest first, the slower ones where those noticed nothing. Tests that take much longer than without the fault are
caught in a loop, which counts as noticed. A run that was stopped goes on where it was: what was found is kept in
`--notes`, and a survivor is tried again when its tests have changed. Faults that change nothing that anybody could see
are listed, with a sentence each, in `mutation/equivalent.toml`; they do not count. The exit code is 1 where less than
`--share` of the others is killed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutation.equivalent import reason_of
from mutation.faults import Fault, faults_of
from mutation.targets import TARGETS, Tests

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "numpy",
    "pandas",
    "scipy.optimize",
    "scipy.ndimage",
    "sqlalchemy",
    "alembic",
    "tifffile",
    "zarr",
    "hypothesis",
)
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
LOOP_S, LOOP_TIMES = 30.0, 5.0  # tests that take so much more than without a fault are caught in a loop
FIRST_S = 600.0  # what they may take without a fault


def main() -> int:
    """Draw, try, print, judge."""
    options = _options()
    chosen = {name: tests for name, tests in TARGETS.items() if options.module in name}
    every = [fault for name in sorted(chosen) for fault in faults_of(name, (ROOT / name).read_text(encoding="utf-8"))]
    drawn = random.Random(options.seed).sample(every, min(options.sample, len(every)))
    print(f"{len(drawn)} of {len(every)} faults in {len(chosen)} modules, seed {options.seed}", flush=True)
    for name in LIBRARIES:  # once for all faults
        importlib.import_module(name)
    counts = {"killed": 0, "survived": 0, "equivalent": 0}
    until, notes = time.monotonic() + 60 * options.minutes, Notes(options.notes)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder) / "checkout")
        for number, fault in enumerate(drawn, start=1):
            if time.monotonic() > until:
                print(f"stopped after {number - 1} faults: run it again, it goes on from here")
                break
            reason, tests = reason_of(fault), chosen[fault.module]
            found = "equivalent" if reason else notes.known(fault, tests)
            if found is None:
                found = "killed" if trial.notices(fault, tests) else "survived"
                notes.enter(fault, tests, found)
            counts[found] += 1
            if found == "survived" or options.all:
                print(f"\n{number:4d} {found}: {fault}" + (f"\n     {reason}" if reason else ""), flush=True)
    judged = counts["killed"] + counts["survived"]
    share = counts["killed"] / judged if judged else 1.0
    print(f"\n{counts['killed']} of {judged} killed ({share:.0%}), {counts['equivalent']} change nothing")
    return int(share < options.share)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100, help="how many faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--module", default="", help="only modules with this in their name")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no further fault after this time")
    parser.add_argument("--share", type=float, default=0.9, help="that must be killed")
    parser.add_argument("--notes", type=Path, default=Path(tempfile.gettempdir()) / "nusetd-mutants.jsonl")
    parser.add_argument("--all", action="store_true", help="print those that were killed as well")
    return parser.parse_args()


class Trial:
    """A copy of what the tests need, so that nobody works with the faults meanwhile.

    Parameters
    ----------
    checkout : Path
        Where the copy is made.
    """

    def __init__(self, checkout: Path) -> None:
        hidden = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
        self._checkout = Path(shutil.copytree(ROOT, checkout, ignore=hidden))
        self._took_s: dict[tuple[str, ...], float] = {}
        self._writes = 0

    def notices(self, fault: Fault, tests: Tests) -> bool:
        """Run the tests on a fault until some notice."""
        place = self._checkout / fault.module
        whole = place.read_text(encoding="utf-8")
        for files in filter(None, (tests.nearest, tests.slower)):
            slowest_s = LOOP_S + LOOP_TIMES * self._without_fault(files)
            self._write(place, fault.applied(whole))
            try:
                if _fail(files, self._checkout, slowest_s):
                    return True
            finally:
                self._write(place, whole)
        return False

    def _write(self, place: Path, text: str) -> None:
        """Change a module, each time with a time of its own: of two of one size and second, Python would run the other.

        It knows by size and second whether the bytecode that it finds is of this source.
        """
        self._writes += 1
        place.write_text(text, encoding="utf-8")
        os.utime(place, (self._writes, self._writes))

    def _without_fault(self, files: tuple[str, ...]) -> float:
        """Seconds that tests take, measured once."""
        if files not in self._took_s:
            began = time.monotonic()
            if _fail(files, self._checkout, FIRST_S):
                raise SystemExit(f"{', '.join(files)} fail without any fault: correct them first.")
            self._took_s[files] = time.monotonic() - began
        return self._took_s[files]


def _fail(tests: tuple[str, ...], checkout: Path, slowest_s: float) -> bool:
    """Run tests in a process of their own."""
    child = os.fork()
    if child == 0:
        _run_tests(tests, checkout)
    return _exit_code(child, slowest_s) != 0


def _run_tests(tests: tuple[str, ...], checkout: Path) -> NoReturn:
    """What the child does: the libraries are loaded already, the code under test and its tests are not."""
    code = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.chdir(checkout)
        sys.path.insert(0, str(checkout))
        os.environ |= {"PYTHONPATH": str(checkout)}
        code = int(pytest.main([*OPTIONS, *tests]))
    finally:
        os._exit(code)


def _exit_code(child: int, slowest_s: float) -> int:
    """Wait for the tests, and end every process that they leave behind; 1 where they are caught in a loop."""
    until, code = time.monotonic() + slowest_s, 1
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
    return code


class Notes:
    """What was found before: the death of a fault for as long as its module stays, its survival also as its tests do.

    Parameters
    ----------
    path : Path
        A line of JSON for each finding.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._found = dict(json.loads(line) for line in lines)

    def known(self, fault: Fault, tests: Tests) -> str | None:
        """What was found of a fault, None when it has to be tried."""
        for found in ("killed", "survived"):
            if self._found.get(self._key(fault, tests, found)) == found:
                return found
        return None

    def enter(self, fault: Fault, tests: Tests, found: str) -> None:
        """Keep a finding."""
        key = self._key(fault, tests, found)
        self._found[key] = found
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, found]) + "\n")

    def _key(self, fault: Fault, tests: Tests, found: str) -> str:
        files = [ROOT / fault.module, *(ROOT / name for name in tests.files if found == "survived")]
        texts = [path.read_bytes() for path in files if path.is_file()]
        return sha256(b"\0".join([str(fault).encode(), *texts])).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
