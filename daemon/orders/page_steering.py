"""What the page needs to know, and to order, of settings in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.configuration.assignments import DEFAULT
from daemon.monitoring import status
from daemon.overrides import asking
from daemon.overrides.book import SERVICE
from daemon.overrides.found import overrides_of
from daemon.page.live.orders.services import Said, Steer
from storage.clock import utc_now

_SHOWN_CHANGES = 20
_ASKED, _NOTED = "The service has been asked.", "It is noted: the service does it when it runs."


class PageSteering:
    """Settings in use, and orders to change them, see `daemon.page.live.orders.services`."""

    def steering(self, database: str, source_path: str) -> Mapping[str, Any]:
        """The watched folder of a source, its settings that are no defaults, the segmenter, who changed what."""
        seen = status.look(database, utc_now())
        told = {} if seen.report is None else seen.report.settings
        folders = [folder for folder in told.get("settings", {}) if Path(source_path).is_relative_to(folder)]
        watch = max(folders, key=len, default=None)
        changes = [asdict(one) for one in overrides_of(database).changes if one.watch == watch] if watch else []
        return {
            "watch": watch,
            "runs": seen.runs,
            "in_use": told["settings"][watch] if watch is not None else [],
            "engine": {} if seen.report is None else seen.report.engine,
            "faults": list(told.get("faults", ())),
            "changes": changes[-_SHOWN_CHANGES:],
        }

    def override(self, database: str, watch: str, order: Steer) -> Said:
        """Ask for other settings of a watched folder."""
        given = {name: DEFAULT if value is None else value for name, value in order.values.items()}
        number = asking.ask_override(database, watch, given, order.removed, order.by)
        return self._asked(database, number)

    def weights(self, database: str) -> Mapping[str, Any]:
        """The weights of the service, where they come from, and who changed them."""
        seen = status.look(database, utc_now())
        report = seen.report
        told = {} if report is None else report.settings
        changes = [asdict(one) for one in overrides_of(database).changes if one.watch == SERVICE]
        return {
            "runs": seen.runs,
            "weights": None if report is None else report.engine.get("weights"),
            "loaded": None if report is None or not seen.runs else report.model,
            "in_use": next(iter(told.get("service", ())), None),
            "faults": list(told.get("faults", ())),
            "changes": changes[-_SHOWN_CHANGES:],
        }

    def use_weights(self, database: str, weights: str | None, by: str) -> Said:
        """Ask the service to go on with other weights; None: those of its configuration."""
        return self._asked(database, asking.ask_weights(database, weights, by))

    def again(self, database: str, number: int, by: str) -> Said:
        """Ask for a second result of an acquisition."""
        return self._asked(database, asking.ask_again(database, number, by))

    def answered(self, database: str, number: int) -> Mapping[str, Any] | None:
        """What the service made of a request; `accepted` is None while it has not answered."""
        found = asking.answer_to(database, number)
        return None if found is None else {"accepted": found.accepted, "answer": found.answer}

    @staticmethod
    def _asked(database: str, number: int) -> Said:
        runs = status.look(database, utc_now()).runs
        return Said(_ASKED if runs else _NOTED, requests=[number], values={"request": number})
