"""Other weights for the running service: loaded first, then written down; what cannot be loaded changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from daemon import logs
from daemon.errors import DaemonError
from daemon.installation.kept_weights import located

if TYPE_CHECKING:
    from daemon.configuration.config import Config
    from daemon.overrides.in_use import OverrideOrder, SettingsInUse
    from daemon.processing.workers.engine_exchange import EngineExchange

Answered = Callable[[bool, str], None]


class WeightsOrders:
    """Carries out one order after the other.

    Parameters
    ----------
    settings : SettingsInUse
    exchange : EngineExchange
    config : callable
        Gives the configuration in use.
    take_over : callable
        Goes on with another one; what is under way with other weights gives way.
    """

    def __init__(
        self,
        settings: SettingsInUse,
        exchange: EngineExchange,
        config: Callable[[], Config],
        take_over: Callable[[Config], None],
    ) -> None:
        self._settings, self._exchange = settings, exchange
        self._config, self._take_over = config, take_over

    def begin(self, order: OverrideOrder, answer: Answered) -> bool:
        """Have the workers load them; False while another change is under way, after which it is asked again."""
        if self._exchange.under_way:
            return False
        try:
            wanted = self._settings.weights_after(self._config(), order)
        except DaemonError as error:
            answer(False, str(error))
            return True
        if wanted == self._config().engine.weights:
            self._end(order, answer, None)  # only where they come from changes
        else:
            self._exchange.ask(located(wanted), partial(self._end, order, answer))
        return True

    def _end(self, order: OverrideOrder, answer: Answered, refused: str | None) -> None:
        before = self._config().engine.weights
        if refused is not None:
            answer(False, f"Nothing was changed, {before} are in use as before: {refused}")
            return
        try:
            config, told = self._settings.order(self._config(), order)
        except DaemonError as error:
            answer(False, f"{error} {before} are in use as before.")
            self._exchange.ask(located(before), lambda refused: None)
            return
        self._take_over(config)
        logs.info("weights changed", by=order.by, what=told)
        answer(True, told)
