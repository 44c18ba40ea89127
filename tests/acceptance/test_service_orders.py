"""Files that the service takes because somebody says so, and files of single planes that it waits to have together."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from lab import Lab, asked, result, stack, write_stack

Maker = Callable[..., Lab]


def test_submit_overrides_quiet_time_through_the_running_service(new_lab: Maker) -> None:
    lab = new_lab(quiet_s=3600.0, give_up_s=7200.0)
    lab.start()
    wanted, other = (write_stack(lab.incoming / f"{name}.tif", stack(0)) for name in ("wanted", "other"))
    lab.wait(lambda: "engine is ready" in lab.said())
    time.sleep(1.5)  # three sweeps
    assert lab.states() == []
    answer = asked("submit", wanted, "--database", lab.output)
    assert (answer.returncode, answer.stdout.strip()) == (0, f"{wanted} is taken as it is now.")
    lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
    assert lab.rows("select name from acquisitions") == [("wanted",)]
    assert lab.rows("select count(*) from nuclei") == [(5,)]
    elsewhere = write_stack(lab.root / "elsewhere.tif", stack(1))
    refused = asked("submit", elsewhere, "--database", lab.output)
    assert refused.returncode == 1
    assert f"{elsewhere} is in none of the watched folders" in refused.stderr
    assert other.exists()
    assert lab.stop() == 0


def test_files_of_single_planes_that_arrive_one_by_one_become_stacks_without_events_too(new_lab: Maker) -> None:
    pattern = r"(?P<name>.+)_t(?P<t>\d+)_z(?P<z>\d+)"
    lab = new_lab(pattern=pattern, acquisition_quiet_s=2.0, quiet_s=1.0, events=False)
    lab.start()
    lab.wait(lambda: "engine is ready" in lab.said())
    (lab.incoming / "deep" / "er").mkdir(parents=True)
    write_stack(lab.incoming / "deep" / "er" / "other image é.tif", stack(0))
    for t in range(3):
        for z, plane in enumerate(stack(t)):
            write_stack(lab.incoming / f"exp_t{t}_z{z}.tif", plane)
            time.sleep(0.1)
    lab.wait(lambda: lab.states() == ["complete", "complete"] and lab.settled())
    assert lab.stop() == 0
    found = result(lab)
    assert [point[1:] for point in found["timepoints"] if point[0] == "exp"] == [(t, "done", 5) for t in range(3)]
    assert [track[3:6] for track in found["tracks"] if track[0] == "exp"] == [(0, 2, 3)] * 5
    (store,) = {name.split("/")[0] for name in found["labels"] if "other image" not in name}
    np.testing.assert_array_equal(found["labels"][f"{store}/0"][:, 0], np.stack([stack(t) for t in range(3)]))
    assert lab.rows("select reader, size_t, size_z from acquisitions where name = 'exp'") == [("tiff-planes", 3, 6)]
