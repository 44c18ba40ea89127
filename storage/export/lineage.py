"""Tracks as other formats want them: without gaps, as links between nuclei, as whole families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nuset_engine.arrays import PairsN2


@dataclass(frozen=True)
class Segment:
    """A run of consecutive time points of one track. `parent` is the number of another segment, 0 for none."""

    number: int
    first_t: int
    last_t: int
    parent: int


@dataclass(frozen=True)
class Segments:
    """All segments, and which segment each nucleus belongs to: t -> label -> number."""

    segments: tuple[Segment, ...]
    of_nucleus: Mapping[int, Mapping[int, int]]


def segments(nuclei: pd.DataFrame, tracks: pd.DataFrame) -> Segments:
    """Cut tracks where a time point was missed; the rest of a cut track is a child of its beginning.

    Parameters
    ----------
    nuclei : columns t, label, track_id
        A nucleus without a track becomes a segment of its own.
    tracks : columns track_id, parent_track_id

    Returns
    -------
    Segments
        Numbered from 1 on without holes, in order of track id and time.
    """
    parents = {
        int(track): int(parent)
        for track, parent in zip(tracks["track_id"], tracks["parent_track_id"], strict=True)
        if not pd.isna(parent)
    }
    runs: list[Segment] = []
    last_of_track: dict[int, int] = {}
    first_of_track: dict[int, int] = {}
    of_nucleus: dict[int, dict[int, int]] = {}
    for track, rows in _by_track(nuclei):
        previous_t = None
        for t, label in rows:
            if previous_t is None or t != previous_t + 1:
                before = last_of_track.get(track, 0) if previous_t is not None else 0
                runs.append(Segment(len(runs) + 1, t, t, before))
                last_of_track[track] = len(runs)
                first_of_track.setdefault(track, len(runs))
            number = last_of_track[track]
            runs[number - 1] = Segment(number, runs[number - 1].first_t, t, runs[number - 1].parent)
            of_nucleus.setdefault(t, {})[label] = number
            previous_t = t
    for track, number in first_of_track.items():
        run = runs[number - 1]
        runs[number - 1] = Segment(
            number, run.first_t, run.last_t, last_of_track.get(parents[track], 0) if track in parents else 0
        )
    return Segments(tuple(runs), of_nucleus)


def _by_track(nuclei: pd.DataFrame) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return (track, [(t, label), ...]) in order; nuclei without a track get negative numbers, one each."""
    grouped: dict[int, list[tuple[int, int]]] = {}
    loose = 0
    ordered = nuclei.sort_values(["t", "label"])
    for t, label, track in zip(ordered["t"], ordered["label"], ordered["track_id"], strict=True):
        if pd.isna(track):
            loose -= 1
        grouped.setdefault(loose if pd.isna(track) else int(track), []).append((int(t), int(label)))
    return sorted(grouped.items(), key=lambda item: (item[0] < 0, abs(item[0])))


def edges_of(nuclei: pd.DataFrame, tracks: pd.DataFrame) -> PairsN2:
    """Return the links as (N, 2) node ids, earlier and later.

    Parameters
    ----------
    nuclei : columns id, t, track_id
    tracks : columns track_id, parent_track_id
    """
    tracked = nuclei.dropna(subset=["track_id"]).sort_values(["track_id", "t"])
    ids, owners = tracked["id"].to_numpy(np.int64), tracked["track_id"].to_numpy(np.int64)
    same = owners[1:] == owners[:-1]
    within = np.stack([ids[:-1][same], ids[1:][same]], axis=1)
    first = tracked.groupby("track_id")["id"].first()
    last = tracked.groupby("track_id")["id"].last()
    born = tracks.dropna(subset=["parent_track_id"])
    born = born[born["parent_track_id"].isin(last.index) & born["track_id"].isin(first.index)]
    births = np.stack(
        [last.loc[born["parent_track_id"]].to_numpy(np.int64), first.loc[born["track_id"]].to_numpy(np.int64)], axis=1
    )
    return np.concatenate([within, births])


def roots_of(tracks: pd.DataFrame) -> dict[int, int]:
    """Return each track's oldest ancestor that is there; itself without one.

    Parameters
    ----------
    tracks : columns track_id, parent_track_id
    """
    known = tracks[["track_id", "parent_track_id"]].dropna().astype(int)
    parents = dict(zip(known["track_id"].tolist(), known["parent_track_id"].tolist(), strict=True))
    roots: dict[int, int] = {}
    everyone = set(tracks["track_id"].astype(int).tolist())
    for track in sorted(everyone):
        line = [track]
        while line[-1] not in roots and parents.get(line[-1]) in everyone and parents[line[-1]] not in line:
            line.append(parents[line[-1]])
        root = roots.get(line[-1], line[-1])
        roots.update(dict.fromkeys(line, root))
    return roots
