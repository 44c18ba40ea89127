"""Overrides over a configuration: what counts is taken, what does not is told and left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from daemon.configuration.assignments import DEFAULT
from daemon.configuration.config import SECTIONS, Config, Processing, WatchConfig
from daemon.configuration.fields import Fault, Reader
from daemon.configuration.machine import engine_faults
from daemon.overrides.book import SERVICE, WEIGHTS, Overrides, Value


@dataclass(frozen=True)
class Applied:
    """A configuration with overrides over it, and a sentence for each that does not count."""

    config: Config
    faults: tuple[str, ...]


def applied(config: Config, overrides: Overrides) -> Applied:
    """Lay overrides over a configuration."""
    faults = [] if overrides.fault is None else [overrides.fault]
    watches = []
    for watch in config.watch:
        made, wrong = overlaid(watch.own or config.processing, overrides.values.get(str(watch.path), {}))
        faults += [f"An override for {watch.path} does not count: {sentence}" for sentence in wrong]
        watches.append(replace(watch, overridden=made))
    config, wrong = with_weights(config, overrides.values.get(SERVICE, {}).get(WEIGHTS))
    faults += [f"The weights that were chosen do not count, those of the configuration do: {one}" for one in wrong]
    gone = sorted(overrides.values.keys() - {SERVICE, *(str(watch.path) for watch in config.watch)})
    faults += [
        f"{path} is not watched any more: its overrides wait for it; remove them with `nusetd override {path} "
        "--remove-all`."
        for path in gone
    ]
    return Applied(replace(config, watch=tuple(watches)), tuple(faults))


def overlaid(base: Processing, wanted: Mapping[str, Value]) -> tuple[Processing | None, list[str]]:
    """Settings over others, and a sentence for each that cannot be; None where none is left."""
    made: dict[str, Any] = {}
    faults = [f"{name} is not a setting of this version." for name in wanted if not _is_known(name)]
    for section, kind in SECTIONS.items():
        known = [name for name in wanted if _is_known(name) and name.partition(".")[0] == section]
        mine = {name.partition(".")[2]: wanted[name] for name in known}
        if mine:
            made[section], wrong = _section_overlaid(kind, getattr(base, section), mine)
            faults += [f"{section}.{sentence}" for sentence in wrong]
    changed = {section: params for section, params in made.items() if params != getattr(base, section)}
    return (replace(base, **changed) if made else None), faults


def with_weights(config: Config, wanted: Value | None) -> tuple[Config, list[str]]:
    """A configuration with chosen weights, or with its own where these cannot be used, and why; None: its own."""
    if config.configured_weights is not None:
        config = replace(
            config, engine=replace(config.engine, weights=config.configured_weights), configured_weights=None
        )
    if wanted is None:
        return config, []
    engine = replace(config.engine, weights=str(wanted))
    faults = [fault.sentence for fault in engine_faults(engine)]
    return (config if faults else replace(config, engine=engine, configured_weights=config.engine.weights)), faults


def without(watch: WatchConfig, config: Config) -> Processing:
    """The settings of a watch by the configuration alone."""
    return watch.own or config.processing


def _section_overlaid(kind: type, base: Any, wanted: dict[str, Value]) -> tuple[Any, list[str]]:  # noqa: ANN401
    """Parameters with what can be of `wanted`: what is at fault is left out, until what is left is right together."""
    told: list[str] = []
    while wanted:
        values = {one.name: getattr(base, one.name) for one in fields(kind)} | wanted
        given = {name: value for name, value in values.items() if value is not None and value != DEFAULT}
        faults: list[Fault] = []
        params: Any = Reader(given, (), faults).params(kind)
        if not faults:
            return params, told
        told += [fault.sentence for fault in faults]
        wrong = {fault.key[-1] for fault in faults}
        wanted = {name: value for name, value in wanted.items() if name not in wrong} if wrong & wanted.keys() else {}
    return base, told


def _is_known(name: str) -> bool:
    section, _, key = name.partition(".")
    return section in SECTIONS and key in {one.name for one in fields(SECTIONS[section])}
