"""Who may hand in the result of a time point: the claim itself, where a number of attempts could come again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is running now is queued again by the next start."""
    op.add_column("timepoints", sa.Column("lease", sa.String(16)))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("timepoints", "lease")
