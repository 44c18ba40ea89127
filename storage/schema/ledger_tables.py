"""The tables of what happened, in the order in which it was committed, and of what rules made of it."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from storage.schema.columns import ROW_ID, metadata

# What was committed, in that order: a row for each transaction that changed results, and for each alarm that was told.
# Rows are only added, but for those of an acquisition that is forgotten; a number is never given twice.
events = Table(
    "events",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("acquisition_id", Integer),  # without a key to it: that it was forgotten is an event too
    Column("t", Integer),
    Column("kind", String(16), nullable=False),  # see `storage.schema.event_kinds`
    Column("at", String(32), nullable=False),
    Column("facts", JSON(none_as_null=True)),
    Index(None, "acquisition_id", "id"),
    sqlite_autoincrement=True,
)

# What rules sent, or are to send: decided once for a rule, an event and a way to send it.
rule_sendings = Table(
    "rule_sendings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rule", String(64), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("action", String(16), nullable=False),  # next, webhook or command
    Column("acquisition_id", Integer, nullable=False, index=True),
    Column("t", Integer, nullable=False),
    Column("content", JSON, nullable=False),  # what is sent
    Column("decided_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # due, sent, void or failed
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("delivered_at", String(32)),
    Column("outcome", Text),
    UniqueConstraint("rule", "event_id", "action"),
    Index(None, "state", "rule", "action"),
)

# How far each rule has read the events, and what it remembers of them.
rule_states = Table(
    "rule_states",
    metadata,
    Column("rule", String(64), primary_key=True),
    Column("made_of", String(64), nullable=False),  # hash of the rule: another one begins anew
    Column("event_id", BigInteger, nullable=False),
    Column("memory", JSON, nullable=False),
)
