"""`[page]`: the live page beside the service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.configuration.fields import LOOPBACK, Reader


@dataclass(frozen=True)
class PageConfig:
    """Where the page is, and for whom.

    Attributes
    ----------
    listen : str or None
        ``host:port``; None: there is no page.
    token_file : Path or None
        A file with the word that visitors must know; needed where others can reach the address.
    host_names : tuple of str
        Names of this computer, or of a proxy before it, under which the page is asked.
    read_only : bool
        Nothing can be ordered on it.
    """

    listen: str | None = None
    token_file: Path | None = None
    host_names: tuple[str, ...] = ()
    read_only: bool = False

    def arguments(self) -> list[str]:
        """What `nusetd page` is given."""
        given = ["--listen", str(self.listen)]
        given += ["--token-file", str(self.token_file)] if self.token_file is not None else []
        for name in self.host_names:
            given += ["--host-name", name]
        return [*given, "--read-only"] if self.read_only else given


def read_page(table: Reader, folder: Path) -> PageConfig:
    """Read the table `[page]`, noting its faults; a relative path counts from `folder`."""
    token = table.optional_text("token_file")
    page = PageConfig(
        listen=table.optional_text("listen"),
        token_file=None if token is None else folder / Path(token).expanduser(),
        host_names=table.words("host_names"),
        read_only=table.boolean("read_only", False),
    )
    table.finish()
    if page.listen is not None:
        host, _, port = page.listen.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            table.fault(
                ("listen",), f"listen = {page.listen!r} is no address: write HOST:PORT, such as '127.0.0.1:8765'."
            )
        elif host not in LOOPBACK and page.token_file is None:
            remedy = "write token_file = PATH, or listen on '127.0.0.1:8765' and forward the port by ssh."
            table.fault(("listen",), f"listen = {page.listen!r} can be reached from other computers: {remedy}")
    return page
