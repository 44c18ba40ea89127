"""`kill -9` of the service at random moments of the demonstration's acquisition, with the real engine, then a restart.

    python tests/benchmarks/bench_kills.py [--kills 10] [--seed 1]

Compares every row and every label with those of an undisturbed run; exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))

import lab as lab_module
from lab import Lab, assert_same, result

from daemon.config import DEFAULT_ENGINE
from daemon.demo import MOVIE, SEED
from daemon.demo_microscope import Microscope
from tracking.synthetic import simulate

QUIET = {"acquisition_quiet_s": 600.0, "give_up_s": 60.0}


def recorded(lab: Lab, pace_s: float) -> Microscope:
    """A microscope that writes the demonstration's movie into the lab's folder."""
    truth = lab.root / "truth"
    truth.mkdir()
    microscope = Microscope(simulate(MOVIE, SEED), lab.incoming, truth, pace_s)
    microscope.start()
    return microscope


def finish(lab: Lab) -> None:
    """Let the service end the acquisition, and stop it."""
    lab.config.write_text(lab.config.read_text().replace("acquisition_quiet_s = 600.0", "acquisition_quiet_s = 3.0"))
    lab.start()
    lab.wait(lab.settled, seconds=900)
    if lab.stop() != 0:
        sys.exit(f"the service did not stop well:\n{lab.said()}")


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    lab_module.ENGINE = DEFAULT_ENGINE
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm = Lab(Path(folder) / "calm", dict(QUIET))
        recorded(calm, 0.0).join()
        finish(calm)
        print(f"undisturbed: {calm.done()} time points")
        hit = Lab(Path(folder) / "hit", dict(QUIET))
        microscope = recorded(hit, 5.0)
        for kill in range(1, arguments.kills + 1):
            hit.start()
            time.sleep(chance.uniform(1.0, 20.0))
            hit.kill()
            print(f"kill {kill}: {microscope.written} files written, {hit.done()} time points done", flush=True)
        microscope.join()
        finish(hit)
        try:
            assert_same(result(hit), result(calm))
        except AssertionError as error:
            sys.exit(f"the killed run differs: {error}")
    print(f"{arguments.kills} kills: rows and labels equal those of the undisturbed run")


if __name__ == "__main__":
    main()
