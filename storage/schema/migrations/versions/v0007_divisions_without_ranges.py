"""The view `divisions` finds either daughter by her mother, in time that grows with the number of divisions."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

VIEWS_SHA256 = "16aceeda2f817239635a67104c143f78ed3171e683084a4a03dbf14babbce156"


def upgrade() -> None:
    """Nothing but the views changes, and they are made anew after every migration."""


def downgrade() -> None:
    """Nothing to undo."""
