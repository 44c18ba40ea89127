"""Settings that are changed while the service runs, and an acquisition that is done again beside its first result."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab, asked, stack, write_stack

import storage
from storage.database.requests import SETTINGS

Maker = Callable[..., Lab]
SETTING = "segmentation.min_score"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for the services' state."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state" / "overrides.toml"


def score(lab: Lab, name: str) -> float:
    """The smallest score with which an acquisition was made."""
    [(params,)] = lab.rows(f"select params from acquisitions where name = '{name}'")
    return float(json.loads(params)["segmentation"]["min_score"])


def test_an_override_is_in_use_for_what_comes_next_and_again_makes_a_second_result(new_lab: Maker, state: Path) -> None:
    lab = new_lab()
    for t in range(2):
        write_stack(lab.incoming / f"first_t{t:03}.tif", stack(t))
    write_stack(lab.incoming / "alone.tif", stack(0))
    lab.start()
    lab.wait(lambda: lab.states() == ["complete", "complete"] and lab.settled())
    usual = score(lab, "first")

    # With the settings in use there is nothing to compare.
    same = asked("again", "first", "--database", lab.output)
    assert same.returncode == 1
    assert "first was done with the very settings in use now" in same.stderr

    told = asked("override", lab.incoming, f"{SETTING}=0.11", "--by", "anna", "--database", lab.output)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.strip() == f"From now on for {lab.incoming}: {SETTING} = 0.11 (before: {usual})."
    write_stack(lab.incoming / "next.tif", stack(0))
    lab.wait(lambda: len(lab.states()) == 3 and lab.settled())
    assert score(lab, "next") == 0.11
    assert [score(lab, name) for name in ("first", "alone")] == [usual, usual]
    line = f"{SETTING} = 0.11, chosen by anna at "
    lab.wait(lambda: line in asked("status", "--database", lab.output).stdout)
    assert line in asked("check-config", lab.config).stdout
    assert line in asked("override", "--database", lab.output).stdout
    history = asked("override", "incoming", "--history", "--database", lab.output).stdout
    assert f"anna  {lab.incoming}  {SETTING} = 0.11, before {usual}" in history

    for name in ("first", "alone"):
        again = asked("again", name, "--database", lab.output)
        assert (again.returncode, again.stderr) == (0, "")
    lab.wait(lambda: lab.states() == ["complete"] * 5 and lab.settled())
    results = storage.open(lab.output)
    for name, points in (("first", 2), ("alone", 1)):
        assert [score(lab, name), score(lab, f"{name}-2")] == [usual, 0.11]
        first, second = results[name], results[f"{name}-2"]
        assert first.about.source_path == second.about.source_path
        assert first.labels().shape == second.labels().shape
        assert len(second.counts()) == len(first.counts()) == points
    twice = asked("again", "first", "--database", lab.output)
    assert "first was done with these settings already: see first-2." in twice.stderr

    gone = asked("override", "incoming", "--remove-all", "--database", lab.output)
    assert f"{SETTING} as the configuration says (before: 0.11)" in gone.stdout
    assert tomllib.loads(state.read_text()).get("watch") is None
    assert lab.stop() == 0


@pytest.mark.long  # `.ci/run` runs it
def test_orders_wait_for_the_service_and_survive_its_death(new_lab: Maker, state: Path) -> None:
    """Ordered while it does not run, and killed right after it took an order: nothing is lost, nothing done twice."""
    lab = new_lab()
    write_stack(lab.incoming / "one.tif", stack(0))
    lab.start()
    lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
    lab.kill()
    told = asked("override", lab.incoming, f"{SETTING}=0.2", "--database", lab.output, "--wait", "0.1")
    assert told.stdout.strip() == "Noted: the service does it when it runs."
    asked("again", "one", "--database", lab.output, "--wait", "0.1")
    lab.start()
    lab.wait(lambda: lab.rows("select count(*) from requests where accepted") == [(2,)])
    lab.kill()  # the files count as new, the second result may not be known yet
    lab.start()
    lab.wait(lambda: lab.states() == ["complete", "complete"] and lab.settled())
    assert score(lab, "one-2") == 0.2
    changes = tomllib.loads(state.read_text())["changed"]
    assert [(one["setting"], one["value"]) for one in changes] == [(SETTING, 0.2)]
    assert lab.rows(f"select accepted from requests where kind = '{SETTINGS}'") == [(1,)]
    state.write_text("[[watch]\n")
    lab.kill()
    write_stack(lab.incoming / "two.tif", stack(1))
    lab.start()  # a broken file stops nothing
    lab.wait(lambda: len(lab.states()) == 3 and lab.settled())
    assert score(lab, "two") != 0.2
    assert "overrides.toml does not count" in asked("status", "--database", lab.output).stdout
    assert lab.stop() == 0


@pytest.mark.long  # `.ci/run` runs it
def test_what_is_under_way_is_begun_anew_as_a_second_result(new_lab: Maker) -> None:
    """None is ever a mixture: the first one keeps what it has, the second one has all of it."""
    lab = new_lab(acquisition_quiet_s=4.0)
    for t in range(3):
        write_stack(lab.incoming / f"night_t{t:03}.tif", stack(t))
    lab.start(NUSETD_TEST_PAUSE="1.0")
    lab.wait(lambda: lab.done() >= 1)
    told = asked("override", lab.incoming, f"{SETTING}=0.33", "--database", lab.output)
    assert told.returncode == 0, told.stderr
    write_stack(lab.incoming / "night_t003.tif", stack(3))
    lab.wait(lambda: len(lab.states()) == 2 and lab.states()[1] == "complete" and lab.settled())
    assert [score(lab, name) == 0.33 for name in ("night", "night-2")] == [False, True]
    results = storage.open(lab.output)
    assert len(results["night-2"].counts()) == 4
    assert 1 <= len(results["night"].counts()) < 4
    assert lab.states()[0] == "partial"
    assert lab.stop() == 0


@pytest.mark.long
def test_other_weights_are_in_use_between_two_time_points_and_what_was_begun_is_begun_anew(
    new_lab: Maker, state: Path
) -> None:
    """One result is of one set of weights; weights that cannot be loaded change nothing; the way back is an order."""
    lab = new_lab(acquisition_quiet_s=4.0)
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start(NUSETD_TEST_PAUSE="0.5", NUSETD_TEST_NAMED="1")
    lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
    for t in range(2):
        write_stack(lab.incoming / f"night_t{t:03}.tif", stack(t))
    lab.wait(lambda: lab.done() >= 2)
    broken = asked("override", "engine.weights=broken", "--database", lab.output)
    assert broken.returncode == 1
    assert "Nothing was changed, fluorescence are in use as before: " in broken.stderr
    assert "they are broken" in broken.stderr
    assert not state.exists()
    told = asked("override", "engine.weights=ours", "--by", "anna", "--database", lab.output)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.strip() == "From now on nuclei are found with other weights: ours (before: fluorescence)."
    write_stack(lab.incoming / "night_t002.tif", stack(2))
    lab.wait(lambda: len(lab.states()) == 3 and lab.states()[-1] == "complete" and lab.settled())
    made = "select a.name, model_name, count(*) from acquisitions a join timepoints t on t.acquisition_id = a.id "
    found = lab.rows(made + "where t.state = 'done' group by a.name order by a.name")
    assert [found[0], found[2]] == [("first", "fluorescence", 1), ("night-2", "ours", 3)]
    assert found[1][:2] == ("night", "fluorescence")
    assert lab.rows("select count(*) from timepoints where error like '%begun with other weights%'") == [(0,)]
    line = "the service: engine.weights = ours, chosen by anna at "
    assert line in asked("status", "--database", lab.output).stdout
    assert line in asked("override", "--database", lab.output).stdout
    assert "settings of the service: engine.weights = ours, chosen by anna" in asked("check-config", lab.config).stdout

    lab.kill()  # they are in use after a restart too
    lab.start(NUSETD_TEST_NAMED="1")
    write_stack(lab.incoming / "next.tif", stack(0))
    lab.wait(lambda: lab.rows("select model_name from acquisitions where name = 'next'") == [("ours",)])
    back = asked("override", "--remove", "engine.weights", "--database", lab.output)
    assert "those of the configuration (before: ours)" in back.stdout
    write_stack(lab.incoming / "last.tif", stack(0))
    lab.wait(lambda: lab.rows("select model_name from acquisitions where name = 'last'") == [("fluorescence",)])
    history = asked("override", "--history", "--database", lab.output).stdout
    assert "anna  the service  engine.weights = ours, before fluorescence" in history
    assert "engine" not in tomllib.loads(state.read_text())
    assert lab.stop() == 0
