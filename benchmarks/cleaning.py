#!/usr/bin/env python3
"""What cleaning is worth: each check, each balance, and a split that keeps copies together, by the score of the boosted model.

    python benchmarks/cleaning.py --data SET [--data SET …] [--jobs 2] [--only checks|balance|split] [--json] [--out FILE]

A SET is a folder with ``training/`` and a clean ``test/``, a sub-folder per label in each (`benchmarks/campset.py` makes such sets).

checks   learn from what `pipeline.clean` keeps of ``training/`` under each setting, score on all of ``test/``. Everything kept is
         learned from: `FOLDS` folds serve to choose the rounds and the decision, nothing is held out. Without the duplicates check
         nobody knows the near duplicates, so that these folds keep together files of equal bytes only, as the product does.
         "Wrong labels": labels that those folds make more probably wrong than right are not learned from, as in `train`.
balance  no test part: out-of-fold scores of what the default cleaning keeps, against its labels as they are, with each ``--balance``.
split    the same of everything readable, by duplicate group or with folds drawn over files. The machine is told of the groups both
         times; only the folds differ.

Every difference is to the first row of its table, paired by set; its 95 % interval is Student's, over the sets. What was fitted is
kept in ``--out`` after each fit, a line of JSON each, and not fitted again unless the code or the files changed. ``truth.csv`` is
never read. Results to stdout, progress to stderr. Needs psutil beside what the product needs.
"""

import argparse
import hashlib
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student
from sklearn.model_selection import StratifiedKFold

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this file's folder, where ``cleaning`` would be this very file

from benchmarks.extraction import BenchmarkError, describe_machine, library_versions
from cleaning.balance import BALANCES
from cleaning.decisions import CleaningSettings
from cleaning.folds import draw_parts
from features.errors import ScratchworkError
from features.files import whole_file
from features.scan import natural_order, scan_folder
from models.doubt import doubted_labels
from models.evaluation import metrics
from models.lgbm import LgbmClassifier, LgbmParameters
from models.pictures import Examples, Pictures
from models.training import CrossValidation, cross_validated, fitted_on
from pipeline import Cleaned, LearningData, clean, update_features
from workspace import Workspace, pictures_of

ROOT = Path(__file__).resolve().parents[1]
SEED = 0
FOLDS = 2
LEVEL = 0.95
DEFAULT = ("duplicates", "photos")  # what `train` does unless told otherwise
FIGURES = {"macro_f1": "macro-F1", "micro_f1": "micro-F1 (accuracy)", "log_loss": "log loss (less is better)"}
CODE = ["features/*.py", "cleaning/*.py", "models/*.py", "pipeline.py", "benchmarks/cleaning.py"]  # a figure is true of this code only
PACKAGES = ["scikit-learn", "scipy", "lightgbm", "cleanlab", "imbalanced-learn"]  # beside those of `benchmarks.extraction`
Line = dict[str, Any]  # of ``--out``: one fit, its figures and what later fits need of it


# --- one set ----------------------------------------------------------------------------------------------------------------


@dataclass
class Material:
    """One set with its features: the training part to be cleaned, the test part to score on (``truth`` (n,) labels)."""

    training: Workspace
    test: Pictures
    truth: np.ndarray
    done: dict[tuple[str, ...], Cleaned] = field(default_factory=dict)
    checked: tuple[tuple[str, ...] | None, CrossValidation | None] = (None, None)  # the last cross-validation, and of what

    def cleaned(self, checks: tuple[str, ...]) -> Cleaned:
        """The training part after these checks, which are made once."""
        if checks not in self.done:
            self.done[checks] = clean(self.training, CleaningSettings(checks=checks, seed=SEED))
        return self.done[checks]

    def kept(self, checks: tuple[str, ...]) -> pd.DataFrame:
        """What these checks leave in, all of it in one of `FOLDS` folds, indexed by path."""
        files = labelled(self.cleaned(checks).manifest[self.cleaned(checks).decisions["keep"]])
        return files.assign(fold=draw_parts(files["label"], files["group"], [1 / FOLDS] * FOLDS, SEED))

    def readable(self) -> pd.DataFrame:
        """The same of each labelled file that gives pixels, duplicates and photos too; ``group`` is that of its copies."""
        manifest = self.cleaned(DEFAULT).manifest
        return labelled(manifest[manifest["issue"] == ""])


def labelled(manifest: pd.DataFrame) -> pd.DataFrame:
    """What learning needs to know of the files that lie in a label's folder."""
    return manifest.loc[manifest["label"] != "", ["sha256", "label", "group"]]


def material_of(data: Path, artifacts: Path, jobs: int) -> Material:
    """Extract both parts, each once."""
    training, test = (Workspace(data / part, artifacts / part, seed=SEED, jobs=jobs, notice=say) for part in ("training", "test"))
    update_features(training)
    manifest = update_features(test).manifest
    scored = manifest[(manifest["issue"] == "") & (manifest["label"] != "")]
    return Material(training, pictures_of(test, scored["sha256"]), scored["label"].to_numpy(object))


# --- the fits ---------------------------------------------------------------------------------------------------------------


def examples(material: Material, files: pd.DataFrame) -> tuple[Examples, list[str]]:
    """Of files with their folds; and the classes."""
    pictures = pictures_of(material.training, files["sha256"])
    data = LearningData(files.assign(trusted=False), natural_order(files["label"].tolist()), pictures)
    return data.examples, data.classes


def learned(material: Material, checks: tuple[str, ...], doubt: bool = True) -> Line:
    """Learn from what the checks keep, score on the test part. ``doubt``: not from labels that are more probably wrong than right."""
    learn_from, classes = examples(material, material.kept(checks))
    settings, jobs, parameters = material.training.settings, material.training.jobs, LgbmParameters(seed=SEED)
    unknown = set(material.truth) - set(classes)
    if unknown:
        raise BenchmarkError(f"label {min(unknown)!r} is in the test part, and no picture of it is left in the training part; give a larger set")
    start = time.perf_counter()
    if material.checked[0] != checks:
        material.checked = checks, cross_validated(learn_from, len(classes), parameters, jobs, silent)
    found = material.checked[1]
    assert found is not None
    everything = np.ones(len(learn_from.codes), bool)
    which = everything & ~doubted_labels(learn_from, found.proba, everything) if doubt else everything
    machine = fitted_on(learn_from, which, len(classes), found.samples, found.rounds, parameters, jobs, None)
    model = LgbmClassifier(parameters, settings).adopt(classes, machine, found.decision)
    proba = model.proba_of(material.test, jobs)
    return {**figures(material.truth, model.labels_of(proba), proba, classes), "learned_from": int(which.sum()),
            "seconds": time.perf_counter() - start}


def balanced(material: Material, balance: str) -> Line:
    """Out-of-fold scores of what the default cleaning keeps."""
    return out_of_fold(material, material.kept(DEFAULT), balance)


def split(material: Material, random: bool) -> Line:
    """Out-of-fold scores of everything readable; ``copies_apart``: the share of files of which a copy lies in another fold."""
    files = material.readable()
    fold = random_folds(files["label"]) if random else draw_parts(files["label"], files["group"], [1 / FOLDS] * FOLDS, SEED)
    apart = fold.groupby(files["group"]).transform("nunique") > 1
    return {**out_of_fold(material, files.assign(fold=fold)), "copies_apart": float(apart.mean())}


def out_of_fold(material: Material, files: pd.DataFrame, balance: str = LgbmParameters().balance) -> Line:
    """Against the labels as they are."""
    learn_from, classes = examples(material, files)
    start = time.perf_counter()
    found = cross_validated(learn_from, len(classes), LgbmParameters(balance=balance, seed=SEED), material.training.jobs, silent)
    seconds = time.perf_counter() - start
    names = np.array(classes, dtype=object)
    return {**figures(names[learn_from.codes], names[found.chosen], found.proba, classes), "learned_from": len(files), "seconds": seconds}


def random_folds(labels: pd.Series) -> pd.Series:
    """What one draws who does not look for copies: `FOLDS` folds by label, file by file."""
    fold = pd.Series(0, index=labels.index)
    for k, (_, own) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(labels, labels)):
        fold.iloc[own] = k
    return fold


def figures(truth: np.ndarray, predicted: np.ndarray, proba: np.ndarray, classes: list[str]) -> dict[str, float]:
    """Those of `FIGURES`."""
    scored = metrics(truth, predicted, proba, classes)
    return {name: scored[name] for name in FIGURES}


FITS: dict[str, Callable[[Material], Line]] = {  # in the order in which they are made: the same cross-validation serves neighbours
    "nothing": partial(learned, checks=(), doubt=False),
    "wrong labels": partial(learned, checks=()),
    "duplicates": partial(learned, checks=("duplicates",), doubt=False),
    "photos": partial(learned, checks=("photos",), doubt=False),
    "labels trusted": partial(learned, checks=DEFAULT, doubt=False),
    "default": partial(learned, checks=DEFAULT),
    **{f"balance {balance}": partial(balanced, balance=balance) for balance in BALANCES},
    "split by group": partial(split, random=False),
    "split at random": partial(split, random=True),
}
PARTS = {  # part → row of its table → name of the fit; the first row is what the others are compared with
    "checks": {"nothing cleaned": "nothing", "duplicates": "duplicates", "photos": "photos", "wrong labels": "wrong labels",
               "duplicates, photos": "labels trusted", "all three: what train does": "default"},
    "balance": {balance: f"balance {balance}" for balance in BALANCES},
    "split": {"by duplicate group": "split by group", "at random over files": "split at random"},
}


# --- every fit once ---------------------------------------------------------------------------------------------------------


def fit_all(data: Path, names: list[str], jobs: int, out: Path, artifacts: Path | None) -> dict[str, Line]:
    """Fit name → line of one set; those that ``out`` has are taken from there, the others are added to it one by one."""
    key = digest_of(data)
    lines = read_lines(out)
    have = {line["fit"]: line for line in lines if line["key"] == key}
    missing = [name for name in names if name not in have]
    if not missing:
        return have
    with tempfile.TemporaryDirectory(prefix="cleaning-") as temporary:
        say(f"{data}: reading pictures")
        material = material_of(data, artifacts / data.name if artifacts else Path(temporary), jobs)
        for name in missing:
            have[name] = {"fit": name, "data": str(data), "key": key, **FITS[name](material)}
            lines.append(have[name])
            write_lines(lines, out)
            say(f"{data}: {name}: macro-F1 {have[name]['macro_f1']:.4f} from {have[name]['learned_from']:,} files, {have[name]['seconds']:.1f} s")
    return have


def digest_of(data: Path) -> str:
    """Of the files' names, sizes and times, and of the code and the libraries."""
    hashed = hashlib.sha256(f"{data} {versions()}".encode())
    for part in ("training", "test"):
        hashed.update(scan_folder(data / part).files[["bytes", "modified_ns"]].to_csv().encode())
    for file in sorted(file for pattern in CODE for file in ROOT.glob(pattern)):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def read_lines(out: Path) -> list[Line]:
    """All that was ever fitted, of other sets and other code too."""
    try:
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    except ValueError as error:
        raise BenchmarkError(f"{out} is not a file of this benchmark ({error}); give another --out FILE") from error


def write_lines(lines: list[Line], out: Path) -> None:
    """In place of the file that was there."""
    with whole_file(out) as fresh:
        fresh.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


# --- what the figures say ---------------------------------------------------------------------------------------------------


class Interval(NamedTuple):
    """Of a mean difference; ``low`` and ``high`` are None where one set is too few to tell."""

    mean: float
    low: float | None
    high: float | None


def paired_interval(scores: Sequence[float], reference: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean of n differences and Student's interval of it; scores of the same set stand at the same place."""
    difference = np.subtract(scores, reference)  # (n,)
    n, mean = len(difference), float(np.mean(difference))
    if n < 2:
        return Interval(mean, None, None)
    half = float(student.ppf((1 + level) / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def compared(rows: dict[str, str], sets: list[dict[str, Line]]) -> dict[str, Any]:
    """Row → its figures in every set, their mean, and their difference to those of the first row."""
    first = next(iter(rows.values()))
    table: dict[str, Any] = {}
    for row, fit in rows.items():
        lines = [lines[fit] for lines in sets]
        table[row] = {name: [line[name] for line in lines] for name in ("learned_from", "seconds", "copies_apart") if name in lines[0]}
        for name in FIGURES:
            each = [line[name] for line in lines]
            difference = None if fit == first else paired_interval(each, [lines[first][name] for lines in sets])._asdict()
            table[row][name] = {"each": each, "mean": float(np.mean(each)), "difference": difference}
    return table


def measure(data: list[Path], jobs: int, parts: list[str], out: Path, artifacts: Path | None) -> dict[str, Any]:
    """Everything, as one JSON object."""
    machine = describe_machine()
    for folder in data:
        if not all((folder / part).is_dir() for part in ("training", "test")):
            raise BenchmarkError(f"{folder} has no folders training and test; make such a set with benchmarks/campset.py")
    names = [name for name in FITS if any(name in PARTS[part].values() for part in parts)]
    sets = [fit_all(folder, names, jobs, out, artifacts) for folder in data]
    return {"command": shlex.join(["python", *sys.argv]), "machine": machine, "versions": versions(), "data": [str(folder) for folder in data],
            "jobs": jobs, "level": LEVEL, "parts": {part: compared(PARTS[part], sets) for part in parts}}


def versions() -> dict[str, str]:
    """Of everything that has a say in a figure."""
    return library_versions() | {name: version(name) for name in PACKAGES}


# --- output and command line ------------------------------------------------------------------------------------------------


def say(message: str) -> None:
    """Progress and notices."""
    print(message, file=sys.stderr)


def silent(_: str) -> None:
    """Where the fits' own progress goes."""


def report(result: dict[str, Any]) -> str:
    """The measured object as text: a table per part and figure."""
    machine, sets = result["machine"], [Path(data).name for data in result["data"]]
    lines = [f"command   {result['command']}",
             f"machine   {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
             f"load at start {machine['load_at_start']:.2f}",
             f"versions  {', '.join(f'{name} {number}' for name, number in result['versions'].items())}",
             f"data      {', '.join(sets)}: n = {len(sets)}; {result['jobs']} processes"]
    for part, table in result["parts"].items():
        for name, title in FIGURES.items():
            lines += ["", f"{part}: {title}", *table_lines(table, name, sets)]
    return "\n".join(lines)


def table_lines(table: dict[str, Any], figure: str, sets: list[str]) -> list[str]:
    """Head and rows; numbers of files, seconds and copies apart are means over the sets."""
    split = any("copies_apart" in cells for cells in table.values())
    heads = [*sets, "mean", "difference"]
    lines = [f"{'':34}{''.join(f'{head[-11:]:>12}' for head in heads)}{f'{LEVEL:.0%}, n = {len(sets)}':>21}{'files':>8}{'s':>8}"
             + ("  copies apart" if split else "")]
    for row, cells in table.items():
        each, mean, difference = cells[figure].values()
        files, seconds = np.mean(cells["learned_from"]), np.mean(cells["seconds"])
        lines.append(f"{row:34}{''.join(f'{value:12.4f}' for value in [*each, mean])}{difference_text(difference)}{files:8,.0f}{seconds:8.1f}"
                     + (f"{np.mean(cells['copies_apart']):14.1%}" if split else ""))
    return lines


def difference_text(difference: dict[str, float | None] | None) -> str:
    """Two columns: the mean, and low … high."""
    if difference is None:
        return " " * 33
    low, high = difference["low"], difference["high"]
    interval = "unknown" if low is None else f"{low:+.4f} … {high:+.4f}"
    return f"{difference['mean']:+12.4f}{interval:>21}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 done, 1 expected failure, 2 usage."""
    arguments = _arguments(argv)
    try:
        result = measure(arguments.data, arguments.jobs, [arguments.only] if arguments.only else list(PARTS), arguments.out, arguments.artifacts)
    except (BenchmarkError, ScratchworkError) as error:
        print(f"cleaning: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2) if arguments.json else report(result))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="SET", help="a folder with training/ and test/; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (default: %(default)s)")
    parser.add_argument("--only", choices=list(PARTS), help="one part instead of all three")
    parser.add_argument("--out", type=Path, default=Path("artifacts/cleaning-benchmark.jsonl"), metavar="FILE",
                        help="where every fit is kept; a second run goes on from there (default: %(default)s)")
    parser.add_argument("--artifacts", type=Path, metavar="DIR", help="where extracted features stay for a second run, in DIR/SET (default: nowhere)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    if arguments.jobs < 1:
        parser.error("--jobs must be at least 1")
    if len({data.resolve() for data in arguments.data}) < len(arguments.data):
        parser.error("the same --data SET is given twice; the interval needs different sets")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
