"""The first tables: acquisitions, time points, nuclei, tracks, states of trackers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_acquisitions()
    _make_timepoints()
    _make_nuclei()
    _make_tracks()
    _make_tracker_states()


def downgrade() -> None:
    """Remove the tables and all that is in them."""
    for table in ("tracker_states", "tracks", "nuclei", "timepoints", "acquisitions"):
        op.drop_table(table)


def _columns(kind: sa.types.TypeEngine[Any], *names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _owner() -> sa.Column[int]:
    return sa.Column("acquisition_id", sa.Integer(), nullable=False)


def _owned(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_acquisition_id_acquisitions"
    return sa.ForeignKeyConstraint(["acquisition_id"], ["acquisitions.id"], name=name, ondelete="CASCADE")


def _make_acquisitions() -> None:
    op.create_table(
        "acquisitions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        *_columns(sa.Text(), "source_path", "source_key", nullable=False),
        sa.Column("result_key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reader", sa.String(32)),
        *_columns(sa.Integer(), "size_t", "size_c", "size_z", "size_y", "size_x"),
        sa.Column("dtype", sa.String(16)),
        *_columns(sa.Float(), "voxel_z_um", "voxel_y_um", "voxel_x_um"),
        sa.Column("voxel_source", sa.String(16), nullable=False),
        sa.Column("frame_interval_s", sa.Float()),
        sa.Column("channel_names", sa.JSON(), nullable=False),
        sa.Column("first_number", sa.Integer()),
        sa.Column("zarr_path", sa.Text()),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("completed_at", sa.String(32)),
        sa.Column("error", sa.Text()),
        sa.Column("model_name", sa.String(255), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("nusetd_version", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_acquisitions"),
        sa.UniqueConstraint("name", name="uq_acquisitions_name"),
        sa.UniqueConstraint("zarr_path", name="uq_acquisitions_zarr_path"),
        sa.UniqueConstraint("source_key", "result_key", name="uq_acquisitions_source_key_result_key"),
    )
    op.create_index("ix_acquisitions_state", "acquisitions", ["state"])


def _make_timepoints() -> None:
    op.create_table(
        "timepoints",
        sa.Column("id", ROW_ID, nullable=False),
        _owner(),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("nuclei_count", sa.Integer()),
        sa.Column("timings", sa.JSON()),
        sa.Column("fingerprint", sa.Text()),
        sa.Column("not_before", sa.String(32)),
        sa.Column("queued_at", sa.String(32), nullable=False),
        *_columns(sa.String(32), "started_at", "completed_at"),
        sa.Column("tracks_final", sa.Boolean(), nullable=False),
        *_columns(sa.String(32), "published_at", "painted_at"),
        sa.PrimaryKeyConstraint("id", name="pk_timepoints"),
        sa.UniqueConstraint("acquisition_id", "t", name="uq_timepoints_acquisition_id_t"),
        _owned("timepoints"),
    )
    op.create_index("ix_timepoints_state_acquisition_id_t", "timepoints", ["state", "acquisition_id", "t"])


def _make_nuclei() -> None:
    lengths = [f"centroid_{axis}_{unit}" for unit in ("um", "px") for axis in "zyx"]
    boxes = [f"bbox_{axis}{end}" for end in "01" for axis in "zyx"]
    op.create_table(
        "nuclei",
        sa.Column("id", ROW_ID, nullable=False),
        _owner(),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger()),
        *_columns(sa.Float(), "score", *lengths, "volume_um3", "area_um2"),
        sa.Column("volume_px", sa.BigInteger()),
        sa.Column("equivalent_diameter_um", sa.Float()),
        *_columns(sa.Integer(), *boxes),
        *_columns(sa.Float(), "extent", "axis_major_length_um", "axis_minor_length_um", "elongation"),
        *_columns(sa.Float(), "intensity_mean", "intensity_std", "intensity_min", "intensity_max"),
        *_columns(sa.Integer(), "slices_seen", "slices_expected"),
        *_columns(sa.Boolean(), "gap_bridged", "split_suspected", "merge_suspected", "touches_border"),
        sa.Column("measurements", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_nuclei"),
        sa.UniqueConstraint("acquisition_id", "t", "label", name="uq_nuclei_acquisition_id_t_label"),
        sa.ForeignKeyConstraint(
            ["acquisition_id", "t"],
            ["timepoints.acquisition_id", "timepoints.t"],
            name="fk_nuclei_acquisition_id_t_timepoints",
            ondelete="CASCADE",
        ),
    )
    columns = ["acquisition_id", "track_id", "t", "label"]
    op.create_index("ix_nuclei_acquisition_id_track_id_t_label", "nuclei", columns)


def _make_tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("id", ROW_ID, nullable=False),
        _owner(),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_track_id", sa.BigInteger()),
        *_columns(sa.Integer(), "first_t", "last_t", "nuclei_count", nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("division_score", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_tracks"),
        sa.UniqueConstraint("acquisition_id", "track_id", name="uq_tracks_acquisition_id_track_id"),
        _owned("tracks"),
    )
    op.create_index("ix_tracks_acquisition_id_parent_track_id", "tracks", ["acquisition_id", "parent_track_id"])


def _make_tracker_states() -> None:
    op.create_table(
        "tracker_states",
        _owner(),
        sa.Column("t", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("acquisition_id", name="pk_tracker_states"),
        _owned("tracker_states"),
    )
