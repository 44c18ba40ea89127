"""When the network is asked for a nucleus that a person wants, and what is said where it is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases.stored import acquisition, register

from daemon.configuration.config import Processing
from daemon.errors import EngineFailedError
from daemon.processing.corrections.network import Landscapes
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from storage.database.catalog import Catalog
from storage.schema.rows import AcquisitionRow

BOX = (slice(0, 1), slice(0, 4), slice(0, 4))
PLANES = [np.zeros((8, 8), np.uint16)]


@pytest.fixture
def row(tmp_path: Any) -> AcquisitionRow:
    """A result of some weights."""
    with Catalog.open(tmp_path) as catalog:
        made = register(catalog, acquisition())
    params = Recipe(Ready("m", "a" * 64), Processing()).params(0)
    return replace(made, model_name="m", model_sha256="a" * 64, params=params)


@dataclass
class Network:
    """A segmenter that counts what it is asked."""

    sha256: str = "a" * 64
    looked: int = 0

    @property
    def weights_info(self) -> Any:
        """Its model."""
        return SimpleNamespace(name="m", sha256=self.sha256)

    def statistics(self, planes: Any) -> str:
        """Of a stack."""
        self.looked += 1
        return f"of {len(planes)}"

    def landscape(self, planes: Any, statistics: str, box: Any) -> Any:
        """What it sees."""
        return (statistics, box)


def test_it_is_loaded_when_something_is_to_be_drawn_and_looks_at_a_stack_once(row: AcquisitionRow) -> None:
    network, loaded = Network(), []

    def load(params: Any) -> Any:
        loaded.append(params)
        return network

    of = Landscapes(row, load)(PLANES)
    assert loaded == []
    assert of(BOX) == of(BOX) == ("of 1", BOX)
    assert (len(loaded), network.looked) == (1, 1)


def test_where_it_is_not_asked_it_says_why(row: AcquisitionRow) -> None:
    def fails(params: Any) -> Any:
        raise EngineFailedError("no such weights")

    plain = SimpleNamespace(weights_info=SimpleNamespace(name="threshold", sha256="a" * 64))
    told = [
        Landscapes(row, load)(PLANES)(BOX)
        for load in (None, fails, lambda params: Network("b" * 64), lambda params: plain)
    ]
    assert told == [
        "no network is at hand",
        "the network cannot be loaded (no such weights)",
        "the network that made this result (m) is not the one that runs",
        "threshold draws no single nuclei",
    ]
