"""Every choice of a network and its training, by name: presets, and what other architectures were published with.

``fast`` is meant for a quarter of an hour on two CPU cores, ``balanced`` for an hour there, ``best`` for a GPU. What was tried on the
training part of a campset, and what was not yet, is in docs/lab-notes.md. No torch here.
"""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from features.errors import ScratchworkError

ARCHITECTURES = ("scratch", "camp", "vgg16", "resnet50")
LOSSES = ("cross-entropy", "weighted", "focal")
OPTIMIZERS = ("muon", "adamw", "sgd", "adam")
SCHEDULES = ("cosine", "constant")
WATCHES = ("macro-f1", "log-loss", "accuracy")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
FROM_ZERO = ("weight_decay", "focal_gamma", "logit_adjustment", "average_epochs", "patience", "decay", "mixup", "cutmix")
RANGES = {**dict.fromkeys(FROM_ZERO, (0, math.inf)),
          **dict.fromkeys(("sampling", "distillation", "shift", "brightness", "contrast", "saturation", "grayscale", "cutout"), (0, 1)),
          **dict.fromkeys(("warm_up", "smoothing", "grid_mask"), (0, 0.9)), "rotation": (0, 180), "shear": (0, 2), "zoom": (0, 2), "hue": (0, 0.5)}
MIN_SIZE_PX = 16
HALVINGS = 8  # the last map of ``scratch`` has an eighth of the first one's side
CHOICES = {"arch": ARCHITECTURES, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "watch": WATCHES, "device": DEVICES,
           "precision": PRECISIONS}


@dataclass(frozen=True)
class Augmentation:
    """How far a training picture may be changed; 0 and False switch a change off. Every draw is uniform up to the strength given."""

    rotation: float = 12.0  # degrees to either side
    shift: float = 0.08  # of the side, each way
    shear: float = 0.1  # tangent of the angle
    zoom: float = 0.2  # factor between 1 / (1 + zoom) and 1 + zoom
    mirror: bool = True  # left-right; wrong for text, arrows, digits
    upside_down: bool = False
    brightness: float = 0.15  # factor between 1 - and 1 + brightness
    contrast: float = 0.2
    saturation: float = 0.3
    hue: float = 0.0  # turns of the colour circle to either side; .5: any colour for any other
    grayscale: float = 0.0  # share of pictures that lose their colour
    cutout: float = 0.0  # side of a square painted over, of the picture's side
    grid_mask: float = 0.0  # share of each cell's side that is painted over
    mixup: float = 0.0  # alpha of the Beta distribution of the mixing weight
    cutmix: float = 0.0  # likewise, for a box pasted from another picture


ANY_HUE = Augmentation(hue=0.5)  # a network cannot learn colours by heart then, and its kernel head sees them as they are
SHAPES = Augmentation(hue=0.5, grayscale=0.3)  # where another model goes by colours


@dataclass(frozen=True)
class CnnParameters:
    """Every choice of the network and its training; `cnn_parameters` fills in presets and what an architecture is published with."""

    arch: str = "scratch"
    width: int = 32  # channels of the first stage of ``scratch``; the others ignore it
    size: int = 128  # px, side of the picture that the network sees
    patch: int = 2  # px, side of the squares that ``scratch`` turns into channels at once; 4 takes half the time and sees less
    kernel_head: bool = True  # ``scratch``: a kernel machine on what every stage found predicts too
    harmonic: bool = True  # 3 x 3 convolutions are learned as coefficients of their cosine transform
    views: int = 1  # at prediction: the picture as it is, and so many less one as training would move it
    gray: bool = False
    edges: bool = False  # the network sees `models.networks.Edges` of the pictures
    epochs: int = 18
    batch: int = 64  # pictures per step, fewer in a small set
    progressive: bool = False  # small pictures first; only where the architecture takes any size
    optimizer: str = "muon"
    learning_rate: float = 4e-3  # at its peak; `cnn_parameters` has `RATES` for other optimizers
    weight_decay: float = 0.2  # not on norms and biases
    schedule: str = "cosine"
    warm_up: float = 0.1  # share of the epochs
    decay: float = 0.0  # the rate is divided by 1 + decay * step
    smoothing: float = 0.1  # of labels
    loss: str = "cross-entropy"
    focal_gamma: float = 2.0
    logit_adjustment: float = 0.0  # times log prior, added to the logits while training (Menon et al. 2021)
    sampling: float = 0.5  # 0: every picture as often; 1: every class as often; between: count ** (1 - sampling)
    edge_networks: bool = False  # beside every network one that sees edges: `kinds_of`
    distillation: float = 0.0  # share of a label that a refit takes from what networks said that had not seen the picture
    refits: int = 0  # networks that a refit trains; 0: as many as there were before it; one predicts several times as fast
    fold_epochs: int = 0  # for which a fold's network goes on by itself, after ``epochs`` together with another fold's; 0: each from random weights
    refit_epochs: int = 0  # for which a refit trains the networks before it further, on everything; 0: new ones, as long as those
    trust_labels: bool = False  # a refit learns from labels too that are more probably wrong than right
    undersample: bool = False  # majority classes thinned to the mean of the others (row A3), in what a network learns from only
    average_epochs: float = 1.0  # horizon of the moving average of the weights; 0: none
    patience: int = 0  # epochs without a better ``watch`` before stopping, the best weights kept; 0: the last weights
    keep_best: bool = False  # the best epoch's weights even without patience
    watch: str = "macro-f1"
    mirrored_views: bool = True  # at prediction the mirrored picture is looked at too, where training mirrors
    augmentation: Augmentation = field(default_factory=Augmentation)
    device: str = "auto"
    precision: str = "auto"
    deterministic: bool = False
    compiled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ScratchworkError(f"{name} {getattr(self, name)!r} is unknown; choose one of {', '.join(known)}")
        for name, least in {"width": 8, "size": MIN_SIZE_PX, "epochs": 1, "batch": 2, "learning_rate": 1e-9, "patch": 1, "views": 1,
                            "refits": 0, "fold_epochs": 0, "refit_epochs": 0}.items():
            if getattr(self, name) < least:
                raise ScratchworkError(f"{name.replace('_', ' ')} {getattr(self, name)} is too small; at least {least:g}")

        if self.edges and self.edge_networks:
            raise ScratchworkError("edges and edge networks: every network sees edges already; leave one of the two out")
        told = {**vars(self), **vars(self.augmentation)}
        for name, (floor, most) in RANGES.items():
            if not floor <= told[name] <= most:
                between = f"at least {floor:g}" if most == math.inf else f"between {floor:g} and {most:g}"
                raise ScratchworkError(f"{name.replace('_', ' ')} {told[name]} is out of range; {between}")
        if self.arch == "scratch" and (self.size % self.patch or self.size < HALVINGS * self.patch):
            raise ScratchworkError(f"size {self.size} with patch {self.patch}: scratch turns patches of pixels into channels and halves the side "
                                   f"three times; the size must be a multiple of the patch and at least {HALVINGS} times as large")

    @property
    def has_kernel_head(self) -> bool:
        """Whether a kernel machine on the stages predicts too; the published architectures have none."""
        return self.kernel_head and self.arch == "scratch"

    @property
    def both_ways(self) -> bool:
        """Whether predictions also look at the mirrored picture."""
        return self.mirrored_views and self.augmentation.mirror

    def size_in(self, epoch: int) -> int:
        """px in this epoch: with ``progressive`` about 0.6 and 0.8 of ``size`` for 30 % of the epochs each."""
        if not self.progressive or self.arch != "scratch":
            return self.size
        share = {0: 0.6, 1: 0.8}.get(int(epoch / self.epochs / 0.3), 1.0)
        step = HALVINGS * self.patch
        return min(self.size, max(step, round(self.size * share / step) * step)) if share < 1 else self.size


PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"augmentation": ANY_HUE},
    "balanced": {"batch": 32, "epochs": 16, "fold_epochs": 8, "augmentation": SHAPES, "edge_networks": True,
                 "refits": 4, "refit_epochs": 8},  # two refits of either kind
    "best": {"width": 96, "epochs": 100, "batch": 128, "views": 3, "optimizer": "adamw", "augmentation": ANY_HUE},  # muon was not tried on a GPU yet
}
DECOUPLED = ("muon", "adamw")  # their weight decay is no part of the gradient, and another number
RATES = dict.fromkeys(("adamw", "sgd", "adam"), 2e-3)  # where nobody says one; muon has the default
PRESET_FOLDS = {"balanced": 5, "best": 5}  # a network per fold, whose mean predicts
PUBLISHED: dict[str, dict[str, Any]] = {
    # row A8 of the contest team's notes, with their augmentation (A7): shear in degrees, as their library had it
    "camp": {"size": 224, "epochs": 10, "batch": 128, "optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0, "schedule": "constant",
             "warm_up": 0.0, "decay": 1e-6, "smoothing": 0.0, "sampling": 0.0, "average_epochs": 0.0, "keep_best": True, "watch": "accuracy",
             "mirrored_views": False, "harmonic": False, "augmentation": Augmentation(10, 0.1, 0.0035, 0.2, True, True, 0, 0, 0, 0, 0)},
    "vgg16": {"harmonic": False, "size": 224, "batch": 8, "epochs": 18, "optimizer": "sgd", "learning_rate": 0.01, "weight_decay": 5e-4},
    "resnet50": {"harmonic": False, "size": 224, "batch": 8, "epochs": 18, "optimizer": "sgd", "learning_rate": 0.01, "weight_decay": 1e-4},
}


def kinds_of(p: CnnParameters) -> list[CnnParameters]:
    """The recipe of each network that stands for one: the same, or with ``edge_networks`` another one too that sees edges. The two err on other
    pictures, so that their mean is worth more than that of two alike (docs/lab-notes.md)."""
    alone = replace(p, edge_networks=False)
    uncolored = replace(p.augmentation, hue=0.0, grayscale=0.0)  # to what sees edges
    return [alone, replace(alone, edges=True, augmentation=uncolored)] if p.edge_networks else [alone]


def usual_folds(preset: str, arch: str) -> int | None:
    """How many, where nobody says it; None for one network, as ``fast`` and what others published have it."""
    return PRESET_FOLDS.get(preset) if arch == "scratch" else None


def cnn_parameters(preset: str = "fast", arch: str = "scratch", chosen: dict[str, Any] | None = None) -> CnnParameters:
    """A preset, over it what the architecture was published with, over it what was ``chosen`` (fields of either dataclass)."""
    if preset not in PRESETS:
        raise ScratchworkError(f"preset {preset!r} is unknown; choose one of {', '.join(PRESETS)}")
    chosen = chosen or {}
    base = {**(PRESETS[preset] if arch == "scratch" else PUBLISHED.get(arch, {}))}
    changes = {f.name for f in fields(Augmentation)} & set(chosen)
    augmentation = base.pop("augmentation", Augmentation())
    augmentation = Augmentation(**{**augmentation.__dict__, **{name: chosen[name] for name in changes}})
    own = {name: value for name, value in chosen.items() if name not in changes}
    if own.get("edges"):  # nobody needs another one of edges beside it
        base.pop("edge_networks", None)
    if "epochs" in own:  # who wants few does not want more afterwards
        base |= {name: min(base[name], own["epochs"]) for name in ("fold_epochs", "refit_epochs") if name in base}
    optimizer = own.get("optimizer", base.get("optimizer"))
    if arch != "scratch" and optimizer != base.get("optimizer"):  # what was published with one optimizer is nothing for another
        own_decay = ("weight_decay",) if optimizer in DECOUPLED else ()
        base = {name: value for name, value in base.items() if name not in ("learning_rate", "decay", *own_decay)}
    rate = {"learning_rate": RATES[optimizer]} if optimizer in RATES else {}
    return CnnParameters(**{**rate, **base, **own, "arch": arch, "augmentation": augmentation})
