"""The table of the flow: drawn, walked, and the same as what executes it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.pipeline import FLOW, Runner, Stage, Step
from daemon.processing.messages import Cause
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.steps.books import Books
from daemon.processing.steps.handlers import handlers
from storage.database.catalog import Catalog

ROAD = ["admit", "choose channel", "analyse", "track", "commit", "publish", "finish", "paint", "complete"]
DETOUR = ["replay", "stage", "make current"]


def drawn(flow: tuple[Step, ...] = FLOW) -> str:
    """The table as lines: who brings a time point from where to where, and where failures lead."""
    lines = []
    for step in flow:
        lines.append(f"{step.takes.name} --{step.name} ({step.by.value})--> {step.gives.name}")
        lines += [f"{step.takes.name} ~~{cause.name}~~> {stage.name}" for cause, stage in step.fails.items()]
    return "\n".join(lines)


def arrows(flow: tuple[Step, ...] = FLOW) -> Iterator[tuple[str, str]]:
    """From where to where the drawing leads, failures included."""
    for line in drawn(flow).splitlines():
        start, _, rest = line.partition(" ")
        yield start, rest.split("> ")[-1]


def reached(start: str, links: set[tuple[str, str]]) -> set[str]:
    """The stages to which the arrows lead."""
    found, new = {start}, {start}
    while new:
        new = {end for begin, end in links if begin in new} - found
        found |= new
    return found


def test_every_stage_is_reached_and_left() -> None:
    links = set(arrows())
    everything = {stage.name for stage in Stage}
    assert reached("LANDED", links) == everything
    assert {start for start, end in links if start != end} == everything
    back = {(end, start) for start, end in links}
    assert reached("COMPLETE", back) == everything, "from everywhere it can still become complete"


def test_a_stage_that_nobody_leaves_is_seen() -> None:
    """What the test above rests on."""
    links = set(arrows(tuple(step for step in FLOW if not step.name.startswith("commit"))))
    assert "TRACKED" not in {start for start, _ in links}


@pytest.mark.parametrize("names", [ROAD, ["analyse", *DETOUR, "publish"]], ids=["in order", "late or changed"])
def test_the_steps_of_a_road_fit_together(names: list[str]) -> None:
    steps = {step.name: step for step in FLOW}
    for name, following in pairwise(names):
        assert steps[name].gives is steps[following].takes, f"{following} goes on where {name} ends\n{drawn()}"


def test_the_loop_executes_every_step_that_is_not_somebody_elses(tmp_path: Path) -> None:
    mine = {step.name for step in FLOW if step.by in (Runner.WORKER, Runner.LOOP, Runner.THREAD)}
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        assert handlers(Books(catalog)).keys() == mine
    assert {step.name for step in FLOW} - mine == {"admit", "reopen", "retry"}


def test_whatever_a_worker_may_die_of_or_run_out_of_leads_somewhere() -> None:
    for step in FLOW:
        if step.by is Runner.WORKER:
            assert {Cause.CRASH, Cause.MEMORY, Cause.MACHINE, Cause.INPUT} <= step.fails.keys(), step.name


def test_a_fault_of_ours_in_a_step_of_the_loop_leads_somewhere() -> None:
    for step in FLOW:
        if step.by in (Runner.LOOP, Runner.THREAD):
            assert Cause.INPUT in step.fails, step.name


def test_what_is_tried_again_without_end_waits_for_the_machine_or_for_a_source() -> None:
    policy = RetryPolicy()
    endless = {cause for cause in Cause if policy.allowed(cause) is None}
    stores = {Cause.LOST, Cause.TAKEN, Cause.DAMAGED, Cause.STORE}
    assert endless == {Cause.CHANGED, Cause.MACHINE, Cause.TRACKER} | stores
