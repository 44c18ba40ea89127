"""A process beside busy workers: when it is there, what it is given, and that its end costs nobody else anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.actor import Actor, cast
from cases.stored import acquisition, pixels

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import (
    AnalyseTask,
    CannotServe,
    Cause,
    CorrectTask,
    Failed,
    Painted,
    PaintTask,
    Progress,
    Ready,
)
from daemon.processing.recipe import Recipe
from daemon.processing.workers.helped_workers import KEPT_S, HelpedWorkers
from daemon.processing.workers.protocol import Died
from daemon.processing.workers.stores_lock import StoresLock
from storage.database.catalog import Catalog
from storage.schema.rows import AcquisitionRow

DONE = Failed("any answer", Cause.INPUT)


class Team:
    """One worker that is at a stack, and a helper, both played."""

    def __init__(self, root: Path, row: AcquisitionRow) -> None:
        self.row, self.now = row, 0.0
        self.worker, self.helper = Actor(), Actor()
        self.helper.loads["test"] = Ready("", "")
        lock = StoresLock(root / "lock")
        self.team = HelpedWorkers(cast(self.worker), self.helper, lock, lambda: self.now)  # type: ignore[arg-type]
        self.team.start()
        list(self.team.hear(0.0))

    def busy(self, frugal: bool = False) -> None:
        """The worker has a stack."""
        self.team.give(self.worker, AnalyseTask(self.row, 0, frugal=frugal))  # type: ignore[arg-type]

    def corrects(self) -> None:
        """The helper is at a correction."""
        self.team.give(self.helper, CorrectTask(self.row, ""))  # type: ignore[arg-type]

    def heard(self) -> list[object]:
        """What the helper is heard to say."""
        return [event for worker, event in self.team.hear(0.0) if worker is self.helper]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    recipe = Recipe(Ready("m", "0" * 64), Processing())
    with Catalog.open(tmp_path) as catalog:
        return Team(tmp_path, pipeline.admit(catalog, acquisition(pixels(1)), recipe, tmp_path))


def test_nobody_is_started_while_a_worker_is_idle(team: Team) -> None:
    assert team.team.idle() == [team.worker]
    team.busy()
    assert team.team.idle() == [team.helper]
    assert team.helper.pid is None, "before there is a correction"
    assert team.team.all == [team.worker], "time points are counted out to workers alone"


def test_the_helper_takes_corrections_and_paints_only_while_it_is_there(team: Team) -> None:
    team.busy()
    can = {step.name for step in pipeline.FLOW if team.team.can(team.helper, step.name)}  # type: ignore[arg-type]
    assert can == {"correct"}
    team.corrects()
    assert team.helper.pid is not None
    assert team.team.idle() == [], "one task at a time"
    team.helper.lines += [Progress(1, 2), DONE]
    assert team.heard() == [Progress(1, 2), DONE], "that it is ready concerns nobody: it may have loaded nothing"
    assert team.team.can(team.helper, "paint")  # type: ignore[arg-type]
    team.team.give(team.helper, PaintTask("s", 0, {}))  # type: ignore[arg-type]
    team.helper.lines.append(Painted())
    assert team.heard() == [Painted()]


def test_it_stays_for_a_while_and_ends(team: Team) -> None:
    team.busy()
    team.corrects()
    team.now = 5 * KEPT_S
    assert team.heard() == []
    assert team.helper.pid is not None, "it is at work, however long"
    team.helper.lines.append(DONE)
    team.heard()
    team.now += KEPT_S
    team.heard()
    assert team.helper.pid is not None
    team.now += 1.0
    team.heard()
    assert team.helper.pid is None


def test_its_death_is_told_where_it_was_at_something_and_nowhere_else(team: Team) -> None:
    death = Died("killed", killed=True, pid=1)
    team.busy()
    team.corrects()
    team.helper.lines.append(death)
    assert team.heard() == [death]
    team.corrects()
    team.helper.lines += [DONE, death]
    assert team.heard() == [DONE], "else workers would wait, as if memory had run out"
    team.corrects()
    team.helper.lines += [CannotServe("no engine"), death]
    assert team.heard() == [Failed("no engine", Cause.CRASH)], "the workers serve on"


def test_nobody_helps_while_a_killed_one_may_still_write(team: Team) -> None:
    team.busy()
    team.helper.dying = frozenset({7})
    assert team.team.idle() == []
    assert not team.team.is_gone(Died("killed", pid=7))
    team.helper.dying = frozenset()
    assert team.team.is_gone(Died("killed", pid=7))


def test_it_ends_with_the_others_for_other_weights_and_where_memory_is_short(team: Team) -> None:
    ends = (lambda: team.team.use("test"), team.team.end, lambda: team.busy(frugal=True))
    for count, end in enumerate(ends, start=1):
        team.team.start()
        list(team.team.hear(0.0))
        team.busy()
        team.corrects()
        team.helper.lines.append(DONE)
        team.heard()
        team.worker.task = None
        end()
        assert (count, team.helper.pid) == (count, None)
