"""The layout: imports go one way, help is light, repeated constants agree, everything public is told of, and the README's tree is the tree."""

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from graphlib import TopologicalSorter
from pathlib import Path
from typing import get_type_hints

import pytest

import cli
from cleaning.balance import BALANCES
from cleaning.decisions import CHECKS, RANGES, CleaningSettings
from cleaning.photos import METHODS
from features import images
from features.garment import CROPS
from models import MODELS, recipes
from models.blending import BLENDS
from reports.report_texts import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "features": set(),
    "cleaning": {"features"},
    "models": {"features", "cleaning"},
    "reports": {"features", "cleaning", "models"},
    "workspace": {"features", "cleaning", "models", "reports"},
    "splitting": {"features", "cleaning", "workspace"},
    "pipeline": {"features", "cleaning", "models", "reports", "workspace", "splitting"},
    "scoring": {"features", "cleaning", "models", "reports", "workspace", "pipeline"},
    "reporting": {"features", "cleaning", "models", "reports", "workspace", "scoring"},
    "reviewing": {"features", "cleaning", "models", "reports", "workspace", "scoring"},
    "plans": {"features", "cleaning", "models"},
    "experiment": {"features", "cleaning", "models", "reports", "workspace", "pipeline", "scoring", "plans"},
    "sources": {"features"},
    "cli": {"features", "cleaning", "models", "reports", "workspace", "pipeline", "scoring", "reporting", "reviewing", "plans", "experiment",
            "sources"},
}  # the whole of what a package may import beside itself
PACKAGES = [name for name in ALLOWED if (ROOT / name).is_dir()]
SINGLE = [name for name in ALLOWED if name not in PACKAGES]
FILES = sorted(file for name in PACKAGES for file in (ROOT / name).rglob("*.py")) + [ROOT / f"{name}.py" for name in SINGLE]
NAMES = [str(file.relative_to(ROOT)) for file in FILES]
HEAVY = ["torch", "lightgbm", "sklearn", "pandas", "cv2", "skimage"]
TOLD_BY_NAME = {"sources/drawings.py"}  # a function a drawing; as in pyproject.toml
NO_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base"}

every_module = pytest.mark.parametrize("file", FILES, ids=NAMES)


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> set[str]:
    """Full names that are imported anywhere below, ``from a import b`` as ``a.b``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def imported_on_import(file: Path) -> set[str]:
    """Full names that are imported with the module: not those inside functions, nor those for type checkers only."""
    found, waiting = set(), list(tree_of(file).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            continue
        found |= imported(node) if isinstance(node, ast.Import | ast.ImportFrom) else set()
        waiting.extend(ast.iter_child_nodes(node))
    return found


def own_modules(names: set[str]) -> set[str]:
    """The modules of this project among imported names."""
    known = {module_name(file) for file in FILES}
    return {name if name in known else name.rpartition(".")[0] for name in names if name in known or name.rpartition(".")[0] in known}


def public_in(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    return [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")]


def tree_paths() -> dict[str, list[str]]:
    """Folder → files, as the tree in README.md names them; the root is ``.``."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Tree$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, "README.md has no section '## Tree'"
    block = re.search(r"^```\w*\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    assert block, "the section '## Tree' has no fenced block"
    found: dict[str, list[str]] = {".": []}
    folder = "."
    for line in filter(str.strip, block[1].splitlines()):
        if not line.startswith(" "):
            folder = "."
        for name in (part for part in re.split(r"\s{2,}", line.strip()) if re.fullmatch(r"\S*[./]\S*", part)):  # what is no name is a description
            if name.endswith("/"):
                folder = name.rstrip("/")
                found.setdefault(folder, [])
            else:
                found["." if "/" in name or not line.startswith(" ") else folder].append(name)
    return found


@every_module
def test_imports_go_one_way(file: Path) -> None:
    """features ← cleaning ← models ← reports ← pipeline ← cli, and sources uses features only: no import, however deep, goes another way."""
    own = module_name(file).partition(".")[0]
    used = {name.partition(".")[0] for name in imported(tree_of(file))} & {*ALLOWED, "tests", "benchmarks"}
    assert used <= ALLOWED[own] | ({own} if own in PACKAGES else set())


def test_there_are_no_circles() -> None:
    """The modules can be put in an order in which each imports earlier ones only, imports inside functions included."""
    graph = {module_name(file): own_modules(imported(tree_of(file))) - {module_name(file)} for file in FILES}
    assert sum(map(len, graph.values())) > len(FILES)  # the imports are seen at all
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@every_module
def test_module_names_say_what_is_inside(file: Path) -> None:
    """No module or package is a drawer for anything."""
    assert not set(module_name(file).split(".")) & NO_NAMES


def brought_along(start: str) -> set[str]:
    """Names of outside packages that importing a module brings along, through this project's modules."""
    files = {module_name(file): file for file in FILES}
    seen, waiting, outside = set(), [start], set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        names = imported_on_import(files[module])
        waiting += own_modules(names)
        outside |= {name.partition(".")[0] for name in names}
    return outside


def test_torch_and_lightgbm_come_with_the_stage_that_needs_them() -> None:
    """Neither comes with the pipeline, the commands or a saved network; only modules of models/ import torch, and none that brings LightGBM."""
    for light in ("cli", "pipeline", "models.cnn", "models.recipes", "reports.curves", "sources.demo"):
        assert not brought_along(light) & {"torch", "lightgbm"}, light
    users = [file for file in FILES if "torch" in {name.partition(".")[0] for name in imported_on_import(file)}]
    assert {file.parent.name for file in users} == {"models"}
    assert [str(file) for file in users if "lightgbm" in brought_along(module_name(file))] == []
    assert "torch" not in brought_along("models.training")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]], ids=" ".join)
def test_help_is_light(arguments: list[str]) -> None:
    """Help, also a command's, prints itself without importing anything heavy."""
    program = f"import json, sys, cli; code = cli.main({arguments}); print(json.dumps([code, sorted(set({HEAVY}) & set(sys.modules))]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    *help_lines, last = done.stdout.splitlines()
    assert json.loads(last) == [0, []]
    assert any("Usage" in line for line in help_lines)


def test_the_file_is_a_program() -> None:
    """``python cli.py --help`` names every command and ends with 0."""
    done = subprocess.run([sys.executable, "cli.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    for command in ("features", "train", "augment-preview", "evaluate", "predict", "demo"):
        assert re.search(rf"\b{command}\b", done.stdout)


@every_module
def test_everything_public_is_told_of(file: Path) -> None:
    """Every module, and every public class, function and method in it, has a docstring; only a drawing is told of by its name."""
    tree = tree_of(file)
    assert ast.get_docstring(tree), "the module"
    public = [] if str(file.relative_to(ROOT)) in TOLD_BY_NAME else public_in(tree.body)
    methods = [node for owner in public if isinstance(owner, ast.ClassDef) for node in public_in(owner.body)]
    assert [node.name for node in public + methods if not ast.get_docstring(node)] == []


def test_what_the_command_line_repeats_agrees() -> None:
    """Constants that cli.py repeats, because their modules are too heavy for help, are those of the modules."""
    assert cli.DEFAULT_MAX_PIXELS == images.DEFAULT_MAX_PIXELS
    assert tuple(cli.Balance) == BALANCES
    assert tuple(cli.Check) == CHECKS
    assert tuple(cli.PhotoMethod) == METHODS
    settings = CleaningSettings()
    assert (settings.radius, settings.max_difference, settings.photo_cut, settings.label_precision) == (
        cli.DEFAULT_RADIUS, cli.DEFAULT_MAX_DIFFERENCE, cli.DEFAULT_PHOTO_CUT, cli.DEFAULT_LABEL_PRECISION)
    assert tuple(cli.Model) == MODELS
    assert tuple(cli.Blends) == BLENDS
    assert tuple(cli.Crops) == CROPS
    assert tuple(cli.Lang) == LANGUAGES
    assert tuple(cli.Presets) == tuple(recipes.PRESETS)
    assert tuple(cli.Archs) == recipes.ARCHITECTURES
    for shown, known in ((cli.Losses, "loss"), (cli.Optimizers, "optimizer"), (cli.Watches, "watch"), (cli.Devices, "device"),
                         (cli.Precisions, "precision")):
        assert tuple(shown) == recipes.CHOICES[known]
    names = {f.name for kind in (recipes.CnnParameters, recipes.Augmentation) for f in fields(kind)}
    assert set(cli.RECIPE) == names - {"arch", "augmentation", "seed", "schedule", "decay", "keep_best", "undersample", "trust_labels"}


def test_clean_takes_the_ranges_of_its_settings() -> None:
    """From the command line and from a plan the same numbers are refused."""
    told = {name: hint.__metadata__[0] for name, hint in get_type_hints(cli.clean, include_extras=True).items() if hasattr(hint, "__metadata__")}
    taken = {name: (option.min, option.max) for name, option in told.items() if option.max is not None}
    assert taken == RANGES


def test_what_is_installed_is_what_there_is() -> None:
    """setup.cfg lists every package and every module beside them, each once; pyproject.toml does not override it."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    assert settings["options"]["packages"].split() == sorted(PACKAGES)
    assert settings["options"]["py_modules"].split() == sorted(SINGLE)
    assert not re.search(r"^\[project\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_readme_tree_names_everything() -> None:
    """Every folder at the top that holds code or text, and every module, is in the README's tree."""
    named = tree_paths()
    folders = [folder.name for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")
               and any(file.suffix in (".py", ".md") for file in folder.iterdir())]
    assert sorted(set(folders) - set(named)) == []
    modules = [file for file in FILES if file.name != "__init__.py"]
    missing = [str(file.relative_to(ROOT)) for file in modules if file.name not in named.get(str(file.parent.relative_to(ROOT)), [])]
    assert missing == []


def test_the_readme_tree_names_nothing_else() -> None:
    """Every folder and file in the README's tree exists."""
    named = [Path(folder) / name for folder, names in tree_paths().items() for name in ("", *names)]
    assert [str(path) for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("module", "own", "expected"), [
    ("pipeline", {}, "1000"), ("models.stack", {}, "1000"), ("cleaning.labels", {}, "1000"), ("models.lgbm", {"GOMP_SPINCOUNT": "7"}, "7"),
    ("models.lgbm", {"OMP_WAIT_POLICY": "ACTIVE"}, "None")])
def test_waiting_threads_sleep_before_any_of_them_is_there(module: str, own: dict[str, str], expected: str) -> None:
    """Whatever is imported first, the setting is made when the first library with OpenMP threads comes; a user's own setting stays."""
    watch = f"""
import os, sys
def told(name):
    print(name, os.environ.get("GOMP_SPINCOUNT"))
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("lightgbm", "torch", "sklearn"):
            told(name)
sys.meta_path.insert(0, Watch())
import {module}
told("all")
"""
    inherited = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    run = subprocess.run([sys.executable, "-c", watch], cwd=ROOT, env=inherited | own, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()[1::2]) == {expected}
