"""Who knows what is due at each step."""

from __future__ import annotations

from typing import Any

from daemon import pipeline
from daemon.processing.corrections.correcting import Amending, Correcting, CorrectingLinks
from daemon.processing.steps.books import Books
from daemon.processing.steps.choosing import ChoosingChannel
from daemon.processing.steps.finishing import Completing, Finishing
from daemon.processing.steps.renewing import MakingCurrent, Replaying, StagingTracks
from daemon.processing.steps.showing import Painting, Publishing
from daemon.processing.steps.time_points import Analysing, Committing, CommittingCorrected, Tracking


def handlers(books: Books) -> dict[str, Any]:
    """Who knows what is due of each step that workers, the loop and its thread run, by the step's name."""
    steps = {step.name: step for step in pipeline.FLOW}
    made: dict[str, Any] = {
        name: kind(steps[name], books)
        for name, kind in (
            ("choose channel", ChoosingChannel),
            ("analyse", Analysing),
            ("replay", Replaying),
            ("stage", StagingTracks),
            ("track", Tracking),
            ("commit", Committing),
            ("commit corrected", CommittingCorrected),
            ("publish", Publishing),
            ("finish", Finishing),
            ("paint", Painting),
            ("complete", Completing),
            ("correct", Correcting),
            ("amend", Amending),
        )
    }
    made["correct links"] = CorrectingLinks(steps["correct links"], books, made["correct"])
    made["make current"] = MakingCurrent(steps["make current"], books, made["stage"])
    return made
