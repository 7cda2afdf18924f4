#!/usr/bin/env python3
"""How well duplicates are found, per transformation, and how fast near hashes are: beside imagededup and cleanvision.

    python benchmarks/duplicates.py [--data artifacts/campset/test] [--peers-python PATH] [--only quality|search] [--json]

quality   N clean drawings, drawn with a seed, and one changed copy of each, in a folder of their own for every transformation. *Recall* is
          the share of the N pairs (original, copy) that a side names, *precision* the share of such pairs in all that it names. Two
          originals may really show the same, which nobody has labelled: the row "originals alone" has the pairs named without any copies,
          and *precision beyond* leaves those out, in all their versions.
search    n hashes with planted near pairs and crowds of lookalikes; every pair within a radius is wanted. Each run has a process of
          its own, whose time (without imports and files; by the clock, and of the processor) and peak memory (with them) are taken.

ours                 what ``python cli.py clean --only duplicates`` puts into one duplicate group, from files to decisions, all features included
ours, turned         the same with ``--turned``, where the product has it
imagededup 0, 10     pHash, 64 bits, ``max_distance_threshold`` 0 and 10; hashing and search
cleanvision          exact_duplicates and near_duplicates

The peers run in an environment of their own: ``--peers-python`` is its interpreter (benchmarks/README.md says how to make one). All
sides have the same files and number of processes. Results to stdout, progress to stderr. Needs psutil beside what the product needs.
"""

import argparse
import json
import math
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this file's folder, where ``cleaning`` would be the file beside this one

from benchmarks.extraction import BenchmarkError, describe_machine, library_versions, picture_files, warm_pool, watched
from cleaning.decisions import CleaningSettings
from cleaning.duplicates import RADIUS
from cleaning.hamming import pairs_within
from features.errors import ScratchworkError
from features.extract import ExtractionSettings, Request, extract_chunk
from features.hashes import perceptual_hash

PEERS = Path(__file__).with_name("peers_duplicates.py")
ORIGINALS_ALONE = "originals alone"
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp"}
PEER_RADIUS = 10  # of 64 bits: imagededup's default
PLANTED_SHARE, CROWDED_SHARE, CROWD_SIZE = 0.01, 0.02, 100
MAX_DRAWINGS = 100_000  # crops of drawings: 0.4 % of all pairs are near, 20 million of these
PARTS_FROM = 500  # pictures
CHUNK_KEYS = 1 << 24

Pair = tuple[str, str]


# --- transformations --------------------------------------------------------------------------------------------------------


class Transformation(NamedTuple):
    """``change``: RGB picture → RGB picture; saved as ``format`` ("" = the original's) with ``quality`` (for JPEG and WebP)."""

    change: Callable[[Image.Image], Image.Image]
    format: str = ""
    quality: int = 95


def unchanged(image: Image.Image) -> Image.Image:
    """The picture."""
    return image


def resized(scale: float, image: Image.Image) -> Image.Image:
    """Both sides times ``scale``, by area averaging."""
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX)


def with_gamma(gamma: float, image: Image.Image) -> Image.Image:
    """Darker midtones for gamma above 1."""
    return image.point([round(255 * (level / 255) ** gamma) for level in range(256)] * 3)


def blurred(image: Image.Image) -> Image.Image:
    """Gaussian, sigma 1 px where the longer side has 300 px."""
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 300))


def padded(image: Image.Image) -> Image.Image:
    """On a white page 20 % larger, in the middle."""
    return ImageOps.expand(image, (round(image.width * 0.1), round(image.height * 0.1)), "white")


def cropped(image: Image.Image) -> Image.Image:
    """The middle 95 % of each side."""
    left, top = round(image.width * 0.025), round(image.height * 0.025)
    return image.crop((left, top, image.width - left, image.height - top))


def watermarked(image: Image.Image) -> Image.Image:
    """A gray word across the middle, 80 % of the width, 35 % opaque."""
    font = ImageFont.load_default(100)
    font = ImageFont.load_default(100 * 0.8 * image.width / font.getlength("SAMPLE"))
    layer = Image.new("L", image.size)
    ImageDraw.Draw(layer).text((image.width / 2, image.height / 2), "SAMPLE", fill=round(0.35 * 255), font=font, anchor="mm")
    return Image.composite(Image.new("RGB", image.size, (128, 128, 128)), image, layer)


TRANSFORMATIONS = {
    "resize x 0.5": Transformation(partial(resized, 0.5)),
    "resize x 0.25": Transformation(partial(resized, 0.25)),
    "JPEG 95": Transformation(unchanged, "JPEG", 95),
    "JPEG 75": Transformation(unchanged, "JPEG", 75),
    "JPEG 50": Transformation(unchanged, "JPEG", 50),
    "to PNG": Transformation(unchanged, "PNG"),
    "to WebP 80": Transformation(unchanged, "WEBP", 80),
    "to BMP": Transformation(unchanged, "BMP"),
    "gamma 1.2": Transformation(partial(with_gamma, 1.2)),
    "gamma 0.8": Transformation(partial(with_gamma, 0.8)),
    "blur sigma 1": Transformation(blurred),
    "pad 20 %": Transformation(padded),
    "crop 5 %": Transformation(cropped),
    "watermark": Transformation(watermarked),
    "mirror": Transformation(ImageOps.mirror),
    "rotate 90": Transformation(partial(Image.Image.transpose, method=Image.Transpose.ROTATE_90)),
}


def write_set(originals: Sequence[Path], folder: Path, transformation: Transformation | None) -> None:
    """``LABEL/NUMBER-original.*`` as they are and, with a transformation, ``LABEL/NUMBER-copy.*``."""
    for number, original in enumerate(originals):
        place = folder / original.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, place / f"{number:04}-original{original.suffix}")
        if transformation:
            write_copy(original, place / f"{number:04}-copy", transformation)


def write_copy(original: Path, target: Path, transformation: Transformation) -> None:
    """The changed picture as ``target`` with the suffix of its format; what was transparent is white."""
    with Image.open(original) as image:
        kind = transformation.format or (image.format if image.format in SUFFIXES else "PNG")
        rgba = image.convert("RGBA")
    changed = transformation.change(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))
    changed.save(target.with_suffix(SUFFIXES[kind]), kind, quality=transformation.quality)


# --- quality ----------------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What one side names in one folder: pairs of paths, each in alphabetical order; and how long that took."""

    pairs: set[Pair]
    seconds: float


def score(found: Found, originals: int, alone: set[Pair]) -> dict[str, float | None]:
    """How right one side is. ``alone``: pairs of originals that it names when there are no copies, as right or wrong as they may be.

    ``recall`` of the pairs (original, copy); ``precision`` of all that it names, and ``precision_beyond`` without those between two originals or
    their copies that are ``alone`` (None where nothing is left); ``others``: how many it names that are not (original, copy).
    """
    numbers = [(number_of(one), number_of(two)) for one, two in found.pairs]
    known = {tuple(sorted((number_of(one), number_of(two)))) for one, two in alone}
    right = sum(one == two for one, two in numbers)
    beyond = sum(tuple(sorted(pair)) not in known for pair in numbers)
    return {"recall": right / originals, "precision": right / len(numbers) if numbers else None,
            "precision_beyond": right / beyond if beyond else None, "others": len(numbers) - right, "seconds": found.seconds}


def number_of(path: str) -> str:
    """LABEL/NUMBER-copy.png → NUMBER."""
    return Path(path).name.partition("-")[0]


def name_of(path: str, originals: Sequence[Path], data: Path) -> str:
    """LABEL/NUMBER-original.png → the original's path in the data folder."""
    return originals[int(number_of(path))].relative_to(data).as_posix()


def ours(folder: Path, jobs: int, settings: CleaningSettings) -> Found:
    """The pairs within one duplicate group."""
    from pipeline import Workspace, clean  # here: the search runs must not carry what it imports

    with tempfile.TemporaryDirectory(prefix="duplicates-artifacts-") as artifacts:
        start = time.perf_counter()
        decisions = clean(Workspace(folder, Path(artifacts), jobs=jobs), settings).decisions
        seconds = time.perf_counter() - start
    several = decisions[decisions["duplicate_group"] != ""]
    groups = several.groupby("duplicate_group").groups.values()
    return Found({pair for paths in groups for pair in combinations(sorted(map(str, paths)), 2)}, seconds)


def our_sides() -> dict[str, CleaningSettings]:
    """With and without regard to how a picture lies."""
    ours = CleaningSettings(checks=("duplicates",), allow_empty=True)
    return {"ours": ours, "ours, turned": replace(ours, turned=True)}


def peers(folder: Path, jobs: int, python: Path) -> tuple[dict[str, Found], dict[str, str]]:
    """Every side of `PEERS`, and its versions."""
    with tempfile.TemporaryDirectory(prefix="duplicates-peers-") as out:
        answer = Path(out, "quality.json")
        watched([str(python), str(PEERS), "quality", str(folder), str(answer), "--jobs", str(jobs)])
        told = json.loads(answer.read_text())
    return {name: Found({(one, two) for one, two in side["pairs"]}, side["seconds"]) for name, side in told["sides"].items()}, told["versions"]


def measure_quality(data: Path, pictures: int, seed: int, jobs: int, python: Path | None) -> dict[str, Any]:
    """Recall, precision and time of every side for every transformation."""
    files = [Path(file) for file in picture_files(data)]
    if len(files) < pictures:
        raise BenchmarkError(f"{data} has {len(files):,} readable pictures; give --pictures N of at most so many, or another --data DIR")
    originals = random.Random(seed).sample(sorted(files), pictures)
    warm_pool([str(file) for file in originals[:4]], jobs)
    versions: dict[str, str] = {}
    everything: dict[str, dict[str, Found]] = {}
    for name, transformation in {ORIGINALS_ALONE: None, **TRANSFORMATIONS}.items():
        print(f"quality: {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="duplicates-") as folder:
            write_set(originals, Path(folder), transformation)
            found = {side: ours(Path(folder), jobs, settings) for side, settings in our_sides().items()}
            if python:
                theirs, versions = peers(Path(folder), jobs, python)
                found |= theirs
        everything[name] = found
    alone = {side: found.pairs for side, found in everything[ORIGINALS_ALONE].items()}
    table = {name: {side: score(answer, pictures, alone[side]) for side, answer in found.items()} for name, found in everything.items()}
    return {"pictures": pictures, "of": len(files), "seed": seed, "peer_versions": versions, "table": table,
            "alone": {side: [[name_of(number, originals, data) for number in pair] for pair in sorted(pairs)] for side, pairs in alone.items()}}


# --- search -----------------------------------------------------------------------------------------------------------------


def random_hashes(n: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """(n, width) uint8, every bit 1 half of the time."""
    return generator.integers(0, 256, (n, width), np.uint8)


def drawing_hashes(data: Path, n: int, generator: np.random.Generator) -> np.ndarray:
    """(n, 32) uint8: the product's hashes of random parts of drawings, turned and mirrored at random."""
    files = generator.permutation(picture_files(data))[:PARTS_FROM]
    tiles = extract_chunk([Request(str(file)) for file in files], ExtractionSettings()).tiles
    gray = [cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY) for tile in tiles]
    return np.array([perceptual_hash(random_part(gray[i], generator)) for i in generator.integers(len(gray), size=n)])


def random_part(gray: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A square of 40 to 85 % of the side of a (s, s) uint8 picture, lying in any of eight ways."""
    side = int(len(gray) * generator.uniform(0.4, 0.85))
    top, left = generator.integers(0, len(gray) - side, 2)
    part = np.rot90(gray[top:top + side, left:left + side], int(generator.integers(4)))
    return np.ascontiguousarray(part if generator.integers(2) else part[:, ::-1])


def planted(hashes: np.ndarray, radius: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The hashes with near ones written over some, and the (m, 2) positions of the pairs that are thereby within ``radius``.

    `PLANTED_SHARE` of them become neighbours of others, at distances spread over 0 … radius; `CROWDED_SHARE` become crowds of
    `CROWD_SIZE`, each hash within half the radius of the crowd's first.
    """
    hashes, places = hashes.copy(), generator.permutation(len(hashes))
    near, size = int(len(hashes) * PLANTED_SHARE), min(CROWD_SIZE, int(len(hashes) * CROWDED_SHARE))
    one, two = places[:near], places[near:2 * near]
    for k in range(near):
        hashes[two[k]] = with_flips(hashes[one[k]], k % (radius + 1), generator)
    pairs = [np.stack([one, two], axis=1)]
    for start in range(2 * near, 2 * near + int(len(hashes) * CROWDED_SHARE) - size + 1, size or 1):
        crowd = places[start:start + size]
        for member in crowd[1:]:
            hashes[member] = with_flips(hashes[crowd[0]], int(generator.integers(radius // 2 + 1)), generator)
        pairs.append(np.array(list(combinations(crowd, 2))).reshape(-1, 2))
    return hashes, np.sort(np.concatenate(pairs), axis=1)


def with_flips(one: np.ndarray, flips: int, generator: np.random.Generator) -> np.ndarray:
    """A (w,) uint8 hash with so many bits changed."""
    bits = np.unpackbits(one)
    bits[generator.choice(len(bits), flips, replace=False)] ^= 1
    return np.packbits(bits)


def share_found(wanted: np.ndarray, found: np.ndarray, n: int) -> float:
    """The share of (m, 2) ``wanted`` pairs, i < j, of n positions that are among the ``found``, perhaps a memory map."""
    keys = wanted.astype(np.int64) @ [n, 1]
    hit = np.zeros(len(keys), bool)
    for start in range(0, len(found), CHUNK_KEYS):
        hit |= np.isin(keys, found[start:start + CHUNK_KEYS].astype(np.int64) @ [n, 1])
    return float(hit.mean())


class Search(NamedTuple):
    """One side's search: its command but for files (``{hashes}`` and ``{out}``), the hashes and their radius."""

    command: list[str]
    hashes: np.ndarray
    wanted: np.ndarray
    radius: int


def searched(search: Search, limit_s: float) -> dict[str, Any]:
    """Seconds, peak memory, pairs, and recall of the planted ones, of one run."""
    with tempfile.TemporaryDirectory(prefix="duplicates-search-") as folder:
        places = {"hashes": f"{folder}/hashes.npy", "out": f"{folder}/pairs.npy", "radius": str(search.radius)}
        np.save(places["hashes"], search.hashes)
        done = watched([part.format_map(places) for part in search.command], limit_s)
        row = {"n": len(search.hashes), "bits": search.hashes.shape[1] * 8, "radius": search.radius, "planted": len(search.wanted),
               "parent_mib": done.parent_mib, "largest_worker_mib": done.largest_worker_mib}
        if done.stopped:
            return {**row, "over_limit_s": limit_s}
        found = np.load(places["out"], mmap_mode="r")
        return {**row, **json.loads(done.output), "pairs": len(found), "recall": share_found(search.wanted, found, row["n"])}


def searches(data: Path, n: int, seed: int, jobs: int, python: Path | None, method: str) -> Iterator[tuple[str, Search]]:
    """Each side by name; ours with 64 bits and imagededup have the very same hashes."""
    own = [sys.executable, __file__, "--once", "{hashes}", "{radius}", "{out}"]
    generator = np.random.default_rng(seed)
    short = planted(random_hashes(n, 8, generator), PEER_RADIUS, generator)
    yield "ours", Search(own, *planted(random_hashes(n, 32, generator), RADIUS, generator), RADIUS)
    yield "ours, 64 bits", Search(own, *short, PEER_RADIUS)
    if n <= MAX_DRAWINGS:
        yield "ours, drawings", Search(own, *planted(drawing_hashes(data, n, generator), RADIUS, generator), RADIUS)
    if python:
        theirs = [str(python), str(PEERS), "search", "{hashes}", "{radius}", "{out}", "--jobs", str(jobs), "--method", method]
        yield f"imagededup {method}", Search(theirs, *short, PEER_RADIUS)


def measure_search(data: Path, sizes: Sequence[int], seed: int, jobs: int, python: Path | None, method: str, limit_s: float) -> list[dict[str, Any]]:
    """One row per size and side; what is over the limit is not tried with more hashes."""
    rows: list[dict[str, Any]] = []
    stopped: set[str] = set()
    for n in sorted(sizes):
        for side, search in searches(data, n, seed, jobs, python, method):
            if side in stopped:
                continue
            print(f"search: {n:,} hashes: {side}", file=sys.stderr)
            rows.append({"side": side, **searched(search, limit_s)})
            stopped |= {side} if "over_limit_s" in rows[-1] else set()
    return rows


def search_once(hashes: Path, radius: int, out: Path) -> None:
    """Our search alone: what the search runs start. One process, one thread."""
    loaded = np.load(hashes)
    start, start_cpu = time.perf_counter(), time.process_time()
    pairs, _ = pairs_within(loaded, radius)
    print(json.dumps({"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - start_cpu}))
    np.save(out, pairs)


# --- output and command line ------------------------------------------------------------------------------------------------


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything, as one JSON object."""
    result: dict[str, Any] = {"command": shlex.join(["python", *sys.argv]), "machine": describe_machine(), "versions": library_versions(),
                              "jobs": arguments.jobs}
    python = arguments.peers_python
    if not python:
        print("no --peers-python: only our side is measured", file=sys.stderr)
    if arguments.only != "search":
        result["quality"] = measure_quality(arguments.data, arguments.pictures, arguments.seed, arguments.jobs, python)
    if arguments.only != "quality":
        result["search"] = measure_search(arguments.data, arguments.sizes, arguments.seed, arguments.jobs, python, arguments.method,
                                          arguments.limit_s)
    return result


def report(result: dict[str, Any]) -> str:
    """The measured object as text."""
    machine = result["machine"]
    lines = [f"command   {result['command']}",
             f"machine   {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
             f"load at start {machine['load_at_start']:.2f}",
             f"versions  {listed(result['versions'])}"]
    if "quality" in result:
        lines += quality_lines(result["quality"])
    if "search" in result:
        lines += search_lines(result["search"])
    return "\n".join(lines)


def listed(versions: dict[str, str]) -> str:
    """One line."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def quality_lines(quality: dict[str, Any]) -> list[str]:
    """A row a transformation, in Markdown: recall / precision / pairs beside; then the mean and the time."""
    table = quality["table"]
    sides = list(table[ORIGINALS_ALONE])
    changed = [row for name, row in table.items() if name != ORIGINALS_ALONE]
    lines = ["", f"peers     {listed(quality['peer_versions']) or 'not run'}",
             f"pictures  {quality['pictures']:,} of {quality['of']:,}, drawn with seed {quality['seed']}",
             "cells     recall / precision / precision beyond the pairs that the side names among the originals alone", ""]
    lines += [f"| transformation | {' | '.join(sides)} |", f"|{'---|' * (len(sides) + 1)}"]
    for name, row in table.items():
        cells = [f"{row[s]['others']} pairs" if name == ORIGINALS_ALONE else three(row[s]) for s in sides]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    recall = [f"{np.mean([row[s]['recall'] for row in changed]):.3f}" for s in sides]
    seconds = [f"{math.fsum(row[s]['seconds'] for row in table.values()):.1f}" for s in sides]
    lines += [f"| mean recall | {' | '.join(recall)} |", f"| seconds, all sets | {' | '.join(seconds)} |"]
    return lines


def three(cell: dict[str, float | None]) -> str:
    """Recall / precision / precision beyond."""
    return " / ".join("–" if cell[name] is None else f"{cell[name]:.3f}" for name in ("recall", "precision", "precision_beyond"))


def search_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A row a run, in Markdown."""
    slow = {row["n"]: row for row in rows if row["side"].startswith("imagededup")}
    names = ["hashes", "side", "bits, radius", "s", "CPU s", "times as fast: s, CPU s", "recall of planted", "pairs", "peak MiB: parent, worker"]
    lines = ["", f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for row in rows:
        faster = times_as_fast(row, slow) if "seconds" in row and not row["side"].startswith("imagededup") else ""
        measured = [f"> {row['over_limit_s']:.0f}", "", "", "", ""] if "over_limit_s" in row else [
            f"{row['seconds']:.2f}", f"{row['cpu_seconds']:.2f}", faster, f"{row['recall']:.4f} of {row['planted']:,}", f"{row['pairs']:,}"]
        asked = f"{row['n']:,}", row["side"], f"{row['bits']}, {row['radius']}"
        peaks = f"{row['parent_mib']:.0f}, {row['largest_worker_mib']:.0f}"
        lines.append(f"| {' | '.join([*asked, *measured, peaks])} |")
    return lines


def times_as_fast(row: dict[str, Any], slow: dict[int, dict[str, Any]]) -> str:
    """The peer's times for as many hashes, or the limit where it was stopped there or before, divided by this row's."""
    stopped = [peer["over_limit_s"] for peer in slow.values() if "over_limit_s" in peer and peer["n"] <= row["n"]]
    if stopped:
        return f"> {stopped[0] / row['seconds']:.0f}"
    return ", ".join(f"{slow[row['n']][unit] / row[unit]:.0f}" for unit in ("seconds", "cpu_seconds")) if row["n"] in slow else ""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 done, 1 expected failure, 2 usage."""
    arguments = _arguments(argv)
    if arguments.once:
        search_once(Path(arguments.once[0]), int(arguments.once[1]), Path(arguments.once[2]))
        return 0
    try:
        result = measure(arguments)
    except (BenchmarkError, ScratchworkError) as error:
        print(f"duplicates: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2) if arguments.json else report(result))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("artifacts/campset/test"), help="a folder of clean drawings (default: %(default)s)")
    parser.add_argument("--peers-python", type=Path, metavar="PATH", help="the interpreter of an environment with imagededup and cleanvision")
    parser.add_argument("--only", choices=["quality", "search"], help="one of the two (default: both)")
    parser.add_argument("--pictures", type=int, default=400, metavar="N", help="originals for quality (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000], metavar="N", help="numbers of hashes to search")
    parser.add_argument("--method", default="brute_force_cython", help="imagededup's search method (default: its own on Linux, %(default)s)")
    parser.add_argument("--limit-s", type=float, default=900, help="for each search run (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes of every side (default: %(default)s); our search always has one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--once", nargs=3, metavar=("HASHES", "RADIUS", "OUT"), help="search once: what the search runs start")
    arguments = parser.parse_args(argv)
    if min(arguments.jobs, arguments.pictures, *arguments.sizes) < 1:
        parser.error("--jobs, --pictures and --sizes must be at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
