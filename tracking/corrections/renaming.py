"""From corrected links to tracks: who belongs together, which id it keeps, and what its record says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from tracking.corrections.local_links import BEYOND, LocalLinks
from tracking.corrections.rules import NodeKey, PlainTrack
from tracking.graph import Track


@dataclass(frozen=True)
class CorrectedTracks:
    """Tracks after corrections, those that are as before left out.

    Attributes
    ----------
    track_of : dict
        Track of each nucleus whose track is another one than the plain one, or that has none of its own.
    tracks : tuple of Track
        Every track that is new or whose record changed.
    gone : tuple of int
        Plain tracks that are no more.
    names : dict
        Ids of all tracks that are no plain ones as a whole, by the nucleus that each begins with.
    """

    track_of: Mapping[NodeKey, int]
    tracks: tuple[Track, ...]
    gone: tuple[int, ...]
    names: Mapping[NodeKey, int]


def affected_tracks(links: LocalLinks, tracks: Mapping[int, PlainTrack]) -> set[int]:
    """Return the plain tracks of which a link or nucleus changed, and their daughters."""
    found = {int(links.nodes.track[row]) for row in links.changed_rows()} - {0}
    return found | {one.track_id for one in tracks.values() if one.parent_track_id in found}


def rename(
    links: LocalLinks,
    members: Mapping[int, list[NodeKey]],
    tracks: Mapping[int, PlainTrack],
    names: Mapping[NodeKey, int],
    next_id: int,
    final_t: float = inf,
) -> CorrectedTracks:
    """Give every track an id: the one that it had before, else the plain one that most of its nuclei had, each once.

    Parameters
    ----------
    members : mapping of track to its nuclei in order of t
        Of every affected track, all that it had, those that are gone included.
    tracks : mapping
        The records of those tracks.
    names : mapping
        Ids that tracks had before which are no plain ones as a whole, by their first nucleus.
    next_id : int
        Free, as all after it.
    final_t : float
        The last time point that no track is to be linked anew at.
    """
    gone = _gone(links)
    plain = {node: track_id for track_id, nodes in members.items() for node in nodes if node not in gone}
    chain_of = _chains(links, members)
    whole = _whole(chain_of, plain)
    ids = _ids(chain_of, plain, whole, tracks, names, next_id)
    divisions = _divisions(links, members, tracks)
    owner = {node: ids[index] for index, chain in enumerate(chain_of) for node in chain}
    made = []
    for index, chain in enumerate(chain_of):
        mother, score = divisions.get(chain[0], (None, None))
        parent = mother if mother is None or isinstance(mother, int) else owner.get(mother)
        final = chain[-1][0] <= final_t and all(tracks[plain[node]].is_final for node in chain if node in plain)
        made.append(Track(ids[index], parent, chain[0][0], chain[-1][0], len(chain), final, score))
    other = gone | {_key(links, row) for row in range(len(links.after)) if _is_other(links, row)}
    told = [
        track
        for track, chain in zip(made, chain_of, strict=True)
        if chain != members.get(track.track_id) or other & set(chain) or not _has_record(track, tracks)
    ]
    return CorrectedTracks(
        {node: number for node, number in owner.items() if plain.get(node) != number},
        tuple(told),
        tuple(sorted(set(members) - set(ids))),
        {chain[0]: ids[index] for index, chain in enumerate(chain_of) if index not in whole},
    )


def _whole(chains: list[list[NodeKey]], plain: Mapping[NodeKey, int]) -> dict[int, int]:
    """The chains that have all nuclei of one plain track that are left, and no others: that track, by chain."""
    left = Counter(plain.values())
    found = {}
    for index, chain in enumerate(chains):
        track_id = plain.get(chain[0])
        if track_id is not None and len(chain) == left[track_id] and {plain.get(node) for node in chain} == {track_id}:
            found[index] = track_id
    return found


def _has_record(track: Track, tracks: Mapping[int, PlainTrack]) -> bool:
    """Say whether a track with the same nuclei descends as the tracker said."""
    known = tracks[track.track_id]
    return (known.parent_track_id, known.division_score) == (track.parent_track_id, track.division_score)


def _chains(links: LocalLinks, members: Mapping[int, list[NodeKey]]) -> list[list[NodeKey]]:
    """The nuclei of every track in order of t, the tracks in order of their first nucleus."""
    after = _followers(links, members)
    followed = set(after.values())
    gone = _gone(links)
    everything = {node for nodes in members.values() for node in nodes} - gone
    everything |= {_key(links, row) for row in range(len(links.after)) if _is_made(links, row)}
    found = []
    for first in sorted(everything - followed):
        chain = [first]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        found.append(chain)
    return found


def _followers(links: LocalLinks, members: Mapping[int, list[NodeKey]]) -> dict[NodeKey, NodeKey]:
    """Who goes on as whom: as it was where nothing is known of the links, else as they say."""
    gone, after = _gone(links), {}
    for nodes in members.values():
        left = [node for node in nodes if node not in gone]
        for one, two in pairwise(left):
            row = links.rows.get(one)
            if row is None or links.after[row] == BEYOND:
                after[one] = two
    for row, following in enumerate(links.after):
        if following >= 0 and not links.nodes.gone[row]:
            after[_key(links, row)] = _key(links, following)
    return _only(after, members, links)


def _only(
    after: Mapping[NodeKey, NodeKey], members: Mapping[int, list[NodeKey]], links: LocalLinks
) -> dict[NodeKey, NodeKey]:
    """The followers of affected tracks and of new nuclei."""
    mine = {node for nodes in members.values() for node in nodes}
    mine |= {_key(links, row) for row in range(len(links.after)) if _is_made(links, row)}
    return {one: two for one, two in after.items() if one in mine}


def _divisions(
    links: LocalLinks, members: Mapping[int, list[NodeKey]], tracks: Mapping[int, PlainTrack]
) -> dict[NodeKey, tuple[int | NodeKey | None, float | None]]:
    """Mother (a nucleus, or a track that is not affected) and score by the first nucleus of each daughter."""
    found: dict[NodeKey, tuple[int | NodeKey | None, float | None]] = {}
    for track_id, nodes in members.items():
        track = tracks[track_id]
        if track.parent_track_id is None or not nodes:
            continue
        row = links.rows.get(nodes[0])
        if row is not None and links.before[row] != BEYOND:
            continue
        mother = members.get(track.parent_track_id)
        found[nodes[0]] = (mother[-1] if mother else track.parent_track_id, track.division_score)
    for mother_row, pair in links.daughters.items():
        for row in pair:
            found[_key(links, row)] = (_mother(links, mother_row, members), links.scores[mother_row])
    return found


def _mother(links: LocalLinks, row: int, members: Mapping[int, list[NodeKey]]) -> int | NodeKey:
    track = int(links.nodes.track[row])
    return _key(links, row) if track == 0 or track in members else track


def _ids(
    chains: list[list[NodeKey]],
    plain: Mapping[NodeKey, int],
    whole: Mapping[int, int],
    tracks: Mapping[int, PlainTrack],
    names: Mapping[NodeKey, int],
    next_id: int,
) -> list[int]:
    """An id for every chain."""
    ids = dict(whole)
    taken = set(ids.values())
    wishes = []
    for index, chain in enumerate(chains):
        known = names.get(chain[0])
        if known is not None and index not in ids and known not in taken:
            ids[index] = known
            taken.add(known)
        for track_id, count in Counter(plain[node] for node in chain if node in plain).items():
            wishes.append((-count, chain[0], track_id, index))
    for _, _, track_id, index in sorted(wishes):
        if index not in ids and track_id not in taken:
            ids[index] = track_id
            taken.add(track_id)
    used = taken | set(tracks) | set(names.values())
    for index in range(len(chains)):
        if index not in ids:
            next_id = max(next_id, *used, 0) + 1 if next_id in used else next_id
            used.add(next_id)
            ids[index] = next_id
    return [ids[index] for index in range(len(chains))]


def _gone(links: LocalLinks) -> set[NodeKey]:
    """Plain nuclei that are no more, also those in whose place another one has their label."""
    rows: Iterable[int] = range(len(links.after))
    return {_key(links, row) for row in rows if links.nodes.gone[row]}


def _is_made(links: LocalLinks, row: int) -> bool:
    return not links.nodes.gone[row] and links.nodes.track[row] == 0


def _is_other(links: LocalLinks, row: int) -> bool:
    return bool(links.nodes.redrawn[row]) or _is_made(links, row)


def _key(links: LocalLinks, row: int) -> NodeKey:
    return int(links.nodes.t[row]), int(links.nodes.label[row])
