#!/usr/bin/env python3
"""How fast the review page is: from opening it to a picture, and from a key press to "Saved", in a headless Chromium on loopback.

    python benchmarks/review.py --artifacts DIR [--pictures 25000] [--presses 1000] [--loads 20] [--pause-ms 0] [--json]

--artifacts   a folder after `python cli.py clean`, its data folder in place; its pictures are copied under other names, each with
              other bytes, until there are --pictures of them, in a temporary folder (each has its own address, so that no cache helps by accident)
first paint   in a fresh browser profile each time: the first contentful paint, and when a picture is on the screen with the queue it belongs to
key to saved  from the key press as the browser stamps it to the text "Saved", and to the next frame after it; a press when the last one is saved and
              --pause-ms have passed (from 140 on, the page loads the file of the picture that is looked at in between)

The server is `python cli.py review` in a process of its own; "Saved" is said when the row is on the disk (fsync). One JSON object with --json.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

from features.errors import ScratchworkError
from workspace import Workspace, read_decisions, read_manifest

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
KEYS = "kdkd"
STOPWATCH = """() => {
  window.times = [];
  let pressed = 0;
  document.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (document.getElementById("status").dataset.state !== "saved" || !pressed) return;
    const said = performance.now() - pressed, from = pressed;
    pressed = 0;
    requestAnimationFrame(() => { window.times.push([said, performance.now() - from]); });
  }).observe(document.getElementById("status"), { attributes: true, childList: true });
}"""
PICTURE = """() => { const image = document.querySelector("#enlarge .tile");
  return !document.getElementById("view").hidden && image.complete && image.naturalWidth > 0 && document.querySelector("#reel img")
    ? performance.now() : 0; }"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"


def enlarged(artifacts: Path, pictures: int, folder: Path) -> None:
    """``data`` and ``artifacts`` of so many pictures in ``folder``: those of ``artifacts`` again and again, their files with a few bytes more at the
    end, so that each has contents of its own; the tiles are shared."""
    workspace = Workspace(Path(), artifacts)
    manifest, decisions = read_manifest(workspace), read_decisions(workspace)
    root, store = Path(manifest.attrs["root"]), workspace.store
    manifest = manifest[manifest["issue"] == ""]
    parts, said, origin = [], [], []
    for copy in range(-(-pictures // len(manifest))):
        own = manifest.head(pictures - copy * len(manifest))
        paths = [f"{str(path).partition('/')[0]}/{copy}-{str(path).rpartition('/')[2]}" for path in own.index]
        digests = [_written(root / str(old), folder / "data" / new, copy) for old, new in zip(own.index, paths, strict=True)]
        parts.append(own.assign(sha256=digests).set_axis(pd.Index(paths, name="path")))
        word = decisions.reindex(own.index).set_axis(pd.Index(paths, name="path"))
        group = word["duplicate_group"]
        said.append(word.assign(duplicate_group=group.where(group == "", f"{copy}" + group)))
        origin += own["sha256"].tolist()
    cache = folder / "artifacts" / "cache" / store.folder.name
    cache.mkdir(parents=True)
    for name in ("features", "hashes", "tiles"):
        (cache / f"{name}.bin").symlink_to((store.folder / f"{name}.bin").resolve())
    large = pd.concat(parts)
    large.attrs["root"] = str(folder / "data")
    large.to_parquet(folder / "artifacts" / "manifest.parquet")
    pd.concat(said).to_csv(folder / "artifacts" / "decisions.csv")
    store.index.loc[origin].set_axis(pd.Index(large["sha256"], name="sha256")).to_csv(cache / "index.csv")


def _written(old: Path, new: Path, copy: int) -> str:
    """The digest of the copy."""
    content = old.read_bytes() + f"copy {copy} of {old.name}".encode()
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@contextmanager
def server(artifacts: Path) -> Iterator[tuple[str, float]]:
    """The address, and how many seconds it took until it was printed."""
    started = time.perf_counter()
    command = [sys.executable, str(ROOT / "cli.py"), "review", "--artifacts", str(artifacts), "--no-browser", "--reviewer", "bench"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().partition(": ")[2].strip(), time.perf_counter() - started
        finally:
            process.kill()


def main() -> int:
    """A table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=25_000)
    parser.add_argument("--presses", type=int, default=1000)
    parser.add_argument("--loads", type=int, default=20)
    parser.add_argument("--pause-ms", type=int, default=0)
    parser.add_argument("--queue", default="all")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        raise ScratchworkError("no Chromium is installed; apt install chromium")
    figures: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name) / "artifacts"
        enlarged(chosen.artifacts, chosen.pictures, Path(name))
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        with server(folder) as (address, start_s):
            paints, shown = [], []
            for _ in range(chosen.loads):
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                page = context.new_page()
                page.goto(address)
                page.wait_for_url(address.partition("?")[0] + "#*")
                page.goto(f"{address.partition('?')[0]}#{chosen.queue}")
                page.reload()
                shown.append(page.wait_for_function(PICTURE, polling=5).json_value())
                paints.append(page.evaluate(PAINT))
                context.close()
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("#view:not([hidden])")
            page.locator("#tabs button").nth(["photos", "duplicates", "conflicts", "labels", "errors", "votes", "all"].index(chosen.queue)).click()
            page.evaluate(STOPWATCH)
            for press in range(chosen.presses):
                page.keyboard.press(KEYS[press % len(KEYS)])
                page.wait_for_function("n => window.times.length > n", arg=press, polling="raf")
                page.wait_for_timeout(chosen.pause_ms)
            times = np.array(page.evaluate("() => window.times"))
            written = sum(1 for _ in (folder / "overrides.csv").open()) - 1
        browser.close()
    figures = {"first paint, ms": np.array(paints), "picture and list on the screen, ms": np.array(shown), "key press to saved, ms": times[:, 0],
               "key press to the frame that says so, ms": times[:, 1]}
    table = {name: {"median": round(float(np.median(values)), 1), "p95": round(float(np.quantile(values, 0.95)), 1), "n": len(values)}
             for name, values in figures.items()}
    if chosen.json:
        print(json.dumps({"pictures": chosen.pictures, "queue": chosen.queue, "start_s": round(start_s, 2), "rows_written": written, **table}))
        return 0
    print(f"{chosen.pictures:,} pictures, queue {chosen.queue}; the server told its address after {start_s:.1f} s; {written:,} rows written")
    for name, row in table.items():
        print(f"{name:42} median {row['median']:8.1f}   95 % {row['p95']:8.1f}   n {row['n']:,}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
