"""Whether two movies show the same nuclei and the same lineage, whatever their numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_same_lineage(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What `CorrectedMovie.seen` saw is the same up to the numbering of labels and tracks."""
    tracks: dict[int, int] = {}
    for t, (labels, others) in enumerate(zip(one["labels"], other["labels"], strict=True)):
        pairs = {(int(a), int(b)) for a, b in zip(labels.ravel(), others.ravel(), strict=True)}
        names = dict(pairs)
        assert len(pairs) == len(names) == len(set(names.values())), f"labels of t = {t}"
        assert names.get(0) == 0
        for label, name in names.items():
            if label:
                mine, theirs = _track(one, t, label), _track(other, t, name)
                assert tracks.setdefault(mine, theirs) == theirs, f"track of nucleus {label} of t = {t}"
    assert len(set(tracks.values())) == len(tracks)
    parents = _parents(one)
    assert {tracks[child]: tracks[parent] for child, parent in parents.items()} == _parents(other)


def _track(seen: dict[str, Any], t: int, label: int) -> int:
    nuclei = seen["nuclei"]
    return int(nuclei.loc[(nuclei["t"] == t) & (nuclei["label"] == label), "track_id"].iloc[0])


def _parents(seen: dict[str, Any]) -> dict[int, int]:
    table = seen["tracks"].dropna(subset=["parent_track_id"])
    return {int(a): int(b) for a, b in zip(table["track_id"], table["parent_track_id"].astype(np.int64), strict=True)}
