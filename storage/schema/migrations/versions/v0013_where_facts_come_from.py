"""Where facts come from, what is doubted, what people gave and overruled; facts given with a request."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "axes_source": sa.String(16),
    "frame_interval_source": sa.String(16),
    "doubts": sa.JSON(),
    "given": sa.JSON(),
    "overruled": sa.JSON(),
    "started_at": sa.String(64),
}


def upgrade() -> None:
    """Add the columns; of what is stored it is not known any more where sizes and interval came from."""
    for name, kind in COLUMNS.items():
        op.add_column("acquisitions", sa.Column(name, kind))
    op.add_column("acquisitions", sa.Column("reading", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("requests", sa.Column("given", sa.JSON()))
    op.execute("UPDATE acquisitions SET frame_interval_source = 'none' WHERE frame_interval_s IS NULL")


def downgrade() -> None:
    """Remove them."""
    op.drop_column("requests", "given")
    for name in ("reading", *reversed(COLUMNS)):
        op.drop_column("acquisitions", name)
