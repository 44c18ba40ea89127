"""Which acquisition an order is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.errors import WrongRequestError
from storage.results import Results
from storage.schema.rows import AcquisitionRow


def named_acquisition(database: str, values: Mapping[str, Any]) -> AcquisitionRow:
    """Return the acquisition whose id an order names.

    Raises
    ------
    WrongRequestError, UnknownAcquisitionError
    """
    number = values.get("acquisition")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**31:
        raise WrongRequestError("Name the acquisition by its id.")
    return Results(database)[number].about
