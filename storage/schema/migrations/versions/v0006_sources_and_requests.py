"""Which files were taken and what they looked like, and what people ask of the running service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "sources",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("readable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_sources"),
        sa.ForeignKeyConstraint(
            ["acquisition_id"],
            ["acquisitions.id"],
            name="fk_sources_acquisition_id_acquisitions",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.String(32), nullable=False),
        sa.Column("answered_at", sa.String(32)),
        sa.Column("answer", sa.Text()),
        sa.Column("accepted", sa.Boolean()),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("requests")
    op.drop_table("sources")
