"""How well stated probabilities are calibrated, and how well they part wrong decisions from right ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2


def curve(stated: np.ndarray, wrong: np.ndarray) -> list[dict[str, float]]:
    """Stated against observed, in bins of a tenth, with the interval in which the true rate lies at 95 %."""
    found = []
    for low in np.arange(0.0, 1.0, 0.1):
        here = (stated >= low) & (stated < low + 0.1)
        if here.any():
            share, count = float(wrong[here].mean()), int(here.sum())
            below, above = wilson(share, count)
            found.append(
                {
                    "stated": round(float(stated[here].mean()), 3),
                    "observed": round(share, 3),
                    "from": round(below, 3),
                    "to": round(above, 3),
                    "decisions": count,
                }
            )
    return found


def by_chance(bins: Sequence[dict[str, float]]) -> str:
    """Whether what was observed between 0.1 and 0.9 is off by more than chance, over all bins (chi-square).

    Independent decisions are assumed; those of one chain of errors are not, so that chance does more than this says.
    """
    middle = [one for one in bins if 0.1 <= one["stated"] < 0.9]
    off = sum((b["observed"] - b["stated"]) ** 2 * b["decisions"] / (b["stated"] * (1 - b["stated"])) for b in middle)
    return f"chi-square {off:.1f} in {len(middle)} bins, p = {chi2.sf(off, len(middle)):.2f}"


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a rate that was observed as `share` in `count` cases."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * float(np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def area(score: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a wrong decision is doubted more than a right one."""
    order = np.argsort(score)
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    bad = wrong > 0
    if not bad.any() or bad.all():
        return float("nan")
    return float((rank[bad].mean() - (bad.sum() + 1) / 2) / (~bad).sum())
