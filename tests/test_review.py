"""The review page: who may speak to it, which files it reads, that no acknowledged click is lost, that undo restores, and that clean and train
take up what people decided. The server is the real one on a socket of its own."""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn

import cli
import pipeline
import reviewing
from cleaning.decisions import CleaningSettings
from cleaning.overrides import Override, append_override, complete_columns, read_overrides, resolve
from cleaning.votes import SET_ASIDE
from features.errors import ScratchworkError
from reports.review_app import Refused, ReviewState, make_app, read_inside, texts
from reports.review_guard import MAX_BODY_BYTES, POLICY, TOKEN_HEADER, Guard
from reports.review_journal import LiveJournal
from reports.review_queues import Material, review_index
from reviewing import ReviewSettings, review_state
from workspace import Workspace, read_manifest

ROOT = Path(cli.__file__).parent
EVIL_LABEL = "<img src=x onerror=alert(1)>"
EVIL_NAME = "\"><script>alert(1)<!--.png"
KEPT_SETTINGS = CleaningSettings(checks=("duplicates",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, drawing: Callable[..., Any], encoded: Callable[..., bytes]) -> Path:
    """A folder with ``data`` (three labels, one with a hostile name, a copy, a conflict, a broken file) and ``artifacts`` after a cleaning."""
    folder = tmp_path_factory.mktemp("review")
    files = {f"{label}/{seed}.png": encoded(drawing(seed + 20 * place)) for place, label in enumerate(("cat", "dog")) for seed in range(7)}
    files |= {f"{EVIL_LABEL}/{EVIL_NAME}": encoded(drawing(60)), f"{EVIL_LABEL}/1.png": encoded(drawing(61)), "cat/copy.png": files["cat/0.png"],
              "cat/same.png": encoded(drawing(70)), "dog/same.png": encoded(drawing(70)), "dog/broken.png": b"<html>no", "dog/old.tif":
              encoded(drawing(71), "TIFF")}
    for name, content in files.items():
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).write_bytes(content)
    workspace = Workspace(folder / "data", folder / "artifacts", jobs=1)
    pipeline.clean(workspace, KEPT_SETTINGS)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of `made` that a test may spoil."""
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own"


def workspace_of(folder: Path, **more: Any) -> Workspace:
    return Workspace(folder / "data", folder / "artifacts", jobs=1, **more)


def state_of(folder: Path, **more: Any) -> ReviewState:
    return review_state(workspace_of(folder), ReviewSettings(folder / "data", reviewer="kim", **more))


class Visitor:
    """Speaks to a server as a browser would that has the cookie; any header can be replaced, or left out with None."""

    def __init__(self, state: ReviewState, port: int) -> None:
        self.state, self.port = state, port
        self.cookie: str | None = f"review-{port}={state.keys.cookie}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str | None) -> tuple[int, dict[str, str], bytes]:
        usual = {"host": f"127.0.0.1:{self.port}", "cookie": self.cookie}
        if body is not None:
            usual |= {"origin": f"http://127.0.0.1:{self.port}", TOKEN_HEADER: self.state.keys.page, "content-type": "application/json",
                      "content-length": str(len(body))}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def click(self, path: str, act: str, label: str = "", reviewer: str = "kim", click: str = "", **more: Any) -> dict[str, Any]:
        row = self.state.index["path"].index(path)
        sent = {"click": click or os.urandom(6).hex(), "path": path, "digest": self.state.index["digest"][row], "act": act, "label": label,
                "reviewer": reviewer, **more}
        status, _, content = self.ask("POST", "/api/clicks", json.dumps({"clicks": [sent]}).encode())
        return {"status": status, **json.loads(content)}


@contextmanager
def served(state: ReviewState) -> Iterator[Visitor]:
    listener = reviewing.listening("127.0.0.1", None)
    port = listener.getsockname()[1]
    config = uvicorn.Config(Guard(make_app(state), state.keys, port), http="h11", ws="none", lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=partial(server.run, sockets=[listener]))
    thread.start()
    try:
        yield Visitor(state, port)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture
def visitor(place: Path) -> Iterator[Visitor]:
    with served(state_of(place)) as found:
        yield found


def journal_of(folder: Path) -> list[Override]:
    return read_overrides(folder / "artifacts" / "overrides.csv")


# Who may speak to it


def test_nothing_is_told_without_the_token(visitor: Visitor) -> None:
    """No cookie, a wrong cookie, a wrong token: the same refusal everywhere; the right token is exchanged for a cookie that scripts cannot read."""
    cookie, visitor.cookie = visitor.cookie, None
    for path in ("/", "/?token=", "/?token=wrong", "/static/review.js", "/api/index", "/api/session", "/api/decisions", "/thumb/0", "/full/0/0",
                 f"/api/index?token={visitor.state.keys.address}"):
        assert visitor.ask("GET", path)[0] == 403, path
    assert visitor.ask("GET", "/", cookie=f"review-{visitor.port}=wrong")[0] == 403
    status, headers, content = visitor.ask("GET", f"/?token={visitor.state.keys.address}")
    assert (status, visitor.state.keys.address.encode() in content) == (200, False)
    assert {"httponly", "samesite=strict", "path=/"} <= set(headers["set-cookie"].lower().split("; "))
    assert headers["set-cookie"].split(";")[0] == cookie
    visitor.cookie = cookie
    assert visitor.ask("GET", "/")[0] == 200


@pytest.mark.parametrize("path", ["/", "/?token=x", "/nowhere", "/api/index", "/static/review.css", "/full/0/0", "/full/../../etc/passwd"])
def test_every_answer_forbids_what_the_page_does_not_use(visitor: Visitor, path: str) -> None:
    """The strict policy and its companions, on refusals too."""
    headers = visitor.ask("GET", path)[1]
    assert headers["content-security-policy"] == POLICY
    assert (headers["x-content-type-options"], headers["referrer-policy"], headers["cross-origin-resource-policy"]) == (
        "nosniff", "no-referrer", "same-origin")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "", "192.168.0.7:{port}", "[::1", "a:b:c"])
def test_a_name_that_is_not_ours_is_refused(visitor: Visitor, host: str) -> None:
    """Against DNS rebinding: with the cookie, but under another name or port."""
    assert visitor.ask("GET", "/", host=host.format(port=visitor.port))[0] == 421
    assert visitor.ask("GET", "/", host=f"localhost:{visitor.port}")[0] == 200


@pytest.mark.parametrize(("headers", "status"), [
    ({"origin": "http://evil.example"}, 403), ({"origin": None}, 403), ({"origin": "null"}, 403), ({"origin": "http://127.0.0.1:1"}, 403),
    ({TOKEN_HEADER: None}, 403), ({TOKEN_HEADER: "wrong"}, 403), ({"cookie": None}, 403), ({"content_type": "text/plain"}, 415),
    ({"content_type": "application/x-www-form-urlencoded"}, 415), ({"content_length": str(MAX_BODY_BYTES + 1)}, 413)])
def test_only_the_page_itself_may_decide(visitor: Visitor, place: Path, headers: dict[str, str | None], status: int) -> None:
    """Another origin, no origin, no token of the page, a form, a flood: refused, and the journal is not touched."""
    body = json.dumps({"clicks": []}).encode()
    assert visitor.ask("POST", "/api/clicks", body)[0] == 200
    assert visitor.ask("POST", "/api/clicks", body, **headers)[0] == status
    assert not (place / "artifacts" / "overrides.csv").exists()


# Which files it reads


def test_full_size_is_the_file_itself_or_a_picture_of_it(visitor: Visitor) -> None:
    """What a browser shows comes byte for byte, another format as PNG; only under the digest that was scanned."""
    index = visitor.state.index
    for path, own in (("cat/1.png", True), ("dog/old.tif", False)):
        row = index["path"].index(path)
        status, headers, content = visitor.ask("GET", f"/full/{row}/{index['digest'][row]}")
        assert (status, headers["content-type"], content[:4]) == (200, "image/png", b"\x89PNG")
        assert (content == (visitor.state.root / path).read_bytes()) == own
    assert visitor.ask("GET", f"/full/{row}/{index['digest'][0]}")[0] == 404


@pytest.mark.parametrize("path", [
    "/full/../../../etc/passwd", "/full/%2e%2e%2f%2e%2e%2fetc%2fpasswd/x", "/full//etc/passwd", "/full/0%00/x", "/full/-1/x", "/full/99999/x",
    "/full/0/..%2f..%2f..%2fetc%2fpasswd", "/static/..%2freview_app.py", "/static/../review_app.py", "/static/%2e%2e/review_app.py",
    "/static//etc/passwd", "/static/review.html", "/thumb/..%2f..%2fetc%2fpasswd", "/thumb/%00"])
def test_no_address_names_a_file(visitor: Visitor, path: str) -> None:
    """Addresses name rows and contents, never files: whatever else is asked for is not there."""
    status, _, content = visitor.ask("GET", path)
    assert status == 404
    assert b"root:" not in content and b"import" not in content


def test_only_files_inside_the_data_folder_are_read(tmp_path: Path) -> None:
    """Upwards, absolute, through links of files and folders, NUL, a pipe, a folder, a circle of links: refused though the digest is right."""
    root, outside = tmp_path / "data", tmp_path / "secret.png"
    (root / "cat").mkdir(parents=True)
    outside.write_bytes(b"secret")
    (root / "cat" / "fine.png").write_bytes(b"secret")
    (root / "cat" / "inner.png").symlink_to("fine.png")
    (root / "cat" / "link.png").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    (root / "round").symlink_to(root / "round")
    os.mkfifo(root / "pipe.png")
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    for path in ("cat/fine.png", "cat/inner.png", "cat/../cat/fine.png"):
        assert read_inside(root, path, digest) == b"secret"
    for path in ("../secret.png", "cat/../../secret.png", str(outside), "/etc/passwd", "cat/link.png", "folder/secret.png", "cat/fine.png\0.txt",
                 "round", "pipe.png", "cat", ".", "", "cat/none.png", "a" * 5000):
        with pytest.raises(Refused, match=r"outside|gone"):
            read_inside(root, path, digest)
    with pytest.raises(Refused, match="changed"):
        read_inside(root, "cat/fine.png", "0" * 64)
    with pytest.raises(Refused, match="moved"):
        read_inside(tmp_path / "elsewhere", "cat/fine.png", digest)


@pytest.mark.parametrize("content", [b"<html><script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"])
def test_what_is_not_a_picture_is_not_served(place: Path, content: bytes) -> None:
    """HTML or SVG under a picture's name, its digest known: no byte of it leaves."""
    (place / "data" / "cat" / "1.png").write_bytes(content)
    state = state_of(place)
    row = state.index["path"].index("cat/1.png")
    with served(replace(state, digests=[*state.digests[:row], _sha256(content), *state.digests[row + 1:]])) as visitor:
        status, headers, told = visitor.ask("GET", f"/full/{row}/{_sha256(content)[:16]}")
    assert (status, headers["content-type"], b"alert" in told) == (415, "application/json", False)


def test_thumbnails_need_no_file(place: Path) -> None:
    """With the data folder gone they still come from the cache, may be kept for ever, and full size says why there is none."""
    state = state_of(place)
    shutil.rmtree(place / "data")
    with served(state) as visitor:
        status, headers, content = visitor.ask("GET", f"/thumb/{state.index['digest'][0]}")
        assert (status, headers["content-type"], content[8:12]) == (200, "image/webp", b"WEBP")
        assert "immutable" in headers["cache-control"] and "private" in headers["cache-control"]
        assert json.loads(visitor.ask("GET", f"/full/0/{state.index['digest'][0]}")[2])["code"] == "moved"
        assert visitor.ask("GET", "/thumb/0123456789abcdef")[0] == 404


def test_pictures_that_are_gone_are_counted_and_can_be_decided(place: Path) -> None:
    """They are listed, announced, and their clicks are taken."""
    (place / "data" / "cat" / "1.png").unlink()
    told: list[str] = []
    state = review_state(workspace_of(place, notice=told.append), ReviewSettings(place / "data"))
    assert [state.index["path"][row] for row in state.index["gone"]] == ["cat/1.png"]
    assert told == ["1 pictures are gone since the scan: they are shown from the cache and can be decided"]
    with served(state) as visitor:
        assert visitor.click("cat/1.png", "drop")["refused"] == {}


def test_hostile_names_are_text(visitor: Visitor) -> None:
    """They leave as JSON only; no name can end the page's data block."""
    page, index = visitor.ask("GET", "/")[2].decode(), visitor.ask("GET", "/api/index")
    assert "onerror" not in page
    assert index[1]["content-type"] == "application/json" and EVIL_LABEL in json.loads(index[2])["labels"]
    state = replace(visitor.state, reviewer="</script><script>alert(1)</script>")
    with served(state) as other:
        page = other.ask("GET", "/")[2].decode()
    assert "alert(1)</script>" not in page
    assert json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["session"]["reviewer"] == state.reviewer  # type: ignore[index]


# No click is lost


def test_an_answered_click_is_in_the_journal(visitor: Visitor, place: Path) -> None:
    """With picture, digest, who and what; sent again under its name it is written once; what stands is told."""
    assert visitor.click("cat/1.png", "drop", click="a1")["saved"] == ["a1"]
    assert visitor.click("cat/1.png", "drop", click="a1")["saved"] == ["a1"]
    answer = visitor.click(f"{EVIL_LABEL}/{EVIL_NAME}", "label", "dog", "이", "b2")
    assert [(o.path, o.keep, o.label, o.reviewer, o.click) for o in journal_of(place)] == [
        ("cat/1.png", False, "", "kim", "a1"), (f"{EVIL_LABEL}/{EVIL_NAME}", None, "dog", "이", "b2")]
    assert list(answer["rows"].values()) == [{"counts": ["이", "label dog"], "votes": {"이": "label dog"}, "open": False}]
    assert journal_of(place)[0].sha256 == visitor.state.digests[visitor.state.index["path"].index("cat/1.png")]


def test_undo_restores_what_counted_before(visitor: Visitor, place: Path) -> None:
    """One's own last word goes, step by step; another's comes to count again; the journal only grows."""
    visitor.click("cat/1.png", "drop", reviewer="lee")
    visitor.click("cat/1.png", "keep")
    visitor.click("cat/1.png", "label", "dog")
    seen = [next(iter(visitor.click("cat/1.png", "undo")["rows"].values()))["counts"] for _ in range(3)]
    assert seen == [["kim", "keep"], ["lee", "drop"], ["lee", "drop"]]
    assert len(journal_of(place)) == 6
    table, _ = resolve(journal_of(place), read_manifest(workspace_of(place)), ["cat", "dog"])
    assert table["keep"].to_dict() == {"cat/1.png": False}


@pytest.mark.parametrize("wrong", [
    {"act": "burn"}, {"act": "label", "label": "cow"}, {"act": "label", "label": ""}, {"act": "keep", "label": "dog"}, {"reviewer": ""},
    {"reviewer": "votes"}, {"reviewer": "a\nb"}, {"reviewer": "x" * 61}, {"reviewer": " kim"}, {"digest": "0" * 16}, {"path": "../x"},
    {"click": "a,b"}, {"click": ""}, {"act": None}])
def test_a_click_that_makes_no_sense_is_refused_alone(visitor: Visitor, place: Path, wrong: dict[str, Any]) -> None:
    """It is named and not written; the good one beside it is."""
    row = visitor.state.index["path"].index("cat/1.png")
    good = {"click": "a1", "path": "cat/1.png", "digest": visitor.state.index["digest"][row], "act": "keep", "label": "", "reviewer": "kim"}
    body = json.dumps({"clicks": [{**good, "click": "b2", **wrong}, good]}).encode()
    status, _, content = visitor.ask("POST", "/api/clicks", body)
    answer = json.loads(content)
    assert (status, answer["saved"], len(answer["refused"])) == (200, ["a1"], 1)
    assert [o.click for o in journal_of(place)] == ["a1"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"clicks": 1}', b"\xff", b'{"clicks": [1, null]}'])
def test_what_is_no_list_of_clicks_is_refused(visitor: Visitor, place: Path, body: bytes) -> None:
    """Rubbish from a page is an answer, not a traceback."""
    status, _, content = visitor.ask("POST", "/api/clicks", body)
    assert status == 400 or json.loads(content)["refused"]
    assert not (place / "artifacts" / "overrides.csv").exists()


def test_what_others_write_is_seen(visitor: Visitor, place: Path) -> None:
    """Another tab, and another program on the same journal: told since a number; a journal that was replaced is read anew."""
    file = place / "artifacts" / "overrides.csv"
    visitor.click("cat/1.png", "drop")
    first = json.loads(visitor.ask("GET", "/api/decisions?since=0")[2])
    append_override(file, Override("dog/1.png", "", True, "", reviewer="lee"))
    second = json.loads(visitor.ask("GET", f"/api/decisions?since={first['number']}")[2])
    assert [visitor.state.index["path"][int(row)] for row in second["rows"]] == ["dog/1.png"]
    file.write_text("path,keep\ncat/2.png,drop\n")
    third = json.loads(visitor.ask("GET", f"/api/decisions?since={second['number']}")[2])
    assert {visitor.state.index["path"][int(row)]: told["counts"] for row, told in third["rows"].items()} == {
        "cat/1.png": None, "dog/1.png": None, "cat/2.png": ["", "drop"]}
    visitor.click("cat/3.png", "keep", click="z9")
    assert [(o.path, o.reviewer, o.click) for o in journal_of(place)] == [("cat/2.png", "", ""), ("cat/3.png", "kim", "z9")], "columns are completed"


def test_a_disk_that_takes_nothing_is_said_so(visitor: Visitor, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says why, nothing half-written stays, and the same click is taken once the disk is well again."""
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        answer = visitor.click("cat/1.png", "drop", click="a1")
        assert answer["status"] == 507 and "the disk is full" in answer["told"]
    assert journal_of(place) == []
    assert visitor.click("cat/1.png", "drop", click="a1")["saved"] == ["a1"]
    assert [o.click for o in journal_of(place)] == ["a1"]


def append_many(file: Path, who: str) -> None:
    for number in range(40):
        append_override(file, Override(f"a/{number}.png", "", True, "", "n" * number, who))


def test_several_programs_may_append_at_once(tmp_path: Path) -> None:
    """Four processes, 40 rows each: every row is whole, and each program's are in its order."""
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(partial(append_many, tmp_path / "o.csv"), "abcd"))
    rows = read_overrides(tmp_path / "o.csv")
    assert len(rows) == 160
    for who in "abcd":
        assert [o.path for o in rows if o.reviewer == who] == [f"a/{number}.png" for number in range(40)]


def test_columns_are_completed_and_nothing_is_changed(tmp_path: Path) -> None:
    """A journal by hand says the same before and after, and takes every field then; without a file nothing is made."""
    file = tmp_path / "o.csv"
    complete_columns(file)
    assert not file.exists()
    file.write_text("keep,path\nyes,a/1.png\n\ndrop,a/2.png", encoding="utf-8-sig")
    before = read_overrides(file)
    complete_columns(file)
    assert read_overrides(file) == before
    append_override(file, Override("a/3.png", "", False, "", reviewer="kim", click="c1"))
    assert read_overrides(file)[-1] == Override("a/3.png", "", False, "", reviewer="kim", click="c1")


def test_a_click_is_written_once_however_often_the_journal_was_unreadable(place: Path) -> None:
    """Saved by a spreadsheet in another encoding, the journal takes nothing until it is mended; then one row, though the page sent it five times.
    What somebody changed in the middle of it is read, though it grew."""
    manifest, file = read_manifest(workspace_of(place)), place / "artifacts" / "overrides.csv"
    append_override(file, Override("cat/0.png", "", True, "", "메모", "kim", "c0"))
    live, whole = LiveJournal(file, manifest), file.read_bytes()
    live.changes()
    spoiled = whole.decode().encode("cp949")
    file.write_bytes(spoiled)
    click = Override("cat/0.png", "", None, "", "", "kim", "c1", undo=True)
    for _ in range(5):
        with pytest.raises(ScratchworkError, match="is not UTF-8"):
            live.record([click])
    assert file.read_bytes() == spoiled
    file.write_bytes(whole)
    live.record([click])
    live.record([click])
    assert [row.click for row in read_overrides(file)] == ["c0", "c1"]
    file.write_bytes(file.read_bytes().replace(b"True", b"False"))
    append_override(file, Override("cat/1.png", "", True, "", "", "kim", "c2"))
    assert live.changes(0)[1] == LiveJournal(file, manifest).changes()[1]


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_live_journal_is_the_journal(place: Path, chunks: int) -> None:
    """However it grows, read in parts, what stands is what reading all of it gives; a line that is being written waits."""
    manifest, file = read_manifest(workspace_of(place)), place / "artifacts" / "overrides.csv"
    acts = [Override(f"cat/{n % 3}.png", "", bool(n % 2), "", f"line\n{n}", "kim", f"c{n}", n % 5 == 4) for n in range(12)]
    live = LiveJournal(file, manifest)
    for override in acts:
        append_override(file, override)
        if len(journal_of(place)) % chunks == 0:
            live.changes()
    content = file.read_bytes()
    file.write_bytes(content + b"cat/4.png,,Tr")
    assert live.changes()[1] == LiveJournal(file, manifest).changes()[1]
    table, _ = resolve(acts, manifest, ["cat", "dog"])
    assert {manifest.index[row]: told["counts"][1] == "keep" for row, told in live.changes()[1].items() if told["counts"]} == table["keep"].to_dict()


# What there is to review


def test_queues_show_what_the_machine_found(made: Path) -> None:
    """A copy beside what it repeats, a conflict beside the same picture with its label suggested, nothing unreadable; what is missing says why."""
    index = state_of(made).index
    path, labels, queues = index["path"], index["labels"], index["queues"]
    named = {name: [(path[row], [path[other] for other in queue["beside"][i]] if queue["beside"] else [],
                     labels[queue["suggested"][i]] if queue["suggested"] and queue["suggested"][i] >= 0 else "")
                    for i, row in enumerate(queue["rows"])]
             for name, queue in queues.items()}
    assert named["duplicates"] == [("cat/copy.png", ["cat/0.png"], "")] or named["duplicates"] == [("cat/0.png", ["cat/copy.png"], "")]
    assert named["conflicts"] == [("cat/same.png", ["dog/same.png"], "dog"), ("dog/same.png", ["cat/same.png"], "cat")]
    assert "dog/broken.png" not in [row[0] for row in named["all"]] and len(named["all"]) == len(path) - 1
    assert (queues["errors"]["command"], queues["labels"]["command"]) == ("python cli.py train", "python cli.py clean")
    assert [len(rows) > 0 for rows in index["examples"]] == [True] * 3


def by_hand(**decided: Any) -> Material:
    """Four pictures of two labels: a photograph, a suspected label, two without anything."""
    paths = pd.Index(["a/1", "a/2", "b/3", "b/4"], name="path")
    manifest = pd.DataFrame({"label": ["a", "a", "b", "b"], "sha256": list("wxyz"), "issue": "", "fold": [0, 0, 1, -1]}, index=paths)
    decisions = pd.DataFrame({"label": manifest["label"], "keep": [False, True, True, True], "reason": ["photo", "wrong_label", "", ""],
                              "score": 0.1, "evidence": ["no grain", "perhaps b (probability 0.90)", "", ""], "duplicate_group": "",
                              "photo_score": [0.1, 1, 0.9, 1],
                              "label_score": [np.nan, 0.02, 0.9, 0.8], "decided_by": "machine"}, index=paths)
    oof = pd.DataFrame({"sha256": list("xyz"), "label": ["a", "b", "b"], "fold": [0, 1, -1], "predicted": ["b", "a", "a"],
                        "p__a": [0.1, 0.6, 0.9], "p__b": [0.9, 0.4, 0.1]}, index=paths[1:])
    return Material(manifest, decisions.assign(**decided) if decided else decisions, None, oof, oof)


def test_a_persons_word_does_not_move_a_picture_between_queues() -> None:
    """After another cleaning the machine's own reason, suggestion and intention are still known."""
    before = review_index(by_hand())
    after = review_index(by_hand(keep=[True] * 4, reason=[""] * 4, decided_by=["person kim", "person kim", "machine", "machine"],
                                 evidence=["the machine said photo", "sure; the machine said wrong_label", "", ""]))
    for name in ("photos", "labels"):
        assert after["queues"][name]["rows"] == before["queues"][name]["rows"] != []
        assert after["queues"][name]["suggested"] == before["queues"][name]["suggested"]
    assert after["kept"] == before["kept"] == "0111"
    assert before["queues"]["photos"]["rows"] == [0, 2], "a kept picture close to the cut is shown too"
    assert before["queues"]["labels"]["evidence"] == ["0.90"]


def test_model_errors_are_out_of_fold_and_surest_first() -> None:
    """The held-out part is not among them, nor what has other contents now; the suggested label is the predicted one."""
    material = by_hand()
    errors = review_index(material)["queues"]["errors"]
    assert (errors["rows"], errors["suggested"], errors["evidence"]) == ([1, 2], [1, 0], ["0.90 0.10", "0.60 0.40"])
    changed = replace(material, manifest=material.manifest.assign(sha256=["w", "other", "y", "z"]))
    assert review_index(changed)["queues"]["errors"]["rows"] == [2]


def test_both_languages_say_the_same_things() -> None:
    """The same keys with the same places to fill, and every key that page and script ask for."""
    english, korean = texts("en"), texts("ko")
    assert english.keys() == korean.keys()
    places = {name: set(re.findall(r"\{\w+\}", text)) for name, text in english.items()}
    assert {name: set(re.findall(r"\{\w+\}", text)) for name, text in korean.items()} == places
    folder = ROOT / "reports" / "templates"
    asked = set(re.findall(r"(?:texts\.|say\(\")(\w+)", (folder / "review.js").read_text())) | set(
        re.findall(r"\{\{ t\.(\w+)", (folder / "review.html").read_text()))
    assert asked - english.keys() == set()


# Afterwards


def test_clean_and_train_take_up_what_was_decided(visitor: Visitor, place: Path) -> None:
    """Dropped, kept against the machine, and relabelled pictures are so in the next decisions and in what is learned from."""
    visitor.click("cat/1.png", "drop")
    visitor.click("cat/2.png", "label", "dog")
    visitor.click("cat/same.png", "keep")
    visitor.click("cat/3.png", "drop")
    visitor.click("cat/3.png", "undo")
    decisions = pipeline.clean(workspace_of(place), KEPT_SETTINGS).decisions
    assert decisions.loc[["cat/1.png", "cat/2.png", "cat/same.png", "cat/3.png"], "keep"].tolist() == [False, True, True, True]
    assert decisions.loc["cat/2.png", ["label", "decided_by"]].tolist() == ["dog", "person kim"]
    kept = pipeline.learning_data(workspace_of(place), folds=2).kept
    assert kept["label"].reindex(["cat/1.png", "cat/2.png", "cat/same.png", "cat/3.png"]).fillna("").tolist() == ["", "dog", "cat", "cat"]
    assert kept.loc["cat/2.png", "trusted"]


def test_votes_are_counted_and_settled(visitor: Visitor, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two who differ need a third vote; ``--ties open`` leaves them, a plain ``--settle`` sets them aside, and a second one writes nothing."""
    said = {"cat/1.png": ("drop", "drop"), "cat/2.png": ("keep", "drop"), "cat/4.png": ("keep", "keep"), "dog/1.png": ("keep", "drop")}
    for path, (kim, lee) in said.items():
        visitor.click(path, kim, reviewer="kim")
        visitor.click(path, lee, reviewer="lee")
    visitor.click("dog/1.png", "keep", reviewer="park")
    options = ["--data", str(place / "data"), "--artifacts", str(place / "artifacts")]
    assert cli.main(["votes", *options]) == 0
    told = capsys.readouterr().out
    assert "third vote: cat/2.png: kim: keep, lee: drop" in told and "need a third vote" in told
    assert len(journal_of(place)) == 9
    count = reviewing.count_votes(workspace_of(place), settle=True, set_ties_aside=False)
    assert (count.settled, list(count.waiting), count.agreed, count.majority) == (3, ["cat/2.png"], 2, 1)
    assert cli.main(["votes", "--settle", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["settled"] == 1
    assert (journal_of(place)[-1].path, journal_of(place)[-1].note) == ("cat/2.png", SET_ASIDE)
    assert reviewing.count_votes(workspace_of(place), settle=True).settled == 0
    assert next(iter(visitor.click("cat/2.png", "keep", reviewer="park")["rows"].values()))["counts"] == ["park", "keep"], "a later vote re-opens"


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda folder: (folder / "artifacts" / "manifest.parquet").unlink(), "make it with: python cli.py features"),
    (lambda folder: (folder / "artifacts" / "overrides.csv").write_text("path,keep\na,perhaps\n"), "line 2: keep is 'perhaps'"),
    (lambda folder: (folder / "artifacts" / "cleaning.parquet").write_bytes(b"x"), "cannot be read")])
def test_artifacts_that_will_not_do_are_named(place: Path, spoil: Callable[[Path], object], said: str) -> None:
    """In one line, with what to do."""
    spoil(place)
    with pytest.raises(ScratchworkError, match=re.escape(said)):
        state_of(place)


def test_votes_without_a_journal_and_a_model_without_predictions(place: Path) -> None:
    """What is missing is named with the command that makes it."""
    with pytest.raises(ScratchworkError, match=r"nobody has decided anything yet; begin with: python cli\.py review"):
        reviewing.count_votes(workspace_of(place))
    with pytest.raises(ScratchworkError, match=r"no\.oof\.parquet does not exist"):
        state_of(place, model=Path("no.joblib"))


def test_a_port_in_use(place: Path) -> None:
    """The next free one where none was asked for; one line where one was."""
    with reviewing.listening("127.0.0.1", None) as first, reviewing.listening("127.0.0.1", None) as second:
        taken = first.getsockname()[1]
        assert second.getsockname()[1] > taken
        with pytest.raises(ScratchworkError, match=f"port {taken} is in use by another program"):
            reviewing.listening("127.0.0.1", taken)
    with pytest.raises(ScratchworkError, match=r"cannot listen on 203\.0\.113\.1"):
        reviewing.listening("203.0.113.1", None)


def test_the_extra_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without starlette and uvicorn: one line with what to install."""
    monkeypatch.setattr(reviewing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ScratchworkError, match=r"pip install 'scratchwork\[review\]'"):
        reviewing.require_extra()


def test_a_network_address_is_a_warning(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--host`` lets others in and says so; only then other addresses of this machine are accepted as Host."""
    told: list[str] = []
    monkeypatch.setattr(reviewing, "serve", lambda *_: None)
    reviewing.review(workspace_of(place, notice=told.append), ReviewSettings(place / "data", host="0.0.0.0", open_browser=False), told.append)
    assert any(line.startswith("WARNING: the page listens on 0.0.0.0") for line in told)
    assert any(re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", line) for line in told)
    keys = state_of(place).keys
    assert Guard(make_app(state_of(place)), keys, 8765, "0.0.0.0")._known_host("192.168.0.7:8765")
    assert not Guard(make_app(state_of(place)), keys, 8765, "0.0.0.0")._known_host("evil.example:8765")


# The page in a browser, and a server that dies


@contextmanager
def running(folder: Path, port: int | None = None, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``python cli.py review`` in a process of its own, and its address."""
    command = [sys.executable, str(ROOT / "cli.py"), "review", "--data", str(folder / "data"), "--artifacts", str(folder / "artifacts"),
               "--no-browser", "--reviewer", "kim", *options, *(["--port", str(port)] if port else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:  # a suite in the background ignores it
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("review: http"), process.stderr.read() if process.stderr else ""
            yield process, line.removeprefix("review: ").strip()
        finally:
            process.kill()


def test_ctrl_c_says_what_to_run(place: Path) -> None:
    """It is the usual way to end: exit code 0, the count, the commands with the folders of this review."""
    append_override(place / "artifacts" / "overrides.csv", Override("cat/1.png", "", False, ""))
    with running(place) as (process, _):
        assert process.stderr
        first = process.stderr.readline()  # a signal before it would come before the word about the browser, too
        process.send_signal(signal.SIGINT)
        told, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "1 picture has a word in" in told
    assert f"python cli.py clean --data {place / 'data'} --artifacts {place / 'artifacts'}" in told
    assert "open this address in a browser" in first


def saved(page: Any, n: int, folder: Path) -> None:
    """Wait until the page says so, and see that it is so."""
    page.wait_for_selector("#status[data-state=saved]")
    assert len(journal_of(folder)) == n


@pytest.mark.browser
def test_the_page_by_keyboard(place: Path, chromium: Any, serious_violations: Callable[[Any], list[str]]) -> None:
    """Keep, drop, accept, relabel, undo by keys alone; nothing is loaded from elsewhere, nothing is refused by the page's own policy, nothing hostile
    runs, and nobody is kept out: in English and Korean, light, dark and on a phone, in every dialog."""
    with running(place) as (_, address):
        for options in ({"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 800}}):
            context = chromium.new_context(**options)
            page = context.new_page()
            trouble: list[str] = []
            asked: list[str] = []
            page.on("console", lambda message, trouble=trouble: trouble.append(message.text) if message.type in ("error", "warning") else None)
            page.on("pageerror", lambda error, trouble=trouble: trouble.append(str(error)))
            page.on("dialog", lambda dialog, trouble=trouble: trouble.append(dialog.message))
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(address)
            page.wait_for_selector("#view:not([hidden])")
            assert page.url.partition("#")[0] == address.partition("?")[0], "the token leaves the address"
            assert serious_violations(page) == []
            for key in ("?", "l", "f"):
                page.keyboard.press(key)
                page.wait_for_selector("dialog[open]")
                assert serious_violations(page) == []
                page.keyboard.press("Escape")
                page.wait_for_selector("dialog[open]", state="detached")  # until it has gone, keys are its own
            page.click("#finish")
            assert serious_violations(page) == []
            page.keyboard.press("Escape")
            page.wait_for_selector("dialog[open]", state="detached")
            if "viewport" not in options:
                assert page.inner_text("#finding") in ("The same picture again", "Nearly the same picture again")
                page.keyboard.press("k")
                saved(page, 1, place)
                page.keyboard.press("]")  # conflicts
                page.keyboard.press("s")
                page.wait_for_function("() => document.querySelectorAll('#reel .is-label').length === 1")
                saved(page, 2, place)
                page.keyboard.press("l")
                page.keyboard.type("onerr")
                page.keyboard.press("Enter")
                page.wait_for_function("() => document.querySelectorAll('#reel .is-label').length === 2")
                saved(page, 3, place)
                page.keyboard.press("u")
                page.wait_for_function("() => document.querySelectorAll('#reel .is-label').length === 1")
                saved(page, 4, place)
                assert [(o.keep, o.label, o.undo) for o in journal_of(place)] == [
                    (True, "", False), (None, "dog", False), (None, EVIL_LABEL, False), (None, "", True)]
                page.keyboard.press("/")
                page.keyboard.type("cat/same")
                page.wait_for_function("() => document.getElementById('position').textContent === '1 of 1'")
                page.keyboard.press("Escape")
                other = context.new_page()
                other.goto(address)
                other.wait_for_selector("#view:not([hidden])")
                assert other.locator("#tabs button").nth(1).inner_text().split()[-1] == "0", "a second tab knows what was decided"
            assert trouble == []
            assert {url.split("/")[2] for url in asked} == {address.split("/")[2]}
            context.close()
    with running(place, None, "--lang", "ko") as (_, address):
        context = chromium.new_context()
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#view:not([hidden])")
        assert page.locator("#tabs button").first.inner_text().startswith("사진")
        assert serious_violations(page) == []
        context.close()


@pytest.mark.browser
def test_a_key_right_after_a_dialog_counts(place: Path, chromium: Any) -> None:
    """Until the next frame the focus is still in the field of the dialog that was closed: a quick reviewer's next key is no text for it."""
    with running(place) as (_, address):
        context = chromium.new_context()
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#view:not([hidden])")
        page.keyboard.press("l")
        page.wait_for_selector("#labels[open]")
        assert page.evaluate("""() => {
            document.getElementById("labels").close();
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "f", bubbles: true }));
            return [document.activeElement.closest("dialog").id, document.querySelector("dialog[open]")?.id];
        }""") == ["large", "large"]
        context.close()


@pytest.mark.browser
def test_what_was_refused_or_is_of_other_data_stays_said(place: Path, chromium: Any) -> None:
    """The page looks what others decided every few seconds; that takes no warning away, and a click that was not taken is not shown as decided."""
    with running(place, None, "--reviewer", "votes") as (_, address):
        context = chromium.new_context()
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#view:not([hidden])")
        before = page.inner_text("#done")
        with page.expect_response("**/api/decisions*"), page.expect_response("**/api/clicks"):
            page.keyboard.press("k")
        with page.expect_response("**/api/decisions*"):
            page.wait_for_selector("#status[data-state=trouble]")
        page.wait_for_timeout(200)
        assert page.get_attribute("#status", "data-state") == "trouble"
        assert page.inner_text("#done") == before
        page.route("**/api/decisions*", lambda route: route.fulfill(json={"version": "another", "number": 0, "rows": {}}))
        with page.expect_response("**/api/decisions*"):
            pass
        with page.expect_response("**/api/decisions*"):
            pass
        page.wait_for_timeout(200)
        assert "reload" in page.inner_text("#status").lower()
        context.close()


@pytest.mark.browser
def test_a_server_that_dies_loses_nothing(place: Path, chromium: Any) -> None:
    """Killed under the page, it says NOT saved and warns before leaving; started anew on its port, every click arrives once and in order."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = chromium.new_context()
    page = context.new_page()
    with running(place, port) as (process, address):
        page.goto(address)
        page.wait_for_selector("#view:not([hidden])")
        page.click("#tabs button:last-child")
        page.keyboard.press("k")
        saved(page, 1, place)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for key in "ddu":
            page.keyboard.press(key)
        page.wait_for_selector("#status[data-state=trouble]:has-text('3 waiting')")  # the first click's trouble is told before the others are made
        assert "NOT saved" in page.inner_text("#status") and "3 waiting" in page.inner_text("#status")
        warned: list[str] = []
        page.once("dialog", lambda dialog: (warned.append(dialog.type), dialog.dismiss()))
        page.evaluate("() => { setTimeout(() => location.reload()) }")
        page.wait_for_timeout(300)
        assert warned == ["beforeunload"]
    with running(place, port) as (_, address):
        context.new_page().goto(address)  # as the browser does that is opened at the start
        page.wait_for_selector("#status[data-state=saved]", timeout=15_000)
        assert [(o.keep, o.undo) for o in journal_of(place)] == [(True, False), (False, False), (False, False), (None, True)]
    context.close()


@pytest.mark.slow
def test_a_thousand_clicks_and_a_server_killed_at_random(place: Path) -> None:
    """Every click that was ever acknowledged is in the journal, whatever moment the server died at, and none is there twice."""
    rng = np.random.default_rng(0)
    paths = list(read_manifest(workspace_of(place)).query("issue == ''").index)
    state = state_of(place)
    acknowledged: set[str] = set()
    sent, kills = 0, 0
    while sent < 1000:
        with running(place) as (process, address):
            port, token = int(address.split(":")[2].partition("/")[0]), address.partition("token=")[2]
            visitor = Visitor(state, port)
            cookie = visitor.ask("GET", f"/?token={token}", cookie=None)[1]["set-cookie"].partition(";")[0]
            key = json.loads(visitor.ask("GET", "/api/session", cookie=cookie)[2])["token"]
            threading.Timer(float(rng.uniform(0.01, 0.1)), process.kill).start()  # even a fast machine has some 20 such lives to live
            try:
                while sent < 1000:
                    path = str(rng.choice(paths))
                    name = f"click{sent}"
                    click = {"click": name, "path": path, "digest": state.index["digest"][state.index["path"].index(path)],
                             "act": str(rng.choice(["keep", "drop", "undo"])), "label": "", "reviewer": "kim"}
                    status, _, content = visitor.ask("POST", "/api/clicks", json.dumps({"clicks": [click]}).encode(), cookie=cookie,
                                                     x_review_token=key)
                    assert status == 200
                    acknowledged |= set(json.loads(content)["saved"])
                    sent += 1
            except (OSError, http.client.HTTPException):
                kills += 1
    written = [o.click for o in journal_of(place)]
    print(f"\n{len(acknowledged)} clicks acknowledged, {len(written)} in the journal, {kills} kills")
    assert acknowledged == {f"click{n}" for n in range(1000)}
    assert len(written) == len(set(written)) and acknowledged <= set(written)
    assert kills >= 10


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
