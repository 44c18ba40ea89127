"""Properties of what is read from files and written to them, whatever the bytes, names and sizes."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from cases import images
from cases.stored import pixels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import naming
from storage.errors import StorageError
from storage.omezarr.pyramid import halved_image, halved_labels, level_sizes
from storage.readers import open_acquisitions, probe
from storage.readers.names import acquisition_key
from storage.spans import from_spans, spoken, to_spans

ARRAY = pixels(3, 1, 4)


def written(write: images.Writer) -> bytes:
    """The bytes of a file that holds `ARRAY`."""
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder), ARRAY).read_bytes()


FILES = {
    "ome": (written(images.ome_tiff), "x.ome.tif"),
    "compressed": (written(images.ome_tiff_compressed), "x.ome.tif"),
    "imagej": (written(images.imagej_tiff), "x.tif"),
    "axes": (written(images.tiff_with_axes), "x.tif"),
}
quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def pixels_of(path: Path) -> np.ndarray:
    """All planes of a file."""
    (found,) = open_acquisitions(path)
    with found:
        return np.array([[list(found.planes(t, c)) for c in range(found.size_c)] for t in found.time_points])


@pytest.mark.parametrize("kind", FILES)
@quick
@given(data=st.data())
def test_a_cut_file_is_complete_only_if_nothing_of_the_image_is_missing(
    kind: str, data: st.DataObject, tmp_path: Path
) -> None:
    content, name = FILES[kind]
    cut = data.draw(st.one_of(st.integers(0, len(content) - 1), st.integers(len(content) - 40, len(content) - 1)))
    path = tmp_path / name
    path.write_bytes(content[:cut])
    if probe(path).state == "complete":
        np.testing.assert_array_equal(pixels_of(path), ARRAY)


@pytest.mark.parametrize("kind", FILES)
@quick
@given(data=st.data())
def test_damaged_bytes_never_break_more_than_the_one_file(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    """A verdict always comes, and reading gives planes or one sentence."""
    content, name = FILES[kind]
    damaged = bytearray(content)
    index_end = min(len(content), 1200)
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.integers(0, index_end - 1))
        damaged[where] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(bytes(damaged))
    verdict = probe(path)
    assert verdict.state in ("complete", "growing", "incomplete")
    assert str(path) in verdict.reason
    with contextlib.suppress(StorageError):
        for found in open_acquisitions(path):
            with found:
                found.plane(found.time_points[0], 0, 0)


@quick
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
def test_any_bytes_get_a_verdict(content: bytes, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(start + content)
    assert probe(path).state in ("complete", "incomplete", "growing")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_name_becomes_a_file_name(name: str) -> None:
    safe = naming.safe_name(name)
    assert safe == naming.safe_name(name)
    assert safe
    assert "/" not in safe
    assert "\0" not in safe
    assert len((safe + naming.STORE_SUFFIX).encode()) <= 255
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / safe).touch()


@given(name=st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=30), t=st.integers(0, 10**6))
@settings(derandomize=True)
def test_the_number_in_a_name_is_found(name: str, t: int) -> None:
    key = acquisition_key(Path("/d") / f"{name}_t{t}.tif")
    assert (key.t, key.path.name) == (t, f"{name}_t*.tif")


@given(values=st.sets(st.integers(0, 200)))
@settings(derandomize=True)
def test_runs_hold_what_went_in(values: set[int]) -> None:
    assert from_spans(to_spans(values)) == tuple(sorted(values))
    assert (spoken(values) == "none") == (not values)


@given(size=st.tuples(st.integers(1, 700), st.integers(1, 700)), dtype=st.sampled_from(["uint8", "uint16", "float32"]))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_levels_have_the_sizes_that_are_declared(size: tuple[int, int], dtype: str) -> None:
    block = np.random.default_rng(1).integers(0, 255, (2, *size)).astype(dtype)
    image, labels = block, block
    for declared in level_sizes(*size):
        assert image.shape[1:] == labels.shape[1:] == declared
        assert image.dtype == block.dtype
        assert image.min() >= block.min()
        assert image.max() <= block.max()
        assert set(np.unique(labels)) <= set(np.unique(block))
        image, labels = halved_image(image), halved_labels(labels)
    assert max(level_sizes(*size)[-1]) <= 256
