"""What was forgotten is remembered, problems can be dismissed, and people ask the service for more than one thing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; nothing is forgotten yet."""
    op.add_column("acquisitions", sa.Column("dismissed_at", sa.String(32)))
    op.add_column("requests", sa.Column("kind", sa.String(16), nullable=False, server_default="submit"))
    op.add_column("identity", sa.Column("last_forgotten_id", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "forgotten_sources",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
        sa.Column("readable", sa.Boolean, nullable=False),
        sa.Column("forgotten_at", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    """Forget what was forgotten."""
    op.drop_table("forgotten_sources")
    op.drop_column("identity", "last_forgotten_id")
    op.drop_column("requests", "kind")
    op.drop_column("acquisitions", "dismissed_at")
