"""Measures of every track: how long, how far, how fast, how it spreads, grows and divides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MEASURES = (
    "duration_frames",
    "duration_s",
    "net_displacement_um",
    "total_displacement_um",
    "mean_speed_um_per_frame",
    "mean_speed_um_per_s",
    "msd_1_um2",
    "diffusion_exponent",
    "diffusion_coefficient_um2_per_frame",
    "volume_growth_per_frame",
    "cycle_frames",
    "cycle_s",
    "division_t",
    "net_displacement_px",
    "total_displacement_px",
    "mean_speed_px_per_frame",
)


def upgrade() -> None:
    """Add the columns; tracks that are there keep them empty until they are tracked anew."""
    for name in MEASURES:
        op.add_column("tracks", sa.Column(name, sa.Float()))


def downgrade() -> None:
    """Remove them."""
    for name in reversed(MEASURES):
        op.drop_column("tracks", name)
