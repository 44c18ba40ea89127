"""Try settings on one time point: a picture of both outlines on the same slices, counts, sizes and what changed.

Nothing is stored. `--set` shows one result beside the usual one, `--vary` a result for each of several values. Where a
service works on the database, it is waited for a gap in its queue, and computed at the lowest priority.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    import pandas as pd

    from daemon.configuration.assignments import Assignment
    from daemon.configuration.config import Config
    from daemon.files.trial import Trials

EXAMPLE = "nusetd try stack.tif --voxel-size 2.0,0.3,0.3 --vary segmentation.min_score=0.5,0.65,0.8"
MOST = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("image", metavar="IMAGE", type=Path, help="an image, or a series' folder or file")
    parser.add_argument("--t", metavar="T", type=int, help="the time point (default: the first)")
    parser.add_argument("--name", help="which image of a file that holds several")
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="SECTION.NAME=A,B,...",
        help="a result for each value; twice: for each pair of values",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the picture, PNG, SVG or PDF (default: IMAGE's name with .try.png)"
    )
    options.add_format(parser)
    options.add_reading(parser)
    options.add_engine(parser)
    options.add_database(parser)
    parser.add_argument(
        "--wait", type=options.seconds, default=600.0, metavar="S", help="longest wait for a running service (600)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Try, draw, print."""
    options.existing([arguments.image])
    configs, output = _configs(arguments), _output(arguments)
    from daemon.files.trials import TrialImage, run_trials
    from daemon.monitoring.gap import wait_for_gap
    from daemon.output import complain, write_table
    from daemon.plots.trial_picture import draw_trials

    wait_for_gap(arguments.database, arguments.wait, complain)
    found = run_trials(
        TrialImage(
            path=arguments.image,
            name=arguments.name,
            t=arguments.t,
            voxel_size_um=arguments.voxel_size,
            nuclear_channel=options.channel(arguments.channel),
            axes=arguments.axes,
            unclear_channel=arguments.unclear_channel,
        ),
        configs,
    )
    draw_trials(found, output)
    write_table(_table(found), arguments.format)
    complain(f"picture: {output}")
    return 0


def _output(arguments: argparse.Namespace) -> Path:
    """Where the picture goes; one of an earlier trial there is replaced.

    Raises
    ------
    UsageError
        When it cannot be a picture, or is the image itself.
    """
    from daemon.errors import UsageError
    from daemon.plots.canvas import output_file

    image: Path = arguments.image
    output = output_file(arguments.output or Path(f"{image.name.partition('.')[0]}.try.png"), overwrite=True)
    if output.exists() and output.samefile(image):
        raise UsageError(f"{output} is the image itself: give the picture another name with --output.")
    return output


def _configs(arguments: argparse.Namespace) -> list[tuple[str, Config]]:
    """The usual settings first, then each that is tried, with a name.

    Raises
    ------
    UsageError
        When nothing is to be tried, too much, or what cannot be seen in one time point.
    """
    from daemon.errors import UsageError

    given: list[Assignment] = arguments.set
    axes = [_values(text) for text in arguments.vary]
    combinations = [[*given, *values] for values in itertools.product(*axes)] if axes or given else []
    if not combinations:
        raise UsageError("There is nothing to try: give --set SECTION.NAME=VALUE, or --vary SECTION.NAME=A,B,...")
    if len(combinations) > MOST:
        raise UsageError(f"{len(combinations)} results are too many for one picture: give at most {MOST}.")
    late = [str(one) for one in itertools.chain(*combinations) if one.section == "tracking"]
    if late:
        raise UsageError(f"{late[0]} decides nothing within one time point: try it with `nusetd process --set`.")
    named = [("as usual", _configured(arguments, []))]
    return named + [(_name(one), _configured(arguments, one)) for one in combinations]


def _configured(arguments: argparse.Namespace, assignments: Sequence[Assignment]) -> Config:
    return options.configured(argparse.Namespace(**{**vars(arguments), "set": list(assignments)}))


def _values(text: str) -> list[Assignment]:
    from daemon.configuration.assignments import assignment
    from daemon.errors import UsageError

    key, equals, values = text.partition("=")
    try:
        return [assignment(f"{key}{equals}{value}") for value in values.split(",")]
    except ValueError as error:
        raise UsageError(f"--vary {error}.") from error


def _name(assignments: Sequence[Assignment]) -> str:
    return ", ".join(str(one).partition(".")[2] for one in assignments)


def _table(found: Trials) -> pd.DataFrame:
    """A row for each trial."""
    import numpy as np
    import pandas as pd

    unit = "um" if found.unit == "µm" else "px"
    rows = []
    for trial in found.trials:
        sizes = trial.diameters_um if len(trial.diameters_um) else np.array([np.nan])
        row: dict[str, object] = {"settings": trial.name, "nuclei": len(trial.diameters_um)}
        row |= {f"diameter_{unit}": np.median(sizes), f"p10_{unit}": np.percentile(sizes, 10)}
        row |= {
            f"p90_{unit}": np.percentile(sizes, 90),
            "score": np.median(trial.scores) if len(trial.scores) else None,
        }
        for name in ("kept", "lost", "new", "cut", "merged"):
            row[name] = None if trial.changes is None else getattr(trial.changes, name)
        rows.append(row)
    table = pd.DataFrame(rows)
    counts = ["kept", "lost", "new", "cut", "merged"]
    return table.astype(dict.fromkeys(counts, "Int64"))
