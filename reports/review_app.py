"""The review page's server: what a browser asks for, as a Starlette application given what there is to review (`ReviewState`).

    GET  /                       the page, in the language of the state
    GET  /static/NAME            its script and style
    GET  /api/index              every picture, queue and label: constant while the server runs
    GET  /api/decisions?since=N  what people decided, as far as it changed
    POST /api/clicks             decisions; answered when they are on the disk
    GET  /thumb/DIGEST           a picture's tile as WebP; no file is opened
    GET  /full/ROW/DIGEST        the picture's file, if it lies inside the data folder and is what was scanned

Everything goes through `reports.review_guard.Guard`.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from cleaning.overrides import VOTES, Override
from features.errors import ScratchworkError, UnreadablePicture
from features.images import DEFAULT_MAX_PIXELS, shown_picture
from features.tile import TILE_PX
from reports.review_guard import Keys
from reports.review_journal import LiveJournal
from reports.review_queues import DIGEST_CHARS
from reports.thumbnails import thumbnail

TEMPLATES = Path(__file__).parent / "templates"
STATIC = {"review.js": "text/javascript", "review.css": "text/css", "review.svg": "image/svg+xml"}
FOREVER = "private, max-age=31536000, immutable"  # an address that names its content
MAX_NAME_CHARS = 60
MAX_CLICKS = 200
ACTS = ("keep", "drop", "label", "undo")


@dataclass(frozen=True)
class ReviewState:
    """``index``: `reports.review_queues.review_index`; ``digests``: sha256 per row; ``tile``: a content's tile (S, S, 3) or None by the beginning of
    its digest; ``root``: the data folder; ``commands``: what to run afterwards; ``reviewer``: who it is unless the page says otherwise."""

    index: dict[str, Any]
    digests: list[str]
    journal: LiveJournal
    tile: Callable[[str], np.ndarray | None]
    root: Path
    commands: list[str]
    reviewer: str = ""
    lang: str = "en"
    model: str = ""
    max_pixels: int = DEFAULT_MAX_PIXELS
    keys: Keys = field(default_factory=Keys)


def texts(lang: str) -> dict[str, str]:
    """What the page says, in ``en`` or ``ko``."""
    found: dict[str, dict[str, str]] = json.loads((TEMPLATES / "review.texts.json").read_text(encoding="utf-8"))
    return found[lang]


def make_app(state: ReviewState) -> Starlette:
    """The application without its guard."""
    index = json.dumps(state.index, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    version = hashlib.sha256(index).hexdigest()[:DIGEST_CHARS]
    words = texts(state.lang)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.get_template("review.html")
    row_of = {path: row for row, path in enumerate(state.index["path"])}
    session = {"token": state.keys.page, "version": version, "reviewer": state.reviewer, "lang": state.lang, "commands": state.commands,
               "model": state.model, "started": state.keys.cookie[:6]}

    def show_page(request: Request) -> Response:
        return HTMLResponse(page.render(t=SimpleNamespace(**words), lang=state.lang, data=_inline_json({"session": session, "texts": words})))

    def show_session(request: Request) -> Response:
        return JSONResponse(session)

    def show_static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            return Response(status_code=404)
        return FileResponse(TEMPLATES / name, media_type=STATIC[name], headers={"cache-control": "no-cache"})

    def show_index(request: Request) -> Response:
        return Response(index, media_type="application/json")

    def show_decisions(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        try:
            number, rows = state.journal.changes(int(since) if since.isdecimal() and len(since) < 12 else 0)
        except ScratchworkError as error:
            return JSONResponse({"told": str(error)}, 507)
        return JSONResponse({"number": number, "rows": rows, "version": version})

    def show_thumb(request: Request) -> Response:
        tile = state.tile(request.path_params["digest"])
        if tile is None:
            return Response(status_code=404)
        return Response(thumbnail(tile, TILE_PX), media_type="image/webp", headers={"cache-control": FOREVER})

    def show_full(request: Request) -> Response:
        row, digest = request.path_params["row"], request.path_params["digest"]
        if row >= len(state.digests) or state.digests[row][:DIGEST_CHARS] != digest:
            return _untold("gone", 404)
        try:
            data, media_type = shown_picture(read_inside(state.root, state.index["path"][row], state.digests[row]), state.max_pixels)
        except Refused as error:
            return _untold(str(error), 404)
        except UnreadablePicture as error:
            return _untold("unreadable", 415, str(error))
        return Response(data, media_type=media_type, headers={"cache-control": FOREVER, "content-disposition": "inline"})

    async def take_clicks(request: Request) -> Response:
        sent = _clicks_in(await request.body())
        if sent is None:
            return JSONResponse({"told": "not a list of clicks"}, 400)
        overrides, refused = [], {}
        for click in sent:
            try:
                overrides.append(override_of(click, state, row_of))
            except (Refused, KeyError, TypeError, AttributeError) as error:
                refused[str(click.get("click", "")) if isinstance(click, dict) else ""] = str(error)
        try:
            await run_in_threadpool(state.journal.record, overrides)
        except (ScratchworkError, OSError) as error:
            return JSONResponse({"told": str(error)}, 507)
        told = {row_of[one.path]: state.journal.standing(one.path) for one in overrides}
        return JSONResponse({"saved": [one.click for one in overrides], "refused": refused, "rows": told, "version": version})

    return Starlette(routes=[
        Route("/", show_page), Route("/static/{name}", show_static), Route("/api/session", show_session), Route("/api/index", show_index),
        Route("/api/decisions", show_decisions), Route("/api/clicks", take_clicks, methods=["POST"]), Route("/thumb/{digest}", show_thumb),
        Route("/full/{row:int}/{digest}", show_full)])


class Refused(Exception):
    """A request that is answered with a word why not: ``moved``, ``gone``, ``outside``, ``changed``, or what is wrong with a click."""


def read_inside(root: Path, path: str, sha256: str) -> bytes:
    """A picture's file, if it lies inside ``root`` with every link followed, is a regular file and has these bytes. Raises `Refused`."""
    try:
        inside = root.resolve(strict=True)
    except OSError:
        raise Refused("moved") from None
    try:
        file = (inside / path).resolve(strict=True)
        if not file.is_relative_to(inside):
            raise Refused("outside")
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))  # a pipe would never end
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused("outside")
            data = stream.read()
    except (OSError, ValueError, RuntimeError):  # gone, a NUL in the name, links in a circle
        raise Refused("gone") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Refused("changed")
    return data


def override_of(click: dict[str, Any], state: ReviewState, row_of: dict[str, int]) -> Override:
    """A row for the journal. Raises `Refused` for a picture, label, act or name that is not known here."""
    path, act, label, reviewer = (str(click[name]) for name in ("path", "act", "label", "reviewer"))
    name = str(click["click"])
    if path not in row_of or state.digests[row_of[path]][:DIGEST_CHARS] != click["digest"]:
        raise Refused(f"{path} is not the picture that was scanned")
    if act not in ACTS or (act == "label") != bool(label) or (label and label not in state.index["labels"]):
        raise Refused(f"not a decision: {act} {label}")
    if not reviewer.strip() or reviewer != reviewer.strip() or len(reviewer) > MAX_NAME_CHARS or not reviewer.isprintable() or reviewer == VOTES:
        raise Refused(f"not a reviewer's name: {reviewer!r}")
    if not name.isascii() or not name.isalnum() or len(name) > MAX_NAME_CHARS:
        raise Refused("a click without a name")
    keep = {"keep": True, "drop": False}.get(act)
    return Override(path, state.digests[row_of[path]], keep, label, "", reviewer, name, act == "undo")


def _clicks_in(body: bytes) -> list[Any] | None:
    try:
        sent = json.loads(body)["clicks"]
    except (ValueError, KeyError, TypeError):
        return None
    return sent if isinstance(sent, list) and len(sent) <= MAX_CLICKS else None


def _untold(code: str, status: int, detail: str = "") -> Response:
    return JSONResponse({"code": code, "detail": detail}, status)


def _inline_json(content: dict[str, Any]) -> Markup:
    """For a data block in HTML: no character of it can end the block."""
    text = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)
