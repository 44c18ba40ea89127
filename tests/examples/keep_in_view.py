"""A simulated microscope that keeps a drifting nucleus in view: it polls `next.json` and moves its stage.

    python tests/examples/keep_in_view.py FOLDER [--frames 50] [--engine MODULE:CALLABLE]

In FOLDER a service is started that watches what the microscope writes. A person would choose a nucleus on the page
after the first stack; here the one nearest to the middle is chosen, a rule is written for its track, and the service
told to read its configuration again. From then on each answer moves the stage. Stated is how far from the middle the
nucleus truly was in each stack; exit code 1 when that was more than 5 um once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile

import storage
from storage.errors import StorageError

SHAPE = (6, 96, 96)  # z, y, x
VOXEL_UM = (1.0, 0.5, 0.5)
DRIFT_UM = (1.1, 0.8)  # y, x, from stack to stack
FURTHEST_UM = 5.0
PATIENCE_S = 60.0

CONFIG = """
[[watch]]
path = "{incoming}"
output = "{output}"
quiet_s = 0.2
acquisition_quiet_s = 3600.0

[service]
rescan_s = 0.5
{engine}
"""
RULE = """
[[when]]
name = "follow"
over = "tracks"
where = "track_id = {track} or parent_track_id = {track}"
next = "{answers}"
expires_s = 60.0
at_most_per_hour = 100000
"""


class Sample:
    """Nuclei in a wide plane that drift together, each with a little motion of its own; the first is of interest."""

    def __init__(self, seed: int = 5) -> None:
        self._chance = np.random.default_rng(seed)
        grid = [(y, x) for y in range(-40, 130, 14) for x in range(-40, 130, 14)]
        self.places_um = np.array([(0.0, 0.0), *(place for place in grid if np.hypot(*place) > 8.0)])
        self.places_um[1:] += self._chance.uniform(-2.0, 2.0, (len(grid) - 1, 2))

    def move(self) -> None:
        """From one stack to the next."""
        self.places_um += DRIFT_UM + self._chance.normal(0.0, 0.3, self.places_um.shape)

    def seen_from(self, stage_um: np.ndarray) -> np.ndarray:
        """The stack (Z, Y, X) that the camera takes where the stage stands."""
        z, y, x = np.indices(SHAPE, dtype=float)
        image = 100.0 + self._chance.normal(0.0, 5.0, SHAPE)
        middle_px = (np.array(SHAPE[1:]) - 1) / 2
        for place in (self.places_um - stage_um) / VOXEL_UM[1:] + middle_px:
            if np.all(np.abs(place - middle_px) < middle_px + 12):
                apart = ((z - 2.5) / 2.5) ** 2 + ((y - place[0]) / 8) ** 2 + ((x - place[1]) / 8) ** 2
                image += 900.0 * np.exp(-(apart**2))
        return image.clip(0, 65535).astype(np.uint16)


class Stage:
    """Moves by what `next.json` says: each answer once, and none that is void."""

    def __init__(self, answers: Path) -> None:
        self.um = np.zeros(2)  # y, x
        self._file, self._done = answers / "next.json", ""

    def follow(self, t: int) -> None:
        """Wait for the answer to a stack, and obey it."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            answer = json.loads(self._file.read_text()) if self._file.exists() else {"source_t": -1}
            if answer["source_t"] == t and answer["id"] != self._done:
                self._done = answer["id"]
                if datetime.now(UTC) < datetime.fromisoformat(answer["expires_at"]):
                    self.um += [answer["offset_um"][axis] for axis in "yx"]
                return
            time.sleep(0.05)
        raise SystemExit(f"No answer to time point {t} came within {PATIENCE_S:g} s.")


def write_stack(folder: Path, t: int, image: np.ndarray, stage_um: np.ndarray) -> None:
    """An OME-TIFF that says where the stage stood."""
    place = {f"Position{axis}": [float(um)] * SHAPE[0] for axis, um in zip("YX", stage_um, strict=True)}
    units = {f"Position{axis}Unit": ["µm"] * SHAPE[0] for axis in "YX"}
    sizes = {f"PhysicalSize{axis}": um for axis, um in zip("ZYX", VOXEL_UM, strict=True)}
    metadata = {"axes": "ZYX", **sizes, "Plane": {**place, **units}}
    unfinished = folder / f".film_t{t:03d}.part"
    tifffile.imwrite(unfinished, image, ome=True, photometric="minisblack", metadata=metadata)
    unfinished.replace(folder / f"film_t{t:03d}.ome.tif")


def chosen_track(output: Path) -> int:
    """The track of the nucleus in the middle of the first stack, when it is there."""
    until = time.monotonic() + PATIENCE_S
    middle = [(size - 1) / 2 * um for size, um in zip(SHAPE[1:], VOXEL_UM[1:], strict=True)]
    while time.monotonic() < until:
        try:
            found = storage.open(output)["film"].nuclei(t=0)
            if len(found):
                apart = np.hypot(found["centroid_y_um"] - middle[0], found["centroid_x_um"] - middle[1])
                return int(found["track_id"][int(apart.argmin())])
        except StorageError:
            pass  # nothing is there yet
        time.sleep(0.2)
    raise SystemExit("The first stack was not processed in time: see the log of the service.")


def film(folder: Path, frames: int, engine: str | None) -> list[float]:
    """Take stacks and follow; return how far from the middle the nucleus was in each, in micrometres."""
    incoming, output, answers, config = (folder / name for name in ("incoming", "output", "answers", "nusetd.toml"))
    for made in (incoming, answers):
        made.mkdir(parents=True)
    told = "" if engine is None else f'[engine]\nfactory = "{engine}"'
    config.write_text(CONFIG.format(incoming=incoming, output=output, engine=told))
    sample, stage, apart = Sample(), Stage(answers), []
    command = [sys.executable, "-m", "daemon.cli", "run", "--config", str(config)]
    with (folder / "log.txt").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for t in range(frames):
            apart.append(float(np.hypot(*(sample.places_um[0] - stage.um))))
            write_stack(incoming, t, sample.seen_from(stage.um), stage.um)
            if t == 0:
                rule = RULE.format(track=chosen_track(output), answers=answers)
                config.write_text(config.read_text() + rule)
                service.send_signal(signal.SIGHUP)
                wait_for_rule(output)
            else:
                stage.follow(t)
            sample.move()
    finally:
        service.terminate()
        service.wait()
    return apart


def wait_for_rule(output: Path) -> None:
    """A rule begins with what is committed when it is there."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if len(storage.open(output).sql("SELECT rule FROM rule_states")):
            return
        time.sleep(0.1)
    raise SystemExit("The service did not take the rule: see its log.")


def main() -> int:
    """Film, and say how well it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--engine")
    given = parser.parse_args()
    apart = film(given.folder.absolute(), given.frames, given.engine)
    told = storage.open(given.folder / "output").sql("SELECT state, count(*) AS n FROM rule_sendings GROUP BY state")
    drifted = np.hypot(*DRIFT_UM) * (given.frames - 1)
    print(f"The sample drifted {drifted:.0f} um over {given.frames} time points.")
    print(f"From the middle: {np.mean(apart):.2f} um on average, {max(apart):.2f} um at most.")
    print("Answers: " + ", ".join(f"{row.n} {row.state}" for row in told.itertuples()))
    return int(max(apart) > FURTHEST_UM)


if __name__ == "__main__":
    sys.exit(main())
