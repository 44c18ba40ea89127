"""Say what is wrong with nuclei and links of an acquisition: rows, labels and tracks follow, and it can be undone.

What is said is an event on top of the result. The running service carries it out, else this command; when the file is
processed again it is carried out on the new result, where it fits. Time points are those in the names of files, places
are in micrometres, nuclei are named by their labels.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands import options

if TYPE_CHECKING:
    from storage.corrections.asking import CorrectionReply, Corrector

EXAMPLE = "nusetd correct embryo merge --t 12 --labels 3,4 --database results"
_WORDS = {
    "merge": "these nuclei are one",
    "split": "this nucleus is several, one around each place",
    "delete": "this nucleus is none",
    "add": "there is a nucleus around this place, or where the mask is",
    "redraw": "this nucleus is where the mask is",
    "confirm": "this nucleus is right",
    "link": "this nucleus goes on as that one",
    "unlink": "this nucleus does not go on as that one",
    "divide": "this nucleus divides into those two",
    "undivide": "the track of this nucleus does not divide",
    "end": "the track of this nucleus ends with it",
}
_LATER = ("link", "unlink", "divide")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_acquisition(parser)
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    for kind, line in _WORDS.items():
        one = kinds.add_parser(kind, help=line, description=f"Say: {line}.")
        one.add_argument("--t", type=int, required=True, metavar="T", help="time point, as it is numbered")
        _add_nuclei(one, kind)
        _add_common(one)
    undo = kinds.add_parser("undo", help="take back what was said", description="Take back what was said.")
    undo.add_argument("number", nargs="?", type=int, metavar="ID", help="which one (default: the last)")
    undo.add_argument("--together", action="store_true", help="with all that were said together with it, as by import")
    _add_common(undo)
    edited = kinds.add_parser(
        "import",
        help="take over what was edited elsewhere",
        description="Say how a movie that was edited elsewhere differs: a CTC folder, TrackMate's XML, or a GEFF.",
    )
    edited.add_argument("path", type=Path, metavar="PATH", help="the folder or file")
    edited.add_argument("--dry-run", action="store_true", help="only list the differences")
    options.add_format(edited)
    _add_common(edited)
    listed = kinds.add_parser("list", help="what was said, and what became of it", description="List what was said.")
    listed.add_argument(
        "--open", action="store_true", help="only what does not fit, with pictures and what can be done"
    )
    text = "where --open puts pictures (default: open-corrections beside the database)"
    listed.add_argument("--pictures", type=Path, metavar="DIR", help=text)
    options.add_database(listed)
    options.add_format(listed)


def _add_nuclei(parser: argparse.ArgumentParser, kind: str) -> None:
    if kind == "merge":
        parser.add_argument("--labels", type=labels, required=True, metavar="A,B", help="two nuclei or more")
    elif kind != "add":
        parser.add_argument("--label", type=int, required=True, metavar="L", help="the nucleus")
    if kind in ("split", "add"):
        text = "a place within it, in micrometres" + ("; give two or more" if kind == "split" else "")
        parser.add_argument("--at", type=place, action="append", default=[], metavar="Z,Y,X", help=text)
    if kind in ("add", "redraw"):
        text = "a .npy or TIFF file as large as the stack: where it is not 0"
        parser.add_argument("--mask", type=Path, required=kind == "redraw", metavar="FILE", help=text)
    if kind == "divide":
        parser.add_argument("--daughters", type=labels, required=True, metavar="A,B", help="the two daughters")
    elif kind in _LATER:
        parser.add_argument("--to", type=int, required=True, metavar="L2", help="the nucleus of the later time point")
    if kind in _LATER:
        parser.add_argument("--to-t", type=int, metavar="T2", help="that time point (default: the next one)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    options.add_database(parser)
    parser.add_argument("--author", metavar="NAME", help="who says it (default: the user)")
    parser.add_argument(
        "--wait",
        type=options.seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the service (default: 60)",
    )


def labels(text: str) -> tuple[int, ...]:
    """``3,4``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of labels such as 3,4") from None


def place(text: str) -> tuple[float, float, float]:
    """``4.0,31.5,20.0``."""
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no place Z,Y,X such as 4.0,31.5,20.0") from None
    return z, y, x


def execute(arguments: argparse.Namespace) -> int:
    """Say it, and what became of it."""
    from daemon.orders.record import recorded
    from daemon.output import complain, say, write_table
    from daemon.progress import CorrectionBars
    from storage import naming
    from storage.corrections.asking import Corrector
    from storage.database.corrections.events import MISFIT
    from storage.query.snapshots import resolve

    url = naming.database_url(arguments.database)
    number = resolve(url, arguments.acquisition)
    if arguments.kind == "list" and arguments.open:
        from daemon.orders.open_corrections import list_open

        folder = arguments.pictures or naming.open_corrections_folder(url)
        write_table(list_open(url, number, folder), arguments.format)
        return 0
    if arguments.kind == "list":
        said = Corrector(url, number).list()
        write_table(said.map(_in_a_cell), arguments.format, _BRIEF)
        for one in _still_to_come(url, number):
            complain(one)
        return 0
    if arguments.kind == "import":
        return _import(url, number, arguments)
    who, facts = arguments.author, {"kind": arguments.kind}
    with recorded(url, "correct", str(arguments.acquisition), facts, who) as ending, CorrectionBars() as bars:
        reply = _said(Corrector(url, number, arguments.wait, who, bars.show), arguments)
        ending.say(reply.text, accepted=reply.state != MISFIT)
    if reply.state != MISFIT:
        say(reply.text)
        return 0
    complain(reply.text)
    complain(f"It changed nothing and is listed until it fits; `{_undoing(arguments, reply.id)}` takes it back.")
    return 1


def _undoing(arguments: argparse.Namespace, number: int) -> str:
    """The command that takes a correction back, as it can be given."""
    said = shlex.join(["nusetd", "correct", str(arguments.acquisition), "undo", str(number)])
    return said + options.same_database(arguments)


def _import(url: str, number: int, arguments: argparse.Namespace) -> int:
    """Say all differences, or list them; exit code 1 where something could not be taken over."""
    from contextlib import nullcontext

    from daemon.orders.record import recorded
    from daemon.output import complain, say, write_table
    from daemon.progress import CorrectionBars
    from storage.corrections.asking import Corrector
    from storage.database.corrections.events import MISFIT

    who, facts = arguments.author, {"kind": "import", "path": str(arguments.path)}
    order = recorded(url, "correct", str(arguments.acquisition), facts, who)
    with nullcontext() if arguments.dry_run else order as ending, CorrectionBars() as bars:
        corrector = Corrector(url, number, arguments.wait, who, bars.show)
        report = corrector.import_(arguments.path, arguments.dry_run)
        if ending is not None:
            ending.say(report.text(), accepted=not report.states[MISFIT])
    if arguments.dry_run:
        write_table(report.frame(), arguments.format)
    for note in report.notes:
        complain(note)
    (complain if arguments.dry_run else say)(report.text())
    return 1 if report.states[MISFIT] else 0


def _still_to_come(url: str, number: int) -> list[str]:
    """What of it is not in rows or pictures yet."""
    from storage.query.correcting import correction_progress
    from storage.query.snapshots import snapshot

    with snapshot(url) as connection:
        return [one.sentence for one in correction_progress(connection, number)]


def _in_a_cell(value: object) -> object:
    """Lists and what is known by name as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


_BRIEF = ("id", "source_t", "kind", "labels", "state", "reason", "author", "ordered_at", "undone_by")


def _said(corrector: Corrector, arguments: argparse.Namespace) -> CorrectionReply:
    from storage.corrections.ordering import PersonsWord
    from storage.files.mask_file import read_mask

    if arguments.kind == "undo":
        return corrector.undo(arguments.number, arguments.together)
    given = vars(arguments)
    nuclei = given["labels"] if arguments.kind == "merge" else () if arguments.kind == "add" else (given["label"],)
    to = given.get("daughters") or (() if given.get("to") is None else (given["to"],))
    mask = None if given.get("mask") is None else read_mask(given["mask"])
    points = tuple(given.get("at") or ())
    return corrector.say(PersonsWord(arguments.kind, arguments.t, nuclei, to, given.get("to_t"), points, mask))
