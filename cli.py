"""The command line: parses and prints, nothing else. ``python cli.py --help``.

Results go to stdout (one JSON object with ``--json``), progress and notices to stderr. Exit codes: 0 done, 1 expected trouble in one
line, 2 usage, 130 interrupted. Everything heavy is imported inside the commands, so that help is instant.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import ScratchworkError

if TYPE_CHECKING:
    import pandas as pd

    from workspace import Workspace

app = typer.Typer(help="From a folder of labelled pictures to a classifier trained from scratch, with honest figures.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)


class Model(StrEnum):
    """What ``train --model`` knows."""

    lgbm = "lgbm"
    cnn = "cnn"
    stack = "stack"


class Check(StrEnum):
    """What ``clean`` looks for."""

    duplicates = "duplicates"
    photos = "photos"
    labels = "labels"


class PhotoMethod(StrEnum):
    """How photographs are told from drawings."""

    gmm = "gmm"
    kmeans_random = "kmeans-random"
    kmeans_pca = "kmeans-pca"
    kmeans_autoencoder = "kmeans-autoencoder"


class Balance(StrEnum):
    """What is done about class imbalance inside training folds."""

    none = "none"
    undersample = "undersample"
    smote = "smote"
    class_weight = "class-weight"


class Presets(StrEnum):
    """How large a network and how long a training."""

    fast = "fast"
    balanced = "balanced"
    best = "best"


class Archs(StrEnum):
    """What is trained."""

    scratch = "scratch"
    camp = "camp"
    vgg16 = "vgg16"
    resnet50 = "resnet50"


class Losses(StrEnum):
    """What a network minimises."""

    cross_entropy = "cross-entropy"
    weighted = "weighted"
    focal = "focal"


class Optimizers(StrEnum):
    """How its weights move."""

    muon = "muon"
    adamw = "adamw"
    sgd = "sgd"
    adam = "adam"


class Watches(StrEnum):
    """What early stopping looks at."""

    macro_f1 = "macro-f1"
    log_loss = "log-loss"
    accuracy = "accuracy"


class Devices(StrEnum):
    """Where a network is trained."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precisions(StrEnum):
    """How exact its products are."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Blends(StrEnum):
    """How several models become one."""

    mean = "mean"
    weighted = "weighted"
    per_class = "per-class"
    stack = "stack"


class Lang(StrEnum):
    """What the pages speak."""

    en = "en"
    ko = "ko"


class Ties(StrEnum):
    """What becomes of votes without a majority."""

    set_aside = "set-aside"
    open = "open"


class Crops(StrEnum):
    """What of a picture is looked at."""

    none = "none"
    garment = "garment"
    garment_binary = "garment-binary"


Data = Annotated[Path | None, typer.Option("--data", help="Folder with one sub-folder per label.", show_default="data/training, else data")]
Artifacts = Annotated[Path, typer.Option("--artifacts", help="Folder for everything that is written.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Worker processes.", show_default="physical cores")]
Together = Annotated[bool, typer.Option("--together", help="Decide labels for the macro-F1 of just these pictures.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of text.")]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Larger pictures are refused, with a row that says so.")]
Crop = Annotated[Crops, typer.Option("--crop", help="Cut pictures to the garment in their middle, as a contest team did; give it to every command.")]
ModelFile = Annotated[Path | None, typer.Option("--model", help="A saved model.", show_default="the one trained last")]

DEFAULT_ARTIFACTS = Path("artifacts")
DEFAULT_MAX_PIXELS = 100_000_000  # these are repeated from modules that are too heavy for --help; a test compares them
DEFAULT_RADIUS = 26
DEFAULT_MAX_DIFFERENCE = 0.04
DEFAULT_PHOTO_CUT = 0.8
DEFAULT_LABEL_PRECISION = 0.7
SHOWN_CONFUSIONS = 5
SHOWN_SLICES = 5
SHOWN_VOTES = 20
NO_NAME = "(no name)"


NETWORK = "Network, for train --model cnn"
CHANGES = "Augmentation, for train --model cnn; 0 switches a change off"
Preset = Annotated[Presets | None, typer.Option("--preset", help="Size and length of the training: minutes, an hour, a GPU.",
                                                rich_help_panel=NETWORK, show_default="fast")]
Arch = Annotated[Archs | None, typer.Option("--arch", help="Architecture, all with random weights; camp is the contest team's.",
                                            rich_help_panel=NETWORK, show_default="scratch")]
Size = Annotated[int | None, typer.Option("--size", help="Side of the pictures that the network sees, px.",
                                          min=16, rich_help_panel=NETWORK, show_default="preset")]
Width = Annotated[int | None, typer.Option("--width", help="Channels of the first stage.", min=8, rich_help_panel=NETWORK, show_default="preset")]
Patch = Annotated[int | None, typer.Option("--patch", help="Side of the squares of pixels that become channels at once, px.",
                                           min=1, rich_help_panel=NETWORK, show_default="preset")]
KernelHeads = Annotated[bool | None, typer.Option("--kernel-head/--softmax-only", help="A kernel machine on what every stage found predicts too.",
                                                  rich_help_panel=NETWORK, show_default="preset")]
Harmonic = Annotated[bool | None, typer.Option("--harmonic/--pixelwise", help="3 x 3 convolutions are learned as coefficients of their cosine "
                                               "transform.", rich_help_panel=NETWORK, show_default="preset")]
Views = Annotated[int | None, typer.Option("--views", help="Predictions look at the picture and at so many less one moved versions of it.",
                                           min=1, rich_help_panel=NETWORK, show_default="preset")]
Gray = Annotated[bool | None, typer.Option("--gray/--color", help="Look at brightness only.", rich_help_panel=NETWORK, show_default="preset")]
Edges = Annotated[bool | None, typer.Option("--edges/--no-edges", help="Look at edges only.", rich_help_panel=NETWORK, show_default="preset")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Times that all pictures are seen.",
                                            min=1, rich_help_panel=NETWORK, show_default="preset")]
Batch = Annotated[int | None, typer.Option("--batch", help="Pictures per step; fewer in small sets.", min=2,
                                                       rich_help_panel=NETWORK, show_default="preset")]
Progressive = Annotated[bool | None, typer.Option("--progressive/--one-size", help="Begin with smaller pictures.",
                                                  rich_help_panel=NETWORK, show_default="preset")]
Optimizer = Annotated[Optimizers | None, typer.Option("--optimizer", help="What turns gradients into steps; muon: orthogonalised for convolutions.",
                                                      rich_help_panel=NETWORK, show_default="preset")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="At its peak; .004 with muon, else .002.", min=0,
                                                    rich_help_panel=NETWORK, show_default="preset")]
WeightDecay = Annotated[float | None, typer.Option("--weight-decay", help="Of all weights but norms and biases.",
                                                   min=0, rich_help_panel=NETWORK, show_default="preset")]
WarmUp = Annotated[float | None, typer.Option("--warm-up", help="Share of the epochs in which the rate rises.",
                                              min=0, max=0.9, rich_help_panel=NETWORK, show_default="preset")]
Smoothing = Annotated[float | None, typer.Option("--smoothing", help="Of labels.", min=0, max=0.9, rich_help_panel=NETWORK, show_default="preset")]
Loss = Annotated[Losses | None, typer.Option("--loss", help="What is minimised.", rich_help_panel=NETWORK, show_default="preset")]
FocalGamma = Annotated[float | None, typer.Option("--focal-gamma", help="With --loss focal.", min=0, rich_help_panel=NETWORK, show_default="preset")]
LogitAdjustment = Annotated[float | None, typer.Option("--logit-adjustment", help="Times log prior, added in training; 1: all classes alike.",
                                                       min=0, rich_help_panel=NETWORK, show_default="preset")]
Sampling = Annotated[float | None, typer.Option("--sampling", help="0 draws every picture as often, 1 every class.",
                                                min=0, max=1, rich_help_panel=NETWORK, show_default="preset")]
EdgeNetworks = Annotated[bool | None, typer.Option("--edge-networks/--no-edge-networks", rich_help_panel=NETWORK, show_default="preset",
                                                   help="Beside every network one that sees edges only.")]
Distillation = Annotated[float | None, typer.Option("--distillation", help="Share of a label that --refit takes from what networks said that had not "
                                                    "seen the picture.", min=0, max=1, rich_help_panel=NETWORK, show_default="preset")]
Refits = Annotated[int | None, typer.Option("--refits", help="Networks of a --refit; 0: as many as before. One predicts several times as fast.",
                                            min=0, rich_help_panel=NETWORK, show_default="preset")]
FoldEpochs = Annotated[int | None, typer.Option("--fold-epochs", help="With --folds: in which each network goes on by itself, after --epochs that "
                                                "two share; 0: each from random weights.", min=0, rich_help_panel=NETWORK, show_default="preset")]
RefitEpochs = Annotated[int | None, typer.Option("--refit-epochs", help="In which --refit trains the networks before it further, on everything; "
                                                 "0: new ones, as long as those.", min=0, rich_help_panel=NETWORK, show_default="preset")]
AverageEpochs = Annotated[float | None, typer.Option("--average-epochs", help="Horizon of the moving average of the weights; 0: none.",
                                                     min=0, rich_help_panel=NETWORK, show_default="preset")]
Patience = Annotated[int | None, typer.Option("--patience", help="Stop after so many epochs without a better --watch; keep the best; 0: never.",
                                              min=0, rich_help_panel=NETWORK, show_default="preset")]
Watch = Annotated[Watches | None, typer.Option("--watch", help="What --patience watches.", rich_help_panel=NETWORK, show_default="preset")]
MirroredViews = Annotated[bool | None, typer.Option("--mirrored-views/--one-view", help="Predictions look at the mirror image too.",
                                                    rich_help_panel=NETWORK, show_default="preset")]
Device = Annotated[Devices | None, typer.Option("--device", help="Where it runs.", rich_help_panel=NETWORK, show_default="preset")]
Precision = Annotated[Precisions | None, typer.Option("--precision", help="Of products in training; predictions are in float32.",
                                                      rich_help_panel=NETWORK, show_default="preset")]
Deterministic = Annotated[bool | None, typer.Option("--deterministic/--fastest", help="The same weights to the last bit, on one kind of machine.",
                                                    rich_help_panel=NETWORK, show_default="preset")]
Compiled = Annotated[bool | None, typer.Option("--compile/--no-compile", help="Through torch.compile; worth it on a GPU only.",
                                               rich_help_panel=NETWORK, show_default="preset")]
Rotation = Annotated[float | None, typer.Option("--rotation", help="Degrees to either side.",
                                                min=0, max=180, rich_help_panel=CHANGES, show_default="preset")]
Shift = Annotated[float | None, typer.Option("--shift", help="Of the side, each way.", min=0, max=1, rich_help_panel=CHANGES, show_default="preset")]
Shear = Annotated[float | None, typer.Option("--shear", help="Tangent of the angle.", min=0, max=2, rich_help_panel=CHANGES, show_default="preset")]
Zoom = Annotated[float | None, typer.Option("--zoom", help="In and out by up to so much.",
                                            min=0, max=2, rich_help_panel=CHANGES, show_default="preset")]
Mirror = Annotated[bool | None, typer.Option("--mirror/--no-mirror", help="Left-right, for lgbm too; not for text and arrows.",
                                             rich_help_panel=CHANGES, show_default="preset")]
UpsideDown = Annotated[bool | None, typer.Option("--upside-down/--upright", help="Top-bottom.", rich_help_panel=CHANGES, show_default="preset")]
Brightness = Annotated[float | None, typer.Option("--brightness", help="Factor.", min=0, max=1, rich_help_panel=CHANGES, show_default="preset")]
Contrast = Annotated[float | None, typer.Option("--contrast", help="Factor.", min=0, max=1, rich_help_panel=CHANGES, show_default="preset")]
Saturation = Annotated[float | None, typer.Option("--saturation", help="Factor.", min=0, max=1, rich_help_panel=CHANGES, show_default="preset")]
Hue = Annotated[float | None, typer.Option("--hue", help="Turns of the colour circle; .5: any colour for any other.", min=0, max=0.5,
                                           rich_help_panel=CHANGES, show_default="preset")]
Grayscale = Annotated[float | None, typer.Option("--grayscale", help="Share of pictures that lose their colour.", min=0, max=1,
                                                 rich_help_panel=CHANGES, show_default="preset")]
Cutout = Annotated[float | None, typer.Option("--cutout", help="Side of a square painted over, of the picture's side.",
                                              min=0, max=1, rich_help_panel=CHANGES, show_default="preset")]
GridMask = Annotated[float | None, typer.Option("--grid-mask", help="Painted share of a grid cell's side.",
                                                min=0, max=0.9, rich_help_panel=CHANGES, show_default="preset")]
Mixup = Annotated[float | None, typer.Option("--mixup", help="Two pictures blended: alpha of the weight's Beta distribution.",
                                             min=0, rich_help_panel=CHANGES, show_default="preset")]
Cutmix = Annotated[float | None, typer.Option("--cutmix", help="A box of another picture pasted: alpha likewise.",
                                              min=0, rich_help_panel=CHANGES, show_default="preset")]
RECIPE = ("size", "width", "patch", "kernel_head", "harmonic", "views", "gray", "edges", "epochs", "batch", "progressive", "optimizer",
          "learning_rate", "weight_decay", "warm_up", "smoothing", "loss", "focal_gamma", "logit_adjustment", "sampling", "edge_networks",
          "distillation", "refits", "fold_epochs", "refit_epochs", "average_epochs", "patience", "watch", "mirrored_views", "device", "precision",
          "deterministic", "compiled", "rotation", "shift", "shear", "zoom", "mirror", "upside_down", "brightness", "contrast", "saturation", "hue",
          "grayscale", "cutout", "grid_mask", "mixup", "cutmix")  # options that change a network's recipe; left out, the preset decides
OF_LGBM = ("mirror", "seed")  # what the boosted model shares with networks


@app.command()
def features(data: Data = None, artifacts: Artifacts = DEFAULT_ARTIFACTS, crop: Crop = Crops.none, jobs: Jobs = None,
             max_pixels: MaxPixels = DEFAULT_MAX_PIXELS, json_output: Json = False) -> None:
    """Scan the data folder and extract features, hashes and tiles; only new files are decoded."""
    import pipeline

    with _trouble(), _workspace(data, artifacts, 0, jobs, max_pixels, crop) as workspace:
        done = pipeline.update_features(workspace)
        figures = pipeline.dataset_figures(workspace, done.manifest)
        table, dark = pipeline.summary(done.manifest)
        if json_output:
            _print_json({"files": len(done.manifest), "decoded": done.decoded, "unchanged": done.unchanged, "seconds": done.seconds,
                         "labels": table["pictures"].to_dict(), "issues": _issues(done.manifest), "passed_over": done.passed_over,
                         "dark_labels": {label: mean for label, (mean, _) in dark.items()}, "manifest": str(artifacts / "manifest.parquet")})
        else:
            _print_features(done, table, dark, [str(artifacts / "manifest.csv"), *map(str, figures)])


@app.command()
def clean(data: Data = None, artifacts: Artifacts = DEFAULT_ARTIFACTS,
          only: Annotated[list[Check] | None, typer.Option("--only", help="Run this check only; may be repeated.")] = None,
          skip: Annotated[list[Check] | None, typer.Option("--skip", help="Leave this check out; may be repeated.")] = None,
          radius: Annotated[int, typer.Option("--radius", min=0, max=128, help="Bits of 256 that candidates may differ in.")] = DEFAULT_RADIUS,
          max_difference: Annotated[float, typer.Option("--max-difference", min=0, max=1, help="1 - correlation of two pictures that are the same, "
                                                        "at most.")] = DEFAULT_MAX_DIFFERENCE,
          turned: Annotated[bool, typer.Option("--turned", help="Mirrored and turned copies are copies too.")] = False,
          photo_method: Annotated[PhotoMethod, typer.Option("--photo-method", help="How photographs are told.")] = PhotoMethod.gmm,
          photo_cut: Annotated[float, typer.Option("--photo-cut", min=0, max=1, help="Photographs score below it.")] = DEFAULT_PHOTO_CUT,
          drop_wrong_labels: Annotated[bool, typer.Option("--drop-wrong-labels", help="Leave the surest wrong labels out.")] = False,
          label_precision: Annotated[float, typer.Option("--label-precision", min=0, max=1, help="Share of what --drop-wrong-labels leaves out that "
                                                         "is wrong, at least.")] = DEFAULT_LABEL_PRECISION,
          allow_photos: Annotated[bool, typer.Option("--allow-photos", help="Leave photographs out even if they are more than half.")] = False,
          allow_empty: Annotated[bool, typer.Option("--allow-empty", help="A label may lose all its pictures.")] = False,
          groups: Annotated[Path | None, typer.Option("--groups", help="CSV of path and group: folds never split a group.",
                                                      show_default="as before")] = None,
          group_level: Annotated[int | None, typer.Option("--group-level", min=0, max=64, show_default="as before",
                                                          help="Folder level whose names are groups (1 = label); 0: none.")] = None,
          apply: Annotated[Path | None, typer.Option("--apply", help="Write the kept pictures into this new folder.")] = None,
          explain: Annotated[str | None, typer.Option("--explain", help="Say why this picture was kept or left out.")] = None,
          crop: Crop = Crops.none, seed: Seed = 0, jobs: Jobs = None, max_pixels: MaxPixels = DEFAULT_MAX_PIXELS, json_output: Json = False) -> None:
    """Decide which pictures are left out: unreadable, duplicates, photographs, wrong labels. Each with a reason; no file is touched."""
    with _trouble():
        checks = tuple(check.value for check in Check if (not only or check in only) and check not in (skip or []))
        import pipeline
        from cleaning.decisions import CleaningSettings

        with _workspace(data, artifacts, seed, jobs, max_pixels, crop) as workspace:
            if explain:
                print(pipeline.explanation(workspace, explain))
                return
            grouped = pipeline.groups_before(workspace) if groups is None and group_level is None else (str(groups or ""), group_level or 0)
            settings = CleaningSettings(checks, radius, max_difference, turned, photo_method.value, photo_cut, allow_photos, drop_wrong_labels,
                                        label_precision, allow_empty, *grouped, seed)
            result = pipeline.clean(workspace, settings)
            written = pipeline.write_cleaned_folder(workspace, result, apply) if apply else 0
        left = result.decisions[~result.decisions["keep"]]["reason"].value_counts()
        if json_output:
            _print_json({"files": len(result.decisions), "kept": int(result.decisions["keep"].sum()), "left_out": left.to_dict(),
                         "checks": result.told, "decisions": str(artifacts / "decisions.csv"), "seconds": result.seconds, "written": written})
        else:
            _print_cleaning(result, artifacts, apply, written)


@app.command()
def decide(path: Annotated[str, typer.Argument(help="A picture, as decisions.csv names it.", show_default=False)],
           keep: Annotated[bool | None, typer.Option("--keep/--drop", help="Keep it or leave it out.", show_default=False)] = None,
           label: Annotated[str, typer.Option("--label", help="Its right label.", show_default=False)] = "",
           note: Annotated[str, typer.Option("--note", help="Why.")] = "", reviewer: Annotated[str, typer.Option("--reviewer", help="Who.")] = "",
           data: Data = None, artifacts: Artifacts = DEFAULT_ARTIFACTS) -> None:
    """Overrule the machine on one picture; without --keep, --drop and --label: take back what was decided."""
    import pipeline

    with _trouble(), _workspace(data, artifacts, 0, 1, DEFAULT_MAX_PIXELS) as workspace:
        made = pipeline.record_decision(workspace, path, keep, label, note, reviewer)
        said = {None: "", True: "keep", False: "drop"}[made.keep] + (f" label {made.label}" if made.label else "")
        print(f"{made.path}: {said.strip() or 'taken back'}; written to {artifacts / 'overrides.csv'}; python cli.py clean puts it into effect")


@app.command()
def train(model: Annotated[Model, typer.Option("--model", help="What to train.")] = Model.lgbm, data: Data = None,
          artifacts: Artifacts = DEFAULT_ARTIFACTS,
          balance: Annotated[Balance | None, typer.Option("--balance", help="Against class imbalance, inside training folds only; cnn: undersample; "
                                                                        "stack: of its boosted model.",
                                                          show_default="none")] = None,
          trust_labels: Annotated[bool, typer.Option("--trust-labels", help="Learn from labels too that are more probably wrong than right by "
                                                                            "the out-of-fold probabilities.")] = False,
          folds: Annotated[int | None, typer.Option("--folds", help="Cross-validation folds.",
                                                    show_default="5; cnn --preset fast: one network, watched on the first of 5")] = None,
          crop: Crop = Crops.none, seed: Seed = 0, jobs: Jobs = None,
          refit: Annotated[bool, typer.Option("--refit", help="Fit once more on ALL pictures after scoring, the held-out part included.")] = False,
          redraw: Annotated[bool, typer.Option("--redraw", help="Draw a new held-out part; earlier scores stop being comparable.")] = False,
          blend: Annotated[Blends | None, typer.Option("--blend", help="stack: how the base models become one.", show_default="stack")] = None,
          keep_bases: Annotated[bool, typer.Option("--keep-bases", help="stack: take lgbm and cnn as they were trained, whatever the options; "
                                                                        "refused where they are of other data.")] = False,
          pseudo_label: Annotated[Path | None, typer.Option("--pseudo-label", help="stack: a folder of pictures without labels that join training "
                                                                                   "with what a first stack says of them.")] = None,
          pseudo_floor: Annotated[float | None, typer.Option("--pseudo-floor", min=0, max=1, help="How sure it must be of them.",
                                                             show_default="0.9")] = None,
          pseudo_cap: Annotated[float | None, typer.Option("--pseudo-cap", min=0, help="Most of them, per labelled picture.",
                                                           show_default="0.5")] = None,
          resume: Annotated[bool, typer.Option("--resume", help="cnn: go on where an interrupted training with the same options was.")] = False,
          preset: Preset = None, arch: Arch = None, size: Size = None, width: Width = None, patch: Patch = None,
          kernel_head: KernelHeads = None, harmonic: Harmonic = None, views: Views = None, gray: Gray = None, edges: Edges = None,
          epochs: Epochs = None, batch: Batch = None, progressive: Progressive = None, optimizer: Optimizer = None,
          learning_rate: LearningRate = None, weight_decay: WeightDecay = None, warm_up: WarmUp = None, smoothing: Smoothing = None,
          loss: Loss = None, focal_gamma: FocalGamma = None,
          logit_adjustment: LogitAdjustment = None, sampling: Sampling = None, edge_networks: EdgeNetworks = None,
          distillation: Distillation = None, refits: Refits = None,
          fold_epochs: FoldEpochs = None, refit_epochs: RefitEpochs = None, average_epochs: AverageEpochs = None, patience: Patience = None,
          watch: Watch = None, mirrored_views: MirroredViews = None, device: Device = None, precision: Precision = None,
          deterministic: Deterministic = None, compiled: Compiled = None, rotation: Rotation = None, shift: Shift = None, shear: Shear = None,
          zoom: Zoom = None, mirror: Mirror = None, upside_down: UpsideDown = None, brightness: Brightness = None, contrast: Contrast = None,
          saturation: Saturation = None, hue: Hue = None, grayscale: Grayscale = None, cutout: Cutout = None, grid_mask: GridMask = None,
          mixup: Mixup = None, cutmix: Cutmix = None,
          max_pixels: MaxPixels = DEFAULT_MAX_PIXELS, json_output: Json = False) -> None:
    """Train a classifier from scratch on the given pictures only, with out-of-fold and held-out scores."""
    chosen = _chosen(locals())
    with _trouble(*["whole epochs are kept, run the same command with --resume to go on"] * (model != Model.lgbm)):
        of_stack = {"--keep-bases": keep_bases, "--blend": blend, "--pseudo-label": pseudo_label}
        if model != Model.stack and any(of_stack.values()):
            raise ScratchworkError(f"{', '.join(name for name, value in of_stack.items() if value)}: for --model stack only")
        of_pseudo = {name: value for name, value in {"pseudo_floor": pseudo_floor, "pseudo_cap": pseudo_cap}.items() if value is not None}
        if of_pseudo and not pseudo_label:
            raise ScratchworkError(f"{_as_options(of_pseudo)}: for --pseudo-label DIR only")
        if keep_bases and pseudo_label:
            raise ScratchworkError("--keep-bases and --pseudo-label: the bases are trained anew with the pictures that join them; give one of them")
        if model == Model.cnn and balance not in (None, Balance.none, Balance.undersample):
            raise ScratchworkError(f"--balance {balance} is for --model lgbm; a network has --balance undersample, --sampling, --loss and "
                                   "--logit-adjustment")
        of_network = [*(name for name in chosen if name not in OF_LGBM), *["resume"] * resume, *["preset"] * bool(preset), *["arch"] * bool(arch)]
        if model == Model.lgbm and of_network:
            raise ScratchworkError(f"{_as_options(of_network)}: for --model cnn and stack only")
        import pipeline
        from models.recipes import usual_folds

        if model == Model.cnn and folds is None:
            folds = usual_folds((preset or Presets.fast).value, (arch or Archs.scratch).value)
        with _workspace(data, artifacts, seed, jobs, max_pixels, crop) as workspace:
            if model == Model.stack:
                plan = pipeline.StackPlan(_parameters(Model.lgbm, balance, preset, arch, {**chosen, "seed": seed}, trust_labels),
                                          _parameters(Model.cnn, None, preset, arch, {**chosen, "seed": seed}, trust_labels),
                                          _stack_parameters(blend, seed), keep_bases, pseudo_label, **of_pseudo)
                outcome = pipeline.train_stack(workspace, plan, folds, refit, redraw, resume)
            else:
                parameters = _parameters(model, balance, preset, arch, {**chosen, "seed": seed}, trust_labels)
                outcome = pipeline.train(workspace, folds, parameters, refit, redraw, resume)
        if json_output:
            _print_json({"model": str(outcome.model_file), "seconds": outcome.seconds, "out_of_fold": outcome.out_of_fold,
                         "held_out": outcome.held_out, "refit": refit,
                         **{name: outcome.card[name] for name in ("trained_on", "leaderboard") if name in outcome.card}})
        else:
            _print_training(outcome)


@app.command("augment-preview")
def augment_preview(data: Data = None, artifacts: Artifacts = DEFAULT_ARTIFACTS,
                    out: Annotated[Path | None, typer.Option("--out", help="The PNG.", show_default="ARTIFACTS/figures/augmentation.png")] = None,
                    pictures: Annotated[int, typer.Option("--pictures", min=1, help="Rows of the sheet.")] = 8,
                    versions: Annotated[int, typer.Option("--versions", min=1, help="Changed versions of each picture.")] = 8,
                    crop: Crop = Crops.none, seed: Seed = 0, jobs: Jobs = None, preset: Preset = None, arch: Arch = None,
                    size: Size = None, gray: Gray = None, edges: Edges = None,
                    rotation: Rotation = None, shift: Shift = None, shear: Shear = None, zoom: Zoom = None, mirror: Mirror = None,
                    upside_down: UpsideDown = None, brightness: Brightness = None, contrast: Contrast = None, saturation: Saturation = None,
                    hue: Hue = None, grayscale: Grayscale = None, cutout: Cutout = None, grid_mask: GridMask = None, mixup: Mixup = None,
                    cutmix: Cutmix = None,
                    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS) -> None:
    """Write a contact sheet of what train --model cnn would see with these options: each picture as it is, then changed."""
    chosen = _chosen(locals())
    import pipeline

    with _trouble(), _workspace(data, artifacts, seed, jobs, max_pixels, crop) as workspace:
        file = out or artifacts / "figures" / "augmentation.png"
        parameters = _parameters(Model.cnn, None, preset, arch, {**chosen, "seed": seed})
        for path in pipeline.augment_preview(workspace, parameters, pictures, versions, file):
            print(path)
        _print_files([str(file)])


@app.command()
def evaluate(model: ModelFile = None,
             data: Annotated[Path | None, typer.Option("--data", help="Any folder of labelled pictures.", show_default="the held-out part")] = None,
             artifacts: Artifacts = DEFAULT_ARTIFACTS,
             compare: Annotated[Path | None, typer.Option("--compare", help="A second saved model: is the first better, beyond chance?")] = None,
             average_groups: Annotated[bool, typer.Option("--average-groups", help="Copies of one picture share the mean of their "
                                                                                   "probabilities.")] = False,
             errors: Annotated[bool, typer.Option("--errors", help="Also write errors.csv and errors.html: why each was wrong.")] = False,
             slice_by: Annotated[Path | None, typer.Option("--slice-by", help="CSV of path and further columns; their values are slices, numbers "
                                                                                    "that hardly repeat in bands.")] = None,
             together: Together = False, jobs: Jobs = None, max_pixels: MaxPixels = DEFAULT_MAX_PIXELS, json_output: Json = False) -> None:
    """Score a saved model: classification report, F1 per class, macro, micro and weighted F1, log loss, intervals, calibration, slices."""
    import scoring

    with _trouble(), _workspace(data or Path(), artifacts, 0, jobs, max_pixels) as workspace:
        settings = scoring.EvaluationSettings(compare, average_groups, slice_by, errors, together)
        outcome = scoring.evaluate(workspace, model or scoring.last_trained(artifacts), data, settings)
        if json_output:
            suspected = {"suspected_wrong_labels": outcome.suspects, "without_suspected": outcome.trusted} if outcome.trusted else {}
            comparison = {"comparison": outcome.comparison} if outcome.comparison else {}
            _print_json({**outcome.metrics, "slices": outcome.slices.to_dict("records"), **suspected, **comparison})
        else:
            print(outcome.text)
            _print_evaluation(outcome)


@app.command()
def predict(paths: Annotated[list[Path], typer.Argument(help="Picture files and folders.", show_default=False)], model: ModelFile = None,
            artifacts: Artifacts = DEFAULT_ARTIFACTS,
            out: Annotated[Path | None, typer.Option("--out", help="CSV file for the probabilities.", show_default="stdout")] = None,
            together: Together = False, jobs: Jobs = None, json_output: Json = False) -> None:
    """One row per picture with one probability per class; labels are not needed."""
    import scoring
    from reports.evaluation import write_table

    with _trouble(), _workspace(Path(), artifacts, 0, jobs, DEFAULT_MAX_PIXELS) as workspace:
        table = scoring.predict(workspace, model or scoring.last_trained(artifacts), paths, together)
        for path, issue in table["issue"][table["issue"] != ""].items():
            workspace.notice(f"{path}: {issue}")
        if out:
            write_table(table, out)
            print(f"{len(table):,} rows written to {out}", file=sys.stderr)
        if json_output:
            print(table.reset_index().to_json(orient="records", force_ascii=False))
        elif not out:
            table.to_csv(sys.stdout, float_format="%.6g", lineterminator="\n")


@app.command()
def report(artifacts: Artifacts = DEFAULT_ARTIFACTS,
           out: Annotated[Path | None, typer.Option("--out", help="The page.", show_default="ARTIFACTS/report.html")] = None,
           lang: Annotated[Lang, typer.Option("--lang", help="English or Korean.")] = Lang.en, model: ModelFile = None,
           seed: Seed = 0, json_output: Json = False) -> None:
    """Write everything that is known so far as one page: dataset, cleaning, models, errors, how it was made. It needs no network."""
    import reporting

    with _trouble(), _workspace(Path(), artifacts, seed, 1, DEFAULT_MAX_PIXELS) as workspace:
        made = reporting.report(workspace, out or artifacts / "report.html", lang.value, model)
        if json_output:
            _print_json({"file": str(made.file), "bytes": made.bytes, "pictures": made.pictures, "placeholders": made.placeholders,
                         "missing": made.missing, "seconds": made.seconds})
        else:
            _print_report(made)


@app.command()
def review(model: Annotated[Path | None, typer.Option("--model", help="The saved model whose errors are shown.",
                                                      show_default="the one trained last")] = None,
           data: Annotated[Path | None, typer.Option("--data", help="The data folder, if it was moved.", show_default="scanned last")] = None,
           artifacts: Artifacts = DEFAULT_ARTIFACTS,
           reviewer: Annotated[str, typer.Option("--reviewer", help="Your name in the journal.", show_default="your login name")] = "",
           lang: Annotated[Lang, typer.Option("--lang", help="Language of the page.")] = Lang.en,
           port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port of the page.", show_default="free one from 8765")] = None,
           host: Annotated[str, typer.Option("--host", help="Address to listen on; another than this one lets the network in.")] = "127.0.0.1",
           browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser, or print the address only.")] = True,
           crop: Crop = Crops.none, max_pixels: MaxPixels = DEFAULT_MAX_PIXELS) -> None:
    """Decide by eye: a local page with queues of photographs, duplicates, conflicts, wrong labels, model errors; each click is saved at once."""
    import reviewing

    with _trouble(), _workspace(data, artifacts, 0, 1, max_pixels, crop) as workspace:
        settings = reviewing.ReviewSettings(data, model, host, port, browser, reviewer.strip(), lang.value)
        decided = reviewing.review(workspace, settings, lambda address: print(f"review: {address}", flush=True))
        print(f"\n{decided:,} picture{'s have' if decided != 1 else ' has'} a word in {artifacts / 'overrides.csv'}; to put them into effect:")
        for command in reviewing.commands(data, artifacts):
            print(f"  {command}")


@app.command()
def votes(data: Data = None, artifacts: Artifacts = DEFAULT_ARTIFACTS,
          settle: Annotated[bool, typer.Option("--settle", help="Append what the majority says to the journal.")] = False,
          ties: Annotated[Ties, typer.Option("--ties", help="With --settle: leave a picture without a majority out, or wait for a third "
                                                            "vote.")] = Ties.set_aside,
          json_output: Json = False) -> None:
    """How far several reviewers agree (Cohen's or Fleiss' kappa), which pictures need a third vote, and what the majority settles."""
    import reviewing

    with _trouble(), _workspace(data, artifacts, 0, 1, DEFAULT_MAX_PIXELS) as workspace:
        count = reviewing.count_votes(workspace, settle, ties == Ties.set_aside)
        if json_output:
            _print_json({"reviewers": count.reviewers, "judged_by": count.judged, "agreed": count.agreed, "majority": count.majority,
                         "pairs": [_without_nan(pair._asdict()) for pair in count.pairs],
                         "groups": [_without_nan(group._asdict()) for group in count.groups], "third_vote": count.waiting,
                         "unsettled": count.unsettled, "settled": count.settled})
        else:
            _print_votes(count, artifacts, settle)


@app.command("experiment")
def run_experiment(plan: Annotated[Path, typer.Argument(help="A TOML file; experiments/ holds some.", show_default=False)], data: Data = None,
                   artifacts: Artifacts = DEFAULT_ARTIFACTS, jobs: Jobs = None, max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
                   json_output: Json = False) -> None:
    """Run an experiment plan: what is varied, over which seeds; resumes, shares what is extracted, ends in a table with intervals."""
    import experiment
    from plans import read_plan

    with _trouble("whole runs are kept, run the same command to go on"), _workspace(data, artifacts, 0, jobs, max_pixels) as workspace:
        read = read_plan(plan, workspace.data)
        outcome = experiment.run_plan(workspace, read)
        if json_output:
            _print_json({"title": read.title, "settings": json.loads(outcome.table.reset_index().to_json(orient="records")),
                         "missing": outcome.missing, "failed": outcome.failed, "notes": outcome.notes,
                         "files": [str(file) for file in outcome.files]})
        else:
            _print_experiment(read, outcome)
        if outcome.failed:
            raise typer.Exit(1)


@app.command()
def runs(artifacts: Artifacts = DEFAULT_ARTIFACTS,
         diff: Annotated[tuple[int, int] | None, typer.Option("--diff", help="Numbers of two runs: in what they differ.", show_default=False)] = None,
         json_output: Json = False) -> None:
    """Every model trained so far: when, on which data, with what settings, with which figures."""
    from models.runs import read_runs, run_difference

    with _trouble():
        found = read_runs(artifacts / "runs.jsonl")
        for number in diff or ():
            if number not in found:
                raise ScratchworkError(f"there is no run {number}; the runs are {', '.join(map(str, found))}")
        if diff:
            rows = run_difference(*(found[number] for number in diff))
            if json_output:
                _print_json({name: [one, two] for name, one, two in rows})
            else:
                _print_table(["", *(f"run {number}" for number in diff)], [[name, str(one), str(two)] for name, one, two in rows], left=[""])
        elif json_output:
            _print_json(found)  # type: ignore[arg-type]
        else:
            _print_runs(found)


@app.command()
def demo(data: Annotated[Path, typer.Option("--data", help="Where the generated set goes.")] = Path("data/demo"),
         artifacts: Annotated[Path, typer.Option("--artifacts", help="Folder for everything that is written.")] = Path("artifacts/demo"),
         seed: Seed = 0, jobs: Jobs = None) -> None:
    """Make the generated set (20 kinds of drawings, with faults) and run the whole job on it."""
    import time

    from sources.demo import make_demo_set

    started = time.perf_counter()
    with _trouble():
        print(f"== generated set in {data}")
        made = make_demo_set(data, seed)
        print(f"{len(made.truth):,} files in {len(made.labels)} labels")
        print("\n== features")
        features(data, artifacts, jobs=jobs)
        print("\n== train --model lgbm")
        train(Model.lgbm, data, artifacts, seed=seed, jobs=jobs)
        print("\n== clean")
        clean(data, artifacts, only=None, skip=None, seed=seed, jobs=jobs)
        print("\n== evaluate, on the held-out part")
        evaluate(artifacts / "lgbm.joblib", artifacts=artifacts, jobs=jobs)
        print("\n== report")
        report(artifacts, seed=seed)
        print(f"\ndone in {time.perf_counter() - started:.0f} s; every result is in {artifacts}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        app(args=list(argv) if argv is not None else None)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


@contextmanager
def _trouble(again: str = "what was extracted so far is kept, run the same command to go on") -> Iterator[None]:
    """Expected trouble is one line and exit code 1; Ctrl-C is 130; anything else is a bug and keeps its traceback."""
    from features.errors import UnreadablePicture

    try:
        yield
    except (ScratchworkError, UnreadablePicture) as error:
        _say(f"error: {error}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _say(f"interrupted; {again}")
        raise typer.Exit(130) from None
    except BrokenPipeError:  # the reader of stdout, head for example, has gone
        sys.stderr.close()
        raise typer.Exit(0) from None


@contextmanager
def _workspace(data: Path | None, artifacts: Path, seed: int, jobs: int | None, max_pixels: int,
               crop: Crops = Crops.none) -> Iterator["Workspace"]:
    """A workspace that shows its progress on stderr."""
    import warnings

    import joblib
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from features.extract import ExtractionSettings
    from workspace import Workspace, default_data

    warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # a grown process is followed by a fresh one: nothing that a user can do
    columns = [TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()]
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        def stage(name: str) -> Callable[[int, int], None]:
            for task in bars.tasks:
                bars.remove_task(task.id)
            bar = bars.add_task(name, total=None)
            return lambda done, total: bars.update(bar, completed=done, total=total)

        yield Workspace(data if data is not None else default_data(), artifacts, seed, jobs or joblib.cpu_count(only_physical_cores=True),
                        ExtractionSettings(max_pixels=max_pixels, crop=crop.value), _say, stage)


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    """Of a command's arguments those that change a recipe and were given; plain values, since nothing that is pickled may be of __main__."""
    return {name: getattr(given[name], "value", given[name]) for name in RECIPE if given.get(name) is not None}


def _as_options(names: Iterable[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _parameters(model: Model, balance: Balance | None, preset: Presets | None, arch: Archs | None, chosen: dict[str, Any],
                trust_labels: bool = False) -> Any:
    if model == Model.cnn:
        from models.recipes import cnn_parameters

        return cnn_parameters((preset or Presets.fast).value, (arch or Archs.scratch).value,
                              {**chosen, "undersample": balance == Balance.undersample, "trust_labels": trust_labels})
    from models.lgbm import LgbmParameters

    own = {name: value for name, value in chosen.items() if name in OF_LGBM}
    return LgbmParameters(balance=(balance or Balance.none).value, trust_labels=trust_labels, **own)


def _stack_parameters(blend: Blends | None, seed: int) -> Any:
    from models.stack import StackParameters

    return StackParameters((blend or Blends.stack).value, seed)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False))


def _print_features(done: Any, table: "pd.DataFrame", dark: dict[str, tuple[float, float]], files: list[str]) -> None:
    rows = []
    for label, row in table.iterrows():
        measured = ["", ""]
        if row["pictures"] > row["with_issue"]:
            measured = [f"{row['width']:.0f}x{row['height']:.0f}", f"{row['mean_pixel']:.1f}"]
        rows.append([str(label) or "(no label)", f"{row['pictures']:,}", f"{row['with_issue'] or ''}", *measured, row["formats"]])
    _print_table(["label", "pictures", "with issue", "median size", "mean pixel", "formats"], rows, left=["label", "formats"])
    manifest = done.manifest
    sizes = (manifest["width"].astype(str) + "x" + manifest["height"].astype(str))[manifest["issue"] == ""].value_counts()
    print(f"\n{len(manifest):,} files in {len(table)} labels; {done.decoded:,} decoded, {done.unchanged:,} known already; {done.seconds:.1f} s")
    if len(sizes):
        print("sizes: " + ", ".join(f"{size} {n:,}" for size, n in sizes.head(5).items()) + (f", {len(sizes) - 5} more" if len(sizes) > 5 else ""))
    for issue, paths in _issues(manifest).items():
        print(f"issue: {issue}: {len(paths):,} file{'s' if len(paths) > 1 else ''}, e.g. {paths[0]}")
    for kind, n in done.passed_over.items():
        print(f"passed over: {n:,} x {kind}")
    for label, (mean, middle) in dark.items():
        print(f"dark: {label} has a mean pixel value of {mean:.1f} where the labels' median is {middle:.1f}: photographs may hide there")
    _print_files(files)


def _issues(manifest: "pd.DataFrame") -> dict[str, list[str]]:
    bad = manifest[manifest["issue"] != ""]
    return {str(issue): list(part.index) for issue, part in bad.groupby("issue")}


def _print_cleaning(result: Any, artifacts: Path, target: Path | None, written: int) -> None:
    from cleaning.decisions import REASONS

    decisions = result.decisions
    reasons = [reason for reason in REASONS if (decisions["reason"] == reason).any()]
    rows = []
    for name, own in [*((label or "(no label)", decisions[decisions["label"] == label]) for label in result.labels), ("all", decisions)]:
        rows.append([name, f"{len(own):,}", *[f"{int((own['reason'] == reason).sum()) or ''}" for reason in reasons],
                     f"{int(own['keep'].sum()):,}"])
    _print_table(["label", "files", *[reason.replace("_", " ") for reason in reasons], "kept"], rows, left=["label"])
    photos, wrong = result.told.get("photos"), result.told.get("wrong_labels")
    print()
    if photos:
        n = int((decisions["reason"] == "photo").sum())
        print(f"photos: {n or 'no'} photographs by {photos['method']} (score under {photos['cut']}); {photos['seeds']} sure ones to begin with, "
              f"{photos['components']} components, silhouette {photos['silhouette']:.2f}, Davies-Bouldin {photos['davies_bouldin']:.2f}")
    if wrong:
        print(_wrong_labels_line(wrong, int((~decisions["keep"] & (decisions["reason"] == "wrong_label")).sum())))
    print(f"{int(decisions['keep'].sum()):,} of {len(decisions):,} files kept; {result.seconds:.1f} s")
    if target:
        print(f"{written:,} pictures written to {target}")
    _print_files([str(artifacts / "decisions.csv")])


def _wrong_labels_line(told: dict[str, Any], left_out: int) -> str:
    if not told["suspected"]:
        return "wrong labels: none suspected"
    line = (f"wrong labels: {told['suspected']:,} suspected, {f'{left_out:,} left out of training' if left_out else 'all kept'}; by planted wrong "
            f"labels at least {told['precision']:.0%} of them are wrong")
    if told["sure"]:
        return f"{line}, and {told['sure_precision']:.0%} of the {told['sure']:,} that --drop-wrong-labels leaves out"
    return f"{line}; none is sure enough for --drop-wrong-labels"


def _print_training(outcome: Any) -> None:
    from models.artifacts import judged_folds

    rows, card = [], outcome.card
    balanced = ["learned_from", "balanced_to"] if "balanced_to" in card else []
    for label, figures in outcome.out_of_fold["per_class"].items():
        held = outcome.held_out["per_class"][label] if outcome.held_out else {"f1": None, "support": 0}
        f1 = ["-" if x["f1"] is None else f"{x['f1']:.3f}" for x in (figures, held)]
        rows.append([label, *f1, f"{figures['support'] + held['support']:,}", *[f"{card[name][label]:,.0f}" for name in balanced]])
    seen = "validation" if judged_folds(card) == 1 else "out-of-fold"
    _print_table(["label", f"{seen} F1", "held-out F1", "pictures", *[name.replace("_", " ") for name in balanced]], rows, left=["label"])
    print(f"\n{seen:13} {_headline(outcome.out_of_fold)}")
    if outcome.held_out:
        print(f"held-out      {_headline(outcome.held_out)}")
    if outcome.card["refit"] and "trained_on" in card:
        print(f"refitted on {card['trained_on']:,} pictures, the held-out part among them; the scores above are from before")
    if card.get("doubted"):
        print(f"{card['doubted']:,} labels are more probably wrong than right: the model did not learn from them, the scores count them as they are "
              "(python cli.py clean lists them; --trust-labels learns from all)")
    if card.get("not_mirrored"):
        print(f"mirror images of {', '.join(card['not_mirrored'])} look like other labels: the model did not learn from them")
    if balanced:
        print(f"balance {card['parameters']['balance']}: pictures that the final fit learned from, and what they weigh or become in it")
    if "calibration" in card:
        c = card["calibration"]
        print(f"calibrated by the other pictures: log loss {c['log_loss_before']:.4f} before, {c['log_loss_after']:.4f} after; "
              f"calibration error {c['error_before']:.3f} before, {c['error_after']:.3f} after")
    if "leaderboard" in card:
        _print_leaderboard(card)
        how = f"blend {card['parameters']['blend']}, weights {', '.join(f'{n} {w:.2f}' for n, w in zip(card['bases'], card['weights'], strict=True))}"
    else:
        how = f"{card['rounds']} rounds" if "rounds" in card else f"{card['networks']} x {max(card['epochs'])} epochs on {card['device']}"
    print(f"{outcome.seconds:.0f} s; {how}")
    more = ["cnn.history.csv", Path("figures", "cnn.png")] if card["model"] == "cnn" else []
    _print_files([str(outcome.model_file.with_suffix(end)) for end in (".joblib", ".json", ".oof.parquet")]
                 + [str(outcome.model_file.parent / name) for name in more])


def _print_experiment(plan: Any, outcome: Any) -> None:
    from reports.experiments import between, how_sure

    print(f"{plan.title}: {plan.metric} on {plan.judged_on.replace('_', ' ')}, best first; differences from {outcome.first!r}")
    rows = [[str(name), f"{row[plan.metric]:.4f}", between(row["low"], row["high"], ".3f"), f"{row['difference']:+.4f}",
             between(row["difference_low"], row["difference_high"], "+.3f"),
             *[f"{row[f'{plan.judged_on}_log_loss']:.4f}"] * (plan.metric != "log_loss"), f"{row['runs']:.0f}", f"{row['seconds']:,.0f}"]
            for name, row in outcome.table.iterrows()]
    _print_table(["setting", plan.metric, "95 %", "difference", "95 %", *["log_loss"] * (plan.metric != "log_loss"), "runs", "s a run"], rows,
                 left=["setting"])
    print(how_sure(outcome.table))
    for option, row in outcome.effects.iterrows():
        print(f"effect of {option} {row['level']}: {row['effect']:+.4f}")
    for told in outcome.missing:
        print(f"not run within the time limit: {told}")
    for told in outcome.failed:
        print(f"failed: {told}")
    for told in outcome.notes:
        print(told)
    _print_files([str(file) for file in outcome.files])


def _print_votes(count: Any, artifacts: Path, settle: bool) -> None:
    _print_table(["reviewer", "pictures judged"], [[name or NO_NAME, f"{n:,}"] for name, n in count.reviewers.items()], left=["reviewer"])
    several = sum(n for judges, n in count.judged.items() if judges > 1)
    if several:
        print()
    if len(count.pairs) == 1 and len(count.reviewers) == 2:
        pair = count.pairs[0]
        print(f"agreement: Cohen's kappa {_kappa(pair.kappa)} of {pair.first or NO_NAME} and {pair.second or NO_NAME} on {pair.n:,} pictures, "
              f"{pair.same:,} judged alike")
    else:
        for group in count.groups:
            print(f"agreement: Fleiss' kappa {_kappa(group.kappa)} on the {group.n:,} pictures that {group.judges} people judged")
        if count.pairs:
            _print_table(["pair", "pictures of both", "judged alike", "Cohen's kappa"],
                         [[f"{pair.first or NO_NAME}, {pair.second or NO_NAME}", f"{pair.n:,}", f"{pair.same:,}", _kappa(pair.kappa)]
                          for pair in count.pairs], left=["pair"])
    print(f"{several:,} pictures judged by several: {count.agreed:,} alike, {count.majority:,} by a majority, "
          f"{several - count.agreed - count.majority:,} without one, of which {len(count.waiting):,} need a third vote")
    for path, said in list(count.waiting.items())[:SHOWN_VOTES]:
        print(f"third vote: {path}: {', '.join(f'{name or NO_NAME}: {vote}' for name, vote in said.items())}")
    if len(count.waiting) > SHOWN_VOTES:
        print(f"… {len(count.waiting) - SHOWN_VOTES:,} more; --json lists all, python cli.py review shows them")
    if settle:
        print(f"{count.settled:,} settled in {artifacts / 'overrides.csv'}; python cli.py clean puts it into effect")
    elif count.unsettled:
        print(f"{count.unsettled:,} not settled yet: the last word counts until python cli.py votes --settle")


def _kappa(value: float) -> str:
    return "undefined (everybody always said the same)" if value != value else f"{value:.3f}"


def _without_nan(told: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in told.items()}


def _print_runs(found: dict[int, dict[str, Any]]) -> None:
    from models.runs import setting_of

    rows = []
    for number, run in found.items():
        figures = [f"{run['metrics'][part][name]:.4f}" if part in run["metrics"] else "-" for part in ("out_of_fold", "held_out")
                   for name in ("macro_f1", "log_loss")]
        rows.append([str(number), run["when"][:16].replace("T", " "), run["model"] + (" refitted" if run["refit"] else ""), setting_of(run) or "-",
                     run["data_digest"][:8],
                     *figures, f"{run['seconds']:,.0f}"])
    _print_table(["run", "when (UTC)", "model", "experiment", "data", "out-of-fold macro-F1", "log loss", "held-out macro-F1", "log loss", "s"], rows,
                 left=["model", "experiment"])


def _print_evaluation(outcome: Any) -> None:
    figures = outcome.metrics
    intervals = figures["intervals"]
    print(_headline(figures))
    print(f"log loss {figures['log_loss']:.4f}   calibration error {figures['calibration_error']:.4f}")
    print(f"95 % intervals: macro-F1 {_range(intervals['macro_f1'])}, micro-F1 {_range(intervals['micro_f1'])}, log loss "
          f"{_range(intervals['log_loss'])}")
    if outcome.trusted:
        print(f"without the {outcome.suspects} pictures whose labels are suspected: {_headline(outcome.trusted)}")
    if figures["top_confusions"]:
        print("mixed up most: " + ", ".join(f"{c['true']} taken for {c['predicted']} {c['pictures']} x ({c['share']:.0%})"
                                            for c in figures["top_confusions"][:SHOWN_CONFUSIONS]))
    worse = outcome.slices[outcome.slices["high"] < 0].head(SHOWN_SLICES)
    for row in worse.itertuples():
        print(f"worse than the rest: {row.attribute} {row.value}: {row.share_right:.0%} right of {row.n:,} pictures, elsewhere {row.rest:.0%} "
              f"(difference {_range((row.low, row.high), '+.0%')})")
    if outcome.comparison:
        print(outcome.comparison)
    _print_files([str(file) for file in outcome.files])


def _print_report(made: Any) -> None:
    placeholders = f", {made.placeholders:,} placeholders" if made.placeholders else ""
    print(f"{made.pictures:,} pictures embedded{placeholders}; {made.bytes / 1e6:.1f} MB; {made.seconds:.1f} s")
    for what, command in made.missing.items():
        print(f"not in it: {what}; make it with: {command}")
    _print_files([str(made.file)])


def _print_leaderboard(card: dict[str, Any]) -> None:
    """Every base and every blend, with what chance may do to it."""
    rows = []
    for row in card["leaderboard"]:
        own, held = row["out_of_fold"], row.get("held_out")
        gain = "-" if row["name"] == card["best_base"] else _range(own["gain"]["macro_f1_interval"], "+.3f")
        rows.append([row["name"], f"{own['macro_f1']:.3f}", _range(own["macro_f1_interval"]), gain, f"{own['log_loss']:.3f}",
                     _range(own["log_loss_interval"]), f"{row['calibration']['log_loss_before']:.3f}" if row["calibration"] else "-",
                     *[f"{held[name]:.3f}" if held else "-" for name in ("macro_f1", "log_loss")]])
    print(f"\nleaderboard: out-of-fold, with 95 % intervals; gain in macro-F1 over {card['best_base']}, the best base")
    _print_table(["model", "macro-F1", "95 %", "gain", "log loss", "95 %", "uncalibrated", "held-out macro-F1", "log loss"], rows, left=["model"])


def _range(pair: Sequence[float], shown: str = ".3f") -> str:
    return f"{pair[0]:{shown}} … {pair[1]:{shown}}"


def _print_table(columns: list[str], rows: list[list[str]], left: list[str]) -> None:
    """Aligned by what a terminal shows, so that Korean labels keep their columns."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        shown.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140, highlight=False, markup=False).print(shown)


def _headline(figures: dict[str, Any]) -> str:
    return (f"macro-F1 {figures['macro_f1']:.4f}   micro-F1 {figures['micro_f1']:.4f}   weighted-F1 {figures['weighted_f1']:.4f}   "
            f"accuracy {figures['accuracy']:.4f}   n {figures['n']:,}")


def _print_files(files: list[str]) -> None:
    print("written: " + ", ".join(files))


if __name__ == "__main__":
    raise SystemExit(main())
