"""Agreement of rows, labels and source: what agrees is called so, and each disagreement is named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from cases.processed import COUNT, TIME_POINTS, process

from storage.errors import StorageError
from storage.omezarr.image_store import ImageStore
from storage.verify import Mismatch, verify


@pytest.fixture(scope="module", params=["0.4", "0.5"])
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and its results."""
    folder = tmp_path_factory.mktemp("verify")
    process(folder, request.param)
    return folder


def mismatches(output: Path, source: bool = True) -> list[Mismatch]:
    """Everything that does not agree."""
    return [mismatch for checked in verify(output, "embryo", source) for mismatch in checked.mismatches]


def change(output: Path, statement: str) -> None:
    """Change rows behind the service's back."""
    with closing(sqlite3.connect(output / "nusetd.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.fixture
def output(original: Path, tmp_path: Path) -> Path:
    """A copy of the results that a test may spoil; rows know the new place."""
    shutil.copytree(original / "out", tmp_path / "out")
    shutil.copy(original / "embryo.tif", tmp_path / "embryo.tif")
    change(tmp_path / "out", f"UPDATE acquisitions SET zarr_path = '{tmp_path}/out/embryo.ome.zarr', "
           f"source_path = '{tmp_path}/embryo.tif'")  # fmt: skip
    return tmp_path / "out"


def test_what_was_processed_agrees(output: Path) -> None:
    checked = list(verify(output, "embryo"))
    assert [(one.t, one.nuclei, one.mismatches) for one in checked] == [(t, COUNT, ()) for t in range(TIME_POINTS)]


SPOILT: dict[str, tuple[str, tuple[int, int | None, str]]] = {
    "a row without a label": (
        "UPDATE nuclei SET label = 99 WHERE t = 1 AND label = 2",
        (1, 99, "has a row, but no voxel"),
    ),
    "a label without a row": ("DELETE FROM nuclei WHERE t = 1 AND label = 2", (1, 2, "without a row")),
    "another volume": ("UPDATE nuclei SET volume_px = 7 WHERE t = 0 AND label = 3", (0, 3, "has volume_px 7 ")),
    "another place": (
        "UPDATE nuclei SET centroid_y_px = centroid_y_px + 0.5 WHERE t = 0 AND label = 3",
        (0, 3, "has centroid_y_px"),
    ),
    "another brightness": (
        "UPDATE nuclei SET intensity_mean = intensity_mean * 1.01 WHERE t = 1 AND label = 1",
        (1, 1, "has intensity_mean"),
    ),
    "another track": ("UPDATE nuclei SET track_id = 77 WHERE t = 1 AND label = 1", (1, 1, "is track 77 in its row")),
    "not published": ("UPDATE timepoints SET published_at = NULL WHERE t = 1", (1, None, "not in both")),
    "not done": ("UPDATE timepoints SET state = 'failed' WHERE t = 1", (1, None, "does not call it done")),
}


@pytest.mark.parametrize("name", SPOILT)
def test_each_disagreement_of_the_rows_is_named(output: Path, name: str) -> None:
    statement, (t, label, words) = SPOILT[name]
    change(output, statement)
    found = mismatches(output)
    assert any((one.t, one.label) == (t, label) and words in one.what for one in found), found
    assert {one.t for one in found} == {t}


def test_other_pixels_in_the_source_are_named(output: Path) -> None:
    path = output.parent / "embryo.tif"
    with tifffile.TiffFile(path) as file:
        start = file.pages[4].dataoffsets[0]  # time point 1, slice 1
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff\xff")
    assert [(one.t, one.label) for one in mismatches(output)] == [(1, None)]
    assert "(channel 0, slice 1)" in mismatches(output)[0].what
    assert mismatches(output, source=False) == []


def test_a_source_that_is_gone_is_named(output: Path) -> None:
    (output.parent / "embryo.tif").unlink()
    [lost] = mismatches(output)
    assert (lost.t, lost.label) == (None, None)
    assert f"{output.parent}/embryo.tif is not there" in lost.what
    assert "last seen at 20" in lost.what
    assert [one.nuclei for one in verify(output, "embryo")] == [0, COUNT, COUNT]  # rows and labels are compared still


def test_a_store_that_is_gone_is_named_with_where_and_when_it_was_last_seen(output: Path) -> None:
    (output / "embryo.ome.zarr").rename(output.parent / "embryo.ome.zarr")
    with pytest.raises(StorageError, match=rf"{output}/embryo.ome.zarr, .*last seen at 20.*relocate {output} NEW"):
        mismatches(output)


def folder_of(store: Path, name: str) -> Path:
    """The folder of an array's chunks of time point 0."""
    inside = store / name / "c" if (store / name / "c").is_dir() else store / name
    return inside / "0"


def first_chunk(store: Path) -> Path:
    """A file with labels of time point 0."""
    return min(path for path in folder_of(store, "labels/nuclei/0").rglob("*") if path.is_file())


def described(store: Path, name: str, *, group: bool) -> Path:
    """The file that describes an array or a group."""
    for file in ("zarr.json", ".zgroup" if group else ".zarray"):
        if (store / name / file).exists():
            return store / name / file
    raise AssertionError(name)


def halve(path: Path) -> None:
    """Cut a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_dtype(store: Path) -> None:
    """Say that the labels are numbers of another kind."""
    path = described(store, "labels/nuclei/0", group=False)
    path.write_text(path.read_text().replace("<u4", "<u2").replace('"uint32"', '"uint16"'))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "the store is gone": shutil.rmtree,
    "a file in its place": lambda store: (shutil.rmtree(store), store.write_text("here")),  # type: ignore[func-returns-value,return-value]
    "an empty folder in its place": lambda store: (shutil.rmtree(store), store.mkdir()),  # type: ignore[func-returns-value,return-value]
    "the group's description cut": lambda store: halve(described(store, "", group=True)),
    "the labels' array gone": lambda store: shutil.rmtree(store / "labels" / "nuclei" / "0"),
    "the labels' group gone": lambda store: shutil.rmtree(store / "labels"),
    "the array's description cut": lambda store: halve(described(store, "labels/nuclei/0", group=False)),
    "the array's description empty": lambda store: described(store, "labels/nuclei/0", group=False).write_bytes(b""),  # type: ignore[return-value]
    "a chunk cut": lambda store: halve(first_chunk(store)),
    "a chunk of noise": lambda store: first_chunk(store).write_bytes(b"\x07" * 100),  # type: ignore[return-value]
    "labels of another kind": other_dtype,
    "our attribute overwritten": lambda store: zarr.open_group(store, mode="r+").attrs.update({"nusetd": 5}),
    "the image's levels gone": lambda store: zarr.open_group(store, mode="r+").attrs.update(
        {"multiscales": [], "ome": {"multiscales": []}}
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_is_one_sentence_and_left_as_it_is(output: Path, name: str) -> None:
    store = output / "embryo.ome.zarr"
    DAMAGE[name](store)
    before = contents(store)
    try:
        sentences = [one.what for one in mismatches(output) if one.t in (0, None) and one.label is None]
    except StorageError as error:
        sentences = [str(error)]
    assert len(sentences) == 1, sentences
    assert "\n" not in sentences[0]
    assert str(store) in sentences[0]
    assert any(word in sentences[0] for word in ("damaged", "is not there", "nusetd wrote")), sentences[0]
    assert contents(store) == before


def test_a_damaged_store_is_never_written_to_again(output: Path) -> None:
    store = output / "embryo.ome.zarr"
    shutil.rmtree(store / "labels" / "nuclei" / "0")
    before = contents(store)
    with pytest.raises(StorageError, match="damaged"):
        ImageStore.open(store).write_timepoint(2, None, np.zeros((3, 20, 24), dtype=np.uint32))
    assert contents(store) == before


def contents(store: Path) -> dict[str, bytes]:
    """Every file."""
    if store.is_file():
        return {"": store.read_bytes()}
    return {str(path): path.read_bytes() for path in store.rglob("*") if path.is_file()}
