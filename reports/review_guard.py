"""Who may speak to the review page: only a browser that was given the token, under the page's own name, from the page itself.

An ASGI middleware (source: OWASP on DNS rebinding and cross-site request forgery). In order: the Host header must be one of ours; the token in the
address is exchanged once for a cookie that scripts cannot read and other sites cannot send; everything else needs that cookie; what changes
something needs the page's own origin and a second token in a header. Every answer forbids what the page does not use.
"""

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'")
HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY",
           "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
           "permissions-policy": "camera=(), microphone=(), geolocation=()"}
TOKEN_HEADER = "x-review-token"
MAX_BODY_BYTES = 262_144
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ENTER = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">
<link rel="icon" href="/static/review.svg"><title>review</title>
<p><a href="/">Open the review</a></p></html>"""  # not a redirect: coming from another site, it would not be sent the cookie


def _fresh_token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Keys:
    """Made anew at every start: ``address`` is printed, ``cookie`` is what a browser gets for it, ``page`` goes with every click."""

    address: str = field(default_factory=_fresh_token)
    cookie: str = field(default_factory=_fresh_token)
    page: str = field(default_factory=_fresh_token)


class Guard:
    """``port`` and ``host``: where the server listens; a ``host`` that is not of `LOOPBACK` lets other machines in by any address of this one."""

    def __init__(self, app: ASGIApp, keys: Keys, port: int, host: str = "127.0.0.1", names: tuple[str, ...] = ()) -> None:
        self.app, self.keys, self.port, self.host, self.names = app, keys, port, host, names
        self.cookie_name = f"review-{port}"  # browsers share cookies between the ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered in the place of the page; None for a request that may pass."""
        headers, method = Headers(scope=scope), scope["method"]
        if not self._known_host(headers.get("host", "")):
            return PlainTextResponse("This address is not the review page's.", 421)
        if method not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Not allowed.", 405)
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if token and scope["path"] == "/" and _same(token, self.keys.address):
            answer = HTMLResponse(ENTER, headers={"cache-control": "no-store"})
            answer.set_cookie(self.cookie_name, self.keys.cookie, httponly=True, samesite="strict", path="/")
            return answer
        if not _same(_cookie(headers.get("cookie", ""), self.cookie_name), self.keys.cookie):
            return PlainTextResponse("Open the address that the terminal shows: it holds a token that lets this browser in.", 403)
        return self._refused_post(headers) if method == "POST" else None

    def _refused_post(self, headers: Headers) -> Response | None:
        origin = urlsplit(headers.get("origin", ""))
        if origin.scheme != "http" or origin.netloc.lower() != headers.get("host", "").lower():
            return PlainTextResponse("Only the review page itself may send decisions.", 403)
        if not _same(headers.get(TOKEN_HEADER, ""), self.keys.page):
            return PlainTextResponse("The page's token is missing or of an earlier start.", 403)
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return PlainTextResponse("Send JSON.", 415)
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return PlainTextResponse("Too much at once.", 413)
        return None

    def _known_host(self, host: str) -> bool:
        """Against DNS rebinding: a name that we do not know may be anybody's."""
        try:
            split = urlsplit(f"//{host}")
            name, port = split.hostname or "", split.port or 80
        except ValueError:
            return False
        if port != self.port:
            return False
        return name in (*LOOPBACK, self.host, *self.names) or (self.host not in LOOPBACK and _is_address(name))


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)
    return sending
