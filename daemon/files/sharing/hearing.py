"""What is said of images while they are done, brought to the person and to programs."""

from __future__ import annotations

from daemon.files.progress_lines import ProgressLines
from daemon.files.sharing.work import ImageDoubt, ImageNews, Remark
from daemon.output import complain
from daemon.sentences import Sentences


class Hearing:
    """Hears it all, in the order of images.

    Parameters
    ----------
    lines : ProgressLines, optional
        Where programs read how far it is.
    """

    def __init__(self, lines: ProgressLines | None = None) -> None:
        self._lines = lines
        self._sentences = Sentences()

    def hear(self, said: ImageNews) -> None:
        """Bring one of them to where it belongs."""
        if isinstance(said, Remark):
            complain(said.text)
        elif isinstance(said, ImageDoubt):
            self._sentences.say(said.text, said.image)
        else:
            self.progress(said.what, **said.values)

    def progress(self, what: str, **values: object) -> None:
        """Something happened."""
        if self._lines is not None:
            self._lines.tell(what, **values)

    def end(self) -> None:
        """All images are over."""
        self._sentences.end()
