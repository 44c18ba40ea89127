"""What waits for what lands now, and indexes without which each of many files would cost more than the one before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_timepoints_state_archive_acquisition_id_t": ("timepoints", ["state", "archive", "acquisition_id", "t"]),
    "ix_timepoints_fingerprint": ("timepoints", ["fingerprint"]),
    "ix_acquisitions_nuclear_channel_state": ("acquisitions", ["nuclear_channel", "state"]),
}


def upgrade() -> None:
    """Add them; what waits now waits for nobody."""
    op.add_column("timepoints", sa.Column("archive", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Forget them."""
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table)
    op.drop_column("timepoints", "archive")
