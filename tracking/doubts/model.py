"""The fitted model: curves for each kind of decision, at first sight and with later time points known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from tracking.doubts.curves import Curves

FAULTS = ("false", "part", "several", "outline")
"""What may be wrong with a nucleus: it is none, one of several pieces of one, more than one, or has a wrong outline."""
LINK_KINDS = ("link", "missed", "division", "birth", "end")
"""What is decided of links; `missed`: that a track goes on over a time point at which its nucleus is not."""
STAGES = ("fresh", "settled")
"""At first sight, and with later time points known."""


@dataclass(frozen=True)
class DoubtModel:
    """Curves by (kind, stage): `nucleus`, each of `FAULTS`, and each of `LINK_KINDS`.

    Attributes
    ----------
    manifest : dict
        What it was fitted to and how, with scores.
    """

    curves: Mapping[tuple[str, str], Curves]
    manifest: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        parts = {f"{kind}/{stage}": curves.as_dict() for (kind, stage), curves in self.curves.items()}
        return {"manifest": dict(self.manifest), "curves": parts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DoubtModel:
        """From `as_dict`."""
        curves = {}
        for name, part in values["curves"].items():
            kind, stage = str(name).split("/")
            curves[kind, stage] = Curves.from_dict(part)
        return cls(curves, values["manifest"])


@lru_cache(maxsize=1)
def shipped_model() -> DoubtModel:
    """The model that comes with the package."""
    text = resources.files("tracking.doubts").joinpath("model.json").read_text(encoding="utf-8")
    return DoubtModel.from_dict(json.loads(text))
