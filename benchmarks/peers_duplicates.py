#!/usr/bin/env python3
"""What imagededup and cleanvision find: started by ``duplicates.py`` with the Python of an environment that has them.

    python peers_duplicates.py quality FOLDER OUT [--jobs 2]
    python peers_duplicates.py search HASHES.npy RADIUS OUT [--jobs 2] [--method brute_force_cython]

``quality`` writes one JSON object to the file OUT: versions, and for each side its pairs of paths in FOLDER and its seconds. ``search``
writes the pairs of positions that imagededup finds among (n, 8) uint8 hashes to OUT (NumPy, (m, 2) int32), and prints the seconds
by the clock and of processor time, its workers' included.

imagededup imports torch and torchvision for its neural network, which is not used here. They need not be installed: empty modules stand in.
Nothing of the project is imported.
"""

import argparse
import json
import logging
import os
import sys
import time
import types
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

THRESHOLDS = (0, 10)  # bits of 64; 10 is imagededup's default
STOOD_IN = ["torch", "torch.nn", "torch.utils", "torch.utils.data", "torchvision", "torchvision.models", "torchvision.models.vision_transformer",
            "torchvision.transforms", "torchvision.transforms.transforms"]
os.environ["TQDM_DISABLE"] = "1"  # before tqdm is imported
PACKAGES = ["imagededup", "cleanvision", "imagehash", "numpy", "pillow"]


class AnyName(type):
    """Classes whose every attribute is the class itself, so that class bodies that use torch can be run."""

    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class Anything(metaclass=AnyName):
    """What every name in a module that stands in means."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        pass


class StandIn(types.ModuleType):
    """A module of `Anything`."""

    __path__: list[str] = []  # noqa: RUF012  a package, so that its modules can be imported

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything


def perceptual_hasher() -> Any:
    """imagededup's ``PHash``; the modules that stood in for torch are gone when it returns."""
    for name in STOOD_IN:
        sys.modules[name] = StandIn(name)
        package, _, own = name.rpartition(".")
        if package:
            setattr(sys.modules[package], own, sys.modules[name])
    from imagededup.methods import PHash
    for name in STOOD_IN:
        del sys.modules[name]
    logging.disable(logging.INFO)
    return PHash(verbose=False)


def quality(folder: Path, jobs: int) -> dict[str, Any]:
    """Versions, and of every side its pairs and seconds."""
    hasher = perceptual_hasher()
    sides = dict(imagededup_sides(hasher, folder, jobs))
    sides["cleanvision"] = cleanvision_side(folder, jobs)
    return {"versions": {name: version(name) for name in PACKAGES}, "sides": sides}


def imagededup_sides(hasher: Any, folder: Path, jobs: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """pHash at each of `THRESHOLDS`; the hashing, done once, counts for each."""
    start = time.perf_counter()
    hashes = hasher.encode_images(folder, recursive=True, num_enc_workers=jobs)
    hashing_s = time.perf_counter() - start
    for threshold in THRESHOLDS:
        start = time.perf_counter()
        found = hasher.find_duplicates(encoding_map=hashes, max_distance_threshold=threshold, num_dist_workers=jobs)
        pairs = {tuple(sorted((path, other))) for path, others in found.items() for other in others}
        yield f"imagededup {threshold}", {"pairs": sorted(pairs), "seconds": hashing_s + time.perf_counter() - start}


def cleanvision_side(folder: Path, jobs: int) -> dict[str, Any]:
    """Its exact and near duplicates, together."""
    from cleanvision import Imagelab

    start = time.perf_counter()
    lab = Imagelab(filepaths=sorted(str(path) for path in folder.rglob("*.*")), verbose=False)  # in a folder it does not look for BMP
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=jobs, verbose=False)
    sets = [found for kind in ("exact_duplicates", "near_duplicates") for found in lab.info[kind]["sets"]]
    seconds = time.perf_counter() - start
    return {"pairs": sorted(pairs_in_sets([[str(Path(path).relative_to(folder)) for path in found] for found in sets])), "seconds": seconds}


def pairs_in_sets(sets: Iterable[Iterable[str]]) -> set[tuple[str, str]]:
    """Every pair of members of one set, in alphabetical order."""
    return {pair for members in sets for pair in combinations(sorted(members), 2)}


def search(hashes: np.ndarray, radius: int, jobs: int, method: str) -> tuple[np.ndarray, dict[str, float]]:
    """(n, 8) uint8 → (m, 2) int32 positions i < j of imagededup's duplicates, and the ``seconds`` and ``cpu_seconds`` that it took."""
    hasher = perceptual_hasher()
    encoded = {str(i): row.tobytes().hex() for i, row in enumerate(hashes)}
    start, start_cpu = time.perf_counter(), cpu_seconds()
    found = hasher.find_duplicates(encoding_map=encoded, max_distance_threshold=radius, search_method=method, num_dist_workers=jobs)
    taken = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - start_cpu}
    pairs = [(int(i), int(j)) for i, others in found.items() for j in others if int(i) < int(j)]
    return np.array(pairs, np.int32).reshape(-1, 2), taken


def cpu_seconds() -> float:
    """Of this process and of the workers that it has ended."""
    return sum(os.times()[:4])


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    arguments = _arguments(argv)
    warnings.simplefilter("ignore")
    if arguments.command == "quality":
        arguments.out.write_text(json.dumps(quality(arguments.folder.resolve(), arguments.jobs)))
    else:
        pairs, taken = search(np.load(arguments.hashes), arguments.radius, arguments.jobs, arguments.method)
        np.save(arguments.out, pairs)
        print(json.dumps(taken))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_pictures, of_hashes = commands.add_parser("quality"), commands.add_parser("search")
    of_pictures.add_argument("folder", type=Path)
    of_hashes.add_argument("hashes", type=Path)
    of_hashes.add_argument("radius", type=int)
    of_hashes.add_argument("--method", default="brute_force_cython", choices=["brute_force_cython", "brute_force", "bktree"])
    for command in (of_pictures, of_hashes):
        command.add_argument("out", type=Path)
        command.add_argument("--jobs", type=int, default=2)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
