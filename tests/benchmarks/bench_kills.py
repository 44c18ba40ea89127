"""`kill -9` at random moments of an acquisition: then every row and label is compared with those of an undisturbed run.

    python tests/benchmarks/bench_kills.py [--kills 10] [--seed 1]
    python tests/benchmarks/bench_kills.py --engine quick [--kills 1000] [--time-points 300] [--minutes M]
    python tests/benchmarks/bench_kills.py --engine quick --workers 4 --acquisitions 6 --time-points 50 --kills 300
    python tests/benchmarks/bench_kills.py --engine quick --workers 4 --dask --time-points 50 --kills 300

With the network, the service is killed while it works on the demonstration's acquisition. With the quick engine (a
threshold), service and worker are killed in turns, while they start and while they work; with several workers any of
them, over several acquisitions at once, and the undisturbed run has one worker. Exit code 1 if anything differs.
With `--dask` the workers are those of a Dask cluster, and its scheduler is killed as well.
`--minutes` ends the kills early; what is left of the movie is then done undisturbed, and all is compared.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))

import lab as lab_module
from cases.dask_cluster import DaskCluster
from crowd_kills import ClusterKills, CrowdKills, write_files
from cruelty import ENDLESS, Cruelty, Kills, write_time_point
from cruelty import finish as finish_quickly
from lab import Lab, assert_same, environment, result

from daemon.configuration.service_config import DEFAULT_ENGINE
from daemon.demonstration.demo import MOVIE, SEED
from daemon.demonstration.microscope import Microscope
from tracking.synthetic.movie import simulate

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


def network(folder: Path, kills: int, seed: int) -> tuple[Lab, Lab, int]:
    """The demonstration's acquisition with the real engine: an undisturbed and a killed run, and the kills."""
    lab_module.ENGINE = DEFAULT_ENGINE
    chance = random.Random(seed)
    calm = Lab(folder / "calm", dict(QUIET))
    recorded(calm, 0.0).join()
    finish(calm)
    print(f"undisturbed: {calm.done()} time points")
    hit = Lab(folder / "hit", dict(QUIET))
    microscope = recorded(hit, 5.0)
    for kill in range(1, kills + 1):
        hit.start()
        time.sleep(chance.uniform(1.0, 20.0))
        hit.kill()
        print(f"kill {kill}: {microscope.written} files written, {hit.done()} time points done", flush=True)
    microscope.join()
    finish(hit)
    return calm, hit, kills


def quick(folder: Path, asked: argparse.Namespace) -> tuple[Lab, Lab, int]:
    """A series of small stacks with the threshold engine: an undisturbed and a killed run, and the kills."""
    calm = Lab(folder / "calm", dict(ENDLESS))
    for t in range(asked.time_points):
        write_time_point(calm, t)
    hit = Lab(folder / "hit", dict(ENDLESS))
    cruelty = Cruelty(hit, asked.time_points, asked.kills or 1000, asked.seed)
    return calm, hit, both(calm, hit, cruelty, asked.minutes)


def crowd(folder: Path, asked: argparse.Namespace) -> tuple[Lab, Lab, int]:
    """Several series with the threshold engine: undisturbed with one worker, and killed with several."""
    calm = Lab(folder / "calm", dict(ENDLESS))
    write_files(calm, asked.acquisitions, 0, asked.time_points)
    extent = (asked.acquisitions, asked.time_points, asked.kills or 300, asked.seed)
    if not asked.dask:
        hit = Lab(folder / "hit", {**ENDLESS, "workers": asked.workers})
        return calm, hit, both(calm, hit, CrowdKills(hit, *extent), asked.minutes)
    cluster = DaskCluster(folder / "cluster", environment())
    hit = Lab(folder / "hit", {**ENDLESS, "workers": f"dask:{cluster.address}"})
    try:
        cluster.start_scheduler()
        for _ in range(asked.workers):
            cluster.add_worker()
        kills = ClusterKills(cluster, hit, *extent)
        done = both(calm, hit, kills, asked.minutes)
        print(f"{kills.of_workers} of workers, {kills.of_schedulers} of the scheduler")
        return calm, hit, done
    finally:
        cluster.end()


def both(calm: Lab, hit: Lab, kills: Kills, minutes: float) -> int:
    """Let one service work undisturbed and kill the other, at most so long; return how many kills there were."""
    begun = time.monotonic()
    finish_quickly(calm)
    print(f"undisturbed: {calm.done()} time points in {time.monotonic() - begun:.0f} s", flush=True)
    begun = time.monotonic()
    for done in kills.run():
        spent = time.monotonic() - begun
        print(f"kill {kills.killed} ({kills.of_workers} of workers): {done} done, {spent:.0f} s", flush=True)
        if spent > 60.0 * minutes:
            break
    hit.kill()
    kills.write_rest()
    finish_quickly(hit)
    return kills.killed


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("network", "quick"), default="network")
    parser.add_argument("--kills", type=int, help="default 10, with the quick engine 1000")
    parser.add_argument("--time-points", type=int, default=300, help="with the quick engine")
    parser.add_argument("--workers", type=int, default=1, help="with the quick engine")
    parser.add_argument("--dask", action="store_true", help="with several workers: those of a Dask cluster")
    parser.add_argument("--acquisitions", type=int, default=6, help="with several workers, of so many time points each")
    parser.add_argument("--minutes", type=float, default=math.inf, help="of kills, with the quick engine")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.engine == "quick" and asked.workers > 1:
            calm, hit, kills = crowd(Path(name), asked)
        elif asked.engine == "quick":
            calm, hit, kills = quick(Path(name), asked)
        else:
            calm, hit, kills = network(Path(name), asked.kills or 10, asked.seed)
        try:
            assert_same(result(hit), result(calm))
        except AssertionError as error:
            sys.exit(f"the killed run differs: {error}")
        print(f"{kills} kills, {hit.done()} time points: rows and labels equal those of the undisturbed run")


if __name__ == "__main__":
    main()
