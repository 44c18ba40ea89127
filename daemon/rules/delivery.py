"""Ways to send an answer: a file that acquisition software polls, a webhook, a command."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daemon.children.user_command import run_command
from daemon.configuration.rules import RuleConfig
from storage.files.whole_file import remove_unfinished, whole

FILE = "next.json"
_MOST_HEARD = 4096  # bytes of an answer to a webhook


def deliver(rule: RuleConfig, action: str, content: Mapping[str, Any], most_s: float) -> str | None:
    """Send an answer, within `most_s` seconds; return why it did not arrive, None where it did."""
    timeout_s = min(rule.timeout_s, most_s)
    if action == "next":
        return None if rule.next is None else write_next(rule.next, content)
    if action == "webhook":
        return None if rule.webhook is None else post(rule.webhook, timeout_s, content)
    return _run(rule, content, timeout_s)


def write_next(folder: Path, content: Mapping[str, Any]) -> str | None:
    """Put ``next.json`` into a folder, whole, in the place of the one before."""
    try:
        remove_unfinished([folder / FILE])
        with whole(folder / FILE) as unfinished:
            unfinished.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        return f"{folder / FILE} cannot be written ({error.strerror or error})"
    return None


def post(address: str, timeout_s: float, content: Mapping[str, Any]) -> str | None:
    """Post to exactly this address: an answer that leads elsewhere is not followed, no proxy is asked."""
    parts = urlsplit(address)
    place = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "X-Nusetd-Id": str(content["id"])}
    try:
        connection = _connection(parts.scheme, str(parts.hostname), parts.port, timeout_s)
        try:
            connection.request("POST", place, body, headers)
            answer = connection.getresponse()
            answer.read(_MOST_HEARD)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{address} does not answer ({error or type(error).__name__})"
    return None if 200 <= answer.status < 300 else f"{address} answers {answer.status} {answer.reason}"


def _connection(scheme: str, host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _run(rule: RuleConfig, content: Mapping[str, Any], timeout_s: float) -> str | None:
    named = ("id", "rule", "say", "acquisition", "source_t", "committed_at", "expires_at")
    variables = {f"NUSETD_RULE_{name.upper()}": content[name] for name in named}
    return run_command(rule.command, timeout_s, content, variables)
