"""Corrections that were said together, as by one import."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Each of before was said alone."""
    op.add_column("corrections", sa.Column("said_with", sa.Integer()))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("corrections", "said_with")
