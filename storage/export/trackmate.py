"""TrackMate's XML, for Fiji: every nucleus a spot, every family a track in TrackMate's sense.

Format: as TrackMate 7 writes and reads it (https://imagej.net/plugins/trackmate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pandas as pd

from nuset_engine.arrays import PairsN2
from storage.export.lineage import edges_of, roots_of
from storage.query import statements
from storage.query.question import Question
from storage.query.statements import Selection
from storage.schema.rows import AcquisitionRow
from storage.well_formed import well_formed

if TYPE_CHECKING:
    from storage.export.snapshot import Snapshot

FORMAT_VERSION = "7.11.1"

# Feature, name for people, dimension, whether whole numbers: of spots, edges and tracks.
SPOT_FEATURES = (
    ("QUALITY", "Quality", "QUALITY", False),
    ("POSITION_X", "X", "POSITION", False),
    ("POSITION_Y", "Y", "POSITION", False),
    ("POSITION_Z", "Z", "POSITION", False),
    ("POSITION_T", "T", "TIME", False),
    ("FRAME", "Frame", "NONE", True),
    ("RADIUS", "Radius", "LENGTH", False),
    ("VISIBILITY", "Visibility", "NONE", True),
    ("NUSETD_LABEL", "Label in labels/nuclei", "NONE", True),
    ("NUSETD_TRACK_ID", "Track of nusetd", "NONE", True),
    ("NUSETD_VOLUME", "Volume", "NONE", False),
    ("NUSETD_INTENSITY", "Mean intensity", "INTENSITY", False),
)
EDGE_FEATURES = (
    ("SPOT_SOURCE_ID", "Source spot ID", "NONE", True),
    ("SPOT_TARGET_ID", "Target spot ID", "NONE", True),
)
TRACK_FEATURES = (
    ("TRACK_INDEX", "Track index", "NONE", True),
    ("TRACK_ID", "Track ID", "NONE", True),
    ("NUMBER_SPOTS", "Number of spots in track", "NONE", True),
)


def write(snapshot: Snapshot, path: Path) -> None:
    """Write the XML: spots in micrometres and seconds (pixels and frames where those are not known), links, families.

    Spots are numbered by the rows of the table of nuclei. A family of one nucleus has no link, so it is a spot alone.
    """
    row = snapshot.acquisition
    with path.open("w", encoding="utf-8") as file:
        space = "micrometer" if row.unit == "um" else "pixel"
        time = "second" if row.seconds_per_t else "frame"
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        file.write(f'<TrackMate version="{FORMAT_VERSION}">\n')
        file.write(f"  <Log>{escape(well_formed(f'Exported from {row.name} by nusetd {row.nusetd_version}.'))}</Log>\n")
        file.write(f'  <Model spatialunits="{space}" timeunits="{time}">\n')
        _write_features(file)
        _write_spots(file, snapshot)
        _write_tracks(file, snapshot)
        file.write("  </Model>\n")
        _write_settings(file, row)
        file.write('  <GUIState state="ConfigureViews" />\n  <DisplaySettings>{}</DisplaySettings>\n</TrackMate>\n')


def _write_features(file: IO[str]) -> None:
    file.write("    <FeatureDeclarations>\n")
    for group, features in (("Spot", SPOT_FEATURES), ("Edge", EDGE_FEATURES), ("Track", TRACK_FEATURES)):
        file.write(f"      <{group}Features>\n")
        for key, name, dimension, whole in features:
            values = {"feature": key, "name": name, "shortname": name, "dimension": dimension, "isint": whole}
            file.write(f"        <Feature{_attributes(values)} />\n")
        file.write(f"      </{group}Features>\n")
    file.write("    </FeatureDeclarations>\n")


def _write_spots(file: IO[str], snapshot: Snapshot) -> None:
    row = snapshot.acquisition
    places = [f"centroid_{axis}_{row.unit}" for axis in "xyz"]
    size = "equivalent_diameter_um" if row.unit == "um" else "volume_px"
    columns = ("id", "t", "label", "track_id", *places, size, "score", "volume_um3", "intensity_mean")
    counts = snapshot.connection.execute(statements.counts(row.id)).all()
    file.write(f'    <AllSpots nspots="{sum(count for _, count in counts)}">\n')
    frame = None
    with Question.nuclei(snapshot.connection, row.id, Selection(columns=columns)).pages() as pages:
        for nucleus in chain.from_iterable(page.to_pylist() for page in pages):
            if nucleus["t"] != frame:
                file.write("      </SpotsInFrame>\n" if frame is not None else "")
                frame = nucleus["t"]
                file.write(f'      <SpotsInFrame frame="{frame}">\n')
            file.write(f"        <Spot{_attributes(_spot(nucleus, places, size, row))} />\n")
    file.write("      </SpotsInFrame>\n" if frame is not None else "")
    file.write("    </AllSpots>\n")


def _spot(nucleus: Mapping[str, Any], places: list[str], size: str, row: AcquisitionRow) -> dict[str, Any]:
    x, y, z = (nucleus[name] or 0.0 for name in places)
    extent = nucleus[size] or 0.0
    radius = extent / 2 if row.unit == "um" else (3 * extent / (4 * np.pi)) ** (1 / 3)
    values = {
        "ID": nucleus["id"],
        "name": f"{nucleus['t']}/{nucleus['label']}",
        "QUALITY": 1.0 if nucleus["score"] is None else nucleus["score"],
        "POSITION_X": x,
        "POSITION_Y": y,
        "POSITION_Z": z,
        "POSITION_T": nucleus["t"] * (row.seconds_per_t or 1.0),
        "FRAME": nucleus["t"],
        "RADIUS": float(radius) or 1.0,
        "VISIBILITY": 1,
        "NUSETD_LABEL": nucleus["label"],
        "NUSETD_TRACK_ID": nucleus["track_id"],
        "NUSETD_VOLUME": nucleus["volume_um3"],
        "NUSETD_INTENSITY": nucleus["intensity_mean"],
    }
    return {name: value for name, value in values.items() if value is not None}


def _write_tracks(file: IO[str], snapshot: Snapshot) -> None:
    families = list(_families(snapshot))
    file.write("    <AllTracks>\n")
    for number, links in enumerate(families):
        values = {"name": f"Track_{number}", "TRACK_INDEX": number, "TRACK_ID": number}
        values["NUMBER_SPOTS"] = len(np.unique(links))
        file.write(f"      <Track{_attributes(values)}>\n")
        for source, target in links.tolist():
            file.write(f'        <Edge SPOT_SOURCE_ID="{source}" SPOT_TARGET_ID="{target}" />\n')
        file.write("      </Track>\n")
    file.write("    </AllTracks>\n    <FilteredTracks>\n")
    for number in range(len(families)):
        file.write(f'      <TrackID TRACK_ID="{number}" />\n')
    file.write("    </FilteredTracks>\n")


def _families(snapshot: Snapshot) -> Iterator[PairsN2]:
    """Give the links of each family that has any, (N, 2) row ids, earlier and later."""
    connection, number = snapshot.connection, snapshot.acquisition.id
    wanted = Selection(where="track_id is not null", columns=("id", "t", "track_id"))
    nuclei = Question.nuclei(connection, number, wanted).frame()
    tracks = Question.tracks(connection, number).frame()
    edges = edges_of(nuclei, tracks)
    if not len(edges):
        return
    owners = pd.Series(nuclei["track_id"].to_numpy(np.int64), index=nuclei["id"].to_numpy(np.int64))
    sources = owners.loc[pd.Index(edges[:, 0])].map(roots_of(tracks)).to_numpy()
    order = np.argsort(sources, kind="stable")
    cuts = np.flatnonzero(np.diff(sources[order])) + 1
    yield from np.split(edges[order], cuts)


def _write_settings(file: IO[str], row: AcquisitionRow) -> None:
    source = Path(row.source_path)
    z, y, x = row.voxel_size_um or (1.0, 1.0, 1.0)
    image = {
        "filename": source.name,
        "folder": f"{source.parent}/",
        "width": row.size_x,
        "height": row.size_y,
        "nslices": row.size_z,
        "nframes": row.size_t,
        "pixelwidth": x,
        "pixelheight": y,
        "voxeldepth": z,
        "timeinterval": row.seconds_per_t or 1.0,
    }
    ends = {"xend": row.size_x, "yend": row.size_y, "zend": row.size_z, "tend": row.size_t}
    basic = {"xstart": 0, "ystart": 0, "zstart": 0, "tstart": 0, **{k: (n or 1) - 1 for k, n in ends.items()}}
    file.write(f"  <Settings>\n    <ImageData{_attributes(image)} />\n    <BasicSettings{_attributes(basic)} />\n")
    file.write('    <DetectorSettings DETECTOR_NAME="MANUAL_DETECTOR" RADIUS="5.0" />\n')
    file.write('    <InitialSpotFilter feature="QUALITY" value="0.0" isabove="true" />\n    <SpotFilterCollection />\n')
    file.write('    <TrackerSettings TRACKER_NAME="MANUAL_TRACKER" />\n    <TrackFilterCollection />\n')
    file.write("    <AnalyzerCollection>\n      <SpotAnalyzers />\n      <EdgeAnalyzers />\n      <TrackAnalyzers />\n")
    file.write("    </AnalyzerCollection>\n  </Settings>\n")


def _attributes(values: Mapping[str, Any]) -> str:
    words = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
    return "".join(f" {name}={quoteattr(well_formed(value))}" for name, value in words.items())
