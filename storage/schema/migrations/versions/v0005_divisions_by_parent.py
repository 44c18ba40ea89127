"""The view `divisions` finds the second daughter by her mother, not among all later tracks."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

VIEWS_SHA256 = "14138d253b2ee06f0f3e9ca9ef137de911b2312183563272b017719486be1f84"


def upgrade() -> None:
    """Nothing but the views changes, and they are made anew after every migration."""


def downgrade() -> None:
    """Nothing to undo."""
