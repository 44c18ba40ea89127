"""How likely each decision is wrong, beside what was decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

OF_NUCLEI = ("nuclei", "analysed_nuclei", "plain_nuclei", "staged_track_ids")
OF_TRACKS = ("tracks", "staged_tracks", "plain_tracks")


def upgrade() -> None:
    """Add the columns; what is there is not doubted until it is tracked anew."""
    for table in OF_NUCLEI:
        op.add_column(table, sa.Column("doubt", sa.Float()))
        op.add_column(table, sa.Column("doubt_kind", sa.String(16)))
        op.add_column(table, sa.Column("link_doubt", sa.Float()))
        op.add_column(table, sa.Column("end_doubt", sa.Float()))
    for table in OF_TRACKS:
        op.add_column(table, sa.Column("doubt", sa.Float()))
        op.add_column(table, sa.Column("end_doubt", sa.Float()))


def downgrade() -> None:
    """Remove them."""
    for table in OF_TRACKS:
        op.drop_column(table, "end_doubt")
        op.drop_column(table, "doubt")
    for table in OF_NUCLEI:
        for name in ("end_doubt", "link_doubt", "doubt_kind", "doubt"):
            op.drop_column(table, name)
