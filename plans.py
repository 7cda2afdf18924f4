"""Experiment plans, read and checked as a whole before anything runs: a TOML file says what is varied.

    title = "What each remedy for imbalance is worth"
    metric = "macro_f1"            # or micro_f1, log_loss
    judged_on = "out_of_fold"      # or held_out, or test (then give a labelled folder)
    test = "data/test"
    data = ["data/training"]       # several sets are repetitions, as seeds are
    seeds = [0, 1, 2]
    time_limit_min = 90            # no run is started later
    refit_best = true              # or the name of a setting

    [base]                         # options of train, and of clean under clean.…, as the command line has them
    model = "lgbm"

    [cross]                        # every combination of these
    balance = ["none", "smote"]

    [[setting]]                    # and/or settings by name, each a change of the base
    name = "ours"
"""

import difflib
import itertools
import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cleaning.decisions import CHECKS, CleaningSettings, refuse_unknown_checks
from cleaning.folds import FEWEST_FOLDS
from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from models import MODELS
from models.comparison import METRICS, PARTS
from models.recipes import Augmentation, CnnParameters, cnn_parameters, usual_folds
from models.stack import StackParameters

if TYPE_CHECKING:  # imported where a setting needs it
    from models.lgbm import LgbmParameters

TOP: dict[str, tuple[type, ...]] = {"title": (str,), "metric": (str,), "judged_on": (str,), "data": (str, list), "test": (str,), "seeds": (list,),
                                    "time_limit_min": (int, float), "refit_best": (bool, str), "base": (dict,), "cross": (dict,), "setting": (list,)}
NETWORK = {f.name for kind in (CnnParameters, Augmentation) for f in fields(kind)} - {"augmentation", "seed", "arch", "undersample"}
LGBM = {"balance", "trust_labels", "leave_out", "mirror"}
NETWORK_BALANCES = ("none", "undersample")
OF_NO_USE = {"lgbm": (NETWORK | {"preset", "arch", "blend"}) - LGBM, "cnn": {"leave_out", "blend"}, "stack": set[str]()}  # to a model
TEXTS = {"model": "", "preset": "", "arch": "", "crop": "", "blend": "", "balance": ""}
CLEAN = {"only", "skip", *(f.name for f in fields(CleaningSettings) if f.name not in ("checks", "seed"))}
OPTIONS = {"model", "crop", "folds", "preset", "arch", "blend", *NETWORK, *LGBM, *(f"clean.{name}" for name in CLEAN)}
NAMED: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}
Options = dict[str, Any]


class Training(NamedTuple):
    """One setting, ready to run: ``cleaning`` None for the defaults; ``folds`` None for the usual number of a boosted model; ``boosted`` None for a
    network alone."""

    model: str
    crop: str
    cleaning: CleaningSettings | None
    folds: int | None
    boosted: "LgbmParameters | None"
    network: CnnParameters
    stack: StackParameters


@dataclass(frozen=True)
class Plan:
    """``settings``: name → options of train and clean; ``factors``: of each crossed option, name of the setting → its level."""

    name: str
    title: str
    metric: str
    judged_on: str
    data: tuple[Path, ...]
    test: Path | None
    seeds: tuple[int, ...]
    time_limit_min: float
    refit_best: str  # the setting that is fitted on everything in the end, "best" for the best one, empty for none
    settings: dict[str, Options]
    factors: dict[str, dict[str, str]]


def read_plan(file: Path, default_data: Path) -> Plan:
    """A plan, checked as a whole. Raises `ScratchworkError` naming what is wrong in it."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScratchworkError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScratchworkError(f"{file} is not TOML: {error}") from error
    _known(content, set(TOP), f"{file}")
    for key, value in content.items():
        _typed(value, TOP[key], f"{file}: {key}")
    for setting in content.get("setting", []):
        if not isinstance(setting, dict):
            raise ScratchworkError(f"{file}: a setting begins with [[setting]] and has keys, not {setting!r}")
    base, cross = _flat(content.get("base", {})), _flat(content.get("cross", {}))
    named = [dict(setting) for setting in content.get("setting", [])] or [{"name": ""}]
    _checked_options(file, base, cross, named)
    metric, judged_on = content.get("metric", METRICS[0]), content.get("judged_on", "test" if "test" in content else PARTS[0])
    for value, choices, key in ((metric, METRICS, "metric"), (judged_on, PARTS, "judged_on")):
        if value not in choices:
            raise ScratchworkError(f"{file}: {key} {value!r} is unknown; choose one of {', '.join(choices)}")
    if judged_on == "test" and "test" not in content:
        raise ScratchworkError(f'{file}: judged_on = "test" needs test = "a labelled folder"')
    settings, factors = _settings(base, cross, named)
    for name, options in settings.items():
        try:
            training_of(options, 0)
        except ScratchworkError as error:
            raise ScratchworkError(f"{file}: setting {name!r}: {error}") from error
    for option in base:
        models = {options.get("model", "lgbm") for options in settings.values()}
        if all(option in OF_NO_USE[model] for model in models):
            raise ScratchworkError(f"{file}: [base] has {option}, which is of no use to {' or '.join(sorted(models))}; leave it out")
    data, seeds = content.get("data", [str(default_data)]), content.get("seeds", [0])
    folders = [data] if isinstance(data, str) else data
    for key, values, kind in (("data", folders, str), ("seeds", seeds, int)):
        for value in values:
            _typed(value, (kind,), f"{file}: {key}")
        if not values or len(set(values)) < len(values):
            raise ScratchworkError(f"{file}: {key} needs at least one value and each of them once, not {values}")
    if min(seeds) < 0:
        raise ScratchworkError(f"{file}: seeds has {min(seeds)}; seeds begin at 0")
    wish = content.get("refit_best", False)
    refit = ("best" if wish else "") if isinstance(wish, bool) else wish
    if refit not in ("", "best", *settings):
        raise ScratchworkError(f"{file}: refit_best {refit!r} is no setting; give true or one of {', '.join(settings)}")
    return Plan(file.stem, content.get("title", file.stem), metric, judged_on, tuple(map(Path, folders)),
                Path(content["test"]) if "test" in content else None, tuple(seeds), float(content.get("time_limit_min", math.inf)), refit, settings,
                factors)


def training_of(options: Options, seed: int) -> Training:
    """What a setting asks of ``clean`` and ``train``. Raises `ScratchworkError` for a value that they would not take."""
    _like(options, TEXTS)
    model = options.get("model", "lgbm")
    if model not in MODELS:
        raise ScratchworkError(f"model {model!r} is unknown; choose one of {', '.join(MODELS)}")
    crop = ExtractionSettings(crop=options.get("crop", "none")).crop
    cleaning = {name.removeprefix("clean."): value for name, value in options.items() if name.startswith("clean.")}
    preset, arch, folds = options.get("preset", "fast"), options.get("arch", "scratch"), options.get("folds")
    recipe = {name: value for name, value in options.items() if name in NETWORK}
    _like(recipe, vars(CnnParameters()) | vars(Augmentation()))
    if folds is not None:
        _typed(folds, (int,), "folds")
        if folds < FEWEST_FOLDS:
            raise ScratchworkError(f"folds is {folds}; at least {FEWEST_FOLDS} are needed")
    thinned = model == "cnn" and options.get("balance") == "undersample"
    network = cnn_parameters(preset, arch, {**recipe, "seed": seed, "undersample": thinned})
    boosted = None
    if model == "cnn":
        if options.get("balance", "none") not in NETWORK_BALANCES:
            raise ScratchworkError(f"balance {options['balance']!r} is not for a network; choose one of {', '.join(NETWORK_BALANCES)}, or use "
                                   "sampling, loss, logit_adjustment")
        folds = usual_folds(preset, arch) if folds is None else folds
    else:
        from models.lgbm import LgbmParameters

        own = {name: value for name, value in options.items() if name in LGBM}
        _like(own, {"balance": "", "trust_labels": False, "mirror": True})
        _typed(own.get("leave_out", []), (list, str), "leave_out")
        boosted = LgbmParameters(seed=seed, **own)
    return Training(model, crop, _cleaning(cleaning) if cleaning else None, folds, boosted, network,
                    StackParameters(options.get("blend", "stack"), seed))


def _cleaning(options: Options) -> CleaningSettings:
    """As ``clean`` takes them; wrong labels are looked for only where they are to be dropped, since nothing else would change."""
    _like(options, {**vars(CleaningSettings()), "only": (), "skip": ()}, "clean.")
    only, skip = options.get("only", CHECKS), options.get("skip", [])
    for name, checks in (("only", only), ("skip", skip)):
        for check in checks:
            _typed(check, (str,), f"clean.{name}")
    refuse_unknown_checks([*only, *skip])
    wanted = [check for check in CHECKS if check in only and check not in skip and (check != "labels" or options.get("drop_wrong_labels"))]
    try:
        return CleaningSettings(tuple(wanted), **{name: value for name, value in options.items() if name not in ("only", "skip")})
    except ScratchworkError as error:
        raise ScratchworkError(f"clean.{error}") from None


def _checked_options(file: Path, base: Options, cross: Options, named: list[dict[str, Any]]) -> None:
    """Keys that exist, each said once, and none that its model would pass over in silence."""
    for number, setting in enumerate(named, 1):
        if "name" not in setting:
            raise ScratchworkError(f"{file}: setting {number} has no name")
        _typed(setting["name"], (str,), f"{file}: the name of setting {number}")
    for where, options in (("[base]", base), ("[cross]", cross), *((f"setting {s['name']!r}", _options_of(s)) for s in named)):
        _known(options, OPTIONS, f"{file}: {where}")
    for option, levels in cross.items():
        if not isinstance(levels, list) or not levels:
            raise ScratchworkError(f"{file}: [cross] {option} needs a list of values, not {levels!r}")
        if len({repr(level) for level in levels}) < len(levels):
            raise ScratchworkError(f"{file}: [cross] {option} has a value twice: {levels}")
    for option in base.keys() & cross.keys():
        raise ScratchworkError(f"{file}: [base] says {option} and [cross] varies it; take it out of one of them")
    seen = set[str]()
    for setting in named:
        name, own = setting["name"], _options_of(setting)
        if name in seen:
            raise ScratchworkError(f"{file}: two settings have the name {name!r}; give each its own")
        seen.add(name)
        for option in own.keys() & cross.keys():
            raise ScratchworkError(f"{file}: setting {name!r} says {option} and [cross] varies it; take it out of one of them")
        for model in cross.get("model", [own.get("model", base.get("model", "lgbm"))]):
            of_no_use = sorted((own.keys() | cross.keys()) & OF_NO_USE.get(str(model), set()))
            if of_no_use:
                raise ScratchworkError(f"{file}: {f'setting {name!r}' if name else '[cross]'} is of model {model!r}, which has no "
                                       f"{', '.join(of_no_use)}; leave it out, or give another model")


def _settings(base: Options, cross: Options, named: list[dict[str, Any]]) -> tuple[dict[str, Options], dict[str, dict[str, str]]]:
    """Every named setting with every combination, and which level of which option each has."""
    settings: dict[str, Options] = {}
    factors: dict[str, dict[str, str]] = {option: {} for option in cross}
    for setting, levels in itertools.product(named, itertools.product(*cross.values())):
        chosen = dict(zip(cross, levels, strict=True))
        told = ", ".join(f"{option} {_text(level)}" for option, level in chosen.items())
        name = ": ".join(part for part in (setting["name"], told) if part) or "base"
        settings[name] = {**base, **_options_of(setting), **chosen}
        for option, level in chosen.items():
            factors[option][name] = _text(level)
    return settings, factors


def _known(options: Options, known: set[str], where: str) -> None:
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise ScratchworkError(f"{where} has an unknown key {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")


def _typed(value: Any, kinds: tuple[type, ...], where: str) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        told = [NAMED[kind] for kind in kinds if not (kind is int and float in kinds)]
        raise ScratchworkError(f"{where} is {value!r}; it must be {' or '.join(told)}")


def _like(options: Options, defaults: Options, before: str = "") -> None:
    """Values of the kinds that the defaults have; a whole number is a number, too."""
    for name, value in options.items():
        if name in defaults:
            kind = type(defaults[name])
            _typed(value, {float: (float, int), tuple: (list,)}.get(kind, (kind,)), before + name)


def _options_of(setting: dict[str, Any]) -> Options:
    return _flat({name: value for name, value in setting.items() if name != "name"})


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    """``{"clean": {"skip": …}}`` as ``{"clean.skip": …}``; dashes as the command line has them become underscores."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        key = before + name.replace("-", "_")
        found |= _flat(value, key + ".") if isinstance(value, dict) else {key: value}
    return found


def _text(level: Any) -> str:
    return ("+".join(map(str, level)) or "nothing") if isinstance(level, list) else str(level).lower() if isinstance(level, bool) else str(level)
