"""Weights that somebody names to a benchmark: those that are none are told at once, and in a sentence."""

from __future__ import annotations

import argparse

from nuset_engine.errors import EngineError
from nuset_engine.weights import find_weights


def known_weights(named: str) -> str:
    """What was named, for the `type` of an argument.

    Raises
    ------
    argparse.ArgumentTypeError
    """
    try:
        find_weights(named)
    except EngineError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return named
