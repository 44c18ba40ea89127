"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from daemon.output import FORMATS

if TYPE_CHECKING:
    from daemon.configuration.assignments import Assignment
    from daemon.configuration.config import Config
    from storage.given_facts import GivenFacts
    from storage.query.statements import Selection


def add_database(parser: argparse.ArgumentParser) -> None:
    """`--database`, with its default from the environment."""
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("NUSETD_DATABASE", "./nusetd.sqlite"),
        help="database file, its folder, or URL (default: $NUSETD_DATABASE, else ./nusetd.sqlite)",
    )


def same_database(arguments: argparse.Namespace) -> str:
    """What a printed command needs at its end, so that it can be given as it stands: the database, if one was named."""
    return "" if arguments.database is None else f" --database {shlex.quote(str(arguments.database))}"


def add_format(parser: argparse.ArgumentParser) -> None:
    """`--format` of a printed table."""
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print (default: table)")


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """`--overwrite`."""
    parser.add_argument("--overwrite", action="store_true", help="put it in the place of what is there under its name")


def add_selection(parser: argparse.ArgumentParser, example: str, *, of_time: bool = True) -> None:
    """`--where`, `--columns`, `--limit`, and with `of_time` also `--t` and `--track`."""
    parser.add_argument(
        "--where",
        metavar="FILTER",
        help=f"only rows for which this holds, as in {example!r}; and, or, not, in, is null",
    )
    if of_time:
        parser.add_argument(
            "--t",
            metavar="T",
            type=time_range,
            help="a time point as it is numbered in the names of files, or FIRST:LAST, both included",
        )
        parser.add_argument("--track", metavar="ID", type=int, help="only this track, for lineage its whole family")
    parser.add_argument("--columns", metavar="A,B,...", type=names, help="only these columns, in this order")
    parser.add_argument("--limit", metavar="N", type=positive_int, help="at most so many rows")


def selection(arguments: argparse.Namespace) -> Selection:
    """What the arguments of `add_selection` ask for."""
    from storage.query.statements import Selection

    given = vars(arguments)
    wanted = {name: given.get(name) for name in ("where", "track", "columns", "limit")}
    return Selection(source_t=given.get("t"), **wanted)


def time_range(text: str) -> int | tuple[int | None, int | None]:
    """``5``, ``5:10``, ``5:`` or ``:10``."""
    first, colon, last = text.partition(":")
    ends = [int(end) if end.isdecimal() else None for end in (first, last)]
    if any(end is None and word for end, word in zip(ends, (first, last), strict=True)) or not (first or last):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time point such as 5, nor a range such as 0:10")
    if not colon:
        return int(first)
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins: write the earlier time point first")
    return (ends[0], ends[1])


def names(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names such as t,label,volume_um3")
    return found


def add_acquisition(parser: argparse.ArgumentParser) -> None:
    """The acquisition by id or name."""
    parser.add_argument("acquisition", metavar="ACQ", help="the acquisition's id or name, see `nusetd acquisitions`")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Which segmenter with which weights, on how many cores, and every other setting."""
    from daemon.configuration.service_config import DEFAULT_WEIGHTS

    parser.add_argument("--weights", help=f"name of shipped weights, or a file (default: {DEFAULT_WEIGHTS})")
    parser.add_argument("--threads", type=positive_int, help="cores to compute with (default: all)")
    add_runtime(parser)
    parser.add_argument(
        "--engine",
        metavar="MODULE:CALLABLE",
        help="your own segmenter instead of NuSeT, called with weights, params and threads",
    )
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """`--config` and `--set`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings from a TOML file, such as the service's: its [segmentation], [volume], [tracking] and [engine]",
    )
    add_assignments(parser)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """`--workers`, in other words `--set engine.workers=N`."""
    parser.add_argument(
        "--workers",
        dest="set",
        action="append",
        metavar="N|dask:ADDRESS",
        type=_workers,
        help="how many processes work side by side, which share the cores; auto: as many as `nusetd selfcheck "
        "--workers 1,2,4` found best here; dask:tcp://HOST:PORT: those of a cluster (default: 1)",
    )


def add_processes(parser: argparse.ArgumentParser, alone: str = "") -> None:
    """`--workers` of commands that take one image after another: so many at once."""
    parser.add_argument(
        "--workers",
        type=positive_int,
        metavar="N",
        help="how many processes share the images, and the cores; each holds the network in memory (default: one for "
        "each core or graphics card, as far as memory does; one for fewer than three images, or another "
        f"--engine{alone})",
    )


def _workers(text: str) -> Assignment:
    from daemon.configuration.cluster.scheduler_access import cluster_of

    count = text if text == "auto" or cluster_of(text) is not None else positive_int(text)
    return one_assignment(f"engine.workers={count}")


def add_assignments(parser: argparse.ArgumentParser) -> None:
    """`--set`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.NAME=VALUE",
        type=one_assignment,
        help="a setting, such as segmentation.min_score=0.8; may be given several times, see `nusetd settings`",
    )


def configured(arguments: argparse.Namespace) -> Config:
    """The settings of `add_settings`, file and command line together; the command's own arguments for the engine win.

    Raises
    ------
    ConfigError, UsageError
        With every fault of the file, or of what was set.
    """
    from dataclasses import replace

    from daemon.configuration import config
    from daemon.errors import ConfigError, UsageError

    if arguments.config is not None:
        found = config.load(arguments.config, arguments.set, serves=False)
    else:
        try:
            found = config.parse("", Path(), arguments.set, serves=False)
        except ConfigError as error:
            raise UsageError(str(error)) from error
    given = {field: getattr(arguments, name, None) for field, name in _ENGINE.items()}
    engine = replace(found.engine, **{field: value for field, value in given.items() if value is not None})
    return replace(found, engine=engine)


_ENGINE = {"factory": "engine", "weights": "weights", "threads": "threads", "runtime": "runtime"}


def one_assignment(text: str) -> Assignment:
    """``SECTION.NAME=VALUE``."""
    from daemon.configuration.assignments import assignment

    try:
        return assignment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """`--runtime`."""
    from nuset_engine.runtime.names import RUNTIMES

    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        help="compute in int8 by openvino, in float32 or bfloat16 by tensorflow, or what is quickest (default: auto)",
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How images are read: facts that files do not say, or say wrongly."""
    parser.add_argument(
        "--voxel-size",
        metavar="Z,Y,X",
        type=voxel_size,
        help="micrometres, for images whose metadata gives none, as in 2.0,0.3,0.3; for planes Y,X or one number",
    )
    parser.add_argument(
        "--voxel-size-override", metavar="Z,Y,X", type=voxel_size, help="the same, whatever the metadata gives"
    )
    parser.add_argument(
        "--axes",
        metavar="LETTERS",
        type=axes,
        help="which dimension of a TIFF is which, slowest first, whatever it says: TYX for time points kept as slices",
    )
    parser.add_argument(
        "--frame-interval",
        metavar="SECONDS",
        type=seconds,
        help="from one time point to the next, whatever the metadata gives",
    )
    add_as_image(parser)
    add_channel(parser)


def add_as_image(parser: argparse.ArgumentParser) -> None:
    """That what looks like no image is one."""
    parser.add_argument(
        "--as-image",
        action="store_true",
        help="what looks like labels or a mask is an image all the same (default: it is set aside)",
    )


def add_channel(parser: argparse.ArgumentParser) -> None:
    """Which channel shows nuclei."""
    from daemon.configuration.config import UnclearChannel

    parser.add_argument(
        "--channel",
        help="the channel with the nuclei, by number from 0 or by name (default: by stain, else by looking)",
    )
    parser.add_argument(
        "--unclear-channel",
        choices=get_args(UnclearChannel),
        default="ask",
        help="where it is not clear which channel shows nuclei: set the image aside, or take the likeliest with a "
        "warning (default: ask)",
    )


def given_facts(arguments: argparse.Namespace) -> GivenFacts:
    """What the arguments of `add_reading` say of the images."""
    from storage.given_facts import GivenFacts

    return GivenFacts(
        axes=arguments.axes,
        voxel_size_um=arguments.voxel_size,
        voxel_size_override_um=arguments.voxel_size_override,
        frame_interval_s=arguments.frame_interval,
        nuclear_channel=channel(arguments.channel),
        as_image=arguments.as_image or None,
    )


def axes(text: str) -> str:
    """Letters of T, C, Z, Y and X, each once; Y and X both or neither."""
    from storage.given_facts import AXES_REMEDY, checked_axes

    letters = checked_axes(text)
    if letters is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no order of axes: {AXES_REMEDY}")
    return letters


def port(text: str) -> int:
    """A port's number; 0 for any that is free."""
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")


def origin(text: str) -> str:
    """The origin of web pages, as browsers write it."""
    found = re.fullmatch(r"(https?://[^/?#@\s*]+)/?", text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the origin of pages: give scheme and host, as in https://example.org"
        )
    return found.group(1).lower()


def positive_int(text: str) -> int:
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number


def voxel_size(text: str) -> tuple[float, ...]:
    """One to three positive numbers with commas between."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not 1 <= len(values) <= 3 or not all(0 < value < float("inf") for value in values):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not three positive numbers Z,Y,X such as 2.0,0.3,0.3, nor one or two for planes"
        )
    return values


def channel(text: str | None) -> int | str | None:
    """A channel's number where the text is one, else its name."""
    return int(text) if text is not None and text.isdigit() else text


def existing(paths: list[Path]) -> list[Path]:
    """The paths, all of which must be there.

    Raises
    ------
    UsageError
        When one is missing.
    """
    from daemon.errors import UsageError

    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"{', '.join(missing)} does not exist: check the path.")
    return paths
