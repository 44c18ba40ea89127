"""Look at the results of one acquisition: growth, divisions, speed, and one nucleus cut out of the labels.

Run: ``python tests/examples/explore.py RESULTS [ACQUISITION]`` with a folder that `nusetd process` wrote. Writes
``explore.png`` into the present folder.
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure

import storage


def main(folder: str, name: str | None = None) -> None:
    """Print a summary and draw a figure."""
    results = storage.open(folder)
    acquisition = results[name] if name else next(iter(results))
    about = acquisition.about
    print(f"{acquisition.name}: {about.size_t} time points, voxels {about.voxel_size_um} um (z, y, x)")
    print(f"made by {about.model_name} ({about.model_sha256[:12]}), nusetd {about.nusetd_version}")

    counts, divisions = acquisition.counts(), acquisition.divisions()
    print(f"nuclei: {counts['nuclei_count'].iloc[0]} at first, {counts['nuclei_count'].iloc[-1]} at last")
    print(f"divisions: {len(divisions)}")

    # Filters run in the database, so only what is wanted comes into memory.
    long_tracks = acquisition.tracks(where="nuclei_count >= 4")
    print(f"tracks of at least 4 time points: {len(long_tracks)}")
    speed = results.sql(
        "SELECT track_id, avg(speed_um_per_min) AS speed FROM track_steps WHERE acquisition_id = :id GROUP BY track_id",
        id=about.id,
    )
    print(f"median speed: {speed['speed'].median():.2f} um/min")

    # One nucleus: its row says which value it has in the labels, and where.
    labels, image = acquisition.labels(), acquisition.image()
    nucleus = acquisition.nuclei(columns=["t", "label"]).iloc[-1]
    t = int(nucleus["t"])
    mask = labels[t].compute() == nucleus["label"]
    pixels = image[t, 0].compute()[mask]
    print(f"nucleus {nucleus['label']} at t = {t}: {mask.sum()} voxels, mean intensity {pixels.mean():.1f}")

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.step(counts["time_s"] / 60, counts["nuclei_count"], where="post")
    left.set(xlabel="time (min)", ylabel="nuclei", ylim=(0, None))
    volumes = acquisition.nuclei(where="volume_um3 is not null", columns=["volume_um3"])["volume_um3"]
    right.hist(np.asarray(volumes, dtype=float), bins=20)
    right.set(xlabel="volume (um³)", ylabel="nuclei")
    figure.savefig("explore.png", dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
