"""Filters that people write, such as ``volume_um3 > 300 and t <= 10``, as conditions of a query.

The text never reaches the database: it is read by the grammar below, names are looked up among the columns that there
are, and values travel as bound parameters.

    condition  = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" condition ")" | test
    test       = operand ( "<" | "<=" | ">" | ">=" | "=" | "==" | "!=" | "<>" ) operand
               | column "is" [ "not" ] "null"
               | column [ "not" ] "in" "(" value { "," value } ")"
               | column [ "not" ] "between" value "and" value
               | column [ "not" ] "like" text
               | column                                        of true and false
    operand    = column | value
    value      = number | 'text' | "text" | true | false
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, and_, false, literal, not_, or_, true

from storage.errors import WrongRequestError

Columns = Mapping[str, ColumnElement[Any]]

MOST_WORDS = 500  # SQLite refuses conditions that are nested more deeply than 1000
DEEPEST = 50
LARGEST_INTEGER = 2**63 - 1

COMPARISONS: Mapping[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
}
KEYWORDS = frozenset({"and", "or", "not", "is", "null", "in", "between", "like", "true", "false"})
WORD = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<name>[^\W\d]\w*)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<sign><=|>=|<>|!=|==|[<>=(),])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Word:
    """A piece of the text: its kind, what it says, and where it begins, counted from 1."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Operand:
    """A column or a value, and what it holds: number, text, or true and false."""

    element: ColumnElement[Any]
    kind: str
    name: str


def condition(text: str, columns: Columns, what: str) -> ColumnElement[bool]:
    """Return a filter as a condition.

    Parameters
    ----------
    text : str
    columns : mapping of the names that may be used to the columns that they stand for
    what : str
        What the rows are, for messages: ``nuclei``, ``tracks`` and so on.

    Raises
    ------
    WrongRequestError
        When the text is not a filter, names a column that is not there, or compares what cannot be compared.
    """
    reader = _Reader(text, columns, what)
    found = reader.either(0)
    if reader.word is not None:
        raise reader.fault("a further condition needs 'and' or 'or' before it")
    return found


def unknown_columns(names: list[str], columns: Columns, what: str) -> WrongRequestError:
    """Return the complaint about names that are no columns."""
    near = [
        one for name in names for one in columns if name in one.split("_") or one in get_close_matches(name, columns)
    ]
    guess = f" (did you mean {' or '.join(dict.fromkeys(near))}?)" if near else ""
    return WrongRequestError(
        f"{what.capitalize()} have no column {', '.join(names)}{guess}: there are {', '.join(columns)}."
    )


def kind_of(column: ColumnElement[Any]) -> str:
    """Return what a column holds: ``number``, ``text``, or ``truth``."""
    kinds = {bool: "truth", int: "number", float: "number"}
    return kinds.get(column.type.python_type, "text")


def _words(text: str) -> list[Word]:
    words: list[Word] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = WORD.match(text, at)
        if match is None or match.lastgroup is None:
            odd = text[at:].lstrip()
            raise WrongRequestError(
                f"The filter {text!r} cannot be read at {odd[:12]!r}: write for example volume_um3 > 300 and t <= 10."
            )
        words.append(Word(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup) + 1))
        at = match.end()
    if len(words) > MOST_WORDS:
        raise WrongRequestError(f"The filter has {len(words)} words, {MOST_WORDS} can be read: make it shorter.")
    return words


class _Reader:
    """Reads the words of a filter from left to right; a method per rule of the grammar."""

    def __init__(self, text: str, columns: Columns, what: str) -> None:
        self._text = text
        self._columns = columns
        self._what = what
        self._words = _words(text)
        self._at = 0

    @property
    def word(self) -> Word | None:
        """The next word, None at the end."""
        return self._words[self._at] if self._at < len(self._words) else None

    def either(self, depth: int) -> ColumnElement[bool]:
        parts = [self._both(depth)]
        while self._took("or"):
            parts.append(self._both(depth))
        return or_(*parts) if len(parts) > 1 else parts[0]

    def _both(self, depth: int) -> ColumnElement[bool]:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return and_(*parts) if len(parts) > 1 else parts[0]

    def _one(self, depth: int) -> ColumnElement[bool]:
        if depth > DEEPEST:
            raise WrongRequestError(f"The filter is nested more than {DEEPEST} deep: write it with fewer brackets.")
        if self._took("not"):
            return not_(self._one(depth + 1))
        if self._took("("):
            inner = self.either(depth + 1)
            self._expect(")", "the bracket is not closed")
            return inner.self_group()
        return self._test()

    def _test(self) -> ColumnElement[bool]:
        left = self._operand()
        sign = self.word.text if self.word is not None and self.word.kind == "sign" else ""
        if sign in COMPARISONS:
            self._at += 1
            return self._compared(left, sign, self._operand())
        if self._took("is"):
            negated = self._took("not")
            self._expect("null", "'is' goes with 'null' or 'not null'")
            return left.element.is_not(None) if negated else left.element.is_(None)
        negated = self._took("not")
        for keyword, rule in (("in", self._among), ("between", self._between), ("like", self._like)):
            if self._took(keyword):
                found = rule(left)
                return not_(found) if negated else found
        if left.kind == "truth" and not negated:
            return left.element.is_(true())
        raise self.fault(f"a comparison such as {left.name} > 1 is needed")

    def _among(self, left: Operand) -> ColumnElement[bool]:
        self._expect("(", "'in' goes with a list such as (1, 2, 3)")
        values = [self._value_for(left)]
        while self._took(","):
            values.append(self._value_for(left))
        self._expect(")", "the list is not closed")
        return left.element.in_(values)

    def _between(self, left: Operand) -> ColumnElement[bool]:
        first = self._value_for(left)
        self._expect("and", "'between' goes with two values and 'and'")
        return left.element.between(first, self._value_for(left))

    def _like(self, left: Operand) -> ColumnElement[bool]:
        pattern = self._operand()
        if (left.kind, pattern.kind) != ("text", "text"):
            raise WrongRequestError(f"{self._quoted()}: 'like' compares texts, as in name like 'embryo%'.")
        return left.element.ilike(pattern.element)  # SQLite and PostgreSQL differ in what "like" means

    def _value_for(self, left: Operand) -> ColumnElement[Any]:
        right = self._operand()
        self._check(left, right)
        return right.element

    def _compared(self, left: Operand, sign: str, right: Operand) -> ColumnElement[bool]:
        self._check(left, right)
        if left.kind == "truth" and sign not in ("=", "==", "!=", "<>"):
            raise WrongRequestError(f"{self._quoted()}: {left.name} is true or false and has no order; use = or !=.")
        return COMPARISONS[sign](left.element, right.element)

    def _check(self, left: Operand, right: Operand) -> None:
        if left.kind != right.kind:
            hint = "; texts stand in quotes" if "text" in (left.kind, right.kind) else ""
            held = {"number": "a number", "text": "a text", "truth": "true or false"}
            raise WrongRequestError(
                f"{self._quoted()}: {left.name} is {held[left.kind]} and {right.name} is {held[right.kind]}{hint}."
            )

    def _operand(self) -> Operand:
        word = self.word
        if word is None:
            raise self.fault("a column or a value is missing")
        self._at += 1
        lowered = word.text.lower()
        if word.kind == "number":
            return Operand(literal(_number(word.text)), "number", word.text)
        if word.kind == "text":
            quote = word.text[0]
            return Operand(literal(word.text[1:-1].replace(quote * 2, quote)), "text", word.text)
        if word.kind == "name" and lowered in ("true", "false") and lowered not in self._columns:
            return Operand(true() if lowered == "true" else false(), "truth", lowered)
        if word.kind == "name" and word.text in self._columns:
            column = self._columns[word.text]
            return Operand(column, kind_of(column), word.text)
        if word.kind == "name" and lowered not in KEYWORDS:
            raise unknown_columns([word.text], self._columns, self._what)
        self._at -= 1
        raise self.fault("use 'is null' for what is missing" if lowered == "null" else "a column or a value is missing")

    def _took(self, text: str) -> bool:
        """Go past the next word if it is this one."""
        word = self.word
        if word is None or word.kind in ("text", "number") or word.text.lower() != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str, fault: str) -> None:
        if not self._took(text):
            raise self.fault(fault)

    def fault(self, reason: str) -> WrongRequestError:
        """Return the complaint about the next word."""
        word = self.word
        where = "at its end" if word is None else f"at {word.text!r} (character {word.at})"
        return WrongRequestError(f"{self._quoted()} cannot be read {where}: {reason}.")

    def _quoted(self) -> str:
        return f"The filter {self._text!r}"


def _number(text: str) -> int | float:
    """Return a number that the database can hold."""
    value = int(text) if re.fullmatch(r"[+-]?\d{1,19}", text) else float(text)
    return float(value) if abs(value) > LARGEST_INTEGER else value
