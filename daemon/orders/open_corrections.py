"""`nusetd correct ACQ list --open`: what does not fit, each with a picture."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from daemon.errors import DaemonError
from daemon.plots.misfit_picture import misfit_picture
from storage.corrections.open_ones import open_corrections

COLUMNS = ("id", "source_t", "kind", "labels", "there", "reason", "to_do", "picture")


def list_open(url: str, acquisition_id: int, folder: Path) -> pd.DataFrame:
    """Write a picture of every correction that does not fit into a folder; a row for each.

    Raises
    ------
    DaemonError
        When the folder cannot be written.
    """
    rows = []
    for one in open_corrections(url, acquisition_id):
        picture = None
        if one.panels:
            picture = folder / f"acquisition-{acquisition_id}-correction-{one.id}.png"
            png = misfit_picture([(panel.image, panel.meant, panel.present) for panel in one.panels])
            try:
                folder.mkdir(parents=True, exist_ok=True)
                picture.write_bytes(png)
            except OSError as error:
                raise DaemonError(f"{folder} cannot be written ({error.strerror}): name one by --pictures.") from error
        numbers = (", ".join(map(str, labels)) for labels in (one.labels, one.there))
        rows.append((one.id, one.source_t, one.kind, *numbers, one.reason, one.to_do, str(picture or "")))
    return pd.DataFrame(rows, columns=list(COLUMNS))
