"""Columns that several tables share, and what the names of keys and indexes are made of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TRACK_MEASURES = (
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

# SQLite gives row ids only to INTEGER keys; other servers want 64 bits for millions of nuclei.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")


def nucleus_columns() -> tuple[Column[Any], ...]:
    """What is known of one nucleus at one time point, but for the row's own number."""
    return (
        Column("acquisition_id", Integer, nullable=False),
        Column("t", Integer, nullable=False),
        Column("label", BigInteger, nullable=False),
        Column("track_id", BigInteger),
        Column("score", Float),
        Column("centroid_z_um", Float),
        Column("centroid_y_um", Float),
        Column("centroid_x_um", Float),
        Column("centroid_z_px", Float),
        Column("centroid_y_px", Float),
        Column("centroid_x_px", Float),
        Column("volume_um3", Float),
        Column("area_um2", Float),
        Column("volume_px", BigInteger),
        Column("equivalent_diameter_um", Float),
        Column("bbox_z0", Integer),
        Column("bbox_y0", Integer),
        Column("bbox_x0", Integer),
        Column("bbox_z1", Integer),
        Column("bbox_y1", Integer),
        Column("bbox_x1", Integer),
        Column("extent", Float),
        Column("axis_major_length_um", Float),
        Column("axis_minor_length_um", Float),
        Column("elongation", Float),
        Column("intensity_mean", Float),
        Column("intensity_std", Float),
        Column("intensity_min", Float),
        Column("intensity_max", Float),
        Column("slices_seen", Integer),
        Column("slices_expected", Integer),
        Column("gap_bridged", Boolean),
        Column("split_suspected", Boolean),
        Column("merge_suspected", Boolean),
        Column("touches_border", Boolean),
        Column("measurements", JSON),  # what has no column of its own, such as channel_1_mean
        Column("source_t", Integer),  # t as people write it: the number in the file's name, else t
    )


def doubt_columns() -> tuple[Column[Any], ...]:
    """How likely what is decided of a nucleus is wrong, see `tracking.doubts`."""
    return (
        Column("doubt", Float),  # that it is exactly one nucleus
        Column("doubt_kind", String(16)),  # what it would be instead: false, part, several, outline
        Column("link_doubt", Float),  # that it goes on from the nucleus before it, or begins as it does
        Column("end_doubt", Float),  # that its track ends with it; NULL where it goes on
    )


def track_columns() -> tuple[Column[Any], ...]:
    """What is known of one track, but for the row's own number and its acquisition."""
    return (
        Column("track_id", BigInteger, nullable=False),
        Column("parent_track_id", BigInteger),
        Column("first_t", Integer, nullable=False),
        Column("last_t", Integer, nullable=False),
        Column("nuclei_count", Integer, nullable=False),
        Column("is_final", Boolean, nullable=False),
        Column("division_score", Float),
        # Measures of the whole track, once it is final (tracking.measures); in pixels where no voxel size is known.
        *(Column(name, Float) for name in TRACK_MEASURES),
    )


def track_doubt_columns() -> tuple[Column[Any], ...]:
    """How likely what is decided of a track is wrong."""
    return (
        Column("doubt", Float),  # how it begins
        Column("end_doubt", Float),  # how it ends, where not by a division
    )
