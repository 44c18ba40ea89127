"""Who may ask the page, and what a browser may do with its answers.

Any page that is open in a browser on this computer can send requests here. So nothing is answered that was sent to a
name which somebody had point to this computer (Host), nor what a page of another origin sends (Origin), and what
changes something also needs a header that pages of other origins cannot send.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote, unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.loopback import OWN_NAMES, name_of
from daemon.page.live.orders.visitor import NAME

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
COOKIE = "nusetd_token"
ORDER_HEADER = "x-nusetd-order"  # a header of its own makes browsers ask first, which is refused to other origins
_ELSEWHERE = ("cross-site", "same-site")
_EXPOSED = ("access-control-expose-headers", "Content-Length, Content-Range, ETag")
_ALLOWED = {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "Range, If-None-Match, Content-Type",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "86400",
}
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Visitors:
    """Who is let in.

    Attributes
    ----------
    names : frozenset of str
        Names of this computer under which the page may be asked, besides those of loopback.
    tokens : mapping
        The words of which everybody must know one, by the name of who has it; without any, nobody needs one.
    read_only : bool
        Nothing may be changed.
    origins : frozenset of str
        Whose pages may read stores besides the page's own, such as ``https://example.org``.
    secure : bool
        Visitors come by TLS: their cookie is never sent otherwise.
    """

    names: frozenset[str] = frozenset()
    tokens: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    origins: frozenset[str] = frozenset()
    secure: bool = False

    def name_of(self, word: str) -> str | None:
        """Whose word that is; every one is compared, so that the time that it takes tells nothing."""
        found = None
        for name, own in self.tokens.items():
            if hmac.compare_digest(word.encode(), own.encode()):
                found = name
        return found


class Guard:
    """Middleware around the page's application."""

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self._app = app
        self._visitors = visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(scope)
        if answer is None and scope["method"] == "OPTIONS":
            answer = Response(status_code=204, headers=_ALLOWED)
        given = self._with_headers(send, Headers(scope=scope).get("origin"))
        await (answer or self._app)(scope, receive, given)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if name_of(host) not in OWN_NAMES | self._visitors.names:
            return PlainTextResponse("This page answers to its own name only: ask it under that.", 421)
        if not self._is_known(scope, headers, host):
            told = (
                "Pages of another origin may not ask here: one that is to read stores is named with `serve --origin`."
            )
            return PlainTextResponse(told, 403)
        if scope["method"] in _CHANGING:
            if self._visitors.read_only:
                return PlainTextResponse("This page is read only: orders are given on the command line.", 403)
            if headers.get(ORDER_HEADER) != "1":
                return PlainTextResponse("Orders come from the page itself.", 403)
        return self._without_token(scope, headers)

    def _is_known(self, scope: Scope, headers: Headers, host: str) -> bool:
        """Whether no page asks, or our own, or one of a named origin that reads a store."""
        origin = headers.get("origin")
        if origin in self._visitors.origins:
            return scope["method"] not in _CHANGING and not scope["path"].startswith("/api/")
        if origin is not None and urlsplit(origin).netloc != host:
            return False
        return headers.get("sec-fetch-site") not in _ELSEWHERE or headers.get("sec-fetch-mode") == "navigate"

    def _with_headers(self, send: Send, origin: str | None) -> Send:
        more = list(_ANSWER_HEADERS)
        if origin in self._visitors.origins:
            more += [("access-control-allow-origin", str(origin)), _EXPOSED]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in more:
                    headers.setdefault(name, value)
                headers.add_vary_header("Origin")
            await send(message)

        return sending

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._visitors.tokens:
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if given and self._visitors.name_of(given) is not None:
            # Into a cookie and out of the address, where others could read it over a shoulder or in a history.
            answer = RedirectResponse("/" if scope["path"].startswith("//") else quote(scope["path"]), 303)
            secure = self._visitors.secure
            answer.set_cookie(COOKIE, quote(given), httponly=True, samesite="strict", path="/", secure=secure)
            return answer
        known = _cookie(headers.get("cookie", "")) or headers.get("authorization", "").removeprefix("Bearer ")
        name = self._visitors.name_of(known)
        if name is not None:
            scope[NAME] = name
            return None
        return PlainTextResponse("This page needs its token: open it once with ?token=TOKEN.", 401)


_ANSWER_HEADERS: Iterable[tuple[str, str]] = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else unquote(found.value)
