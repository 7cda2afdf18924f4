#!/usr/bin/env python3
"""How fast the extraction is: against decoding alone (the limit), against a plain pipeline, and when nothing changed.

    python benchmarks/extraction.py [--data artifacts/campset] [--jobs 2] [--files N] [--json]

All sides read the same files, in chunks of the same size, in one warmed joblib (loky) pool of the same number of processes,
from a warm page cache, in one run; each is timed in every one of `ROUNDS` rounds, in turn, and its best round counts.

decode …     reading and decoding and nothing else, with OpenCV and with Pillow; the fastest of these five is the *decode limit*
own decode   reading and decoding and nothing else, with the decoders that the product takes (kornia-rs for most PNGs)
ours         digest, facts, all features, hash and tile of every file, appended to a new `FeatureStore` in a temporary folder
plain        what one writes without thinking of speed: cv2.imread, area resize to 128 px, skimage HOG and LBP, HSV histogram,
             Canny density, white share; the vectors come back and are dropped, nothing is written, which favours it
no manifest  `pipeline.update_features` on the full store without a manifest: every file is read and digested, none is decoded
second run   the same again, with its manifest: nothing changed, so no file is even opened

Peak memory is measured in processes of their own (``--only ours``), at `FEWER_FILES` and at all files: it should be flat.
Results to stdout, progress to stderr. Needs psutil and scikit-image beside what the product needs.
"""

import argparse
import io
import json
import os
import platform
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import joblib
import numpy as np
import psutil
from PIL import Image
from PIL import features as pillow_features

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

from features.errors import ScratchworkError
from features.extract import CHUNK_FILES, ExtractionSettings, Request, extract, extract_chunk
from features.images import MIN_SCALED_PX, fast_pixels
from features.scan import scan_folder
from features.store import FeatureStore

ROUNDS = 2
FEWER_FILES = 1000  # the smaller of the two memory runs
WARM_FILES = 4  # put through every side in every worker before each timing
WARM_HOLD_S = 0.2  # long enough that each worker takes one warming task
SAMPLE_S = 0.05  # between two looks at the memory
SIDE_PX = 128
WHITE = 240
PACKAGES = ["numpy", "opencv-python-headless", "pillow", "scikit-image", "joblib", "pandas"]


class BenchmarkError(Exception):
    """The benchmark cannot go on; the message says why. Exit code 1."""


class Handled(NamedTuple):
    """``tried``: files that were given to a decoder; ``readable``: those that gave pixels."""

    tried: int
    readable: int


class Timing(NamedTuple):
    """One side of the comparison over all rounds."""

    seconds: list[float]
    handled: Handled


class Inputs(NamedTuple):
    """``files``: all pictures under the folder ``data``; ``artifacts``: this round's, new; ``jobs``: worker processes."""

    data: Path
    files: list[str]
    artifacts: Path
    jobs: int


# --- the sides --------------------------------------------------------------------------------------------------------------


def ours(inputs: Inputs) -> Handled:
    """Extract everything into a new store where the product has it: ``artifacts/cache``."""
    settings = ExtractionSettings()
    store = FeatureStore(inputs.artifacts / "cache", settings)
    sizes = [Path(file).stat().st_size for file in inputs.files]
    readable = done = 0
    with store.writing():
        for extracted in extract([Request(file) for file in inputs.files], settings, inputs.jobs):
            store.append(extracted, sizes[done:done + len(extracted.facts)])
            done += len(extracted.facts)
            readable += len(extracted.features)
    return Handled(done, readable)


def update(inputs: Inputs) -> Handled:
    """What ``cli.py features`` does before it draws figures."""
    from pipeline import Workspace, update_features  # here: the memory runs must not carry what it imports

    features = update_features(Workspace(inputs.data, inputs.artifacts, jobs=inputs.jobs))
    return Handled(features.decoded, int((features.manifest["issue"] == "").sum()))


def plain(inputs: Inputs) -> Handled:
    """The plain pipeline."""
    return Handled(len(inputs.files), sum(len(vectors) for vectors in in_pool(plain_chunk, inputs.files, inputs.jobs)))


def decode(decoder: str, inputs: Inputs) -> Handled:
    """Decoding alone."""
    return Handled(len(inputs.files), sum(in_pool(partial(decode_chunk, decoder), inputs.files, inputs.jobs)))


def in_pool(function: Callable[[list[str]], Any], files: list[str], jobs: int) -> Iterator[Any]:
    """``function`` of each chunk, with the very settings of `features.extract.extract`: joblib then keeps one pool for all sides."""
    chunks = [files[i:i + CHUNK_FILES] for i in range(0, len(files), CHUNK_FILES)]
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        run = joblib.Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="3*n_jobs", batch_size=1)
        yield from run(joblib.delayed(function)(chunk) for chunk in chunks)


def decode_chunk(decoder: str, files: list[str]) -> int:
    """How many of a few files gave pixels."""
    cv2.setNumThreads(1)
    return sum((DECODERS | OWN_DECODER)[decoder](Path(file).read_bytes()) for file in files)


def decode_cv2(flag: int, data: bytes) -> bool:
    """``flag`` for JPEGs; all other formats in full."""
    flag = flag if data.startswith(b"\xff\xd8") else cv2.IMREAD_COLOR
    return bool(data) and cv2.imdecode(np.frombuffer(data, np.uint8), flag) is not None


def decode_own(data: bytes) -> bool:
    """As the product does, before anything is averaged."""
    try:
        image = Image.open(io.BytesIO(data))
        if fast_pixels(image, data) is None:
            image.draft(None, (MIN_SCALED_PX, MIN_SCALED_PX))
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def decode_pillow(data: bytes) -> bool:
    """In full, left in Pillow's own memory."""
    try:
        Image.open(io.BytesIO(data)).load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


DECODERS: dict[str, Callable[[bytes], bool]] = {
    "cv2 full": partial(decode_cv2, cv2.IMREAD_COLOR),
    "cv2 JPEG at 1/2": partial(decode_cv2, cv2.IMREAD_REDUCED_COLOR_2),
    "cv2 JPEG at 1/4": partial(decode_cv2, cv2.IMREAD_REDUCED_COLOR_4),
    "cv2 JPEG at 1/8": partial(decode_cv2, cv2.IMREAD_REDUCED_COLOR_8),
    "Pillow full": decode_pillow,
}
OWN_DECODER = {"own": decode_own}


def plain_chunk(files: list[str]) -> list[np.ndarray]:
    """The vectors of the readable ones of a few files."""
    cv2.setNumThreads(1)
    return [vector for vector in map(plain_vector, files) if vector is not None]


def plain_vector(file: str) -> np.ndarray | None:
    """(8624,) float32 of one picture, None if cv2 cannot read it."""
    from skimage.feature import hog, local_binary_pattern  # here: the memory runs must not carry it

    bgr = cv2.imread(file)
    if bgr is None:
        return None
    bgr = cv2.resize(bgr, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)  # (128, 128, 3)
    gray, hsv = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV)
    strokes = hog(gray, 9, (8, 8), (2, 2))  # (8100,)
    texture = np.histogram(local_binary_pattern(gray, 8, 1, "uniform"), 10, (0, 10), density=True)[0]
    colors = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], [0, 180, 0, 256, 0, 256]).ravel() / gray.size  # (512,)
    edge_density = (cv2.Canny(gray, 100, 200) > 0).mean()
    white_share = (bgr >= WHITE).all(axis=2).mean()
    return np.concatenate([strokes, texture, colors, [edge_density, white_share]]).astype(np.float32)


SIDES: dict[str, Callable[[Inputs], Handled]] = {  # in the order of a round
    **{f"decode: {decoder}": partial(decode, decoder) for decoder in DECODERS},
    "own decode": partial(decode, "own"),
    "ours": ours,
    "plain": plain,
    "no manifest": update,
    "second run": update,
}


# --- timing -----------------------------------------------------------------------------------------------------------------


def time_sides(data: Path, files: list[str], jobs: int) -> dict[str, Timing]:
    """Every side, in turn, `ROUNDS` times; a round's "ours" fills a new store, in which the later sides find everything."""
    import pipeline  # noqa: F401  before the clock starts

    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    handled: dict[str, Handled] = {}
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="extraction-") as artifacts:
            inputs = Inputs(data, files, Path(artifacts), jobs)
            for name, side in SIDES.items():
                warm_pool(files[:WARM_FILES], jobs)
                start = time.perf_counter()
                handled[name] = side(inputs)
                seconds[name].append(time.perf_counter() - start)
                print(f"round {number + 1} of {ROUNDS}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
    return {name: Timing(seconds[name], handled[name]) for name in SIDES}


def warm_pool(files: list[str], jobs: int) -> None:
    """Start the pool and do every import of every side in every worker."""
    warmed: set[int] = set()
    for _ in range(20):
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            warmed.update(joblib.Parallel(n_jobs=jobs, batch_size=1)(joblib.delayed(warm_worker)(files) for _ in range(jobs)))
        if len(warmed) >= jobs:
            return
    raise BenchmarkError(f"only {len(warmed)} of {jobs} worker processes answered; give --jobs the number of free cores")


def warm_worker(files: list[str]) -> int:
    """The process that did it."""
    extract_chunk([Request(file) for file in files], ExtractionSettings())
    plain_chunk(files)
    for decoder in DECODERS | OWN_DECODER:
        decode_chunk(decoder, files)
    time.sleep(WARM_HOLD_S)
    return os.getpid()


# --- memory -----------------------------------------------------------------------------------------------------------------


def peak_memory(data: Path, files: int, jobs: int) -> dict[str, float]:
    """Peak resident MiB of a fresh process that only extracts, and of the largest of its workers."""
    print(f"memory at {files:,} files", file=sys.stderr)
    command = [sys.executable, __file__, "--only", "ours", "--data", str(data), "--files", str(files), "--jobs", str(jobs)]
    done = watched(command)
    return {"files": json.loads(done.output)["files"], "parent_mib": done.parent_mib, "largest_worker_mib": done.largest_worker_mib}


class Watched(NamedTuple):
    """A program that was run to its end, or stopped at its limit: what it printed, and the peak resident memory of it and its largest worker."""

    output: str
    parent_mib: float
    largest_worker_mib: float
    stopped: bool


def watched(command: list[str], limit_s: float = float("inf")) -> Watched:
    """Run a program, for ``limit_s`` at most, and look at its memory. Raises `BenchmarkError` where it fails."""
    peaks: dict[int, float] = {}
    end = time.monotonic() + limit_s
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and time.monotonic() < end:
            for member in family(process.pid):
                peaks[member.pid] = peak_mib(member, peaks.get(member.pid, 0.0))
            time.sleep(SAMPLE_S)
        stopped = process.poll() is None
        for member in family(process.pid) if stopped else []:
            member.kill()
        output = process.communicate()[0]
    if process.returncode and not stopped:
        raise BenchmarkError(f"{shlex.join(command)} ended with exit code {process.returncode}; its message is above")
    return Watched(output, peaks.pop(process.pid), max(peaks.values(), default=0.0), stopped)


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started, as far as they live."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def peak_mib(process: psutil.Process, before: float) -> float:
    """The peak so far; ``before`` where it cannot be told any more.

    Linux keeps it as VmHWM, for the program that runs now. Not ``ru_maxrss``, which in a new process starts at the size
    of the process that started it. Elsewhere the peak is that of the samples.
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return next((int(line.split()[1]) / 2**10 for line in status.splitlines() if line.startswith("VmHWM:")), before)
    except (FileNotFoundError, ProcessLookupError):
        pass
    try:
        return max(before, process.memory_info().rss / 2**20)
    except psutil.Error:
        return before


# --- what was measured, and on what -----------------------------------------------------------------------------------------


@contextmanager
def limited(data: Path, limit: int | None) -> Iterator[Path]:
    """``data`` itself, or a temporary folder of links to ``limit`` of its pictures, drawn with seed 0."""
    if limit is None:
        yield data
        return
    paths = list(scan_folder(data).files.index)
    with tempfile.TemporaryDirectory(prefix="extraction-data-") as folder:
        for path in random.Random(0).sample(paths, min(limit, len(paths))):
            link = Path(folder, path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((data / path).resolve())
        yield Path(folder)


def picture_files(data: Path) -> list[str]:
    """Every picture that the product would open, in the product's order."""
    scanned = scan_folder(data).files
    return [str(data / path) for path in scanned.index[scanned["issue"] == ""]]


def describe_files(files: list[str]) -> dict[str, float]:
    """Read every file once, which also brings it into the page cache; the means are over files with a readable header."""
    pixels, formats, total_bytes = [], [], 0
    for file in files:
        data = Path(file).read_bytes()
        total_bytes += len(data)
        try:
            image = Image.open(io.BytesIO(data))
        except OSError:
            continue
        pixels.append(image.width * image.height)
        formats.append(image.format)
    if not pixels:
        raise BenchmarkError("none of the files is a picture; give another --data DIR")
    return {"files": len(files), "with_readable_header": len(pixels), "mean_megapixels": float(np.mean(pixels)) / 1e6,
            "png_share": formats.count("PNG") / len(formats), "mean_kib": total_bytes / len(files) / 2**10}


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and how busy it was at the start."""
    return {"cpu": cpu_model(), "cores": os.cpu_count(), "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": platform.platform(), "load_at_start": psutil.getloadavg()[0]}


def cpu_model() -> str:
    """The name that the processor gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def library_versions() -> dict[str, str]:
    """Python's, Pillow's zlib (it decides the speed of PNG), and those of `PACKAGES`."""
    zlib = "zlib_ng" if pillow_features.check_feature("zlib_ng") else "zlib"
    versions = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions, f"pillow's {zlib}": str(pillow_features.version(zlib))}


def measure(data: Path, jobs: int) -> dict[str, Any]:
    """Everything, as one JSON object."""
    machine = describe_machine()
    files = picture_files(data)
    if len(files) < jobs * CHUNK_FILES:
        raise BenchmarkError(f"{len(files)} files are too few for {jobs} processes; at least {jobs * CHUNK_FILES} are needed")
    print(f"reading {len(files):,} files once", file=sys.stderr)
    described = describe_files(files)
    timings = time_sides(data, files, jobs)
    memory = [peak_memory(data, count, jobs) for count in sorted({min(FEWER_FILES, len(files)), len(files)})]
    return {"command": shlex.join(["python", *sys.argv]), "machine": machine, "versions": library_versions(), "data": described,
            "jobs": jobs, "rounds": ROUNDS, **compared(timings, len(files)), "memory": memory}


def compared(timings: dict[str, Timing], files: int) -> dict[str, Any]:
    """Best rounds as pictures/s, the decode limit, and the ratios to it and to the plain pipeline."""
    sides = {name: {"pictures_per_s": files / min(timing.seconds), "seconds": timing.seconds, "tried": timing.handled.tried,
                    "readable": timing.handled.readable} for name, timing in timings.items()}
    speed = {name: files / min(timing.seconds) for name, timing in timings.items()}
    limit = max((name for name in speed if name.startswith("decode:")), key=lambda name: speed[name])
    return {"sides": sides, "decode_limit": limit,
            "ratios": {"ours / decode limit": speed["ours"] / speed[limit], "ours / own decode": speed["ours"] / speed["own decode"],
                       "ours / plain": speed["ours"] / speed["plain"],
                       "second run / ours": speed["second run"] / speed["ours"]}}


# --- output and command line ------------------------------------------------------------------------------------------------


def report(result: dict[str, Any]) -> str:
    """The measured object as text."""
    data, machine, second = result["data"], result["machine"], result["sides"]["second run"]
    lines = [f"command   {result['command']}",
             f"machine   {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
             f"load at start {machine['load_at_start']:.2f}",
             f"versions  {', '.join(f'{name} {number}' for name, number in result['versions'].items())}",
             f"data      {data['files']:,} files, mean {data['mean_megapixels']:.2f} megapixels and {data['mean_kib']:.0f} KiB, "
             f"{data['png_share']:.0%} PNG",
             f"pool      {result['jobs']} processes; best of {result['rounds']} rounds",
             "", f"{'side':24}{'pictures/s':>12}{'best s':>10}{'worst s':>10}{'decoded':>10}{'readable':>10}"]
    lines += [f"{name:24}{side['pictures_per_s']:12.1f}{min(side['seconds']):10.2f}{max(side['seconds']):10.2f}{side['tried']:10,}"
              f"{side['readable']:10,}" for name, side in result["sides"].items()]
    lines += ["", f"decode limit: {result['decode_limit']}", *[f"{name:24}{value:12.2f}" for name, value in result["ratios"].items()],
              f"second run: {second['tried']:,} of {data['files']:,} files decoded, {min(second['seconds']):.2f} s",
              "", f"{'peak memory at files':24}{'parent MiB':>12}{'largest worker MiB':>20}"]
    lines += [f"{row['files']:<24,}{row['parent_mib']:12.0f}{row['largest_worker_mib']:20.0f}" for row in result["memory"]]
    return "\n".join(lines)


def only_ours(data: Path, jobs: int) -> dict[str, int]:
    """Our extraction into a new store and nothing beside it: the process that `peak_memory` watches."""
    files = picture_files(data)
    with tempfile.TemporaryDirectory(prefix="extraction-") as artifacts:
        handled = ours(Inputs(data, files, Path(artifacts), jobs))
    return {"files": len(files), **handled._asdict()}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 done, 1 expected failure, 2 usage."""
    arguments = _arguments(argv)
    try:
        with limited(arguments.data, arguments.files) as data:
            result = only_ours(data, arguments.jobs) if arguments.only else measure(data, arguments.jobs)
    except (BenchmarkError, ScratchworkError) as error:
        print(f"extraction: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2) if arguments.json or arguments.only else report(result))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("artifacts/campset"), help="a folder of pictures (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes of every side (default: %(default)s)")
    parser.add_argument("--files", type=int, metavar="N", help="N files drawn with seed 0 (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", choices=["ours"], help="extract once, without timing: what the memory runs start")
    arguments = parser.parse_args(argv)
    if arguments.jobs < 1 or (arguments.files is not None and arguments.files < 1):
        parser.error("--jobs and --files must be at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
