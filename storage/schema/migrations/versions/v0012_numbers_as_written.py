"""Time points as they are numbered in the names of files, and the step between them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.schema import views

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

VIEWS_SHA256 = "494643e18e2767410360b2047201d4e7cece8a5e06ffd17dbc4a8c004f67fb79"
TABLES = ("timepoints", "nuclei", "analysed_nuclei")
NUMBERED = """
UPDATE {table} SET source_t = t + coalesce(
    (SELECT a.first_number FROM acquisitions AS a WHERE a.id = {table}.acquisition_id), 0
)
"""


def upgrade() -> None:
    """Number what is there; steps of 1, until more of a series comes."""
    op.add_column("acquisitions", sa.Column("step", sa.Integer(), nullable=False, server_default="1"))
    for table in TABLES:
        op.add_column(table, sa.Column("source_t", sa.Integer()))
        op.execute(NUMBERED.format(table=table))


def downgrade() -> None:
    """Forget the numbers, and the views that show them."""
    views.drop(op.get_bind())
    for table in TABLES:
        op.drop_column(table, "source_t")
    op.drop_column("acquisitions", "step")
