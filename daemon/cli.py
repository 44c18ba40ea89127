"""The command `nusetd`: finds the sub-command, runs it, and turns errors into one sentence and an exit code.

Exit codes: 0 all is done, 1 work failed, 2 wrong usage, 130 stopped from the keyboard.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from daemon.errors import ConfigError, DaemonError, UsageError
from daemon.output import complain, silence
from storage.version import nusetd_version

# Name of the command -> module under daemon.commands, and the line that `nusetd --help` shows.
COMMANDS = {
    "demo": ("demo", "render a small time-lapse, run the service on it and show what it found"),
    "run": ("run", "the service: watch folders and process what lands there"),
    "process": ("process", "process files or folders once, with the same pipeline"),
    "segment": ("segment", "write a label image for each image, nothing else"),
    "detect": ("detect", "find rare events such as mitoses: boxes with confidence"),
    "track": ("track", "add track ids to a table of positions"),
    "acquisitions": ("acquisitions", "list the acquisitions of a database"),
    "status": ("status", "whether the service runs and keeps up, its queue, folders and problems"),
    "nuclei": ("nuclei", "the nuclei of an acquisition, one row each"),
    "tracks": ("tracks", "the tracks of an acquisition, one row each"),
    "lineage": ("lineage", "who descends from whom, one row per track"),
    "follow": ("follow", "what is committed, line by line as JSON, as it is committed"),
    "rules": ("rules", "rules for the microscope: what they are, what they sent, what they would have sent"),
    "plot": ("plot", "draw nuclei, tracks, counts, sizes and lineage, and compare acquisitions"),
    "movie": ("movie", "write a time-lapse with outlines and tracks as GIF or MP4"),
    "export": ("export", "write an acquisition's results in another format"),
    "view": ("view", "open an acquisition in napari, or print links for web viewers"),
    "page": ("page", "the live page: acquisitions, images with outlines, tracks and charts in a browser"),
    "serve": ("serve", "offer the OME-Zarr stores to web viewers, over HTTP on this computer"),
    "correct": ("correct", "say what is wrong with nuclei and links: it is put right, and survives"),
    "doubts": ("doubts", "decisions that a person should look at first, and what would mend them"),
    "verify": ("verify", "check that rows, labels and source agree, and name what does not"),
    "check-store": ("check_store", "look through all stores: whose they are, whole, missing, orphaned"),
    "relocate": ("relocate", "write down that stores or sources were moved"),
    "merge": ("merge", "put databases that were made apart together"),
    "worker": ("worker", "serve in a Dask cluster: do what services give to its scheduler"),
    "forget": ("forget", "remove acquisitions, OME-Zarr and rows, for good"),
    "dismiss": ("dismiss", "have problems told no more"),
    "submit": ("submit", "have the service take files as they are, now"),
    "again": ("again", "do an acquisition again with the settings in use now, beside its first result"),
    "retry": ("retry", "queue again what was set aside"),
    "train": ("train", "train or fine-tune weights on images with labels"),
    "evaluate": ("evaluate", "measure the segmentation against labels made by people"),
    "try": ("try_settings", "try settings on one time point: outlines, counts and sizes side by side"),
    "settings": ("settings", "what can be set: meaning, unit, default, range, and when to change it"),
    "override": ("override", "settings of a watched folder from now on, beside the configuration file"),
    "check-config": ("check_config", "find every mistake in a configuration file"),
    "selfcheck": ("selfcheck", "replay a small acquisition through this installation, and sign it off"),
    "install-service": ("install_service", "install the systemd service: unit, configuration, user, folders"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `nusetd` with the given arguments and return its exit code."""
    _open_what_is_closed()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        _check_packages()
        parsed = build_parser(arguments).parse_args(arguments)
        return int(parsed.execute(parsed))
    except UsageError as error:
        complain(f"nusetd: {error}", lines=isinstance(error, ConfigError))
        return 2
    except KeyboardInterrupt:
        complain("nusetd: stopped from the keyboard.")
        return 130
    except BrokenPipeError:  # the reader of our results has seen enough, as with `nusetd nuclei 1 | head`
        silence(sys.stdout)
        return 0
    except _own_errors() as error:
        complain(f"nusetd: {error}")
        return 2 if _is_wrong_usage(error) else 1


def _open_what_is_closed() -> None:
    """Have all three standard streams, so that files and pipes get no number of theirs, here and in processes that are
    started; nobody reads what is said."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - for as long as we live
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser; only the sub-command that is asked for is imported, so that help is quick."""
    parser = argparse.ArgumentParser(
        prog="nusetd",
        description="Finds nuclei in every stack as it lands, in 3D, and follows them through time and divisions.",
        epilog="Example:\n  nusetd process stack.tif --output results\n  nusetd acquisitions --database results",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nusetd {nusetd_version()}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        if name == asked:
            _add_command(commands, name, module, line)
        else:
            commands.add_parser(name, help=line)
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, module: str, line: str
) -> None:
    command = importlib.import_module(f"daemon.commands.{module}")
    parser = commands.add_parser(
        name,
        help=line,
        description=command.__doc__,
        epilog=f"Example:\n  {command.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    parser.set_defaults(execute=command.execute)


def _own_errors() -> tuple[type[Exception], ...]:
    """The roots of the packages' error trees: these are sentences, everything else is a bug and shows its trace."""
    from nuset_engine.errors import EngineError
    from storage.errors import StorageError
    from tracking.errors import TrackingError

    return (DaemonError, StorageError, TrackingError, EngineError)


def _is_wrong_usage(error: Exception) -> bool:
    """Whether something was asked for that cannot be, such as a column that is not there."""
    from storage.errors import WrongRequestError

    return isinstance(error, WrongRequestError)


def _check_packages() -> None:
    """Other distributions also install packages named `storage` or `daemon`: better a sentence than a strange error."""
    home = Path(__file__).resolve().parent.parent
    for name in ("storage", "tracking", "nuset_engine"):
        found = importlib.util.find_spec(name)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or origin.parent.parent != home:
            raise DaemonError(
                f"the package {name!r} is not nusetd's own (found {origin}): install nusetd into its own environment."
            )


if __name__ == "__main__":
    sys.exit(main())
