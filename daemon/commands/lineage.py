"""Print tracks with their place in the lineage: oldest ancestor, generation, mother and daughters.

With --track only the family of that track is shown, and how each of it is related to it.
"""

from __future__ import annotations

import argparse

from daemon.commands import options

BRIEF = (
    "root_track_id",
    "generation",
    "track_id",
    "parent_track_id",
    "daughter_1",
    "daughter_2",
    "first_source_t",
    "last_source_t",
    "nuclei_count",
    "is_final",
    "relation",
)
EXAMPLE = "nusetd lineage embryo --track 7 --database results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    options.add_selection(parser, "generation >= 2 and daughter_1 is not null")
    options.add_database(parser)
    options.add_format(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print one row per track."""
    from daemon.output import write_pages
    from storage import naming
    from storage.query.question import Question

    url, wanted = naming.database_url(arguments.database), options.selection(arguments)
    with Question.lineage(url, arguments.acquisition, wanted).pages() as pages:
        write_pages(pages, arguments.format, () if wanted.columns else BRIEF)
    return 0
