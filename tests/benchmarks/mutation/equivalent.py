"""Faults that change nothing that anybody could see, each with a sentence that says why."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from mutation.faults import Fault

LISTED = Path(__file__).with_name("equivalent.toml")


def reason_of(fault: Fault) -> str | None:
    """Why a fault changes nothing; None where it does, as far as it is known."""
    return _listed().get((fault.module, fault.where, _plain(fault.was), _plain(fault.becomes)))


@cache
def _listed() -> dict[tuple[str, str, str, str], str]:
    entries = tomllib.loads(LISTED.read_text(encoding="utf-8")).get("fault", []) if LISTED.exists() else []
    return {(one["module"], one["where"], _plain(one["was"]), _plain(one["becomes"])): one["why"] for one in entries}


def _plain(text: str) -> str:
    """Without line breaks and the spaces of indentation."""
    return " ".join(text.split())
