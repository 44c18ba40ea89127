"""The list of doubts: what a person should look at first, with what would mend it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import Connection, and_, select

from storage.doubts.answered import answers
from storage.doubts.decisions import KINDS, MISSED, DoubtfulDecision, doubtful
from storage.doubts.mending import Mending, Surroundings, command
from storage.doubts.pasts import Family
from storage.errors import WrongRequestError
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei
from tracking.doubts.ranking import Doubted, in_order, shifted
from tracking.evidence.motion import spacing

MENDS = {MISSED: 3, "several": 3, "division": 3}
"""Errors that one look mends: a nucleus that is not there breaks the links into it and out of it as well."""
USUAL = 10.0
"""Distance between neighbours where there are none."""


@dataclass(frozen=True)
class ListedDoubt:
    """An entry of the list: a decision, how likely it is wrong after what people have answered, its mending."""

    decision: DoubtfulDecision
    probability: float
    mending: Mending


def doubts(connection: Connection, row: AcquisitionRow, top: int, kinds: Collection[str] = ()) -> list[ListedDoubt]:
    """Return the first `top` doubts of an acquisition, each chain of errors once.

    Parameters
    ----------
    connection : Connection
        Sees one moment of the database.
    kinds : collection of str
        Only of these, of `storage.doubts.decisions.KINDS`; none: of all.

    Raises
    ------
    WrongRequestError
        When there is no such kind.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise WrongRequestError(f"There are no doubts of kind {', '.join(unknown)}: there are {', '.join(KINDS)}.")
    family = Family.read(connection, row.id)
    said = answers(connection, row.id)
    shifts = said.shifts()
    left = [one for one in doubtful(connection, row, family) if not said.settle(one)]
    left = [one for one in left if not kinds or one.kind in kinds]
    now = [shifted(one.probability, one.group, shifts) for one in left]
    scale = _scale(connection, row, left)
    doubted = [
        Doubted(
            one.is_link, one.at_t // row.step, one.place, p, one.affected, MENDS.get(one.kind, 1), one.kind == MISSED
        )
        for one, p in zip(left, now, strict=True)
    ]
    around = Surroundings(connection, row, family, scale)
    found = []
    for index in in_order(doubted, scale, top):
        decision = around.placed(left[index])
        found.append(ListedDoubt(decision, now[index], around.mending(decision)))
    return found


def table(row: AcquisitionRow, found: list[ListedDoubt]) -> pd.DataFrame:
    """Return the list as a table, one row each, time points as people write them."""
    names = ("rank", "doubt", "kind", "t", "label", "track_id", *(f"{axis}_um" for axis in "zyx"))
    names = (*names, *(f"{axis}_px" for axis in "zyx"), "affected", "alternative", "wrong", "right")
    rows = []
    for rank, one in enumerate(found, start=1):
        decision = one.decision
        place = decision.place if row.unit == "um" else (None, None, None)
        head = (rank, round(one.probability, 3), decision.kind, row.source_t(decision.node[0]), decision.node[1])
        mending = one.mending
        said = (command(row, mending.wrong), command(row, mending.right))
        tail = (decision.affected, mending.alternative, *said)
        rows.append((*head, decision.track_id, *place, *decision.place_px, *tail))
    return pd.DataFrame(rows, columns=list(names)).astype({"track_id": "Int64"})


def _scale(connection: Connection, row: AcquisitionRow, found: list[DoubtfulDecision]) -> float:
    """Distance between neighbours at the time point in the middle of those with doubts."""
    if not found:
        return USUAL
    t = int(np.median([one.node[0] for one in found]))
    near = min((one.node[0] for one in found), key=lambda at: abs(at - t))
    columns = [nuclei.c[f"centroid_{axis}_{row.unit}"] for axis in "zyx"]
    which = and_(nuclei.c.acquisition_id == row.id, nuclei.c.t == near)
    places = np.array([[v or 0.0 for v in r] for r in connection.execute(select(*columns).where(which))], np.float64)
    return spacing(places.reshape(-1, 3)) or USUAL
