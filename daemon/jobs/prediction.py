"""Ordering labels for images: which weights, which settings, and what is known of the images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.configuration.catalogue import Known, every_setting
from daemon.configuration.service_config import DEFAULT_WEIGHTS
from daemon.errors import UsageError
from daemon.jobs.choices import Choices
from daemon.jobs.job import JobStep

LABELS, REPORT = "labels", "report"
SECTIONS = ("segmentation", "volume")


@dataclass(frozen=True)
class PredictOrder:
    """What was chosen.

    Attributes
    ----------
    weights : str
    voxel_size_um : str
        As ``--voxel-size`` takes it; empty: what the files say.
    channel : str
        Empty: found by name, or by looking.
    settings : mapping
        Of `SECTIONS`, by full name; only those that differ from their defaults.
    """

    weights: str
    voxel_size_um: str
    channel: str
    settings: Mapping[str, bool | float]

    @classmethod
    def read(cls, given: Mapping[str, Any], weights: Collection[str]) -> PredictOrder:
        """Read a form.

        Raises
        ------
        UsageError
            With everything that is wrong in it.
        """
        choices = Choices(given)
        chosen = cls(
            choices.one_of("weights", weights, DEFAULT_WEIGHTS),
            _voxel_size(choices),
            choices.text("channel"),
            _settings(choices, given.get("settings", {})),
        )
        choices.check()
        return chosen

    def steps(
        self, images: Sequence[Path], results: Path, cores: int, engine: Sequence[str] = ()
    ) -> tuple[JobStep, ...]:
        """The commands; `engine` are more arguments, for another segmenter than NuSeT's."""
        given = [f"--voxel-size={self.voxel_size_um}"] if self.voxel_size_um else []
        given += [f"--channel={self.channel}"] if self.channel else []
        given += [f"--set={name}={str(value).lower()}" for name, value in self.settings.items()]
        arguments = (
            "segment",
            *map(str, images),
            f"--output={results / LABELS}",
            f"--report={results / REPORT}",
            "--only-missing",
            f"--weights={self.weights}",
            f"--threads={cores}",
            "--workers=1",  # a job is held as a whole, and it is one process that is held
            *given,
            *engine,
        )
        return (JobStep("find nuclei", arguments),)


def offered_settings() -> list[Known]:
    """The settings that images can be predicted with."""
    return [one for one in every_setting() if one.section in SECTIONS and one.name != "tile_px"]


def _voxel_size(choices: Choices) -> str:
    text = choices.text("voxel_size_um").replace(" ", "")
    try:
        values = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        values = [0.0]
    if not (len(values) <= 3 and all(0 < value < 1e6 for value in values)):
        choices.faults.append(f"voxel_size_um = {text!r} is not three lengths Z,Y,X in micrometres such as 2.0,0.3,0.3")
        return ""
    return text


def _settings(choices: Choices, given: object) -> dict[str, bool | float]:
    """Those that are set; their ranges are the engine's to check."""
    known = {one.full_name: one for one in offered_settings()}
    if not isinstance(given, Mapping) or not set(given) <= set(known):
        choices.faults.append(f"settings are some of {', '.join(known)}")
        return {}
    found: dict[str, bool | float] = {}
    for name, value in given.items():
        usual = known[name].default
        if value is None or value == "":
            continue
        if isinstance(value, bool) != isinstance(usual, bool) or not isinstance(value, bool | int | float):
            choices.faults.append(f"{name} = {value!r} is not {known[name].range_text}")
        elif value != usual:
            found[name] = value
    try:
        _checked(found)
    except UsageError as error:
        choices.faults.append(str(error))
    return found


def _checked(settings: Mapping[str, bool | float]) -> None:
    """Refuse values that the engine would."""
    from daemon.configuration import config
    from daemon.configuration.assignments import assignment

    given = [assignment(f"{name}={str(value).lower()}") for name, value in settings.items()]
    config.parse("", Path(), given, serves=False)
