"""`[page]`: the live page beside the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.configuration.fields import Reader
from daemon.loopback import is_own


@dataclass(frozen=True)
class PageConfig:
    """Where the page is, and for whom.

    Attributes
    ----------
    listen : str or None
        ``host:port``; None: there is no page.
    token_file : Path or None
        A file with the words of visitors; needed where others can reach the page.
    host_names : tuple of str
        Names of this computer, or of a proxy before it, under which the page is asked.
    read_only : bool
        Nothing can be ordered on it.
    folders : tuple of Path
        Below these, besides the watched ones, people may choose files of this computer.
    tls_certificate, tls_key : Path or None
        Files in PEM; with them the page speaks TLS itself.
    behind_proxy : bool
        A proxy of the user's speaks TLS to visitors, and reaches the page at an address that is not loopback.
    jobs : Path or None
        Where uploads, results and trainings of the page are kept; None: in the folder for the service's state.
    job_cores : int
        That a prediction or training of the page computes on.
    upload_mb, upload_files : int
        Megabytes of uploaded images that are kept in all, and files that one prediction takes.
    """

    listen: str | None = None
    token_file: Path | None = None
    host_names: tuple[str, ...] = ()
    read_only: bool = False
    folders: tuple[Path, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    jobs: Path | None = None
    job_cores: int = 1
    upload_mb: int = 4000
    upload_files: int = 200

    def arguments(self) -> list[str]:
        """What `nusetd page` is given."""
        given = ["--listen", str(self.listen)]
        for name in ("token_file", "tls_certificate", "tls_key"):
            if (path := getattr(self, name)) is not None:
                given += [f"--{name.replace('_', '-')}", str(path)]
        for name in self.host_names:
            given += ["--host-name", name]
        for folder in self.folders:
            given += ["--folder", str(folder)]
        given += [] if self.jobs is None else ["--jobs", str(self.jobs)]
        for name in ("job_cores", "upload_mb", "upload_files"):
            if getattr(self, name) != getattr(PageConfig, name):
                given += [f"--{name.replace('_', '-')}", str(getattr(self, name))]
        given += ["--behind-proxy"] if self.behind_proxy else []
        return [*given, "--read-only"] if self.read_only else given


def read_page(table: Reader, folder: Path) -> PageConfig:
    """Read the table `[page]`, noting its faults; a relative path counts from `folder`."""

    def file(name: str) -> Path | None:
        text = table.optional_text(name)
        return None if text is None else folder / Path(text).expanduser()

    page = PageConfig(
        listen=table.optional_text("listen"),
        token_file=file("token_file"),
        host_names=table.words("host_names"),
        read_only=table.boolean("read_only", False),
        folders=table.folders("folders", folder),
        tls_certificate=file("tls_certificate"),
        tls_key=file("tls_key"),
        behind_proxy=table.boolean("behind_proxy", False),
        jobs=file("jobs"),
        job_cores=table.whole("job_cores", PageConfig.job_cores, at_least=1),
        upload_mb=table.whole("upload_mb", PageConfig.upload_mb, at_least=1),
        upload_files=table.whole("upload_files", PageConfig.upload_files, at_least=1),
    )
    table.finish()
    if page.listen is not None:
        host, _, port = page.listen.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            table.fault(
                ("listen",), f"listen = {page.listen!r} is no address: write HOST:PORT, such as '127.0.0.1:8765'."
            )
        else:
            for sentence in openings(page):
                table.fault(("listen",), f"listen = {page.listen!r}: {sentence}")
    return page


def openings(page: PageConfig) -> Iterator[str]:
    """Give a sentence for each way in which others could get in, or listen in, who should not."""
    beyond = not is_own(page.listen)
    tls = page.tls_certificate is not None
    if tls != (page.tls_key is not None):
        yield "TLS needs both files, tls_certificate and tls_key (--tls-certificate, --tls-key)."
    if (beyond or page.host_names or page.behind_proxy) and page.token_file is None:
        yield (
            "it can be reached from other computers, or through a proxy: name a token_file (--token-file), or listen "
            "on '127.0.0.1:8765' alone and forward the port by ssh."
        )
    if beyond and not tls and not page.behind_proxy:
        yield (
            "what is sent, tokens too, could be read on the way: name tls_certificate and tls_key (--tls-certificate, "
            "--tls-key), or write behind_proxy = true (--behind-proxy) where a proxy of yours speaks TLS."
        )
