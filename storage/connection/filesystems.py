"""What kind of disk a path is on: SQLite's write-ahead log corrupts on network shares."""

from __future__ import annotations

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


def network_filesystem(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that `path` is on, or None for a local disk.

    Parameters
    ----------
    path : Path
        Need not exist yet: its nearest existing parent decides.
    mounts : Path
        The kernel's list of mounts; without one (not Linux) every disk counts as local.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    where = path.resolve()
    best_depth, best_kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = Path(_unescaped(left.split()[4]))
        # Of mounts over the same point the last one is on top, hence >=.
        if where.is_relative_to(point) and len(point.parts) >= best_depth:
            best_depth, best_kind = len(point.parts), right.split()[0]
    return best_kind if best_kind in NETWORK_FILESYSTEMS else None


def _unescaped(text: str) -> str:
    r"""Return a mount point with the kernel's octal escapes (``\040`` is a space) undone."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text
