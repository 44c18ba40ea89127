"""What each time point's rows were made from and by, and the views (`storage.schema.views`) after every migration."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

VIEWS_SHA256 = "3655add13ad6d8858fd2ff5da1214f1787c8c10fea7677aecae8f0b3f0410b9d"
VIEWS = ("counts_over_time", "divisions", "lineages", "nuclei_origins", "track_steps")


def upgrade() -> None:
    """Add the columns; rows that are there came from what is known of their source now."""
    op.add_column("timepoints", sa.Column("source_file", sa.Text()))
    op.add_column("timepoints", sa.Column("result_fingerprint", sa.Text()))
    op.add_column("timepoints", sa.Column("result_version", sa.String(64)))
    op.execute(
        "UPDATE timepoints SET result_fingerprint = fingerprint, result_version = "
        "(SELECT nusetd_version FROM acquisitions WHERE acquisitions.id = timepoints.acquisition_id) "
        "WHERE state = 'done'"
    )
    op.execute(
        "UPDATE timepoints SET source_file = "
        "(SELECT source_path FROM acquisitions WHERE acquisitions.id = timepoints.acquisition_id "
        "AND reader NOT LIKE '%-sequence')"
    )


def downgrade() -> None:
    """Remove them."""
    for name in VIEWS:
        op.execute(f"DROP VIEW IF EXISTS {name}")
    for name in ("result_version", "result_fingerprint", "source_file"):
        op.drop_column("timepoints", name)
