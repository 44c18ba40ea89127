"""What people say of nuclei and links, and what it replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUCLEUS = (
    (sa.Float, "score centroid_z_um centroid_y_um centroid_x_um centroid_z_px centroid_y_px centroid_x_px"),
    (sa.Float, "volume_um3 area_um2"),
    (sa.BigInteger, "volume_px"),
    (sa.Float, "equivalent_diameter_um"),
    (sa.Integer, "bbox_z0 bbox_y0 bbox_x0 bbox_z1 bbox_y1 bbox_x1"),
    (sa.Float, "extent axis_major_length_um axis_minor_length_um elongation"),
    (sa.Float, "intensity_mean intensity_std intensity_min intensity_max"),
    (sa.Integer, "slices_seen slices_expected"),
    (sa.Boolean, "gap_bridged split_suspected merge_suspected touches_border"),
    (sa.JSON, "measurements"),
    (sa.Integer, "source_t"),
)
MEASURES = (
    "duration_frames duration_s net_displacement_um total_displacement_um mean_speed_um_per_frame mean_speed_um_per_s "
    "msd_1_um2 diffusion_exponent diffusion_coefficient_um2_per_frame volume_growth_per_frame cycle_frames cycle_s "
    "division_t net_displacement_px total_displacement_px mean_speed_px_per_frame"
)


def upgrade() -> None:
    """Add the tables; nothing is corrected yet."""
    for table in ("nuclei", "tracks"):
        op.add_column(table, sa.Column("corrected", sa.Boolean(), nullable=False, server_default=sa.false()))
    _corrections()
    _plain_nuclei()
    _plain_tracks()
    _plain_labels()


def _corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("source_t", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        *(sa.Column(f"{axis}_{unit}", sa.Float()) for unit in ("um", "px") for axis in "zyx"),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("labels", "tracks", "parameters")),
        sa.Column("regions", sa.LargeBinary()),
        sa.Column("author", sa.String(255), nullable=False),
        sa.Column("ordered_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("counted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("undone_by", sa.Integer()),
        sa.Column("applied_at", sa.String(32)),
        sa.Column("changed", sa.JSON()),
        sa.Column("carried_from", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        _owned("corrections"),
    )
    op.create_index("ix_corrections_acquisition_id", "corrections", ["acquisition_id"])


def _plain_nuclei() -> None:
    op.create_table(
        "plain_nuclei",
        sa.Column("id", ID, nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger()),
        *_columns(NUCLEUS),
        sa.PrimaryKeyConstraint("id", name="pk_plain_nuclei"),
        sa.UniqueConstraint("acquisition_id", "t", "label", name="uq_plain_nuclei_acquisition_id_t_label"),
        _of_timepoint("plain_nuclei"),
    )
    op.create_index("ix_plain_nuclei_acquisition_id_track_id", "plain_nuclei", ["acquisition_id", "track_id"])


def _plain_tracks() -> None:
    op.create_table(
        "plain_track_ids",
        sa.Column("acquisition_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("t", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("label", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("track_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("acquisition_id", "t", "label", name="pk_plain_track_ids"),
        _of_timepoint("plain_track_ids"),
    )
    op.create_table(
        "plain_tracks",
        sa.Column("id", ID, nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_track_id", sa.BigInteger()),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("first_t", "last_t", "nuclei_count")),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("division_score", sa.Float()),
        *(sa.Column(name, sa.Float()) for name in MEASURES.split()),
        sa.PrimaryKeyConstraint("id", name="pk_plain_tracks"),
        sa.UniqueConstraint("acquisition_id", "track_id", name="uq_plain_tracks_acquisition_id_track_id"),
        _owned("plain_tracks"),
    )


def _plain_labels() -> None:
    op.create_table(
        "plain_labels",
        sa.Column("id", ID, nullable=False),
        sa.Column("acquisition_id", sa.Integer(), nullable=False),
        sa.Column("t", sa.Integer(), nullable=False),
        *(sa.Column(f"{axis}0", sa.Integer(), nullable=False) for axis in "zyx"),
        *(sa.Column(f"size_{axis}", sa.Integer(), nullable=False) for axis in "zyx"),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plain_labels"),
        _of_timepoint("plain_labels"),
    )
    op.create_index("ix_plain_labels_acquisition_id_t", "plain_labels", ["acquisition_id", "t"])


def downgrade() -> None:
    """Forget what people said; rows that were made by it stay as they are."""
    for table in ("plain_labels", "plain_tracks", "plain_track_ids", "plain_nuclei", "corrections"):
        op.drop_table(table)
    for table in ("tracks", "nuclei"):
        op.drop_column(table, "corrected")


def _columns(kinds: tuple[tuple[type, str], ...]) -> Iterator[sa.Column[Any]]:
    for kind, text in kinds:
        yield from (sa.Column(name, kind()) for name in text.split())


def _of_timepoint(table: str) -> sa.ForeignKeyConstraint:
    columns = ["acquisition_id", "t"]
    name = f"fk_{table}_acquisition_id_t_timepoints"
    return sa.ForeignKeyConstraint(columns, [f"timepoints.{c}" for c in columns], name=name, ondelete="CASCADE")


def _owned(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_acquisition_id_acquisitions"
    return sa.ForeignKeyConstraint(["acquisition_id"], ["acquisitions.id"], name=name, ondelete="CASCADE")
