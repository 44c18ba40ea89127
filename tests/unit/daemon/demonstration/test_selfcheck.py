"""The parts of the self-check: its configuration, its places, its judgement."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.configuration.config import Config
from daemon.demonstration import selfcheck
from daemon.demonstration.demo import DemoFolders
from daemon.demonstration.score import Score
from daemon.demonstration.selfcheck import Finding, verdict
from daemon.errors import DaemonError


@pytest.fixture
def installed(tmp_path: Path) -> Config:
    (tmp_path / "in").mkdir()
    text = (
        'database = "records/nusetd.sqlite"\n[[watch]]\npath = "in"\noutput = "out"\n'
        '[engine]\nweights = "mine.npz"\nthreads = 3\n[segmentation]\nmin_score = 0.7\n[tracking]\nmemory_frames = 1\n'
    )
    return config.parse(text, tmp_path / "nusetd.toml")


def test_the_replay_has_the_engine_and_parameters_that_are_checked(installed: Config, tmp_path: Path) -> None:
    folders = DemoFolders(tmp_path / 'a "b"')
    text = selfcheck.config_text(folders, tmp_path / "x.sqlite", installed)
    replay = config.parse(text, tmp_path / "replay.toml")
    assert (replay.engine, replay.processing) == (installed.engine, installed.processing)
    assert replay.watch[0].path == folders.incoming
    assert replay.database == f"sqlite:///{tmp_path}/x.sqlite"


def test_it_works_on_the_disks_of_results_and_records_and_leaves_nothing(installed: Config, tmp_path: Path) -> None:
    with selfcheck._places(installed, None, keep=False) as (folders, database):
        assert folders.output.parent == tmp_path / "out"
        assert database.parent.parent == tmp_path / "records"
        assert folders.incoming.is_dir()
    assert list((tmp_path / "out").iterdir()) == list((tmp_path / "records").iterdir()) == []
    with selfcheck._places(None, tmp_path / "here", keep=True) as (folders, _):
        assert folders.output.parent == tmp_path / "here"
    assert folders.incoming.is_dir()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DaemonError, match="run it as the service's user"),
        selfcheck._places(None, tmp_path / "file", False),
    ):
        pass


@pytest.mark.parametrize(("found", "good"), [(100, True), (95, True), (94, False)])
def test_accuracy_is_judged_by_the_bounds_of_the_demo(found: int, good: bool) -> None:
    score = Score(100, found, 3, 90, 90, 0, 2, 2, 1, 12, 12)
    findings = list(selfcheck._accuracy(score))
    assert [finding.good for finding in findings] == [good, True, True]
    assert verdict(findings) is good


def test_a_division_that_is_missed_is_bad_and_what_is_not_judged_is_not() -> None:
    assert not verdict(list(selfcheck._accuracy(Score(9, 9, 0, 9, 9, 0, 2, 1, 0, 3, 3))))
    assert verdict([Finding("lag", "5 s"), Finding("nuclei", "all", True)])


def test_faults_of_the_configuration_are_findings(installed: Config) -> None:
    findings = list(selfcheck._configuration(installed))
    assert findings[-1].good is False
    assert "mine.npz" in findings[-1].found
