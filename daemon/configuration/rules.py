"""`[[when]]` and `[rules]`: what the microscope, or a person, is told of when something is so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from daemon.configuration.fields import Reader
from daemon.loopback import OWN_NAMES
from storage.canonical import canonical_json
from storage.errors import WrongRequestError
from storage.query.noticing.names import SUBJECTS, About

Aim = Literal["nucleus", "drift"]
"""What an answer suggests: to have the nucleus in the middle of the image, or to follow the common motion."""

_MEMORY = 1  # what rules remember is of this form
ACTIONS = ("next", "webhook", "command")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class RuleConfig:
    """One rule: a condition, how often it may speak, and how it is sent.

    Attributes
    ----------
    name : str
    over : str
        What the condition is about: ``nuclei`` or ``tracks`` of the time point that was just committed, ``divisions``
        that became known with it, its ``counts``, or the ``drift`` of all nuclei.
    where : str
        A filter in the grammar of `storage.query.filters`.
    acquisition : str
        Names of acquisitions, with ``*`` for any letters.
    holds_for : int
        For so many time points in a row it must hold.
    pause_s : float
        Of one acquisition it does not speak again sooner.
    at_most_per_hour : int
        Nor more often, of one acquisition.
    once : bool
        Of one acquisition it speaks once.
    expires_s : float
        What has not arrived so long after the commit is void.
    aim : str
        See `Aim`.
    say : str
        A word for the receiver, such as ``stop``.
    next : Path or None
        A folder that gets ``next.json``.
    webhook : str or None
        An address that is posted to.
    command : tuple of str
        Program and arguments, run as they are and never by a shell.
    timeout_s : float
        A webhook or command that takes longer is given up, and tried again.
    """

    name: str
    over: About
    where: str
    acquisition: str = "*"
    holds_for: int = 1
    pause_s: float = 0.0
    at_most_per_hour: int = 60
    once: bool = False
    expires_s: float = 60.0
    aim: Aim = "nucleus"
    say: str = ""
    next: Path | None = None
    webhook: str | None = None
    command: tuple[str, ...] = ()
    timeout_s: float = 10.0

    @property
    def actions(self) -> tuple[str, ...]:
        """How it is sent, the quickest first."""
        return tuple(name for name in ACTIONS if getattr(self, name))

    @property
    def made_of(self) -> str:
        """A hash of what decides; how it is sent does not."""
        left = (*ACTIONS, "timeout_s", "say")
        kept = {name: value for name, value in asdict(self).items() if name not in left}
        kept["memory"] = _MEMORY
        return hashlib.sha256(canonical_json(kept).encode()).hexdigest()

    def is_about(self, acquisition: str) -> bool:
        """Say whether it looks at an acquisition of this name."""
        return fnmatchcase(acquisition, self.acquisition)

    def told(self) -> dict[str, object]:
        """As plain values for JSON; what may hold a secret, arguments and what follows the host, is left out."""
        parts = urlsplit(self.webhook or "")
        shown = {
            "next": None if self.next is None else str(self.next),
            "webhook": None if self.webhook is None else f"{parts.scheme}://{parts.netloc}",
            "command": self.command[0] if self.command else None,
        }
        return {**asdict(self), **shown, "actions": list(self.actions)}


def read_rules(reader: Reader, folder: Path, watched: Sequence[Path]) -> tuple[RuleConfig, ...]:
    """Read the tables `[[when]]` and `[rules]`, noting their faults; a relative path counts from `folder`."""
    tables, table = reader.tables("when"), reader.table("rules")
    hosts = table.texts("hosts")
    table.finish()
    names: set[str] = set()
    places: set[Path] = set()
    rules = []
    for one in tables:
        rule = _read_rule(one, folder, hosts)
        if rule.name in names:
            one.fault(("name",), f"name = {rule.name!r} is another rule's too; give each rule its own.")
        if rule.next in places:
            remedy = "of two answers in it one would be lost; give each rule its own."
            one.fault(("next",), f"next = {str(rule.next)!r} is another rule's folder too: {remedy}")
        for path in watched:
            if rule.next is not None and rule.next.is_relative_to(path):
                remedy = "nothing is ever written there; choose a folder outside."
                one.fault(("next",), f"next = {str(rule.next)!r} lies in the watched folder {str(path)!r}: {remedy}")
        names |= {rule.name} - {""}
        places |= {rule.next} if rule.next is not None else set()
        rules.append(rule)
    return tuple(rules)


def _read_rule(table: Reader, folder: Path, hosts: Sequence[str]) -> RuleConfig:
    place = table.optional_text("next")
    rule = RuleConfig(
        name=table.text("name", ""),
        over=cast(About, table.choice("over", "", SUBJECTS)),
        where=table.text("where", ""),
        acquisition=table.text("acquisition", RuleConfig.acquisition),
        holds_for=table.whole("holds_for", RuleConfig.holds_for, at_least=1),
        pause_s=table.number("pause_s", RuleConfig.pause_s, at_least=0.0),
        at_most_per_hour=table.whole("at_most_per_hour", RuleConfig.at_most_per_hour, at_least=1),
        once=table.boolean("once", RuleConfig.once),
        expires_s=table.number("expires_s", RuleConfig.expires_s, at_least=0.1),
        aim=cast(Aim, table.choice("aim", RuleConfig.aim, get_args(Aim))),
        say=table.optional_text("say") or "",
        next=None if place is None else (folder / Path(place).expanduser()).resolve(),
        webhook=table.optional_text("webhook"),
        command=table.words("command"),
        timeout_s=table.number("timeout_s", RuleConfig.timeout_s, at_least=0.1),
    )
    table.finish()
    for key, sentence in _faults(rule, hosts):
        table.fault((key,), sentence)
    return rule


def _faults(rule: RuleConfig, hosts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule whose values are of the right kinds."""
    if rule.name and not _NAME.fullmatch(rule.name):
        yield "name", f"name = {rule.name!r} must be up to 64 letters, digits, and any of _ . - between them."
    if rule.over and rule.where:
        from storage.query.noticing.subjects import check  # with the tables, which most configurations need not load

        try:
            check(rule.over, rule.where)
        except WrongRequestError as error:
            yield "where", f"where: {error}"
    if rule.over == "divisions" and rule.holds_for > 1:
        yield "holds_for", f"holds_for = {rule.holds_for}: a division is told once; leave it out, or look at counts."
    if not rule.actions:
        yield "name", f"the rule {rule.name!r} does nothing; give it next, webhook or command."
    if rule.webhook is not None:
        yield from (("webhook", sentence) for sentence in _address_faults(rule.webhook, hosts))


def _address_faults(address: str, hosts: Sequence[str]) -> Iterator[str]:
    try:
        parts = urlsplit(address)
        named = parts.hostname
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        parts, named, port_is_right = urlsplit(""), None, False
    if parts.scheme not in ("http", "https") or not named or not port_is_right or "@" in parts.netloc:
        yield f"webhook = {address!r} is no address; write it as 'http://127.0.0.1:8000/path', without a password."
    elif named not in OWN_NAMES and named not in {one.lower() for one in hosts}:
        yield (
            f"webhook = {address!r} is on another computer that is not named; write hosts = [{named!r}] below [rules] "
            "if results may go there."
        )
