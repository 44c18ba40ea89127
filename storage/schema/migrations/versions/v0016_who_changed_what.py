"""Who changed what: a row for each order that a person gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; nobody was written down before."""
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON(none_as_null=True)),
        sa.Column("requests", sa.JSON(none_as_null=True)),
        sa.Column("ended_at", sa.String(32)),
        sa.Column("accepted", sa.Boolean),
        sa.Column("outcome", sa.Text),
    )


def downgrade() -> None:
    """Forget who it was."""
    op.drop_table("changes")
