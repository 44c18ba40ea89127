"""Stores know their owner: the database and each of its stores get an identity; folders are known by their mount."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; stores that are there are signed when they are written to."""
    op.add_column("acquisitions", sa.Column("store_id", sa.String(32)))
    identity = op.create_table("identity", sa.Column("database_id", sa.String(32), primary_key=True))
    op.create_table(
        "folders",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("mount", sa.JSON, nullable=False),
        sa.Column("seen_at", sa.String(32), nullable=False),
    )
    op.bulk_insert(identity, [{"database_id": uuid4().hex}])
    acquisitions = sa.table("acquisitions", sa.column("id"), sa.column("zarr_path"), sa.column("store_id"))
    connection = op.get_bind()
    stored = sa.select(acquisitions.c.id).where(acquisitions.c.zarr_path.is_not(None))
    for number in connection.execute(stored).scalars().all():
        here = acquisitions.c.id == number
        connection.execute(sa.update(acquisitions).where(here).values(store_id=uuid4().hex))


def downgrade() -> None:
    """Forget them."""
    op.drop_table("folders")
    op.drop_table("identity")
    op.drop_column("acquisitions", "store_id")
