"""Movies that were edited elsewhere: their differences are said as corrections, and undone together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from cases.corrected import MISSED, CorrectedMovie, assert_consistent, assert_same_seen, disc
from cases.lineages import assert_same_lineage

import storage
from storage.corrections.asking import Corrector
from storage.corrections.here import carry_out
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED
from storage.errors import StorageError, WrongRequestError
from storage.export.exporters import export
from storage.query.snapshots import resolved, snapshot
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorrectedMovie, AcquisitionRow]:
    """A movie that is complete; what changes it takes a copy."""
    movie = CorrectedMovie(tmp_path_factory.mktemp("stored") / "out", frames=4)
    return movie, movie.process()


@pytest.fixture
def row(stored: tuple[CorrectedMovie, AcquisitionRow]) -> AcquisitionRow:
    """Its acquisition."""
    return stored[1]


@pytest.fixture
def copied(stored: tuple[CorrectedMovie, AcquisitionRow], tmp_path: Path) -> Callable[[str], CorrectedMovie]:
    """A copy of it in a folder of that name."""

    def copy(name: str) -> CorrectedMovie:
        shutil.copytree(stored[0].output, tmp_path / name)
        return CorrectedMovie(tmp_path / name, frames=4)

    return copy


def corrector(movie: CorrectedMovie) -> Corrector:
    """What people say of it."""
    return storage.open(movie.output)["embryo"].correct


def painted(movie: CorrectedMovie, folder: Path, without_last: bool = False) -> Path:
    """Its export as a CTC folder, in which somebody painted the missed nucleus, and took the last one away."""
    exported = export(movie.output, "embryo", "ctc", folder / "ctc")
    mask = tifffile.imread(exported / "mask002.tif")
    if without_last:
        mask[mask == mask.max()] = 0
    mask[disc(*MISSED, radius=3.0)] = 500
    tifffile.imwrite(exported / "mask002.tif", mask, photometric="minisblack")
    return exported


def opened(movie: CorrectedMovie) -> AcquisitionRow:
    """The acquisition of a copy."""
    with Catalog.open(movie.output) as catalog:
        return catalog.acquisitions()[0]


SAID = (
    PersonsWord("delete", 1, (3,)),
    PersonsWord("merge", 2, (5, 6)),
    PersonsWord("split", 3, (1,), points=((2.0, 3.5, 2.5), (2.0, 3.5, 4.5))),
    PersonsWord("add", 2, mask=disc(*MISSED, radius=4.0)),
    PersonsWord("redraw", 0, (8,), mask=disc(23, 47, 5.0)),
    PersonsWord("divide", 1, (2,), (2, 3)),
    PersonsWord("end", 2, (7,)),
    PersonsWord("link", 0, (4,), (8,)),
)
"""Something of every kind that outlines and links can show."""


@pytest.fixture(scope="module")
def edited(stored: tuple[CorrectedMovie, AcquisitionRow], tmp_path_factory: pytest.TempPathFactory) -> CorrectedMovie:
    """A copy of it that was corrected; nothing changes it."""
    folder = tmp_path_factory.mktemp("edited") / "out"
    shutil.copytree(stored[0].output, folder)
    movie = CorrectedMovie(folder, frames=4)
    with Catalog.open(movie.output) as catalog:
        with snapshot(movie.output) as connection:
            row = resolved(connection, "embryo")
            orders = [ordered(connection, row, word, "me") for word in SAID]
        catalog.corrections.order_together(1, orders)
        carry_out(catalog, 1)
        assert catalog.corrections.states_together(1, 1) == {APPLIED: len(SAID)}
    return movie


@pytest.mark.parametrize("form", ["ctc", "geff"])
def test_an_export_of_a_corrected_movie_makes_the_same_of_another_copy(
    form: str, edited: CorrectedMovie, copied: Callable[[str], CorrectedMovie], tmp_path: Path
) -> None:
    plain = copied("plain")
    path = export(edited.output, "embryo", form, tmp_path / form)
    before = plain.seen(opened(plain))
    listed = corrector(plain).import_(path, dry_run=True)
    assert set(listed.found) >= {"delete", "merge", "split", "add", "redraw", "end"}
    assert len(listed.frame()) == len(listed.said)
    assert_same_seen(plain.seen(opened(plain)), before)
    report = corrector(plain).import_(path)
    assert report.notes == []
    assert report.states == {APPLIED: len(report.said)}
    seen = plain.seen(opened(plain))
    assert_consistent(seen)
    assert_same_lineage(seen, edited.seen(opened(edited)))
    assert corrector(plain).import_(path).text() == "embryo: there is no difference."
    corrector(plain).undo()
    assert_same_seen(plain.seen(opened(plain)), before)


@pytest.mark.parametrize("form", ["ctc", "geff", "trackmate"])
def test_an_export_that_nobody_edited_is_no_difference(form: str, edited: CorrectedMovie, tmp_path: Path) -> None:
    report = corrector(edited).import_(export(edited.output, "embryo", form, tmp_path / form))
    assert report.said == []
    assert len(corrector(edited).list()) == len(SAID)


def test_spots_and_links_of_trackmate_are_followed(copied: Callable[[str], CorrectedMovie], tmp_path: Path) -> None:
    movie = copied("movie")
    file = export(movie.output, "embryo", "trackmate", tmp_path / "movie.xml")
    tree = ElementTree.parse(file)
    spots = {(int(s.attrib["FRAME"]), int(s.attrib["NUSETD_LABEL"])): s for s in tree.iter("Spot")}
    frames = {int(f.attrib["frame"]): f for f in tree.iter("SpotsInFrame")}
    frames[1].remove(spots[1, 3])
    new = ElementTree.SubElement(frames[2], "Spot", {**spots[2, 4].attrib, "ID": "9999"})
    del new.attrib["NUSETD_LABEL"]
    new.set("POSITION_Y", str(MISSED[0] * 0.5))
    new.set("POSITION_X", str(MISSED[1] * 0.5))
    for track in tree.iter("Track"):
        for link in list(track):
            ends = {spots[1, 3].attrib["ID"], spots[1, 5].attrib["ID"]}
            if ends & {link.attrib["SPOT_SOURCE_ID"], link.attrib["SPOT_TARGET_ID"]}:
                track.remove(link)
    tree.write(file)
    report = corrector(movie).import_(file)
    assert report.found["delete"] == report.found["add"] == 1
    assert report.states == {APPLIED: len(report.said)}
    assert "outlines are not compared" in report.notes[0]
    seen = movie.seen(opened(movie))
    assert_consistent(seen)
    nuclei = seen["nuclei"].set_index(["t", "label"])
    assert (1, 3) not in nuclei.index
    assert nuclei.loc[(2, 9), "corrected"] == 1
    assert nuclei.loc[(0, 5), "track_id"] != nuclei.loc[(1, 5), "track_id"] != nuclei.loc[(2, 5), "track_id"]


def test_a_spot_that_trackmate_hides_is_none(edited: CorrectedMovie, tmp_path: Path) -> None:
    file = export(edited.output, "embryo", "trackmate", tmp_path / "movie.xml")
    tree = ElementTree.parse(file)
    hidden = next(spot for spot in tree.iter("Spot") if spot.attrib["FRAME"] == "1")
    hidden.set("VISIBILITY", "0")
    tree.write(file)
    report = corrector(edited).import_(file, dry_run=True)
    assert [(order.kind, order.times, order.labels) for order in report.said if order.kind == "delete"] == [
        ("delete", (1,), (int(hidden.attrib["NUSETD_LABEL"]),))
    ]
    assert not any("which deletes them" in note for note in report.notes)


def test_a_movie_of_something_else_is_told_before_it_deletes_all(edited: CorrectedMovie, tmp_path: Path) -> None:
    file = export(edited.output, "embryo", "trackmate", tmp_path / "movie.xml")
    tree = ElementTree.parse(file)
    for spot in tree.iter("Spot"):
        spot.set("POSITION_Y", "-1000")
    tree.write(file)
    report = corrector(edited).import_(file, dry_run=True)
    count = report.found["delete"]
    told = (
        f"Of the {count} nuclei that its time points have here {count} are not in it, which deletes them: see whether"
    )
    assert any(note.startswith(told) and note.endswith("made of embryo.") for note in report.notes)


def test_a_graph_in_another_unit_is_refused(edited: CorrectedMovie, tmp_path: Path) -> None:
    folder = export(edited.output, "embryo", "geff", tmp_path / "geff")
    attributes = next(path for path in (folder / ".zattrs", folder / "zarr.json") if path.is_file())
    attributes.write_text(attributes.read_text().replace('"micrometer"', '"nanometer"'))
    with pytest.raises(WrongRequestError, match=r"are in nanometer, those of embryo in micrometer: convert them\."):
        corrector(edited).import_(folder, dry_run=True)


def test_a_mask_that_was_painted_is_followed_and_one_correction_of_it_undone(
    copied: Callable[[str], CorrectedMovie], tmp_path: Path
) -> None:
    movie = copied("movie")
    folder = painted(movie, tmp_path, without_last=True)
    report = corrector(movie).import_(folder)
    assert report.found["add"] == report.found["delete"] == 1
    table = corrector(movie).list()
    assert set(table["said_with"]) == {report.group}
    first = corrector(movie).undo(int(table["id"].iloc[0]))
    assert first.text.endswith("is undone.") or "undoing correction" in first.text
    assert corrector(movie).list()["undone_by"].notna().sum() == 1
    assert "said with it" in corrector(movie).undo(int(table["id"].iloc[1]), together=True).text
    assert (corrector(movie).list()["state"].isin(["undone", "applied"])).all()
    assert opened(movie).id == 1


def test_a_nucleus_from_elsewhere_gets_no_label_that_another_one_had(
    copied: Callable[[str], CorrectedMovie], tmp_path: Path
) -> None:
    movie = copied("movie")
    folder = painted(movie, tmp_path)
    corrector(movie).import_(folder)
    first = movie.seen(opened(movie))["nuclei"]
    (label,) = first[(first["t"] == 2) & (first["corrected"] == 1)]["label"]
    corrector(movie).undo()
    corrector(movie).import_(folder)
    then = movie.seen(opened(movie))["nuclei"]
    assert set(then[then["t"] == 2]["label"]) - set(first[first["t"] == 2]["label"]) == {label + 1}


@pytest.mark.parametrize("linked", [False, True])
def test_what_was_added_and_is_deleted_again_leaves_nothing(
    linked: bool, copied: Callable[[str], CorrectedMovie]
) -> None:
    movie = copied("movie")
    plain = movie.seen(opened(movie))
    said = corrector(movie)
    said.say(PersonsWord("add", 2, mask=disc(*MISSED, radius=4.0)))
    nuclei = movie.seen(opened(movie))["nuclei"]
    (label,) = nuclei[(nuclei["t"] == 2) & (nuclei["corrected"] == 1)]["label"]
    if linked:
        said.link(2, int(label), 8)
    said.delete(2, int(label))
    seen = movie.seen(opened(movie))
    assert_consistent(seen)
    keys = ["t", "label", "track_id"]
    assert seen["nuclei"][keys].equals(plain["nuclei"][keys])
    for _ in range(3 if linked else 2):
        said.undo()
    assert_same_seen(movie.seen(opened(movie)), plain)


def test_what_cannot_be_taken_over_is_named(copied: Callable[[str], CorrectedMovie], tmp_path: Path) -> None:
    movie = copied("movie")
    folder = export(movie.output, "embryo", "ctc", tmp_path / "ctc")
    tifffile.imwrite(folder / "mask004.tif", tifffile.imread(folder / "mask003.tif"), photometric="minisblack")
    (folder / "mask000.tif").rename(folder / "mask007.tif")
    for number in (0, 5, 6):
        tifffile.imwrite(folder / f"mask{number:03}.tif", np.zeros((3, 32, 56), np.uint16), photometric="minisblack")
    report = corrector(movie).import_(folder, dry_run=True)
    assert [note for note in report.notes if "Time point 4 has no result" in note]
    assert report.found["delete"] == 8
    for wrong, why in ((tmp_path / "absent", "is not there"), (tmp_path, "neither a folder")):
        with pytest.raises(WrongRequestError, match=why):
            corrector(movie).import_(wrong)
    (tmp_path / "spots.xml").write_text("<TrackMate><Model spatialunits='inch'/></TrackMate>")
    with pytest.raises(WrongRequestError, match="Lengths"):
        corrector(movie).import_(tmp_path / "spots.xml")
    (tmp_path / "spots.xml").write_text("<TrackMate><Model")
    with pytest.raises(StorageError, match="cannot be read as TrackMate"):
        corrector(movie).import_(tmp_path / "spots.xml")
    small = export(movie.output, "embryo", "ctc", tmp_path / "small")
    for mask in small.glob("mask*.tif"):
        tifffile.imwrite(mask, tifffile.imread(mask)[:, :20], photometric="minisblack")
    with pytest.raises(WrongRequestError, match="have the shape"):
        corrector(movie).import_(small)
    with Catalog.open(movie.output) as catalog:
        for state in (AcquisitionState.PROCESSING, AcquisitionState.SET_ASIDE):
            catalog.set_acquisition_state(opened_id(catalog), state)
    with pytest.raises(WrongRequestError, match="import when some of it is done"):
        corrector(movie).import_(folder)


def opened_id(catalog: Catalog) -> int:
    """Of the only acquisition."""
    return catalog.acquisitions()[0].id


def test_other_weights_get_an_import_as_one(
    edited: CorrectedMovie, copied: Callable[[str], CorrectedMovie], tmp_path: Path
) -> None:
    plain = copied("plain")
    corrector(plain).confirm(0, 1)
    corrector(plain).import_(export(edited.output, "embryo", "ctc", tmp_path / "ctc"))
    other = CorrectedMovie(plain.output, frames=4, shift=3, model="other")
    again = other.process()
    with Catalog.open(plain.output) as catalog:
        carry_out(catalog, again.id)
        said = catalog.corrections.listed(again.id)
        assert {one["said_with"] for one in said[1:]} == {said[1]["id"]}
        catalog.corrections.undo(again.id, None, "me")
        carry_out(catalog, again.id)
        left = [one["id"] for one in catalog.corrections.listed(again.id) if one["state"] == APPLIED]
    assert left[0] == said[0]["id"]
    assert len(left) == 2, "the first one, and the event"
