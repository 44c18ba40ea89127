"""Parameters as text, to compare them and to compute their hash; without the database, so that the worker may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from storage.errors import StorageError


def canonical_json(value: Mapping[str, Any]) -> str:
    """Return parameters as text that is equal for equal parameters.

    Raises
    ------
    StorageError
        When they hold something that JSON cannot say.
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise StorageError(f"Parameters {value!r} cannot be stored as JSON ({error}): use plain values.") from error
