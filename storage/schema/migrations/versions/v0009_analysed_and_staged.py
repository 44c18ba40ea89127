"""Results that wait for their turn, and tracks that were made anew and wait to become current."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUCLEUS = {
    sa.Float: "score centroid_z_um centroid_y_um centroid_x_um centroid_z_px centroid_y_px centroid_x_px volume_um3 "
    "area_um2",
    sa.BigInteger: "volume_px",
}
SHAPE = {
    sa.Float: "extent axis_major_length_um axis_minor_length_um elongation intensity_mean intensity_std intensity_min "
    "intensity_max",
    sa.Integer: "slices_seen slices_expected",
    sa.Boolean: "gap_bridged split_suspected merge_suspected touches_border",
}
MEASURES = (
    "duration_frames duration_s net_displacement_um total_displacement_um mean_speed_um_per_frame mean_speed_um_per_s "
    "msd_1_um2 diffusion_exponent diffusion_coefficient_um2_per_frame volume_growth_per_frame cycle_frames cycle_s "
    "division_t net_displacement_px total_displacement_px mean_speed_px_per_frame"
)


def upgrade() -> None:
    """Add four tables."""
    _analysed()
    _staged()


def _analysed() -> None:
    op.create_table(
        "analysed_timepoints",
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("nuclei_count", sa.Integer(), nullable=False),
        sa.Column("timings", sa.JSON(), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("measured", sa.JSON()),
        sa.PrimaryKeyConstraint("acquisition_id", "t", name="pk_analysed_timepoints"),
        _of("timepoints", "analysed_timepoints"),
    )
    op.create_table(
        "analysed_nuclei",
        sa.Column("id", ID, nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger()),
        *_columns(NUCLEUS),
        sa.Column("equivalent_diameter_um", sa.Float()),
        *(sa.Column(f"bbox_{axis}{end}", sa.Integer()) for end in (0, 1) for axis in "zyx"),
        *_columns(SHAPE),
        sa.Column("measurements", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_analysed_nuclei"),
        sa.UniqueConstraint("acquisition_id", "t", "label", name="uq_analysed_nuclei_acquisition_id_t_label"),
        _of("analysed_timepoints", "analysed_nuclei"),
    )


def _staged() -> None:
    op.create_table(
        "staged_track_ids",
        sa.Column("nucleus_id", ID, nullable=False, autoincrement=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("nucleus_id", name="pk_staged_track_ids"),
        _owned("staged_track_ids"),
    )
    op.create_index("ix_staged_track_ids_acquisition_id", "staged_track_ids", ["acquisition_id"])
    op.create_table(
        "staged_tracks",
        sa.Column("id", ID, nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_track_id", sa.BigInteger()),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("first_t", "last_t", "nuclei_count")),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("division_score", sa.Float()),
        *(sa.Column(name, sa.Float()) for name in MEASURES.split()),
        sa.PrimaryKeyConstraint("id", name="pk_staged_tracks"),
        sa.UniqueConstraint("acquisition_id", "track_id", name="uq_staged_tracks_acquisition_id_track_id"),
        _owned("staged_tracks"),
    )


def downgrade() -> None:
    """Remove them; what waited in them is analysed and tracked anew."""
    for table in ("staged_tracks", "staged_track_ids", "analysed_nuclei", "analysed_timepoints"):
        op.drop_table(table)
    op.execute("UPDATE timepoints SET state = 'queued' WHERE state = 'analysed'")


def _columns(names: dict[type, str]) -> Iterator[sa.Column[Any]]:
    for kind, text in names.items():
        yield from (sa.Column(name, kind()) for name in text.split())


def _of(table: str, owner: str) -> sa.ForeignKeyConstraint:
    columns = ["acquisition_id", "t"]
    name = f"fk_{owner}_acquisition_id_t_{table}"
    return sa.ForeignKeyConstraint(columns, [f"{table}.{c}" for c in columns], name=name, ondelete="CASCADE")


def _owned(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_acquisition_id_acquisitions"
    return sa.ForeignKeyConstraint(["acquisition_id"], ["acquisitions.id"], name=name, ondelete="CASCADE")
