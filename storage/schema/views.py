"""Views: the questions that people ask most, each answered by one SELECT, on SQLite and PostgreSQL alike.

They hold nothing, so they are dropped before every migration and made anew after it; no migration needs to think of
them. A change here needs a migration of its own number, though, or databases of this version keep the old ones; that
migration says so in ``VIEWS_SHA256``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sqlalchemy import Connection, inspect, text

COUNTS_OVER_TIME = """
SELECT a.id AS acquisition_id, a.name AS acquisition, p.t AS t, p.t * a.frame_interval_s / a.step AS time_s,
    p.nuclei_count AS nuclei_count, coalesce(d.divisions_count, 0) AS divisions_count, p.source_t AS source_t
FROM timepoints AS p
JOIN acquisitions AS a ON a.id = p.acquisition_id
LEFT JOIN (
    SELECT k.acquisition_id AS acquisition_id, k.first_t AS t, count(DISTINCT k.parent_track_id) AS divisions_count
    FROM tracks AS k
    WHERE k.parent_track_id IS NOT NULL
    GROUP BY k.acquisition_id, k.first_t
) AS d ON d.acquisition_id = p.acquisition_id AND d.t = p.t
WHERE p.nuclei_count IS NOT NULL
"""

LINEAGES = """
WITH RECURSIVE tree (acquisition_id, track_id, root_track_id, generation) AS (
    SELECT k.acquisition_id, k.track_id, k.track_id, 0
    FROM tracks AS k
    LEFT JOIN tracks AS m ON m.acquisition_id = k.acquisition_id AND m.track_id = k.parent_track_id
    WHERE m.id IS NULL
    UNION ALL
    SELECT d.acquisition_id, d.track_id, tree.root_track_id, tree.generation + 1
    FROM tree
    JOIN tracks AS d ON d.acquisition_id = tree.acquisition_id AND d.parent_track_id = tree.track_id
)
SELECT k.acquisition_id AS acquisition_id, a.name AS acquisition, k.track_id AS track_id,
    k.parent_track_id AS parent_track_id, tree.root_track_id AS root_track_id, tree.generation AS generation,
    k.first_t AS first_t, k.last_t AS last_t, k.nuclei_count AS nuclei_count, k.is_final AS is_final,
    (SELECT count(*) FROM tracks AS d
        WHERE d.acquisition_id = k.acquisition_id AND d.parent_track_id = k.track_id) AS daughters_count,
    k.first_t + coalesce(a.first_number, 0) AS first_source_t, k.last_t + coalesce(a.first_number, 0) AS last_source_t
FROM tree
JOIN tracks AS k ON k.acquisition_id = tree.acquisition_id AND k.track_id = tree.track_id
JOIN acquisitions AS a ON a.id = k.acquisition_id
"""

DIVISIONS = """
SELECT m.acquisition_id AS acquisition_id, a.name AS acquisition, m.track_id AS parent_track_id,
    d1.track_id AS daughter_1, d2.track_id AS daughter_2, m.last_t AS t, d1.first_t AS daughters_t,
    m.last_t * a.frame_interval_s / a.step AS time_s, d1.division_score AS score,
    n.centroid_z_um AS z_um, n.centroid_y_um AS y_um, n.centroid_x_um AS x_um,
    n.volume_um3 AS parent_volume_um3, n1.volume_um3 AS daughter_1_volume_um3, n2.volume_um3 AS daughter_2_volume_um3,
    n.area_um2 AS parent_area_um2, n1.area_um2 AS daughter_1_area_um2, n2.area_um2 AS daughter_2_area_um2,
    ((m.last_t - m.first_t) / a.step + 1) * a.frame_interval_s AS parent_seen_s,
    m.last_t + coalesce(a.first_number, 0) AS source_t, d1.first_t + coalesce(a.first_number, 0) AS daughters_source_t
FROM tracks AS d1
JOIN tracks AS d2 ON d2.acquisition_id = d1.acquisition_id AND d2.parent_track_id = d1.parent_track_id
    AND d2.track_id + 0 > d1.track_id + 0  -- the sums keep SQLite from looking at all earlier or later tracks
JOIN tracks AS m ON m.acquisition_id = d1.acquisition_id AND m.track_id = d1.parent_track_id
JOIN acquisitions AS a ON a.id = m.acquisition_id
LEFT JOIN nuclei AS n ON n.acquisition_id = m.acquisition_id AND n.track_id = m.track_id AND n.t = m.last_t
LEFT JOIN nuclei AS n1 ON n1.acquisition_id = d1.acquisition_id AND n1.track_id = d1.track_id AND n1.t = d1.first_t
LEFT JOIN nuclei AS n2 ON n2.acquisition_id = d2.acquisition_id AND n2.track_id = d2.track_id AND n2.t = d2.first_t
"""

# The earlier nucleus is looked up by index, not by a window function, so that conditions on the view reach the tables.
TRACK_STEPS = """
SELECT s.acquisition_id AS acquisition_id, s.acquisition AS acquisition, s.track_id AS track_id,
    s.previous_t AS previous_t, s.t AS t, s.step_um AS step_um,
    60.0 * s.step_um / ((s.t - s.previous_t) * s.seconds_per_t) AS speed_um_per_min, s.source_t AS source_t
FROM (
    SELECT n.acquisition_id AS acquisition_id, a.name AS acquisition, n.track_id AS track_id, n.t AS t,
        b.t AS previous_t, a.frame_interval_s / a.step AS seconds_per_t, n.source_t AS source_t,
        sqrt((n.centroid_z_um - b.centroid_z_um) * (n.centroid_z_um - b.centroid_z_um)
            + (n.centroid_y_um - b.centroid_y_um) * (n.centroid_y_um - b.centroid_y_um)
            + (n.centroid_x_um - b.centroid_x_um) * (n.centroid_x_um - b.centroid_x_um)) AS step_um
    FROM nuclei AS n
    JOIN acquisitions AS a ON a.id = n.acquisition_id
    JOIN nuclei AS b ON b.acquisition_id = n.acquisition_id AND b.track_id = n.track_id
        AND b.t = (SELECT max(e.t) FROM nuclei AS e
            WHERE e.acquisition_id = n.acquisition_id AND e.track_id = n.track_id AND e.t < n.t)
) AS s
"""

NUCLEI_ORIGINS = """
SELECT n.id AS nucleus_id, n.acquisition_id AS acquisition_id, a.name AS acquisition, n.t AS t, n.label AS label,
    n.track_id AS track_id, a.model_name AS model_name, a.model_sha256 AS model_sha256, a.params AS params,
    p.result_version AS nusetd_version, p.source_file AS source_file, p.result_fingerprint AS source_fingerprint,
    p.completed_at AS committed_at, a.zarr_path AS zarr_path, p.source_t AS source_t
FROM nuclei AS n
JOIN timepoints AS p ON p.acquisition_id = n.acquisition_id AND p.t = n.t
JOIN acquisitions AS a ON a.id = n.acquisition_id
"""

VIEWS: Mapping[str, str] = {
    "counts_over_time": COUNTS_OVER_TIME,
    "divisions": DIVISIONS,
    "lineages": LINEAGES,
    "nuclei_origins": NUCLEI_ORIGINS,
    "track_steps": TRACK_STEPS,
}


def drop(connection: Connection) -> None:
    """Remove our views; those that a user has made stay."""
    present = set(inspect(connection).get_view_names())
    for name in sorted(present & set(VIEWS)):
        connection.execute(text(f"DROP VIEW {name}"))


def create(connection: Connection) -> None:
    """Make our views, which must not be there."""
    for name, query in VIEWS.items():
        connection.execute(text(f"CREATE VIEW {name} AS {query.strip()}"))


def digest() -> str:
    """Return a hash of all views, by which a test sees that they changed."""
    return hashlib.sha256("\n".join(f"{name}:{query}" for name, query in VIEWS.items()).encode()).hexdigest()
