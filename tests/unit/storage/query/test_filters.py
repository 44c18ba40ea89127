"""Filters that people write: what they mean, and one sentence for what is none."""

from __future__ import annotations

import contextlib
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, String, Table, create_engine, insert, select
from sqlalchemy.dialects import postgresql

from storage.errors import WrongRequestError
from storage.query.filters import MOST_WORDS, condition

TABLE = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("volume", Float),
    Column("state", String),
    Column("bridged", Boolean),
)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "volume": 100.0, "state": "done", "bridged": False},
    {"id": 2, "volume": 300.5, "state": "done", "bridged": True},
    {"id": 3, "volume": None, "state": 'it\'s "odd"', "bridged": None},
    {"id": 4, "volume": -1e-3, "state": "failed", "bridged": True},
]
COLUMNS = dict(TABLE.columns)


def kept(text: str) -> list[int]:
    """The ids for which a filter holds, as SQLite finds them."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            TABLE.create(connection)
            connection.execute(insert(TABLE), ROWS)
            query = select(TABLE.c.id).where(condition(text, COLUMNS, "things")).order_by(TABLE.c.id)
            return list(connection.execute(query).scalars())
    finally:
        engine.dispose()  # also where the filter is refused: a connection that nobody closes is a warning


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("volume > 300", [2]),
        ("300<volume", [2]),
        ("volume >= 100 AND id <= 1", [1]),
        ("id = 1 or id == 4", [1, 4]),
        ("id = 1 or id = 2 and volume < 0", [1]),
        ("(id = 1 or id = 2) and volume > 200", [2]),
        ("not (id = 1 or id = 2)", [3, 4]),
        ("not id = 1 and not id = 2", [3, 4]),
        ("volume is null", [3]),
        ("volume is not null", [1, 2, 4]),
        ("state = 'done'", [1, 2]),
        ('state != "done"', [3, 4]),
        ("state <> 'done'", [3, 4]),
        ("state = 'it''s \"odd\"'", [3]),
        ('state = "it\'s ""odd"""', [3]),
        ("id in (1, 3,4)", [1, 3, 4]),
        ("id not in (1, 3)", [2, 4]),
        ("id between 2 and 3 or volume < -.0005", [2, 3, 4]),
        ("state like 'DO%'", [1, 2]),
        ("state not like '%e%'", [3]),
        ("bridged", [2, 4]),
        ("not bridged", [1, 3]),
        ("bridged = false", [1]),
        ("bridged != true", [1]),
        ("bridged is null", [3]),
        ("volume > id", [1, 2]),
        ("volume < 1e2", [4]),
        ("id < 99999999999999999999999", [1, 2, 3, 4]),
    ],
)
def test_a_filter_means_what_it_says(text: str, ids: list[int]) -> None:
    assert kept(text) == ids


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at its end: a column or a value is missing"),
        ("   ", "at its end"),
        ("volume >", "at its end: a column or a value is missing"),
        ("volume", "a comparison such as volume > 1"),
        ("volume > 300 id < 3", r"at 'id' \(character 14\): a further condition needs 'and' or 'or'"),
        ("(volume > 300", "the bracket is not closed"),
        ("volume > 300)", "at '\\)'"),
        ("colour = 3", "Things have no column colour: there are id, volume, state, bridged"),
        ("volumes = 3", r"no column volumes \(did you mean volume\?\): there are id, "),
        ("volume = null", r"at 'null' \(character 10\): use 'is null'"),
        ("volume is 3", "'is' goes with 'null'"),
        ("volume > 'big'", "volume is a number and 'big' is a text; texts stand in quotes"),
        ("state = done", "no column done"),
        ("state = 3", "state is a text and 3 is a number; texts stand in quotes"),
        ("bridged = 1", "bridged is true or false and 1 is a number"),
        ("bridged > false", "has no order"),
        ("id in 3", "'in' goes with a list"),
        ("id in (3", "the list is not closed"),
        ("id in ()", "a column or a value is missing"),
        ("id between 3", "'between' goes with two values"),
        ("id like 3", "'like' compares texts"),
        ("1; DROP TABLE things", "cannot be read at '; DROP TABLE'"),
        ("id = 1 -- comment", "cannot be read at '-- comment'"),
        ("id = 0x10", "cannot be read at '0x10'"),
        ("sqrt(id) > 1", "no column sqrt"),
        ("id = 1 union select 1", "at 'union'"),
        ("state = 'open", 'cannot be read at "\'open"'),
        ("(" * 80 + "id = 1" + ")" * 80, "nested more than"),
        ("not " * 80 + "id = 1", "nested more than"),
        (" and ".join(["id = 1"] * 300), "has 1199 words"),
        ("id = 1 and and id = 2", "at 'and'"),
        ("between = 3", r"at 'between' \(character 1\): a column or a value is missing"),
    ],
)
def test_what_is_no_filter_is_one_sentence(text: str, complaint: str) -> None:
    with pytest.raises(WrongRequestError, match=complaint) as raised:
        condition(text, COLUMNS, "things")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(("The filter ", "Things have no column"))


def test_values_are_bound_and_never_part_of_the_statement() -> None:
    found = condition("state = 'x'' OR 1=1 --' and volume > 12345", COLUMNS, "things")
    for dialect in (None, postgresql.dialect()):
        statement = str(select(TABLE.c.id).where(found).compile(dialect=dialect))
        assert "12345" not in statement
        assert "1=1" not in statement


def test_the_longest_filter_is_taken_by_sqlite() -> None:
    assert kept(" or ".join(["id = 1"] * 125)) == [1]
    assert kept("not " * 48 + "id = 1") == [1]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))  # quicker found than what UTF-8 takes
def test_no_text_does_anything_else_than_filter_or_be_refused(text: str) -> None:
    with contextlib.suppress(WrongRequestError):
        kept(text)


SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne}
TESTS = st.tuples(st.sampled_from(["id", "volume"]), st.sampled_from(sorted(SIGNS)), st.integers(-2, 400))
TREES = st.recursive(
    TESTS,
    lambda inner: st.one_of(st.tuples(st.sampled_from(["and", "or"]), inner, inner), st.tuples(st.just("not"), inner)),
    max_leaves=8,
)


def written(tree: Any) -> str:
    """A condition as text."""
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    if tree[0] in ("and", "or"):
        return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"
    return f"{tree[0]} {tree[1]} {tree[2]}"


def holds(tree: Any, row: dict[str, Any]) -> bool | None:
    """The same condition by Python, unknown (None) where a value is missing, as in SQL."""
    if tree[0] == "not":
        inner = holds(tree[1], row)
        return None if inner is None else not inner
    if tree[0] in ("and", "or"):
        found = {holds(tree[1], row), holds(tree[2], row)}
        decisive = tree[0] == "or"
        return decisive if decisive in found else None if None in found else not decisive
    value = row[tree[0]]
    return None if value is None else bool(SIGNS[tree[1]](value, tree[2]))


@given(TREES)
def test_conditions_agree_with_python(tree: Any) -> None:
    assert kept(written(tree)) == [row["id"] for row in ROWS if holds(tree, row)]


def test_a_filter_has_so_many_words_and_not_one_more() -> None:
    most = "not " + " and ".join(["id > 9"] * (MOST_WORDS // 4))
    assert len(most.split()) == MOST_WORDS == 500
    assert kept(most) == []
    with pytest.raises(WrongRequestError, match="The filter has 501 words, 500 can be read"):
        kept("not " + most)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9007199254740993", 9007199254740993),
        ("-3", -3),
        ("+3", 3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("9" * 19, 1e19),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_whole_numbers_are_compared_as_such_as_far_as_a_database_holds_them(text: str, number: float) -> None:
    found = condition(f"id = {text}", COLUMNS, "things").compile().params
    (value,) = found.values()
    assert (value, type(value)) == (number, type(number))
