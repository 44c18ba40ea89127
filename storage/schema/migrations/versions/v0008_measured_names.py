"""A time point tells what its nuclei were measured for besides their columns, so that no question needs to search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FIRST = """
UPDATE timepoints SET measured = (
    SELECT n.measurements FROM nuclei AS n
    WHERE n.acquisition_id = timepoints.acquisition_id AND n.t = timepoints.t
    ORDER BY n.label LIMIT 1
)
"""


def upgrade() -> None:
    """Add the column, filled from what is there."""
    op.add_column("timepoints", sa.Column("measured", sa.JSON(), nullable=True))
    op.execute(FIRST)


def downgrade() -> None:
    """Remove it."""
    op.drop_column("timepoints", "measured")
