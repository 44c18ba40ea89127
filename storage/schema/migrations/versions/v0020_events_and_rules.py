"""What was committed becomes events that can be followed; rules say what they sent; where the stage stood."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DONE = """
INSERT INTO events (acquisition_id, t, kind, at)
SELECT acquisition_id, t, 'timepoint', completed_at FROM timepoints
WHERE state = 'done' AND completed_at IS NOT NULL ORDER BY completed_at, acquisition_id, t
"""
TRACKS = """
SELECT acquisition_id, track_id, parent_track_id, first_t, last_t, is_final, division_score FROM tracks ORDER BY 1, 2
"""
LAST = "SELECT acquisition_id, max(t), max(completed_at) FROM timepoints WHERE state = 'done' GROUP BY acquisition_id"
EVENTS = sa.table(
    "events", *(sa.column(name) for name in ("acquisition_id", "kind", "at")), sa.column("facts", sa.JSON())
)


def upgrade() -> None:
    """Add the tables; what is stored already is told as one event for each time point, and one for all its tracks."""
    for name in ("stage_y_um", "stage_x_um"):
        op.add_column("timepoints", sa.Column(name, sa.Float()))
    _events()
    _rules()
    op.execute(sa.text(DONE))
    _tell_tracks()


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("acquisition_id", sa.Integer()),
        sa.Column("t", sa.Integer()),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("facts", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_acquisition_id_id", "events", ["acquisition_id", "id"])


def _rules() -> None:
    op.create_table(
        "rule_sendings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.String(32), nullable=False) for name in ("decided_at", "expires_at")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("delivered_at", sa.String(32)),
        sa.Column("outcome", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_rule_sendings"),
        sa.UniqueConstraint("rule", "event_id", "action", name="uq_rule_sendings_rule_event_id_action"),
    )
    op.create_index("ix_rule_sendings_acquisition_id", "rule_sendings", ["acquisition_id"])
    op.create_index("ix_rule_sendings_state_rule_action", "rule_sendings", ["state", "rule", "action"])
    op.create_table(
        "rule_states",
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("made_of", sa.String(64), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("memory", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("rule", name="pk_rule_states"),
    )


def _tell_tracks() -> None:
    """What is known of all tracks, an event for each acquisition."""
    connection = op.get_bind()
    tracks: dict[int, list[Any]] = defaultdict(list)
    for number, *track in connection.execute(sa.text(TRACKS)):
        tracks[int(number)].append(track)
    for number, last_t, at in connection.execute(sa.text(LAST)).all():
        if tracks[int(number)]:
            facts = _facts(tracks[int(number)], int(last_t))
            told = {"acquisition_id": number, "kind": "tracks", "at": at or "", "facts": facts}
            connection.execute(sa.insert(EVENTS), told)


def _facts(tracks: list[Any], last_t: int) -> dict[str, Any]:
    daughters: dict[int, list[tuple[int, int, float | None]]] = defaultdict(list)
    for track, parent, first, _, _, score in tracks:
        if parent is not None:
            daughters[parent].append((track, first, score))
    divided = {parent: found for parent, found in daughters.items() if len(found) > 1}
    return {
        "born": [[track, first] for track, parent, first, *_ in tracks if parent is None],
        "divided": [
            [parent, [one for one, _, _ in found], min(first for _, first, _ in found), found[0][2]]
            for parent, found in divided.items()
        ],
        "ended": [
            [track, last] for track, _, _, last, final, _ in tracks if final and last < last_t and track not in divided
        ],
        "final": [track for track, _, _, _, final, _ in tracks if final],
    }


def downgrade() -> None:
    """Forget it."""
    for table in ("rule_states", "rule_sendings", "events"):
        op.drop_table(table)
    for name in ("stage_x_um", "stage_y_um"):
        op.drop_column("timepoints", name)
