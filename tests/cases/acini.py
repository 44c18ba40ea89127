"""Rendered stacks of acini: nuclei that touch, in clusters, of which nothing is missing."""

from __future__ import annotations

from nuset_engine.arrays import LabelsZYX, StackZYX
from tracking.synthetic.movie import MovieParams, simulate


def acini(shape: tuple[int, int, int], nuclei: int, clusters: int, seed: int) -> tuple[StackZYX, LabelsZYX]:
    """Image and labels (Z, Y, X) of so many nuclei of about 26 px across, in so many clusters."""
    params = MovieParams(
        shape=shape,
        voxel_size_um=(1.0, 0.3, 0.3),
        nuclei=nuclei,
        clusters=clusters,
        frames=1,
        divisions=0,
        deaths=0,
        stage_jumps=0,
        missed_slices=0,
    )
    movie = simulate(params, seed)
    return movie.render(movie.frames[0])
