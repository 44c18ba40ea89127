"""Faults of a configuration that only this machine can show: folders, permissions, disks, weights, programs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from daemon.configuration.config import Config
from daemon.configuration.fields import Fault
from daemon.configuration.service_config import DEFAULT_ENGINE, EngineConfig
from daemon.configuration.toml_lines import KeyPath
from daemon.installation.kept_weights import located
from nuset_engine.errors import EngineError
from storage import naming
from storage.connection.filesystems import network_filesystem
from storage.errors import StorageError
from storage.omezarr import places


def machine_faults(config: Config) -> list[Fault]:
    """Everything on this machine, and for this user, with which the service would not do its work."""
    return [
        *_folders(config),
        *_outputs_watched(config),
        *_database(config),
        *engine_faults(config.engine),
        *_commands(config),
        *_answers(config),
    ]


def _folders(config: Config) -> Iterator[Fault]:
    for index, watch in enumerate(config.watch):
        path, key = watch.path, ("watch", index, "path")
        if not path.is_dir():
            remedy = "create or mount it, or correct the path."
            yield Fault(key, f"path = {str(path)!r} is not a folder on this machine; {remedy}")
        elif not os.access(path, os.R_OK | os.X_OK):
            remedy = f"give user {_user()} the right to, for example by a group."
            yield Fault(key, f"path = {str(path)!r} cannot be read by this user; {remedy}")
        reason = _not_usable(watch.output)
        if reason is not None:
            yield Fault(("watch", index, "output"), f"output = {str(watch.output)!r} {reason}")


def _outputs_watched(config: Config) -> Iterator[Fault]:
    """Results inside a watched folder: this service passes them over, but no other program that watches there does."""
    for index, watch in enumerate(config.watch):
        output = watch.output
        if isinstance(output, str):
            continue
        for other in config.watch:
            inside = other.recursive and other.path in output.parents
            if inside and not any(output.is_relative_to(one) for one in other.exclude):
                remedy = f"choose a folder outside, or write exclude = [{str(output)!r}] for the watched one."
                sentence = f"output = {str(output)!r} lies inside the watched folder {str(other.path)!r}; {remedy}"
                yield Fault(("watch", index, "output"), sentence)


def _database(config: Config) -> Iterator[Fault]:
    path = naming.sqlite_path(config.database)
    if path is None:
        return
    kind = network_filesystem(path)
    if kind is not None:
        remedy = "put it on a local disk (the outputs may stay on the share)."
        yield Fault(
            ("database",), f"database = {str(path)!r} is on a network share ({kind}), where SQLite loses data; {remedy}"
        )
        return
    reason = _not_writable(path.parent)
    if reason is None and path.exists() and not os.access(path, os.R_OK | os.W_OK):
        reason = f"belongs to another user; give it to user {_user()}, or name another."
    if reason is not None:
        yield Fault(("database",), f"database = {str(path)!r} {reason}")


def engine_faults(engine: EngineConfig) -> Iterator[Fault]:
    """Why this machine cannot segment with an engine and its weights, as far as one sees without loading them."""
    if engine.factory == DEFAULT_ENGINE:
        from nuset_engine.runtime.choice import read_by, weights_named

        try:
            weights = weights_named(located(engine.weights))
        except (EngineError, OSError) as error:
            yield Fault(("engine", "weights"), f"weights = {engine.weights!r}: {error}")
            return
        try:
            read_by(weights, engine.runtime)
        except EngineError as error:
            yield Fault(("engine", "runtime"), str(error))
        return
    module = engine.factory.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        remedy = f"install it for {sys.executable}, or correct its name."
        yield Fault(("engine", "factory"), f"factory = {engine.factory!r}: there is no module {module}; {remedy}")


def _commands(config: Config) -> Iterator[Fault]:
    commands: list[tuple[KeyPath, tuple[str, ...]]] = [(("alerts", "command"), config.alerts.command)]
    commands += [(("when", index, "command"), rule.command) for index, rule in enumerate(config.rules)]
    for key, command in commands:
        if command and shutil.which(command[0]) is None:
            remedy = "give the full path of a program that this user may run."
            yield Fault(key, f"command = {list(command)!r}: {command[0]} cannot be run; {remedy}")


def _answers(config: Config) -> Iterator[Fault]:
    """Folders that acquisition software polls are its own: they are not made here."""
    for index, rule in enumerate(config.rules):
        if rule.next is None:
            continue
        reason = _not_writable(rule.next) if rule.next.exists() else "is not there; make it, or correct the path."
        if reason is not None:
            yield Fault(("when", index, "next"), f"next = {str(rule.next)!r} {reason}")


def _not_usable(output: naming.Place) -> str | None:
    """Why nothing can be written to an output; None when it can, as far as one sees without trying."""
    if isinstance(output, Path):
        return _not_writable(output)
    try:
        places.store_at(output)
    except StorageError as error:
        return f"cannot be used: {error}"
    return None


def _not_writable(folder: Path) -> str | None:
    """Why nothing can be written into a folder that is there or can be made; None when it can."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        return f"cannot be made, because {there} is a file; choose another folder."
    if os.access(there, os.W_OK | os.X_OK):
        return None
    if there == folder:
        return f"cannot be written by this user; give it to user {_user()}, or choose another folder."
    return f"is not there and cannot be made in {there} by this user; make it and give it to user {_user()}."


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
