"""The weights that people choose among: those that the package brings, and their own."""

from __future__ import annotations

import json
from typing import Any

from daemon.installation.kept_weights import kept_folder, kept_weights
from nuset_engine.weights import shipped_weights

KNOWN = {
    "fluorescence": "fluorescent nuclei, stacks and planes: for most images",
    "histology": "tissue stained with haematoxylin and eosin",
}
"""What the shipped ones are for; those for rare events are not among them, they find no nuclei."""


def model_names() -> list[str]:
    """Every name that can be chosen."""
    return [name for name in KNOWN if name in shipped_weights()] + kept_weights()


def models() -> list[dict[str, Any]]:
    """The same with a few words on each."""
    shipped = [{"name": name, "about": KNOWN[name], "own": False} for name in KNOWN if name in shipped_weights()]
    return shipped + [{"name": name, "about": _about(name), "own": True} for name in kept_weights()]


def _about(name: str) -> str:
    """How weights of one's own were made."""
    try:
        manifest = json.loads((kept_folder() / f"{name}.json").read_text(encoding="utf-8"))
        recipe, scores = manifest["recipe"], manifest["scores"]
        start = recipe.get("start_from") or "nothing"
        return f"your own: from {start}, {recipe.get('images')}, {scores.get('step')} steps"
    except (OSError, ValueError, KeyError, AttributeError):
        return "your own"
