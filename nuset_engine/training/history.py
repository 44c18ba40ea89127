"""The history of a training run: a row per validation, and its plot."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

PARTS = ("bce", "dice", "distance", "rpn_class", "rpn_box")
COLUMNS = ("step", "learning_rate", "seconds", "loss", *PARTS, "validation_loss")


def record(history: Path, row: Mapping[str, float]) -> None:
    """Append a row to the history."""
    fresh = not history.is_file()
    with history.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{row[name]:.6g}" for name in COLUMNS})


def plot_history(history: Path) -> Path:
    """Draw training and validation loss over the steps beside the history file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with history.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    steps = [float(r["step"]) for r in rows]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in ("loss", "validation_loss", *PARTS):
        thick = name in ("loss", "validation_loss")
        axes.plot(steps, [float(r[name]) for r in rows], label=name, linewidth=2 if thick else 0.8)
    axes.set(xlabel="step", ylabel="loss", yscale="log", title="Training history")
    axes.legend(ncols=2, fontsize="small")
    target = history.with_suffix(".png")
    figure.savefig(target, dpi=120)
    plt.close(figure)
    return target
