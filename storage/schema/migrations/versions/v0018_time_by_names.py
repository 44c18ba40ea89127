"""Where it is known from which time point is which: often from the names of files, which `metadata` are not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BY_NAMES = """
UPDATE acquisitions SET axes_source = 'names' WHERE reader IN ('tiff-planes', 'picture-planes')
    AND axes_source IS NOT NULL
"""
KNOWN = """
UPDATE acquisitions SET time_source = CASE WHEN reader LIKE '%-sequence' THEN 'names' ELSE axes_source END
    WHERE axes_source IS NOT NULL
"""


def upgrade() -> None:
    """Say it of what is there."""
    op.add_column("acquisitions", sa.Column("time_source", sa.String(16)))
    op.execute(sa.text(BY_NAMES))
    op.execute(sa.text(KNOWN))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("acquisitions", "time_source")
    op.execute(sa.text("UPDATE acquisitions SET axes_source = 'metadata' WHERE axes_source = 'names'"))
