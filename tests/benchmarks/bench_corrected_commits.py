"""What corrections of a movie that still runs cost the transaction of each later time point.

    python tests/benchmarks/bench_corrected_commits.py [--nuclei 1000]

Time points of that many nuclei are committed: first without corrections, then with the 8 of `bench_corrections.py` just
before, then with 32 cut links more at four other time points. The transaction runs beside the main loop where something
is corrected. Stated are medians. Exit code 1 when it takes more than 3 s with all of them, or when later time points
are not joined to what was said. About a minute of processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_corrections import SHAPE, SPACING, Blank, drawn, table, words
from cases.stored import acquisition, one_to_one

from daemon.configuration import config as configuration
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from nuset_engine.nuclei import Nuclei
from storage.corrections.here import carry_out
from storage.corrections.ordering import ordered
from storage.corrections.persons_word import PersonsWord
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import snapshot
from storage.results import Results
from storage.schema.rows import AcquisitionRow
from tracking.tracker import Tracker

PLAIN, MORE = 24, 4
LONGEST_S = 3.0


class Movie:
    """A movie of boxes that stay where they are."""

    def __init__(self, catalog: Catalog, root: Path, nuclei: int) -> None:
        self.catalog, self.nuclei = catalog, nuclei
        image = replace(acquisition(np.zeros((1, 1, 1, 1, 1), np.uint16), name="movie"), source=Blank())
        image = replace(image, size_z=SHAPE[0], size_y=SHAPE[1], size_x=SHAPE[2], voxel_size_um=SPACING)
        params = Recipe(Ready("m", "0" * 64), configuration.Processing()).params(0)
        place = root / "movie.ome.zarr"
        self.row: AcquisitionRow = catalog.register(
            image, zarr_path=place, model_name="m", model_sha256="0" * 64, params=params
        )
        self.store = ImageStore.create(str(place), image, owner=catalog.stores.owner(self.row))
        catalog.add_timepoints(self.row.id, {t: str(t) for t in range(PLAIN + 2 * MORE)})
        self.labels = drawn(nuclei)
        self.rows = table(0, self.labels, nuclei)

    def advance(self, count: int) -> float:
        """Commit some time points; the median of the seconds that each took."""
        took = []
        for _ in range(count):
            job = self.catalog.claim_next()
            assert job is not None
            update, nuclei = one_to_one(job.t, self.nuclei, offset=0), Nuclei(job.t, self.rows.table, "um")
            began = time.perf_counter()
            self.catalog.commit_timepoint(job, nuclei, update, Tracker().state(), {}, {}, {})
            took.append(time.perf_counter() - began)
            self.store.write_timepoint(job.t, [[Blank().plane(job.t, 0, 0)] * SHAPE[0]], self.labels)
            self.store.publish(job.t)
            self.catalog.mark_published(self.row.id, job.t)
            self.catalog.mark_painted(self.row.id, job.t)
        return float(np.median(took))

    def say(self, said: list[PersonsWord]) -> None:
        """Have corrections carried out."""
        for word in said:
            with snapshot(self.catalog.address) as connection:
                order = ordered(connection, self.row, word, "bench")
            self.catalog.corrections.order(self.row.id, order)
        carry_out(self.catalog, self.row.id)


def main() -> int:
    """Measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nuclei", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Catalog.open(root / "nusetd.sqlite") as catalog:
            movie = Movie(catalog, root, options.nuclei)
            plain = movie.advance(PLAIN)
            movie.say(words([PLAIN - 3, PLAIN - 2, PLAIN - 1], options.nuclei, 8))
            some = movie.advance(MORE)
            cut = [(t, label) for t in (4, 8, 12, 16) for label in range(100, 900, 100)]
            movie.say([PersonsWord("unlink", t, (label,), (label,)) for t, label in cut if label <= options.nuclei])
            many = movie.advance(MORE)
        query = "SELECT count(*) AS n FROM tracks WHERE corrected AND last_t = :t"
        joined = int(Results(root).sql(query, t=PLAIN + 2 * MORE - 1)["n"].iloc[0])
    print(f"time points of {options.nuclei} nuclei: {plain:.2f} s each; {some:.2f} s with 8 corrections just before, "
          f"{many:.2f} s with 40; {joined} corrected tracks go on to the last one")  # fmt: skip
    return 0 if many <= LONGEST_S and joined >= 8 else 1


if __name__ == "__main__":
    sys.exit(main())
