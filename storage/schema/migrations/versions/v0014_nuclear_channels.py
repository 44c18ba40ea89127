"""Which channel of an acquisition shows nuclei, where that is known from, and figures of the look that found it."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STAINS = ("dapi", "hoechst", "draq5", "sytox", "h2b", "histone", "nls", "nuclei", "nuclear", "nucleus")
"""By which versions before chose a channel, else the first."""


def upgrade() -> None:
    """Add the columns; what versions before took without a stain's name and without a look was a guess."""
    op.add_column("acquisitions", sa.Column("nuclear_channel", sa.Integer()))
    op.add_column("acquisitions", sa.Column("channel_source", sa.String(16)))
    op.add_column("acquisitions", sa.Column("channel_trial", sa.JSON()))
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, size_c, channel_names, params FROM acquisitions")).all()
    for number, size_c, names, params in rows:
        stored, named = _value(params), _value(names)
        channel = stored.get("nuclear_channel")
        if channel is None:
            continue
        values = {"id": number, "channel": channel, "source": _source(int(channel), size_c, named)}
        statement = "UPDATE acquisitions SET nuclear_channel = :channel, channel_source = :source WHERE id = :id"
        connection.execute(sa.text(statement), values)


def downgrade() -> None:
    """Remove them."""
    for name in ("channel_trial", "channel_source", "nuclear_channel"):
        op.drop_column("acquisitions", name)


def _value(text: Any) -> Any:  # noqa: ANN401  # SQLite gives JSON as text, other servers as values
    return json.loads(text) if isinstance(text, str) else text


def _source(channel: int, size_c: int | None, names: list[str]) -> str:
    stained = [i for i, name in enumerate(names) if any(stain in name.casefold() for stain in STAINS)]
    if (size_c or 1) == 1 or stained[:1] == [channel]:
        return "metadata"
    return "configured" if channel else "guessed"
