"""What a path is on: SQLite's write-ahead log corrupts on shares, and absent is told from empty by the mount."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

NETWORK_FILESYSTEMS = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs",
        "davfs", "lustre", "gpfs", "beegfs",
        "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.davfs2", "fuse.glusterfs",
        "fuse.ceph", "fuse.curlftpfs", "fuse.smbnetfs",
    }
)  # fmt: skip


# Of these, the identity of a file system is its own, whatever device it is plugged in as.
_KNOWN_BY_ID = frozenset({"ext2", "ext3", "ext4", "btrfs"})


@dataclass(frozen=True)
class Mount:
    """What a path is on.

    Attributes
    ----------
    point : str
        Where it is mounted.
    kind : str
        Type of the file system.
    source : str
        The device or share, and which folder of it.
    fsid : int
        What the file system calls itself; 0 where it does not.
    """

    point: str
    kind: str
    source: str
    fsid: int = 0

    @classmethod
    def of(cls, path: Path, mounts: Path = MOUNTS) -> Mount | None:
        """Return the mount of a path, or of the nearest parent that exists; None where the system does not tell.

        Parameters
        ----------
        mounts : Path
            The kernel's list of mounts; without one it is not Linux.
        """
        try:
            lines = mounts.read_text(errors="surrogateescape").splitlines()
        except OSError:
            return None
        where = path.resolve()
        best: tuple[int, list[str], list[str]] | None = None
        for line in lines:
            left, _, right = line.partition(" - ")
            point = Path(_unescaped(left.split()[4]))
            # Of mounts over the same point the last one is on top, hence >=.
            if where.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
                best = len(point.parts), left.split(), right.split()
        if best is None:
            return None
        _, fields, (kind, source, *_) = best
        point_text = _unescaped(fields[4])
        try:
            fsid = os.statvfs(point_text).f_fsid
        except OSError:
            fsid = 0
        return cls(point_text, kind, f"{_unescaped(source)} {_unescaped(fields[3])}", fsid)

    def difference(self, present: Mount) -> str | None:
        """Return in what a mount differs from this one, which was there before; None where it is the same."""
        if (self.point, self.kind) != (present.point, present.kind):
            return f"{self._words} was mounted at {self.point}, and now there is {present._words} from {present.point}"
        by_id = self.kind in _KNOWN_BY_ID and self.fsid and present.fsid
        same = (
            self.fsid == present.fsid
            if by_id
            else self.kind not in NETWORK_FILESYSTEMS or self.source == present.source
        )
        return None if same else f"another disk or share ({present._words}) is mounted at {self.point} than before"

    @property
    def _words(self) -> str:
        return f"{self.source.rpartition(' ')[0]} ({self.kind})"


def network_filesystem(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that `path` is on, or None for a local disk.

    Parameters
    ----------
    path : Path
        Need not exist yet: its nearest existing parent decides.
    mounts : Path
        The kernel's list of mounts; without one (not Linux) every disk counts as local.
    """
    mount = Mount.of(path, mounts)
    return mount.kind if mount is not None and mount.kind in NETWORK_FILESYSTEMS else None


def _unescaped(text: str) -> str:
    r"""Return a mount point with the kernel's octal escapes (``\040`` is a space) undone."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text
