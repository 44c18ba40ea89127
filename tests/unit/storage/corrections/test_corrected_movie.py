"""Corrections of a stored movie, without a service: rows, tracks and labels follow, and what survives what."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases.corrected import MISSED, SPACING, CorrectedMovie, assert_consistent, assert_same_seen, disc, labels_at
from cases.mirror import Mirror

import storage
from daemon.monitoring.outcome_words import outcomes_in_words
from storage import naming
from storage.corrections.asking import Corrector
from storage.corrections.here import carry_out
from storage.corrections.making import make
from storage.corrections.open_ones import open_corrections
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED, MISFIT, ORDERED, UNDONE
from storage.errors import StaleJobError, StorageError, WrongRequestError
from storage.export.exporters import export
from storage.files.ctc_folder import open_ctc_folder
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow
from storage.verify import verify


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorrectedMovie, AcquisitionRow]:
    """A movie that is complete; what changes it takes a copy."""
    movie = CorrectedMovie(tmp_path_factory.mktemp("finished") / "out")
    return movie, movie.process()


@pytest.fixture
def movie(finished: tuple[CorrectedMovie, AcquisitionRow], tmp_path: Path) -> Iterator[CorrectedMovie]:
    """A movie that is complete; whatever is done to it, who followed it from the start knows what it is then."""
    shutil.copytree(finished[0].output, tmp_path / "out")
    yield CorrectedMovie(tmp_path / "out")
    Mirror().take(storage.open(tmp_path / "out").follow("start", until_now=True)).check(tmp_path / "out")


@pytest.fixture
def row(movie: CorrectedMovie) -> AcquisitionRow:
    """Its acquisition."""
    with Catalog.open(movie.output) as catalog:
        return catalog.acquisitions()[0]


def corrector(movie: CorrectedMovie, name: str = "embryo") -> Corrector:
    """What people say of it."""
    return storage.open(movie.output)[name].correct


def undo_all(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    """Take back all that was said, at once."""
    with Catalog.open(movie.output) as catalog:
        for one in catalog.corrections.of(row.id):
            if one.undone_by is None:
                catalog.corrections.undo(row.id, one.id, "me")
        carry_out(catalog, row.id)


def um(*at: float) -> tuple[float, float, float]:
    """A place from voxels."""
    z, y, x = (float(a * s) for a, s in zip(at, SPACING, strict=True))
    return z, y, x


def states(movie: CorrectedMovie, row: AcquisitionRow) -> list[str]:
    """Of everything that was said."""
    with Catalog.open(movie.output) as catalog:
        return [one["state"] for one in catalog.corrections.listed(row.id)]


def agrees(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    """`verify` finds nothing."""
    found = [one for checked in verify(movie.output, row.id, source=False) for one in checked.mismatches]
    assert found == []


def test_every_kind_of_nuclei_is_followed_by_rows_labels_and_tracks(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    plain, say = movie.seen(row), corrector(movie)
    assert say.delete(1, 3).state == APPLIED
    merged = say.merge(2, [5, 6])
    assert (merged.state, "in 2 pieces that do not touch" in merged.text) == (APPLIED, True)
    assert say.split(3, 1, [um(1, 7, 5), um(1, 7, 9)]).state == APPLIED
    assert say.add(2, um(1, *MISSED)).state == APPLIED
    assert say.redraw(0, 8, disc(23, 47, 5.0)).state == APPLIED
    assert say.confirm(0, 1).state == APPLIED
    seen = movie.seen(row)
    assert_consistent(seen)
    agrees(movie, row)
    nuclei = seen["nuclei"].set_index(["t", "label"])
    assert (1, 3) not in nuclei.index
    assert nuclei[nuclei["corrected"] == 1].index.tolist() == [(0, 8), (2, 5), (2, 9), (3, 1), (3, 9)]
    assert nuclei.loc[(2, 5), "volume_px"] == 2 * nuclei.loc[(1, 5), "volume_px"]
    overlap = (seen["labels"][2] == 9) & disc(*MISSED, radius=4.0)
    assert np.count_nonzero(overlap) > 0.7 * np.count_nonzero(disc(*MISSED, radius=4.0))
    assert nuclei.loc[(0, 1), "track_id"] == plain["nuclei"].set_index(["t", "label"]).loc[(0, 1), "track_id"]
    assert seen["timepoints"]["nuclei_count"].tolist() == [8, 7, 8, 9, 8]
    untouched = [2, 4, 7]
    for name in ("track_id", "intensity_std", "score"):
        before = plain["nuclei"][plain["nuclei"]["label"].isin(untouched)][name]
        assert before.tolist() == seen["nuclei"][seen["nuclei"]["label"].isin(untouched)][name].tolist()
    kept = plain["tracks"][plain["tracks"]["track_id"].isin(untouched)]
    now = seen["tracks"][seen["tracks"]["track_id"].isin(untouched)]
    assert kept.to_numpy().tolist() == now.to_numpy().tolist()
    undo_all(movie, row)
    assert_same_seen(movie.seen(row), plain)


def test_every_kind_of_links_is_followed_by_tracks(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    plain, say = movie.seen(row), corrector(movie)
    swap = say.link(1, 1, 2)
    assert swap.state == APPLIED
    assert_consistent(movie.seen(row))
    tracks = movie.seen(row)["nuclei"].set_index(["t", "label"])["track_id"]
    assert tracks[1, 1] == tracks[2, 2] == tracks[0, 1]
    say.undo()
    assert "already" not in say.unlink(1, 1, 1).text
    assert "no track changed, it was so already" in say.unlink(1, 4, 5).text
    tracks = movie.seen(row)["nuclei"].set_index(["t", "label"])["track_id"]
    assert tracks[1, 1] != tracks[2, 1]
    assert say.divide(2, 3, (3, 4)).state == APPLIED
    assert say.end(3, 7).state == APPLIED
    seen = movie.seen(row)
    assert_consistent(seen)
    agrees(movie, row)
    families = seen["tracks"].dropna(subset=["parent_track_id"])
    assert len(families) == 2
    assert (families["division_score"] == 1.0).all()
    assert seen["tracks"]["corrected"].sum() > 0
    assert say.undivide(1, 3).state == APPLIED
    assert movie.seen(row)["tracks"]["parent_track_id"].isna().all()
    undo_all(movie, row)
    assert_same_seen(movie.seen(row), plain)


def test_undoing_in_the_middle_leaves_the_others(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    say = corrector(movie)
    first, second = say.split(2, 1, [um(1, 9, 5), um(1, 9, 9)]), say.delete(2, 2)
    with_second = movie.seen(row)
    say.undo(first.id)
    alone = movie.seen(row)
    assert states(movie, row) == [UNDONE, APPLIED, APPLIED]
    assert (2, 2) not in alone["nuclei"].set_index(["t", "label"]).index
    assert len(alone["nuclei"]) == len(with_second["nuclei"]) - 1
    assert_consistent(alone)
    with pytest.raises(WrongRequestError, match="undone already"):
        say.undo(first.id)
    event = say.undo(second.id)
    with pytest.raises(WrongRequestError, match=f"took correction {second.id} back"):
        say.undo(event.id)
    with pytest.raises(WrongRequestError, match="nothing to undo"):
        say.undo()


def test_what_rests_on_an_undone_correction_does_not_fit_and_is_listed(
    movie: CorrectedMovie, row: AcquisitionRow
) -> None:
    say = corrector(movie)
    split = say.split(2, 1, [um(1, 9, 5), um(1, 9, 9)])
    rests = say.delete(2, 9)
    assert rests.state == APPLIED
    undone = say.undo(split.id)
    assert f"does not fit any more: {rests.id} (delete): no nucleus that is there now" in undone.text
    assert states(movie, row) == [UNDONE, MISFIT, APPLIED]
    assert "any more" not in say.confirm(2, 2).text
    table = say.list().set_index("id")
    assert "no nucleus that is there now" in table.loc[rests.id, "reason"]
    assert_consistent(movie.seen(row))


def test_what_does_not_fit_is_listed_with_what_is_there(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    say = corrector(movie)
    split = say.split(2, 1, [um(1, 9, 5), um(1, 9, 9)])
    link = say.link(1, 1, 9)
    said = [say.delete(2, 9), say.add(1, um(1, 8, 34))]
    say.undo(split.id)
    found = list(open_corrections(naming.database_url(movie.output), row.id))
    assert [(one.id, one.kind, one.there, len(one.panels)) for one in found] == [
        (link.id, "link", (1,), 2),
        (said[0].id, "delete", (1,), 1),
        (said[1].id, "add", (3,), 1),
    ]
    assert f"`undo {said[0].id}`" in found[1].to_do
    assert "found now" in found[2].to_do
    panel = found[1].panels[0]
    assert panel.image.shape == panel.meant.shape == panel.present.shape
    assert panel.image[panel.meant].mean() > panel.image[panel.present == 0].mean()
    say.undo(said[0].id)
    assert len(list(open_corrections(naming.database_url(movie.output), row.id))) == 2


def test_other_weights_get_what_was_said_by_place(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    say = corrector(movie)
    say.delete(1, 3)
    say.merge(2, [5, 6])
    say.link(3, 1, 2)
    say.undo(say.delete(4, 8).id)
    say.add(1, um(1, 8, 20))
    other = CorrectedMovie(movie.output, shift=3, model="other")
    again = other.process()
    assert again.id != row.id
    with Catalog.open(movie.output) as catalog:
        assert catalog.corrections.due() == (again.id,)
        carry_out(catalog, again.id)
        words = outcomes_in_words(catalog, [again.id])[again.id]
        said = catalog.corrections.listed(again.id)
    assert words.endswith(f", corrections: 3 applied, 1 not fitting (`nusetd correct {again.id} list --open`)")
    assert [(one["kind"], one["state"], one["carried_from"]) for one in said] == [
        ("delete", APPLIED, 1),
        ("merge", APPLIED, 2),
        ("link", APPLIED, 3),
        ("add", MISFIT, 6),
    ]
    seen = other.seen(again)
    assert_consistent(seen)
    old = movie.seen(row)
    np.testing.assert_array_equal(seen["labels"] > 0, old["labels"] > 0)
    assert not (seen["labels"][1] > 0)[disc(8, 34, 3.0)].any()


def test_a_changed_source_is_processed_plain_and_corrected_again(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    plain, say = movie.seen(row), corrector(movie)
    say.delete(1, 3)
    say.split(3, 1, [um(1, 7, 5), um(1, 7, 9)])
    say.link(3, 5, 6)
    corrected = movie.seen(row)
    with Catalog.open(movie.output) as catalog:
        catalog.add_timepoints(row.id, {2: "changed"})
        assert catalog.claim_next() is None, "nothing is begun before it is plain"
        assert catalog.corrections.due() == (row.id,)
        carry_out(catalog, row.id)
        opened = movie.seen(row)
        assert_same_seen(opened | {"timepoints": plain["timepoints"]}, plain)
        assert [one.state for one in catalog.corrections.of(row.id)] == [ORDERED] * 3
        catalog.add_timepoints(row.id, dict.fromkeys(range(movie.frames), "all changed"))
        movie.work(catalog, row)
        carry_out(catalog, row.id)
    assert states(movie, row) == [APPLIED] * 3
    again = movie.seen(row)
    assert_consistent(again)
    np.testing.assert_array_equal(again["labels"], corrected["labels"])


def test_exports_have_what_people_say(movie: CorrectedMovie, row: AcquisitionRow, tmp_path: Path) -> None:
    say = corrector(movie)
    say.delete(1, 3)
    say.split(3, 5, [um(1, 24, 5), um(1, 24, 9)])
    say.divide(2, 1, (1, 2))
    seen = movie.seen(row)
    for form in ("ctc", "geff", "trackmate", "csv"):
        export(movie.output, row.id, form, tmp_path / form)
    folder = open_ctc_folder(next(path for path in tmp_path.rglob("res_track.txt")).parent)
    masks = np.stack([folder.mask(t) for t in sorted(folder.masks)])
    np.testing.assert_array_equal(masks.reshape(seen["labels"].shape) > 0, seen["labels"] > 0)
    parents = {int(p) for *_, p in folder.tracks.tolist()} - {0}
    assert len(parents) == 2, "one division, and a track that is cut where a nucleus was deleted"
    table = pd.read_csv(next(path for path in (tmp_path / "csv").rglob("nuclei.csv")))
    assert table["corrected"].sum() == 2


def test_what_was_said_meanwhile_stops_the_transaction(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    with Catalog.open(movie.output) as catalog:
        with snapshot(movie.output) as connection:
            words = [ordered(connection, row, PersonsWord("delete", 1, (n,)), "me") for n in (3, 4)]
        catalog.corrections.order(row.id, words[0])
        with snapshot(movie.output) as connection:
            amendment = make(connection, row, catalog.stores.owner(row), 2)
        catalog.corrections.order(row.id, words[1])
        with pytest.raises(StaleJobError):
            catalog.corrections.amend(row.id, amendment)
        carry_out(catalog, row.id)
    assert states(movie, row) == [APPLIED] * 2
    assert_consistent(movie.seen(row))


def test_corrected_acquisitions_are_not_let_go(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    with Catalog.open(movie.output) as catalog:
        assert [one.id for one in catalog.upkeep.complete_before("9999", 10)] == [row.id]
    corrector(movie).confirm(0, 1)
    with Catalog.open(movie.output) as catalog:
        assert catalog.upkeep.complete_before("9999", 10) == []
    corrector(movie).undo()
    with Catalog.open(movie.output) as catalog:
        assert [one.id for one in catalog.upkeep.complete_before("9999", 10)] == [row.id]


def test_where_the_store_cannot_be_read_what_was_said_waits(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    store = Path(str(row.zarr_path))
    (store / "labels" / "nuclei").rename(store / "elsewhere")
    with pytest.raises(StorageError):
        corrector(movie).delete(1, 3)
    (store / "elsewhere").rename(store / "labels" / "nuclei")
    assert corrector(movie).delete(1, 3).state == APPLIED


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (lambda c: c.delete(9, 1), "no time point 9"),
        (lambda c: c.delete(1, 99), "no nucleus 99"),
        (lambda c: c.merge(1, [2, 2]), "different nuclei"),
        (lambda c: c.merge(1, [2]), "two nuclei or more"),
        (lambda c: c.split(1, 2, [(2.0, 4.0, 4.0)]), "two points"),
        (lambda c: c.add(1), "one point within it, or a mask"),
        (lambda c: c.add(1, (2.0, 400.0, 4.0)), "outside the stack"),
        (lambda c: c.redraw(1, 2, np.zeros((3, 32, 56))), "mask is empty"),
        (lambda c: c.redraw(1, 2, np.ones((3, 32, 5))), "shape"),
        (lambda c: c.link(4, 2, 2), "no time point after"),
        (lambda c: c.link(2, 2, 2, 1), "links go forward"),
        (lambda c: c.divide(2, 2, (3, 3)), "different nuclei"),
        (lambda c: c.undivide(2, 2), "does not divide"),
        (lambda c: c.end(4, 2), "ends with nucleus 2 already"),
        (lambda c: c.undo(), "nothing to undo"),
        (lambda c: c.undo(77), "no correction 77"),
        (lambda c: c.undo("last"), "'last' is not the number of a correction"),
        (lambda c: c.delete(1.0, 3), "'1.0' is not the number of a time point"),
        (lambda c: c.delete(1, "3"), "'3' is not the number of a nucleus"),
        (lambda c: c.delete(1, -(2**70)), "no nucleus -"),
        (lambda c: c.delete(-(2**70), 1), "no time point -"),
        (lambda c: c.merge(1, 3), "3 is no list: give the nuclei as"),
        (lambda c: c.split(1, 2, 4.0), "4.0 is no list: give the places as"),
        (lambda c: c.divide(2, 2, 3), "3 is no list: give the daughters as"),
        (lambda c: c.split(1, 2, [(4.0, 4.0), (4.0, 5.0)]), "is no place: give z, y and x"),
        (lambda c: c.add(1, (None, 4.0, 4.0)), "is no place"),
        (lambda c: c.add(1, (np.nan, 4.0, 4.0)), "outside the stack"),
        (lambda c: c.add(1, mask=np.where(disc(9, 9), 1.0, np.nan)), "other things than numbers"),
        (lambda c: c.redraw(1, 2, disc(9, 9).astype(str)), "other things than numbers"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    finished: tuple[CorrectedMovie, AcquisitionRow], say: Callable[[Corrector], object], why: str
) -> None:
    with pytest.raises(WrongRequestError, match=why):
        say(corrector(finished[0]))


def test_numbers_may_come_from_arrays_and_tables(movie: CorrectedMovie, row: AcquisitionRow) -> None:
    say, one = corrector(movie), movie.seen(row)["nuclei"].iloc[2]
    first = say.delete(one["t"], one["label"])
    assert first.state == APPLIED
    assert say.merge(np.int64(1), np.array([3, 4], np.uint32)).state == APPLIED
    assert say.split(np.int16(3), np.int64(1), np.array([um(1, 7, 5), um(1, 7, 9)])).state == APPLIED
    assert say.link(np.int64(1), np.int64(2), np.int64(2), np.int64(3)).state == APPLIED
    assert say.add(2, mask=disc(*MISSED, 4.0).tolist()).state == APPLIED
    assert say.undo(np.int64(first.id)).state == APPLIED
    assert_consistent(movie.seen(row))


def test_the_movie_is_what_it_says(movie: CorrectedMovie) -> None:
    """What the tests above rest on."""
    row = movie.process()
    seen = movie.seen(row)
    assert_consistent(seen)
    assert seen["tracks"]["nuclei_count"].tolist() == [movie.frames] * 8
    np.testing.assert_array_equal(seen["labels"][2], labels_at(2))
