"""The configuration's table `[retention]`: which results may be forgotten by themselves. Off unless it says so."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.configuration.fields import Reader


@dataclass(frozen=True)
class RetentionConfig:
    """Complete acquisitions are forgotten, oldest first, when both hold; never others.

    Attributes
    ----------
    after_days : float
        They have been complete for so many days; 0: any number of days.
    free_gb : float
        Less than so many GB (10^9 bytes) are free where their OME-Zarr lies; 0: however much is free.
    dry_run : bool
        Only tell in the log what would be forgotten.
    """

    after_days: float = 0.0
    free_gb: float = 0.0
    dry_run: bool = False

    @property
    def is_on(self) -> bool:
        """False unless one of the two limits is given."""
        return self.after_days > 0 or self.free_gb > 0


def read_retention(table: Reader) -> RetentionConfig:
    """Read the table `[retention]`, noting its faults."""
    defaults = RetentionConfig()
    retention = RetentionConfig(
        after_days=table.number("after_days", defaults.after_days, at_least=0.0),
        free_gb=table.number("free_gb", defaults.free_gb, at_least=0.0),
        dry_run=table.boolean("dry_run", defaults.dry_run),
    )
    table.finish()
    return retention
