"""Metadata survive a power cut at any moment: on the disk before they take the place of those before."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from cases.stored import acquisition, squares

from storage.omezarr.image_store import ImageStore

METADATA = (".zarray", ".zattrs", ".zgroup", "zarr.json")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_no_metadata_file_is_renamed_before_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """And the folder is synced before anything else is renamed in it."""
    synced: set[str] = set()
    renamed: list[Path] = []
    owed: set[str] = set()
    fsync, replace = os.fsync, os.replace

    def note_sync(handle: int) -> None:
        fsync(handle)
        path = os.readlink(f"/proc/self/fd/{handle}")
        synced.add(path)
        owed.discard(path)

    def note_replace(old: Path, new: Path) -> None:
        if Path(new).name in METADATA:
            assert str(old) in synced, f"{new} is renamed before it is on the disk"
            assert str(Path(new).parent) not in owed, "the one before is not in its folder yet"
            synced.discard(str(old))
            owed.add(str(Path(new).parent))
            renamed.append(Path(new))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    monkeypatch.setattr(Path, "replace", lambda self, target: note_replace(self, target))
    image = acquisition()
    store = ImageStore.create(tmp_path / "img.ome.zarr", image, version)
    for t in (0, 1, 0):
        store.write_timepoint(t, [image.planes(t, 0)], squares(t, 5))
        store.publish(t)
        store.write_tracks(t, {1: 3})
        store.publish_tracks(t)
    assert len(renamed) > 10
    assert owed == set()
    assert store.published_timepoints == (0, 1)
    assert np.unique(store.track_labels(0)).tolist() == [0, 3]


def test_a_disk_that_is_full_leaves_the_metadata_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = acquisition()
    store = ImageStore.create(tmp_path / "img.ome.zarr", image)
    store.write_timepoint(0, [image.planes(0, 0)], squares(0, 5))
    before = {path: path.read_bytes() for path in store.path.rglob(".z*")}  # type: ignore[union-attr]

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="No space left"):
        store.publish(0)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in store.path.rglob(".z*")} == before  # type: ignore[union-attr]
