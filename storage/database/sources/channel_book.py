"""Which channel of an acquisition shows nuclei: found by looking at its first time point that shows any, and kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from storage.database import claims, lookups, registration
from storage.description import Description
from storage.schema.rows import AcquisitionRow, ChannelFact, TimepointJob
from storage.schema.tables import acquisitions

_SAID = ("configured", "measured")


@dataclass(frozen=True)
class ChannelBook:
    """The pages of the catalog about channels; each method is one transaction."""

    transaction: Callable[[], AbstractContextManager[Connection]]
    now: Callable[[], str]

    def known(self, acquisition: Description, model_sha256: str, params: Mapping[str, Any]) -> ChannelFact | None:
        """Return what is known of the channels of this source: of any result of it, the newest first.

        What was taken without a look, by versions before, holds for the result that it was taken for, and no other.
        """
        with self.transaction() as connection:
            here = acquisitions.c.source_key == registration.source_key(acquisition.source_path)
            query = select(acquisitions).where(here, acquisitions.c.nuclear_channel.is_not(None))
            for row in connection.execute(query.order_by(acquisitions.c.id.desc())).mappings():
                if list(row["channel_names"]) != list(acquisition.channel_names):
                    continue
                fact = ChannelFact(row["nuclear_channel"], row["channel_source"], row["channel_trial"])
                own = registration.result_key(acquisition, model_sha256, {**params, "nuclear_channel": fact.channel})
                if fact.source in _SAID or fact.trial is not None or own == row["result_key"]:
                    return fact
        return None

    def claim(self, without: Collection[int] = ()) -> TimepointJob | None:
        """Claim the next time point of an acquisition of which it is open; None when there is nothing to do.

        Acquisitions of `without` wait.
        """
        with self.transaction() as connection:
            return claims.claim_next(connection, self.now(), 1, without, channel_is_open=True)

    def decide(self, job: TimepointJob, fact: ChannelFact) -> AcquisitionRow:
        """Write down which channel it is; what was made of the acquisition before, without knowing, is done again.

        The claim on the time point stays.
        """
        with self.transaction() as connection:
            row = lookups.acquisition(connection, job.acquisition_id)
            params = {**row.params, "nuclear_channel": fact.channel}
            values: dict[str, Any] = {
                "nuclear_channel": fact.channel,
                "channel_source": fact.source,
                "channel_trial": fact.trial,
                "params": params,
            }
            key = registration.key_of(row.model_sha256, params, row.voxel_size_um)
            same = (acquisitions.c.source_key == row.source_key, acquisitions.c.result_key == key)
            if connection.execute(select(acquisitions.c.id).where(*same)).first() is None:
                values["result_key"] = key
            connection.execute(update(acquisitions).where(acquisitions.c.id == row.id).values(values))
            registration.queue_again(connection, row.id, self.now())
            return lookups.acquisition(connection, job.acquisition_id)

    def leave_open(self, job: TimepointJob, trial: Mapping[str, Any]) -> AcquisitionRow:
        """Write down what a look found, which decides nothing; the claim on the time point stays.

        Until something decides, one channel stands for all: the one that came nearest at the first look.
        """
        with self.transaction() as connection:
            before = lookups.acquisition(connection, job.acquisition_id).channel_trial or trial
            here = acquisitions.c.id == job.acquisition_id
            kept = {**trial, "best": before["best"]}
            connection.execute(update(acquisitions).where(here).values(channel_trial=kept))
            return lookups.acquisition(connection, job.acquisition_id)

    def ask(self, job: TimepointJob, reason: str, trial: Mapping[str, Any]) -> None:
        """Set aside what waits of an acquisition until a person says which channel it is."""
        with self.transaction() as connection:
            here = acquisitions.c.id == job.acquisition_id
            connection.execute(update(acquisitions).where(here).values(channel_trial=dict(trial)))
            claims.give_back(connection, job, reason, None)
            claims.abandon(connection, job.acquisition_id, reason)
