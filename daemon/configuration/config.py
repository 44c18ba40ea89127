"""The service's configuration: one TOML file, read into frozen objects, all of its faults reported at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from daemon.configuration.alerts import AlertsConfig, read_alerts
from daemon.configuration.assignments import Assignment, overlaid
from daemon.configuration.fields import Fault, Reader
from daemon.configuration.page import PageConfig, read_page
from daemon.configuration.retention import RetentionConfig, read_retention
from daemon.configuration.rules import RuleConfig, read_rules
from daemon.configuration.service_config import EngineConfig, ServiceConfig, read_engine, read_service
from daemon.configuration.settle_rules import SettleRules
from daemon.configuration.toml_lines import KeyPath, key_lines, line_of, text_of
from daemon.errors import ConfigError
from nuset_engine.params import SegmentationParams
from nuset_engine.reconstruction.params import VolumeParams
from storage import naming
from storage.errors import StorageError
from storage.given_facts import GivenFacts, GivenSize
from storage.omezarr.references import ImageKind
from storage.readers.names import acquisition_key
from tracking.params import TrackingParams

UnclearChannel = Literal["ask", "take"]
"""Where two channels may be the one with nuclei: a person is asked, or the likelier is taken with a warning."""

SECTIONS: Mapping[str, Any] = {"segmentation": SegmentationParams, "volume": VolumeParams, "tracking": TrackingParams}
"""The sections whose settings decide results, with the parameters that they are read into."""


@dataclass(frozen=True)
class Processing:
    """Everything besides the image that decides a result; stored with each acquisition."""

    segmentation: SegmentationParams = field(default_factory=SegmentationParams)
    volume: VolumeParams = field(default_factory=VolumeParams)
    tracking: TrackingParams = field(default_factory=TrackingParams)


@dataclass(frozen=True)
class WatchConfig:
    """One watched folder: what arrives there, and where its results go.

    Attributes
    ----------
    path : Path
        The folder that is watched; nothing is ever written to it.
    output : Path or str
        The folder for the OME-Zarr stores, or a URL such as ``s3://bucket/nuclei``.
    recursive : bool
        Also look into the folders inside.
    exclude : tuple of Path
        Folders inside that are not looked into.
    name : str
        What acquisitions are called: a text with ``{name}``, ``{folder}`` (folders inside the watched one, with ``/``
        between) and ``{parent}`` (the last of those).
    pattern : str or None
        Regular expression for names of files that hold one time point each, with a group ``t`` for its number and,
        where wanted, a group ``name``; None: the usual names (``_t001``, ``_T1``).
        ``none``: every file is an image of its own.
    step : int or None
        From one number in the names to the next; None: the constant step of three files or more, else 1.
    nuclear_channel : int, str or None
        The channel with the nuclei, by index or name; None: the one with a known nuclear stain's name, else the one
        in which the engine finds nuclei.
    unclear_channel : str
        Where it is not clear which that is: ``ask`` a person, and set the image aside meanwhile, or ``take`` the
        likeliest with a warning.
    voxel_size_um : (z, y, x) in micrometres, or None
        Used for images whose metadata gives none; for planes one or two numbers will do.
    voxel_size_override_um : as `voxel_size_um`
        Used whatever the metadata gives.
    axes : str or None
        Which dimension of a TIFF is which, slowest first, whatever it says: ``TYX`` for time points kept as slices.
    frame_interval_s : float or None
        Seconds from one time point to the next, whatever the metadata gives.
    as_image : bool
        What looks like labels or masks is processed like any image; else it is set aside.
    archive : bool
        What arrives there waits for what arrives elsewhere; see `daemon.watching.arrivals.heap`.
    quiet_s, give_up_s : float
        See `SettleRules`.
    acquisition_quiet_s : float
        A sequence of files is complete, and a gap in it is passed over, when nothing new came for this long.
    ome_zarr_version : str
        ``0.4``, or ``0.5`` with many chunks to a file (shards).
    image : str
        ``copy`` the image into the OME-Zarr; keep a ``reference`` where it is an OME-Zarr already, and copy others;
        or ``none``, labels alone.
    own : Processing or None
        The settings for what arrives there, where its table in the file has some; None: those of all folders.
    overridden : Processing or None
        The same with what people have changed since, see `daemon.overrides`; None: they changed nothing.
    """

    path: Path
    output: naming.Place
    recursive: bool = True
    exclude: tuple[Path, ...] = ()
    name: str = naming.NAME_TEMPLATE
    pattern: str | None = None
    step: int | None = None
    nuclear_channel: int | str | None = None
    unclear_channel: UnclearChannel = "ask"
    voxel_size_um: GivenSize | None = None
    voxel_size_override_um: GivenSize | None = None
    axes: str | None = None
    frame_interval_s: float | None = None
    as_image: bool = False
    archive: bool = False
    quiet_s: float = 2.0
    give_up_s: float = 60.0
    acquisition_quiet_s: float = 300.0
    ome_zarr_version: str = "0.4"
    image: ImageKind = "copy"
    own: Processing | None = None
    overridden: Processing | None = None

    @property
    def given(self) -> GivenFacts:
        """What is said of all images that arrive there."""
        said = {one.name: getattr(self, one.name) for one in fields(GivenFacts)}
        return GivenFacts(**{**said, "as_image": self.as_image or None})

    @property
    def settle(self) -> SettleRules:
        """The rules by which a file counts as finished."""
        return SettleRules(self.quiet_s, self.give_up_s, self.acquisition_quiet_s)


@dataclass(frozen=True)
class Config:
    """The whole configuration.

    Attributes
    ----------
    assignments : tuple of Assignment
        What the command line gave over the file.
    written : frozenset of tuple
        Where settings stand in both together: ``("segmentation", "min_score")``, or those of a watch,
        ``("watch", 0, "segmentation", "min_score")``.
    configured_weights : str or None
        What `[engine]` says, where people have chosen other weights since, see `daemon.overrides`; None: they have not.
    """

    watch: tuple[WatchConfig, ...]
    database: str
    engine: EngineConfig = field(default_factory=EngineConfig)
    service: ServiceConfig = field(default_factory=ServiceConfig)
    processing: Processing = field(default_factory=Processing)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    page: PageConfig = field(default_factory=PageConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    rules: tuple[RuleConfig, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    written: frozenset[KeyPath] = frozenset()
    configured_weights: str | None = None

    def processing_of(self, watch: WatchConfig) -> Processing:
        """The settings in use for what arrives in a folder."""
        return watch.overridden or watch.own or self.processing


def load(path: str | Path, assignments: Sequence[Assignment] = (), serves: bool = True) -> Config:
    """Read a configuration file; see `parse`.

    Raises
    ------
    ConfigError
        When the file cannot be read or has faults; the message has a line per fault.
    """
    return parse(text_of(path), Path(path), assignments, serves)


def parse(text: str, origin: Path, assignments: Sequence[Assignment] = (), serves: bool = True) -> Config:
    """Read a configuration from TOML text; relative paths count from the folder of `origin`.

    Parameters
    ----------
    text : str
    origin : Path
        Where the text is from, for messages.
    assignments : sequence of Assignment, optional
        Settings that count more than the text's.
    serves : bool
        It is for the service, which needs a folder to watch; else only its settings matter.

    Raises
    ------
    ConfigError
        With every fault: its line, its value and what to write instead.
    """
    config, faults = examined(text, origin, assignments, serves)
    if faults:
        raise ConfigError(told(faults, text, origin, assignments))
    return config


def examined(
    text: str, origin: Path, assignments: Sequence[Assignment] = (), serves: bool = True
) -> tuple[Config, list[Fault]]:
    """Read a configuration as far as it can be read, as `parse` does, and return it with its faults.

    What is at fault has its default there.

    Raises
    ------
    ConfigError
        When the text is no TOML.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}.") from error
    whole = overlaid(document, assignments)
    reader = Reader(whole)
    config = _read_config(reader, origin.absolute().parent, serves)
    return replace(config, assignments=tuple(assignments), written=_written(whole)), reader.faults


def told(faults: Sequence[Fault], text: str, origin: Path, assignments: Sequence[Assignment] = ()) -> str:
    """Faults for people: a line each, in the order of the file, with the number of the line that they are in.

    Faults of what was given over the file come last.
    """
    lines = key_lines(text)
    given = {one.key: one for one in assignments}
    of_file = [fault for fault in faults if fault.key not in given]
    numbered = sorted(((line_of(lines, fault.key), fault.sentence) for fault in of_file), key=lambda found: found[0])
    return "\n".join(
        [f"{origin}, line {number}: {sentence}" for number, sentence in numbered]
        + [f"--set {given[fault.key]}: {fault.sentence}" for fault in faults if fault.key in given]
    )


def _read_config(reader: Reader, folder: Path, serves: bool) -> Config:
    watches = tuple(_read_watch(table, folder, reader) for table in reader.tables("watch"))
    if serves and not watches and not reader.faults:
        reader.fault(("watch",), "no folder is watched; add a [[watch]] table with path and output.")
    service, engine = read_service(reader.table("service")), read_engine(reader.table("engine"), folder)
    processing = Processing(**{name: reader.table(name).params(kind) for name, kind in SECTIONS.items()})
    alerts, retention = read_alerts(reader.table("alerts")), read_retention(reader.table("retention"))
    page, rules = read_page(reader.table("page"), folder), read_rules(reader, folder, [one.path for one in watches])
    database = _read_database(reader, folder, watches)
    reader.finish()
    _check_together(reader, watches)
    return Config(watches, database, engine, service, processing, alerts, page, retention, rules)


def _read_watch(table: Reader, folder: Path, around: Reader) -> WatchConfig:
    defaults = WatchConfig(folder, folder)
    watch = WatchConfig(
        path=table.path("path", folder),
        output=table.place("output", folder),
        recursive=table.boolean("recursive", defaults.recursive),
        exclude=table.folders("exclude", folder),
        name=table.text("name", defaults.name),
        pattern=table.optional_text("pattern"),
        step=table.optional_whole("step", at_least=1),
        nuclear_channel=table.channel("nuclear_channel"),
        unclear_channel="take" if table.choice("unclear_channel", "ask", get_args(UnclearChannel)) == "take" else "ask",
        voxel_size_um=table.voxel_size("voxel_size_um"),
        voxel_size_override_um=table.voxel_size("voxel_size_override_um"),
        axes=table.axes("axes"),
        frame_interval_s=table.optional_number("frame_interval_s"),
        as_image=table.boolean("as_image", defaults.as_image),
        archive=table.boolean("archive", defaults.archive),
        quiet_s=table.number("quiet_s", defaults.quiet_s, at_least=0.0),
        give_up_s=table.number("give_up_s", defaults.give_up_s, at_least=0.0),
        acquisition_quiet_s=table.number("acquisition_quiet_s", defaults.acquisition_quiet_s, at_least=0.0),
        ome_zarr_version=table.choice("ome_zarr_version", defaults.ome_zarr_version, ("0.4", "0.5")),
        image=cast(ImageKind, table.choice("image", defaults.image, get_args(ImageKind))),
        own=_read_own(table, around),
    )
    try:
        naming.acquisition_name(watch.name, (), "image")
    except StorageError as error:
        table.fault(("name",), str(error))
    if watch.pattern is not None:
        try:
            acquisition_key("image.tif", watch.pattern)
        except StorageError as error:
            table.fault(("pattern",), str(error))
    table.finish()
    return watch


def _read_own(table: Reader, around: Reader) -> Processing | None:
    """The settings of one watch over those of all: ``[watch.segmentation]`` below its ``[[watch]]``."""
    tables = {name: table.table(name) for name in SECTIONS}
    if not any(own.values for own in tables.values()):
        return None
    made: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        common, own = around.inner(name), tables[name]
        merged = Reader({**common, **own.values}, own.key)
        made[name] = merged.params(kind)
        alone = Reader(common, own.key)
        alone.params(kind)  # what is wrong for all is told once, where it stands
        table.faults.extend(fault for fault in merged.faults if fault not in alone.faults)
    return Processing(**made)


def _written(document: Mapping[str, Any]) -> frozenset[KeyPath]:
    """Where settings stand in a document."""

    def inside(values: object) -> list[tuple[str, str]]:
        tables = {name: values.get(name) for name in SECTIONS} if isinstance(values, Mapping) else {}
        return [(name, key) for name, table in tables.items() if isinstance(table, Mapping) for key in table]

    watches = document.get("watch", [])
    own = [
        ("watch", i, *key) for i, one in enumerate(watches if isinstance(watches, list) else []) for key in inside(one)
    ]
    return frozenset([*inside(document), *own])


def _read_database(reader: Reader, folder: Path, watches: tuple[WatchConfig, ...]) -> str:
    given = reader.optional_text("database")
    if given is not None:
        return given if "://" in given else naming.database_url(folder / given)
    outputs = {watch.output for watch in watches}
    if len(outputs) > 1:
        reader.fault(
            ("database",), "the watches have several outputs; say with `database = PATH` where the records go."
        )
    only = next(iter(outputs), folder)
    if isinstance(only, str):
        reader.fault(("database",), f"output = {only!r} is no folder; say with `database = PATH` where the records go.")
        only = folder
    return naming.database_url(naming.database_path(only))


def _check_together(reader: Reader, watches: tuple[WatchConfig, ...]) -> None:
    """Faults between watches; those whose own paths are at fault are left out."""
    at_fault = {fault.key for fault in reader.faults}

    def is_right(index: int, name: str) -> bool:
        return ("watch", index, name) not in at_fault

    for index, watch in enumerate(watches):
        if not is_right(index, "path"):
            continue
        if watch.output == watch.path and is_right(index, "output"):
            remedy = "results never go into the watched folder itself; give another folder."
            reader.fault(("watch", index, "output"), f"output = {str(watch.output)!r} is also path; {remedy}")
        for number, other in enumerate(watches):
            if number == index or not is_right(number, "path"):
                continue
            if watch.path == other.path and number < index:
                remedy = "keep one of the two tables."
                reader.fault(("watch", index, "path"), f"path = {str(watch.path)!r} is watched twice; {remedy}")
            elif other.recursive and other.path in watch.path.parents:
                remedy = "keep one of the two, or write recursive = false for the outer one."
                sentence = f"path = {str(watch.path)!r} lies inside {str(other.path)!r}, which is watched too; {remedy}"
                reader.fault(("watch", index, "path"), sentence)
