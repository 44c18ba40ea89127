"""Durations of tracks count their first and last time point, as their cycles do."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("tracks", "staged_tracks")
LONGER = """
UPDATE {table} SET duration_frames = duration_frames {sign} 1,
    duration_s = duration_s {sign} (
        SELECT a.frame_interval_s FROM acquisitions AS a WHERE a.id = {table}.acquisition_id
    )
WHERE duration_frames IS NOT NULL
"""


def upgrade() -> None:
    """Add a time point to what is stored."""
    for table in TABLES:
        op.execute(LONGER.format(table=table, sign="+"))


def downgrade() -> None:
    """Take it off again."""
    for table in TABLES:
        op.execute(LONGER.format(table=table, sign="-"))
