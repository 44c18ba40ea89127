"""OME-TIFFs in several files of which some are missing or cut short: what is whole is read, what lacks is named."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import ome_file
from cases.ome_set_file import COMPANION, DESCRIBED, SPLITS, ome_set
from cases.stored import pixels, row_of

from storage.acquisition import Acquisition
from storage.errors import IncompleteInputError, StorageError
from storage.readers import discover, open_acquisitions, probe, reopen
from storage.readers.fingerprint import Extent, FreshFiles, of_content

ARRAY = pixels(4, 2, 3, 12, 16)


def lacking(split: str, number: int) -> set[int]:
    """The time points that have a plane in a file."""
    return {t for t, c, z in np.ndindex(ARRAY.shape[:3]) if SPLITS[split](t, c, z) == number}


def assert_read(image: Acquisition, time_points: set[int]) -> None:
    """The image has these time points, with the right planes, for whoever opens it and in the worker."""
    assert set(image.time_points) == time_points
    row = row_of(image)
    for t in time_points:
        with reopen(row, t) as again:
            for c, z in np.ndindex(ARRAY.shape[1:3]):
                np.testing.assert_array_equal(image.plane(t, c, z), ARRAY[t, c, z])
                np.testing.assert_array_equal(again.plane(t, c, z), ARRAY[t, c, z])
            assert again.fingerprint(t) == image.fingerprint(t)
    image.close()


@pytest.mark.parametrize("described", DESCRIBED)
@pytest.mark.parametrize("split", SPLITS)
def test_a_whole_set_is_one_image_whichever_of_its_files_is_opened(tmp_path: Path, split: str, described: str) -> None:
    files = ome_set(tmp_path, ARRAY, SPLITS[split], described)
    assert discover(tmp_path) == sorted(files)
    for file in files:
        verdict = probe(file)
        assert (verdict.state, verdict.called) == ("complete", files[0])
        assert {*verdict.others, file} == set(files)
        (found,) = open_acquisitions(file)
        assert (found.source_path, found.lacking, found.doubts) == (files[0], (), ())
    assert_read(found, {0, 1, 2, 3})


@pytest.mark.parametrize("which", [0, 1, -1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("described", DESCRIBED)
@pytest.mark.parametrize("split", SPLITS)
def test_time_points_that_are_whole_are_there_without_a_missing_part(
    tmp_path: Path, split: str, described: str, which: int
) -> None:
    files = ome_set(tmp_path, ARRAY, SPLITS[split], described)
    tiffs = [file for file in files if file.name != COMPANION]
    missing = tiffs[which]
    content, there = missing.read_bytes(), {0, 1, 2, 3} - lacking(split, tiffs.index(missing))
    missing.unlink()
    if described == "first" and which == 0:  # it had the description of all
        for file in tiffs[1:]:
            verdict = probe(file)
            assert (verdict.state, verdict.others) == ("incomplete", (missing,))
            assert f"its description is in {missing.name}, which is not beside it" in verdict.reason
        missing.write_bytes(content)
        assert probe(tiffs[1]).state == "complete"
        return
    for file in set(files) - {missing}:
        verdict = probe(file)
        assert (verdict.state, verdict.time_points_ready) == ("growing", tuple(sorted(there)))
        assert verdict.called == files[0]
        assert f"{missing.name} is not there (t " in verdict.reason
        if there:
            (found,) = open_acquisitions(file)
            assert (found.source_path, found.lacking) == (files[0], (verdict.reason,))
            assert found.size_t == 4
        else:
            with pytest.raises(IncompleteInputError, match=f"{missing.name} is not there"):
                open_acquisitions(file)
    if there:
        assert_read(found, there)
        with pytest.raises(StorageError):
            reopen(row_of(found), min(lacking(split, tiffs.index(missing))))
    missing.write_bytes(content)
    assert probe(files[-1]).state == "complete"
    (found,) = open_acquisitions(files[-1])
    assert_read(found, {0, 1, 2, 3})


def test_what_is_missing_is_named_with_its_planes(tmp_path: Path) -> None:
    files = ome_set(tmp_path, ARRAY, SPLITS["t and c"])
    files[3].unlink()
    assert probe(files[0]).reason == (
        f"{files[0]} and the files that belong to it, 8 in all, hold 21 of the 24 planes that they declare: "
        "embryo_3.ome.tif is not there (t 1, c 1, z 0-2)."
    )
    for file in files[4:]:
        file.unlink()
    assert probe(files[0]).reason.endswith("(t 2, c 1, z 0-2); so it is with 2 more files.")


@pytest.mark.parametrize("which", [0, 1, 3])
def test_of_a_part_that_was_cut_short_the_planes_before_the_cut_are_there(tmp_path: Path, which: int) -> None:
    """Nothing that lies in the other files waits for it."""
    for split, there in (("t", {0, 1, 2, 3} - {which}), ("two t", {0, 1, 2, 3} - {3 if which > 1 else 1})):
        folder = tmp_path / split
        folder.mkdir()
        files = ome_set(folder, ARRAY, SPLITS[split])
        cut = files[which if split == "t" else which // 2]
        whole = cut.read_bytes()
        cut.write_bytes(whole[: len(whole) * 4 // 5])
        for file in files:
            verdict = probe(file)
            assert (verdict.state, set(verdict.time_points_ready or ())) == ("growing", there)
            assert f"{cut.name} is not whole" in verdict.reason
            (found,) = open_acquisitions(file)
            assert_read(found, there)
        cut.write_bytes(whole)
        assert probe(files[0]).state == "complete"


def test_of_a_part_without_its_description_the_others_are_read(tmp_path: Path) -> None:
    files = ome_set(tmp_path, ARRAY, SPLITS["t"])
    files[0].write_bytes(files[0].read_bytes()[:100])
    assert probe(files[0]).state == "incomplete"
    verdict = probe(files[1])
    assert (verdict.state, verdict.time_points_ready, verdict.called) == ("growing", (1, 2, 3), files[0])
    (found,) = open_acquisitions(files[1])
    assert_read(found, {1, 2, 3})


def test_a_set_that_lacks_a_file_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time point more costs a look at its own file, also when the one is missing that the set is called by."""
    files = ome_set(tmp_path, ARRAY, SPLITS["t"])
    files[0].unlink()
    for file in files[1:]:
        os.utime(file, (1e9, 1e9))
    (found,) = open_acquisitions(files[1])
    row = row_of(found)
    reopen(row, 1).close()
    asked: list[Path] = []
    original = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **how: (asked.append(self), original(self, **how))[1])
    with reopen(row, 3) as again:
        np.testing.assert_array_equal(again.plane(3, 1, 2), ARRAY[3, 1, 2])
    assert set(asked) <= {files[0], files[1], files[3], tmp_path}


def test_pages_that_are_named_twice_are_taken_in_their_order(tmp_path: Path) -> None:
    """Programs write the number of the page in each file, or 0 for each."""
    files = ome_set(tmp_path, ARRAY, SPLITS["t"])
    for number, file in enumerate(files):
        data = "".join(
            f'<TiffData FirstT="{t}" FirstC="{c}" FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name.name}">'
            f"urn:uuid:{t}</UUID></TiffData>"
            for t, name in enumerate(files)
            for c, z in np.ndindex(2, 3)
        )
        text = ome_file.document(ARRAY, "XYZCT", data, own=f"urn:uuid:{number}")
        ome_file.write(file, list(ARRAY[number].reshape(-1, 12, 16)), text)
    assert probe(files[0]).state == "complete"
    (found,) = open_acquisitions(files[2])
    assert "pages of embryo_0.ome.tif that are not there or twice the same" in found.doubts[0]
    assert_read(found, {0, 1, 2, 3})


@pytest.mark.parametrize("count", ["", 'PlaneCount="6"', 'IFD="0" PlaneCount="6"'])
def test_a_run_of_pages_may_be_named_at_once(tmp_path: Path, count: str) -> None:
    """Without a number, it is all pages of the file."""
    files = ome_set(tmp_path, ARRAY, SPLITS["t"])
    data = "".join(
        f'<TiffData FirstT="{t}" {count}><UUID FileName="{name.name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(files)
    )
    for number, file in enumerate(files):
        text = ome_file.document(ARRAY, "XYZCT", data, own=f"urn:uuid:{number}")
        ome_file.write(file, list(ARRAY[number].reshape(-1, 12, 16)), text)
    assert_read(open_acquisitions(files[1])[0], {0, 1, 2, 3})
    files[2].unlink()
    assert "embryo_2.ome.tif is not there (t 2, c 0-1, z 0-2)" in probe(files[0]).reason
    assert_read(open_acquisitions(files[1])[0], {0, 1, 3})


def test_positions_in_a_file_each_are_images_of_one_set(tmp_path: Path) -> None:
    """Whichever file is opened, the same images are found; one whose file is missing takes nothing from the others."""
    arrays = [pixels(2, 1, 3, 12, 16), pixels(2, 1, 3, 12, 16) + 50]
    files = [tmp_path / "pos_a.ome.tif", tmp_path / "pos_b.ome.tif"]
    elements = ""
    for number, (array, file) in enumerate(zip(arrays, files, strict=True)):
        uuid = f'<UUID FileName="{file.name}">urn:uuid:{number}</UUID>'
        text = ome_file.document(array, "XYZCT", ome_file.tiff_data(ome_file.in_order(array, "XYZCT"), uuid=uuid))
        element = text[text.index("<Image") : text.index("</OME>")]
        elements += element.replace("Image:0", f"Image:{number}").replace('Name="one"', f'Name="Pos {number}"')
    text = f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{elements}</OME>'
    for array, file in zip(arrays, files, strict=True):
        ome_file.write(file, list(array.reshape(-1, 12, 16)), text)
    for file in files:
        assert probe(file).state == "complete"
        found = open_acquisitions(file)
        assert [one.source_path.name for one in found] == ["pos_a.ome.tif#0", "pos_b.ome.tif#1"]
        assert [one.name for one in found] == ["pos_a_Pos 0", "pos_b_Pos 1"]
        for one, array in zip(found, arrays, strict=True):
            with one:
                np.testing.assert_array_equal(one.plane(1, 0, 2), array[1, 0, 2])
    files[0].unlink()
    verdict = probe(files[1])
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0, 1))
    assert "pos_a.ome.tif is not there (t 0-1, c 0, z 0-2 of Pos 0)" in verdict.reason
    (alone,) = open_acquisitions(files[1])
    assert alone.source_path.name == "pos_b.ome.tif#1"
    with reopen(row_of(alone), 1) as again:
        np.testing.assert_array_equal(again.plane(1, 0, 2), arrays[1][1, 0, 2])


def test_a_companion_that_names_nothing_or_breaks_off_is_said(tmp_path: Path) -> None:
    files = ome_set(tmp_path, ARRAY, SPLITS["t"], "companion")
    text = files[-1].read_text()
    files[-1].write_text(text[: len(text) // 2])
    assert (probe(files[-1]).state, probe(files[0]).state) == ("incomplete", "incomplete")
    files[-1].write_text(text)
    assert probe(files[0]).state == "complete"
    for file in files[:-1]:
        file.unlink()
    verdict = probe(files[-1])
    assert verdict.state == "incomplete"
    assert "describes 4 files, none of which is there" in verdict.reason


def test_files_may_be_named_by_where_they_lay_on_windows(tmp_path: Path) -> None:
    files = ome_set(tmp_path, ARRAY, SPLITS["t"], "companion")
    files[-1].write_text(files[-1].read_text().replace('FileName="', 'FileName="C:\\data\\day 1\\'))
    assert probe(files[0]).state == "complete"
    assert_read(open_acquisitions(files[1])[0], {0, 1, 2, 3})


def test_fingerprints_of_pages_in_strips_are_those_of_versions_before(tmp_path: Path) -> None:
    """Which looked at each strip that the library listed; results that are stored stay as they are."""
    array = pixels(2, 1, 1, 256, 300)
    files = ome_set(tmp_path, array, SPLITS["t"])
    for file, stack in zip(files, array, strict=True):
        text = description(file)
        tifffile.imwrite(file, stack[0, 0], rowsperstrip=7, description=text, metadata=None)
    (found,) = open_acquisitions(files[0])
    with tifffile.TiffFile(files[1]) as tif, FreshFiles() as fresh:
        page = tif.pages.first
        runs = [Extent(str(files[1]), *run) for run in zip(page.dataoffsets, page.databytecounts, strict=True)]
        assert len(runs) > 30
        assert found.fingerprint(1) == of_content([runs], fresh)


def description(file: Path) -> str:
    with tifffile.TiffFile(file) as tif:
        return tif.pages.first.description
