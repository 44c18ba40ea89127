"""`nusetd run` as a whole: real files, real processes, real signals."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import ENGINE, Lab, asked, assert_same, nusetd, result, stack, write_stack

Maker = Callable[..., Lab]


def write_series(lab: Lab, times: range, name: str = "exp") -> None:
    for t in times:
        write_stack(lab.incoming / f"{name}_t{t:03d}.tif", stack(t))


def assert_alone_and_light(lab: Lab) -> None:
    """The watcher is free of TensorFlow, and alone on its database."""
    assert lab.process is not None
    mapped = Path(f"/proc/{lab.process.pid}/maps").read_text()
    assert "tensorflow" not in mapped
    assert "numpy" in mapped, "the look at the process shows its libraries"
    command = Path(f"/proc/{lab.worker_pid()}/cmdline").read_text()
    assert "daemon.processing.worker" in command
    second = nusetd("run", "--config", lab.config)
    assert second.returncode == 1
    assert "Another nusetd" in second.stderr


def state(lab: Lab, name: str) -> str | None:
    """The state of one of the acquisitions, none of one that is not known."""
    return next((found for (found,) in lab.rows(f"select state from acquisitions where name = '{name}'")), None)


def result_of(lab: Lab, name: str) -> dict[str, Any]:
    """What a person would look at of one acquisition."""
    found = result(lab)
    return {
        "nuclei": [row for row in found["nuclei"] if row["name"] == name],
        **{kind: [row for row in found[kind] if row[0] == name] for kind in ("tracks", "timepoints")},
        "labels": {key: value for key, value in found["labels"].items() if key.startswith(f"{name}.ome.zarr/")},
    }


def done(lab: Lab, name: str) -> int:
    """How many time points of an acquisition are done."""
    of_it = f"join acquisitions a on a.id = acquisition_id where a.name = '{name}' and timepoints.state = 'done'"
    return len(lab.rows(f"select 1 from timepoints {of_it}"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One service for several tests, each with files of its own, of which two are there before it; it ends well."""
    # Longer than a busy machine takes over the first link: until more are seen, two time points are all that there is.
    lab = Lab(tmp_path_factory.mktemp("running"), {"give_up_s": 10.0, "acquisition_quiet_s": 6.0})
    write_series(lab, range(2))
    lab.start()
    try:
        yield lab
        worker = lab.worker_pid()
        assert lab.stop() == 0
        assert not Path(f"/proc/{worker}").exists()
    finally:
        if lab.process is not None and lab.process.poll() is None:
            lab.kill()


def test_files_present_at_start_and_files_that_land_later_become_one_acquisition(running: Lab) -> None:
    lab = running
    lab.wait(lambda: done(lab, "exp") == 2)
    write_series(lab, range(2, 5))
    lab.wait(lambda: done(lab, "exp") == 5 and lab.settled())
    assert_alone_and_light(lab)
    assert lab.rows("select name, state from acquisitions where name like 'exp%'") == [("exp", "complete")]
    found = result_of(lab, "exp")
    assert [point[1:3] for point in found["timepoints"]] == [(t, "done") for t in range(5)]
    assert {row["t"]: 0 for row in found["nuclei"]} == dict.fromkeys(range(5), 0)
    assert len(found["nuclei"]) == 25
    assert [track[3:6] for track in found["tracks"]] == [(0, 4, 5)] * 5
    nuclei, tracks = (found["labels"][f"exp.ome.zarr/labels/{name}/0"] for name in ("nuclei", "tracks"))
    assert nuclei.shape == tracks.shape == (5, 6, 96, 96)
    painted = {(row["t"], row["label"]): row["track_id"] for row in found["nuclei"]}
    for (t, label), track in painted.items():
        assert set(np.unique(tracks[t][nuclei[t] == label])) == {track}


def test_bad_files_are_set_aside_with_a_sentence_and_the_others_go_on(running: Lab) -> None:
    lab = running
    (lab.incoming / "notes.tif").write_text("These are my notes.\n")
    (lab.incoming / "empty.tif").write_bytes(b"")
    whole = write_stack(lab.incoming / "good.tif", stack(0))
    (lab.incoming / "cut.tif").write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    bad = {"notes", "empty", "cut"}
    lab.wait(lambda: state(lab, "good") == "complete" and {state(lab, name) for name in bad} == {"set_aside"})
    reasons = dict(lab.rows("select name, error from acquisitions where error is not null"))
    assert set(reasons) == bad
    assert all(f"{name}.tif" in reason and reason.count("\n") == 0 for name, reason in reasons.items())
    (lab.incoming / "cut.tif").write_bytes(whole.read_bytes())
    lab.wait(lambda: state(lab, "cut") == "complete")


def test_a_slow_writer_is_waited_for(running: Lab) -> None:
    lab = running
    content = write_stack(lab.root / "whole.tif", stack(0)).read_bytes()
    with (lab.incoming / "slow.tif").open("wb") as file:
        for start in range(0, len(content), len(content) // 8 + 1):
            assert state(lab, "slow") is None, "nothing is known of an unfinished file"
            file.write(content[start : start + len(content) // 8 + 1])
            file.flush()
            time.sleep(0.6)  # three quiet periods: only the format tells that there is more to come
    assert "slow.tif" not in lab.said(), "nobody tried to open it either"
    lab.wait(lambda: state(lab, "slow") == "complete")
    counted = "select count(*) from nuclei n join acquisitions a on a.id = n.acquisition_id where a.name = 'slow'"
    assert lab.rows(counted) == [(5,)]


def test_a_file_that_changes_is_processed_again(running: Lab) -> None:
    lab = running
    of_series = "join acquisitions a on a.id = acquisition_id where a.name = 'series'"
    write_series(lab, range(3), "series")
    lab.wait(lambda: lab.settled() and len(lab.rows(f"select 1 from timepoints {of_series}")) == 3)
    blank = np.full_like(stack(0), 100)
    write_stack(lab.incoming / "series_t001.tif", blank)
    changed = f"select timepoints.nuclei_count from timepoints {of_series} and t = 1"
    lab.wait(lambda: lab.rows(changed) == [(0,)] and lab.settled())
    assert lab.rows(f"select t, count(*) from nuclei {of_series} group by t") == [(0, 5), (2, 5)]
    assert not result(lab)["labels"]["series.ome.zarr/labels/nuclei/0"][1].any()


def test_a_time_point_that_never_comes_is_passed_over_and_one_that_comes_late_taken_in(
    running: Lab, new_lab: Maker
) -> None:
    lab = running
    write_stack(lab.incoming / "gap_t000.tif", stack(0))
    write_stack(lab.incoming / "gap_t002.tif", stack(2))
    lab.wait(lambda: state(lab, "gap") == "partial" and lab.settled())
    assert "time points did not come" in lab.said()
    write_stack(lab.incoming / "gap_t001.tif", stack(1))
    lab.wait(lambda: done(lab, "gap") == 3 and lab.settled())
    undisturbed = new_lab("undisturbed")
    write_series(undisturbed, range(3), "gap")
    processed = asked(
        "process", undisturbed.incoming, "--output", undisturbed.output, "--voxel-size", "1,0.5,0.5", "--engine", ENGINE
    )
    assert processed.returncode == 0, processed.stderr
    assert_same(result_of(lab, "gap"), result(undisturbed))


@pytest.mark.long  # `.ci/run` runs it
def test_workers_that_are_killed_or_hang_are_replaced_the_next_start_goes_on_and_what_kills_each_is_set_aside(
    new_lab: Maker, tmp_path: Path
) -> None:
    lab = new_lab(worker_silence_s=6.0)
    write_series(lab, range(5))
    lab.start(NUSETD_TEST_PAUSE="0.5")
    lab.wait(lambda: lab.done() >= 1)
    os.kill(lab.worker_pid(), signal.SIGKILL)
    lab.wait(lambda: "worker died" in lab.said())
    killed_at = lab.done()
    lab.wait(lambda: lab.done() > killed_at)
    assert lab.stop() == 0
    assert lab.rows("select count(*) from timepoints where state = 'running'") == [(0,)]
    assert lab.done() < 5

    write_series(lab, range(3), "bad")
    write_stack(lab.incoming / "bad_t001.tif", np.full_like(stack(0), 6666))
    (tmp_path / "hang").write_text("once")
    lab.start(NUSETD_TEST_HANG=str(tmp_path / "hang"), NUSETD_TEST_POISON="6666")
    lab.wait(lambda: state(lab, "bad") is not None and lab.settled())
    assert (state(lab, "exp"), done(lab, "exp")) == ("complete", 5)
    assert state(lab, "bad") == "partial"
    of_bad = "join acquisitions a on a.id = acquisition_id where name = 'bad'"
    points = f"select timepoints.state from timepoints {of_bad} order by t"
    assert [found for (found,) in lab.rows(points)] == ["done", "failed", "done"]
    assert "said nothing for 6 s" in lab.said()
    assert lab.stop() == 0


def test_an_engine_that_cannot_be_loaded_ends_the_service_with_the_reason(new_lab: Maker) -> None:
    lab = new_lab()
    lab.config.write_text(lab.config.read_text().replace("classical_engine:", "no_such_engine:"))
    ended = nusetd("run", "--config", lab.config)
    assert ended.returncode == 1
    assert "no_such_engine" in ended.stderr.splitlines()[-1]
