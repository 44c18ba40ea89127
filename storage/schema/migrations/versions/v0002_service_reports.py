"""What the service says of itself, the quality of each stack, and an index for the most recent time points."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table, a column and an index."""
    op.create_table(
        "service_reports",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("reported_at", sa.String(32), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_service_reports"),
    )
    op.add_column("timepoints", sa.Column("quality", sa.JSON()))
    op.create_index("ix_timepoints_completed_at", "timepoints", ["completed_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_timepoints_completed_at", "timepoints")
    op.drop_column("timepoints", "quality")
    op.drop_table("service_reports")
