"""What came of each image, in order: of one process, this one, or of several."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from daemon.files.sharing.team import Team
from daemon.files.sharing.work import Found, Hears, Image, Share, Work, attempt


def outcomes(
    work: Work[Image, Found], images: Sequence[Image], shares: Sequence[Share], tell: Hears
) -> Generator[Found | Exception]:
    """Do some work with images, as many at once as there are shares; a single one is done in this process.

    Yields
    ------
    object or Exception
        What was found, or the error that is about this image alone; before it, `tell` hears what is said of it.

    Raises
    ------
    DaemonError, StorageError, EngineError, OSError
        When the work cannot begin.
    """
    if len(shares) == 1:
        doing = work.begin(shares[0])
        for image in images:
            yield attempt(doing, image, tell)
        return
    with Team(work, shares) as team:
        yield from team.outcomes(images, tell)
