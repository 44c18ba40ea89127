"""What follows from a look at channels: taken, asked, left open, and kept for whatever weights come later."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cases.actor import MODEL, Actor, cast
from cases.stored import acquisition, pixels

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Analysed, AnalyseTask, ChooseTask, Chosen, Painted, PaintTask, Ready
from daemon.processing.queue_loop import QueueLoop, Seen
from daemon.processing.recipe import Recipe, StoredRecipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.workers.protocol import Died
from nuset_engine.channels.choice import ChannelFigures, ChannelTrial, Verdict
from nuset_engine.nuclei import Nuclei
from storage.acquisition import Acquisition
from storage.database.catalog import Catalog
from storage.found import Found
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState

RECIPE = Recipe(MODEL, Processing())


def trial(verdict: Verdict, best: int = 1) -> ChannelTrial:
    figures = [ChannelFigures(i, 10 * i, 0.8, 2.0, 0.9, 12.0, 6.0, 0.9 * i, 0.5) for i in range(2)]
    return ChannelTrial(verdict, best, tuple(figures))


def movie(frames: int = 3) -> Acquisition:
    return acquisition(pixels(frames, 2), name="movie")


class Desk:
    """A queue loop with its worker over a database, which the test plays."""

    def __init__(self, root: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.catalog, self.actor, self.seen = root, catalog, Actor(), list[Seen]()
        monkeypatch.setattr(pipeline, "publish", lambda catalog, row, t: catalog.mark_published(row.id, t))
        monkeypatch.setattr(pipeline, "show_tracks", lambda catalog, row, t: catalog.mark_painted(row.id, t))
        monkeypatch.setattr(pipeline, "sweep", lambda row, owner, *left: None)
        self.loop = QueueLoop(catalog, cast(self.actor), RetryPolicy(pause_s=0.0), self.seen.append)

    def admit(self, image: Acquisition, recipe: Recipe = RECIPE) -> AcquisitionRow:
        row = pipeline.admit(self.catalog, image, recipe, self.root / "out")
        self.loop.end(row.id)
        return row

    def play(self, *verdicts: ChannelTrial, dies_before: int = -1) -> list[tuple[str, int, int | None]]:
        """Answer until nothing is left; what was asked of the worker: look or analyse, t, channel."""
        told, answers = list[tuple[str, int, int | None]](), list(verdicts)
        idle = 0  # turns in a row: what was not due in them never will be
        for turn in range(60):
            idle = 0 if self.loop.working or turn <= dies_before else idle + 1
            if idle > 5:
                break
            task = self.actor.task
            if turn == dies_before:
                self.actor.lines.append(Died("It died."))
            elif isinstance(task, ChooseTask):
                told.append(("look", task.t, None))
                self.actor.lines.append(Chosen(answers.pop(0)))
            elif isinstance(task, AnalyseTask):
                told.append(("analyse", task.t, StoredRecipe.of(task.acquisition).nuclear_channel))
                self.actor.lines.append(Analysed(Nuclei.empty(task.t, "um"), {}))
            elif isinstance(task, PaintTask):
                self.actor.lines.append(Painted())
            self.loop.step(0.05)  # as long as a transaction may take that runs beside the loop
        assert not answers
        return told


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Desk(tmp_path, catalog, monkeypatch)


def test_the_first_time_point_decides_for_all(desk: Desk) -> None:
    row = desk.admit(movie())
    assert (row.nuclear_channel, row.channel_source) == (None, None)
    assert desk.play(trial(Verdict.CLEAR)) == [("look", 0, None), *(("analyse", t, 1) for t in range(3))]
    row = desk.catalog.acquisition(row.id)
    assert (row.state, row.nuclear_channel, row.channel_source) == (AcquisitionState.COMPLETE, 1, "measured")
    assert row.channel_trial is not None
    assert [one["nuclei"] for one in row.channel_trial["channels"]] == [0, 10]
    assert row.channel_in_words == "channel 1 (measured)"
    assert row.params["nuclear_channel"] == 1


def test_what_is_named_or_said_or_alone_is_not_looked_for(desk: Desk) -> None:
    named = replace(movie(), channel_names=("GFP", "Hoechst"))
    alone = acquisition(pixels(1, 1), name="alone")
    rows = [desk.admit(named), desk.admit(alone)]
    rows.append(desk.admit(acquisition(pixels(1, 2), name="said"), replace(RECIPE, nuclear_channel=1)))
    assert {told[0] for told in desk.play()} == {"analyse"}
    rows = [desk.catalog.acquisition(row.id) for row in rows]
    assert [(row.nuclear_channel, row.channel_source) for row in rows] == [
        (1, "metadata"), (0, "metadata"), (1, "configured"),
    ]  # fmt: skip


def test_an_empty_time_point_leaves_it_open_and_is_done_again_when_it_is_known(desk: Desk) -> None:
    row = desk.admit(movie())
    told = desk.play(trial(Verdict.NONE, best=0), trial(Verdict.CLEAR))
    looked = [t for what, t, _ in told if what == "look"]
    assert looked == [0, 1]
    assert ("analyse", 0, 0) in told
    assert sorted(t for what, t, channel in told if what == "analyse" and channel == 1) == [0, 1, 2]
    row = desk.catalog.acquisition(row.id)
    assert (row.state, row.nuclear_channel, row.channel_source) == (AcquisitionState.COMPLETE, 1, "measured")


def test_another_channel_is_another_result_unless_it_is_to_replace_the_first(desk: Desk) -> None:
    first, second = (replace(RECIPE, nuclear_channel=channel) for channel in (0, 1))
    before, found = desk.admit(movie(), first), Found.of(movie())
    assert pipeline.former(desk.catalog, found, second, any_channel=False) is None
    assert pipeline.former(desk.catalog, found, second) == before.id
    beside = desk.admit(movie(), second)
    assert (beside.id, beside.name, beside.nuclear_channel) != (before.id, before.name, before.nuclear_channel)
    assert desk.catalog.acquisition(before.id).nuclear_channel == 0


def test_what_stays_open_says_so(desk: Desk) -> None:
    row = desk.admit(movie(2))
    desk.play(trial(Verdict.NONE, best=0), trial(Verdict.NONE, best=1))
    row = desk.catalog.acquisition(row.id)
    assert (row.state, row.nuclear_channel, row.channel_source) == (AcquisitionState.COMPLETE, None, None)
    assert row.segmented_channel == 0  # one for all its time points
    assert row.channel_in_words == "nuclear channel not known"


@pytest.mark.parametrize(("frames", "verdict"), [(3, Verdict.CLOSE), (1, Verdict.CLOSE), (1, Verdict.NONE)])
def test_where_it_is_not_clear_a_person_is_asked(desk: Desk, frames: int, verdict: Verdict) -> None:
    row = desk.admit(movie(frames))
    assert desk.play(trial(verdict)) == [("look", 0, None)]
    row = desk.catalog.acquisition(row.id)
    assert row.state is AcquisitionState.SET_ASIDE
    assert row.error is not None
    for part in ("movie", verdict.value, "10 nuclei", "--channel", "nuclear_channel", "--unclear-channel take"):
        assert part in row.error
    assert "\n" not in row.error


def test_the_answer_of_a_person_goes_on_with_the_same_result(desk: Desk) -> None:
    asked = desk.admit(movie())
    desk.play(trial(Verdict.CLOSE))
    row = desk.admit(movie(), replace(RECIPE, nuclear_channel=0))
    assert row.id == asked.id
    assert desk.play() == [("analyse", t, 0) for t in range(3)]
    row = desk.catalog.acquisition(row.id)
    assert (row.state, row.nuclear_channel, row.channel_source) == (AcquisitionState.COMPLETE, 0, "configured")
    assert len(desk.catalog.acquisitions()) == 1


def test_the_likeliest_is_taken_with_a_warning_where_that_is_asked_for(desk: Desk) -> None:
    asked = desk.admit(movie())
    desk.play(trial(Verdict.CLOSE))
    row = desk.admit(movie(), replace(RECIPE, unclear_channel="take"))
    assert row.id == asked.id
    desk.play(trial(Verdict.CLOSE))
    row = desk.catalog.acquisition(row.id)
    assert (row.state, row.nuclear_channel, row.channel_source) == (AcquisitionState.COMPLETE, 1, "guessed")


def test_other_weights_do_not_change_it(desk: Desk) -> None:
    first = desk.admit(movie())
    desk.play(trial(Verdict.CLEAR))
    other = replace(RECIPE, model=Ready("other", "1" * 64))
    row = pipeline.admit(desk.catalog, movie(), other, desk.root / "out")
    assert row.id != first.id
    assert (row.nuclear_channel, row.channel_source) == (1, "measured")
    assert row.channel_trial == desk.catalog.acquisition(first.id).channel_trial


def test_later_time_points_and_the_same_recipe_find_the_same_result(desk: Desk) -> None:
    row = desk.admit(movie())
    desk.play(trial(Verdict.CLEAR))
    assert desk.admit(movie(4)).id == row.id
    assert desk.play() == [("analyse", 3, 1)]
    assert desk.catalog.acquisition(row.id).channel_source == "measured"


def test_other_channels_under_the_same_name_are_looked_at_anew(desk: Desk) -> None:
    desk.admit(movie())
    desk.play(trial(Verdict.CLEAR))
    row = desk.admit(replace(movie(), channel_names=("a", "b")))
    assert row.nuclear_channel is None


def test_a_worker_that_dies_while_it_looks_is_replaced(desk: Desk) -> None:
    desk.admit(movie(1))
    told = desk.play(trial(Verdict.CLEAR), dies_before=2)
    assert told[-1] == ("analyse", 0, 1)
    assert desk.loop.deaths == 1


def test_what_versions_before_took_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    """Channel 0, unnamed and unlooked at: the result that was begun is finished, and no other starts with a guess."""
    from alembic import command

    from storage.connection.engine import writing_engine
    from storage.schema import migrate

    images = {
        "guess": movie(2),
        "stain": acquisition(pixels(1, 2), name="stain"),
        "said": acquisition(pixels(1, 2), name="said"),
        "alone": acquisition(pixels(1, 1), name="alone"),
    }
    images["stain"] = replace(images["stain"], channel_names=("GFP", "H2B-RFP"))
    channels = {"guess": 0, "stain": 1, "said": 1, "alone": 0}
    with Catalog.open(tmp_path) as catalog:
        for name, image in images.items():
            recipe = replace(RECIPE, nuclear_channel=channels[name])
            pipeline.admit(catalog, image, recipe, tmp_path)
    path = tmp_path / "nusetd.sqlite"
    engine = writing_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0013")
    engine.dispose()
    with Catalog.open(tmp_path) as catalog, closing(sqlite3.connect(path)) as reader:
        found = reader.execute("SELECT name, nuclear_channel, channel_source FROM acquisitions").fetchall()
        sources = {name: (channel, source) for name, channel, source in found}
        assert sources["stain"] == (1, "metadata")
        assert sources["said"] == (1, "configured")
        assert sources["alone"] == (0, "metadata")
        assert sources["movie"] == (0, "guessed")
        assert pipeline.admit(catalog, images["guess"], RECIPE, tmp_path).id == 1
        other = replace(RECIPE, model=Ready("other", "1" * 64))
        assert pipeline.admit(catalog, images["guess"], other, tmp_path).nuclear_channel is None
