"""The tables. The names in DESIGN's contract stay for ever: people write SQL against them.

Every change here needs a migration in `storage.schema.migrations`; a test holds the two equal.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from storage.schema.columns import (
    ROW_ID,
    doubt_columns,
    metadata,
    nucleus_columns,
    track_columns,
    track_doubt_columns,
)
from storage.schema.ledger_tables import events as events
from storage.schema.ledger_tables import rule_sendings as rule_sendings
from storage.schema.ledger_tables import rule_states as rule_states

acquisitions = Table(
    "acquisitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("source_path", Text, nullable=False),
    Column("source_key", Text, nullable=False),  # the source path made absolute: what "the same source" means
    Column("result_key", String(64), nullable=False),  # hash of model, parameters and voxel size
    Column("state", String(16), nullable=False, index=True),
    Column("reader", String(32)),
    Column("size_t", Integer),
    Column("size_c", Integer),
    Column("size_z", Integer),
    Column("size_y", Integer),
    Column("size_x", Integer),
    Column("dtype", String(16)),
    Column("voxel_z_um", Float),
    Column("voxel_y_um", Float),
    Column("voxel_x_um", Float),
    Column("voxel_source", String(16), nullable=False),
    Column("frame_interval_s", Float),
    Column("channel_names", JSON, nullable=False),
    Column("first_number", Integer),
    Column("zarr_path", Text, unique=True),
    Column("created_at", String(32), nullable=False),
    Column("completed_at", String(32)),
    Column("error", Text),
    Column("model_name", String(255), nullable=False),
    Column("model_sha256", String(64), nullable=False),
    Column("params", JSON, nullable=False),
    Column("nusetd_version", String(64), nullable=False),
    Column("store_id", String(32)),  # the OME-Zarr at `zarr_path` carries it, with the database's identity
    Column("step", Integer, nullable=False, server_default="1"),  # from one time point to the next
    Column("axes_source", String(16)),
    Column("frame_interval_source", String(16)),
    Column("doubts", JSON(none_as_null=True)),  # sentences: what was guessed, what the file says against itself
    Column("given", JSON(none_as_null=True)),  # what a person said of this source alone; it counts whenever it is read
    Column("overruled", JSON(none_as_null=True)),  # what the file says instead of what a person gave
    Column("started_at", String(64)),  # when its taking began, as the file says it
    Column("reading", Integer, nullable=False, server_default="0"),  # how often it was read anew, with other facts
    Column("nuclear_channel", Integer),  # NULL: no time point has shown yet which
    Column("channel_source", String(16)),
    Column("channel_trial", JSON(none_as_null=True)),  # figures of each channel, where it was found by looking
    Column("dismissed_at", String(32)),  # its problems up to then are not told any more
    Column("time_source", String(16)),  # where it is known from which time point is which
    UniqueConstraint("source_key", "result_key"),
    Index(None, "nuclear_channel", "state"),  # whether it is open which channel shows nuclei, of any in work
)

timepoints = Table(
    "timepoints",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False),
    Column("t", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("nuclei_count", Integer),
    Column("timings", JSON),
    Column("fingerprint", Text),  # of the source as last seen; a finished job with another one is done again
    Column("not_before", String(32)),  # pause before a retry
    Column("queued_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("completed_at", String(32)),
    Column("tracks_final", Boolean, nullable=False, default=False),
    Column("published_at", String(32)),  # visible in labels/nuclei
    Column("painted_at", String(32)),  # visible in labels/tracks
    Column("quality", JSON),  # of the stack itself: blank slices, background, signal of the nuclei above it
    Column("source_file", Text),  # the file that holds it; for one file per time point that one
    Column("result_fingerprint", Text),  # of the source as it was when the rows that are there were made
    Column("result_version", String(64)),  # of the nusetd that made them
    Column("measured", JSON(none_as_null=True)),  # `measurements` of its first nucleus: what there is besides columns
    Column("source_t", Integer),  # t as people write it: the number in the file's name, else t
    Column("stage_y_um", Float),  # where the stage stood, as the file says it
    Column("stage_x_um", Float),
    Column("lease", String(16)),  # of the claim whose result is taken; another one with every claim
    Column("archive", Boolean, nullable=False, server_default=false()),  # it waits while others have one to do
    UniqueConstraint("acquisition_id", "t"),
    Index(None, "state", "acquisition_id", "t"),
    Index(None, "state", "archive", "acquisition_id", "t"),  # what is next, however many wait
    Index(None, "completed_at"),
    Index(None, "fingerprint"),  # whether the same content is known, however much is
)


nuclei = Table(
    "nuclei",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    *nucleus_columns(),
    Column("corrected", Boolean, nullable=False, server_default=false()),  # a person said what it is
    *doubt_columns(),
    UniqueConstraint("acquisition_id", "t", "label"),
    ForeignKeyConstraint(["acquisition_id", "t"], ["timepoints.acquisition_id", "timepoints.t"], ondelete="CASCADE"),
    # With the label, SQLite can answer in order from it, and does not walk all time points instead.
    Index(None, "acquisition_id", "track_id", "t", "label"),
)


tracks = Table(
    "tracks",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False),
    *track_columns(),
    Column("corrected", Boolean, nullable=False, server_default=false()),  # it follows from what a person said
    *track_doubt_columns(),
    UniqueConstraint("acquisition_id", "track_id"),
    Index(None, "acquisition_id", "parent_track_id"),
)

tracker_states = Table(
    "tracker_states",
    metadata,
    Column(
        "acquisition_id",
        Integer,
        ForeignKey("acquisitions.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("t", Integer, nullable=False),  # the last time point that the tracker has seen
    Column("state", LargeBinary, nullable=False),
)

# Which database this is: stores carry it, so that a shared output tells whose is what. One row, made with the tables.
identity = Table(
    "identity",
    metadata,
    Column("database_id", String(32), primary_key=True),
    Column("last_forgotten_id", Integer, nullable=False, server_default="0"),  # no acquisition gets the number again
)

# On which mount each watched and output folder lay when it was last seen: absent is told from empty by it.
folders = Table(
    "folders",
    metadata,
    Column("path", Text, primary_key=True),
    Column("mount", JSON, nullable=False),
    Column("seen_at", String(32), nullable=False),
)

# What a running service says of itself, so that another process can ask; one row per service.
service_reports = Table(
    "service_reports",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("reported_at", String(32), nullable=False),
    Column("report", JSON, nullable=False),
)

# What was taken from the watched folders; one that looks different is another file and is taken again.
sources = Table(
    "sources",
    metadata,
    Column("path", Text, primary_key=True),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("files", Integer, nullable=False),
    Column("readable", Boolean, nullable=False),
)

# What people ask of the running service, and its answer.
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path", Text, nullable=False),
    Column("asked_at", String(32), nullable=False),
    Column("answered_at", String(32)),
    Column("answer", Text),
    Column("accepted", Boolean),
    Column("given", JSON(none_as_null=True)),  # facts that the person gives with it
    Column("kind", String(16), nullable=False, server_default="submit"),  # see `storage.database.requests`
)

# Who changed what: a row for each order of a person, on the page or by a command. Rows are never removed.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", String(32), nullable=False),
    Column("who", String(255), nullable=False),
    Column("via", String(16), nullable=False),  # page or command
    Column("what", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("facts", JSON(none_as_null=True)),  # what the person gave with it
    Column("requests", JSON(none_as_null=True)),  # numbers of the requests whose answers tell how it ended
    Column("ended_at", String(32)),
    Column("accepted", Boolean),
    Column("outcome", Text),
)

# Files whose results were forgotten: one that looks as it did then is not taken again by itself.
forgotten_sources = Table(
    "forgotten_sources",
    metadata,
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("files", Integer, nullable=False),
    Column("readable", Boolean, nullable=False),
    Column("forgotten_at", String(32), nullable=False),
)

# Results that cannot become rows yet: one before them is not done, or tracks have to be made anew with them.
analysed_timepoints = Table(
    "analysed_timepoints",
    metadata,
    Column("acquisition_id", Integer, primary_key=True, autoincrement=False),
    Column("t", Integer, primary_key=True, autoincrement=False),
    Column("attempts", Integer, nullable=False),
    Column("fingerprint", Text),  # of the source that was analysed
    Column("nuclei_count", Integer, nullable=False),
    Column("timings", JSON, nullable=False),
    Column("quality", JSON, nullable=False),
    Column("measured", JSON(none_as_null=True)),
    ForeignKeyConstraint(["acquisition_id", "t"], ["timepoints.acquisition_id", "timepoints.t"], ondelete="CASCADE"),
)

analysed_nuclei = Table(
    "analysed_nuclei",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    *nucleus_columns(),
    *doubt_columns(),
    UniqueConstraint("acquisition_id", "t", "label"),
    ForeignKeyConstraint(
        ["acquisition_id", "t"],
        ["analysed_timepoints.acquisition_id", "analysed_timepoints.t"],
        ondelete="CASCADE",
    ),
)

# Tracks that were made anew and are not current yet: what changes, and every track.
staged_track_ids = Table(
    "staged_track_ids",
    metadata,
    Column("nucleus_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("track_id", BigInteger),
    *doubt_columns(),
)

staged_tracks = Table(
    "staged_tracks",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False),
    *track_columns(),
    *track_doubt_columns(),
    UniqueConstraint("acquisition_id", "track_id"),
)

# What people said of nuclei and links: events on top of results, see `storage.database.corrections`.
corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("t", Integer, nullable=False),
    Column("source_t", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("z_um", Float),
    Column("y_um", Float),
    Column("x_um", Float),
    Column("z_px", Float),
    Column("y_px", Float),
    Column("x_px", Float),
    Column("labels", JSON, nullable=False),  # of nuclei and tracks, at the time
    Column("tracks", JSON, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("regions", LargeBinary),  # the voxels of those nuclei, by which they are found again
    Column("author", String(255), nullable=False),
    Column("ordered_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),  # why it does not fit
    Column("counted", Boolean, nullable=False, server_default=false()),  # the rows are as they are with it
    Column("undone_by", Integer),
    Column("applied_at", String(32)),
    Column("changed", JSON(none_as_null=True)),  # which nuclei and tracks
    Column("carried_from", Integer),  # said of another result of the same source
    Column("said_with", Integer),  # the first of those that were said together, as by one import
)

# What corrections replaced, so that it can be put back: rows of nuclei and tracks, ids of tracks, labels.
plain_nuclei = Table(
    "plain_nuclei",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    *nucleus_columns(),
    *doubt_columns(),
    UniqueConstraint("acquisition_id", "t", "label"),
    ForeignKeyConstraint(["acquisition_id", "t"], ["timepoints.acquisition_id", "timepoints.t"], ondelete="CASCADE"),
    Index(None, "acquisition_id", "track_id"),
)

plain_track_ids = Table(
    "plain_track_ids",
    metadata,
    Column("acquisition_id", Integer, primary_key=True, autoincrement=False),
    Column("t", Integer, primary_key=True, autoincrement=False),
    Column("label", BigInteger, primary_key=True, autoincrement=False),
    Column("track_id", BigInteger),
    ForeignKeyConstraint(["acquisition_id", "t"], ["timepoints.acquisition_id", "timepoints.t"], ondelete="CASCADE"),
)

plain_tracks = Table(
    "plain_tracks",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("acquisition_id", Integer, ForeignKey("acquisitions.id", ondelete="CASCADE"), nullable=False),
    *track_columns(),
    *track_doubt_columns(),
    UniqueConstraint("acquisition_id", "track_id"),
)

plain_labels = Table(
    "plain_labels",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("acquisition_id", Integer, nullable=False),
    Column("t", Integer, nullable=False),
    Column("z0", Integer, nullable=False),  # where the box begins, and how large it is
    Column("y0", Integer, nullable=False),
    Column("x0", Integer, nullable=False),
    Column("size_z", Integer, nullable=False),
    Column("size_y", Integer, nullable=False),
    Column("size_x", Integer, nullable=False),
    Column("labels", LargeBinary, nullable=False),
    ForeignKeyConstraint(["acquisition_id", "t"], ["timepoints.acquisition_id", "timepoints.t"], ondelete="CASCADE"),
    Index(None, "acquisition_id", "t"),
)
