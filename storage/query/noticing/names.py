"""What a condition can be about, by its name; without the database, so that a configuration is read quickly."""

from __future__ import annotations

from typing import Literal

About = Literal["nuclei", "tracks", "divisions", "counts", "drift"]
SUBJECTS: tuple[About, ...] = ("nuclei", "tracks", "divisions", "counts", "drift")
