"""A word where weights learned other things than they are asked for: nuclei, or rare events among them."""

from __future__ import annotations

from daemon.configuration.service_config import DEFAULT_WEIGHTS, EngineConfig
from daemon.installation.kept_weights import located
from daemon.output import complain
from nuset_engine.errors import EngineError
from nuset_engine.runtime.choice import weights_named
from nuset_engine.training.words import EVENTS, NUCLEI


def say_if_for_events(engine: EngineConfig) -> None:
    """Of weights that are to find all nuclei, say so where they learned events alone."""
    usual = EngineConfig(weights=engine.weights).factory == engine.factory
    if usual and engine.weights != DEFAULT_WEIGHTS and learned(engine.weights) == EVENTS:
        complain(
            f"The weights {engine.weights} learned rare events among nuclei: the others are left out, or taken for "
            "such. See `nusetd detect`."
        )


def say_if_for_nuclei(weights: str) -> None:
    """Of weights that are to find events, say so where they learned nuclei."""
    if learned(weights) == NUCLEI:
        complain(
            f"The weights {weights} learned nuclei, so each of these is told as an event: see "
            "`nusetd train --mode events`."
        )


def learned(weights: str) -> str | None:
    """What weights, by name or path, learned; None where they do not say, or are none, which is said elsewhere."""
    try:
        return weights_named(located(weights)).learned
    except EngineError:
        return None
