"""The boosted model: LightGBM that starts from a kernel machine's probabilities and corrects them.

A Fisher-vector kernel machine (`models.fisher`, `models.kernel`) sees strokes and colours in all their width; LightGBM gets its
scores as columns and as the starting point, plus the narrow handcrafted families, and adds what trees are good at: sizes,
palettes, silhouettes, exceptions. The kernel's scores on its own training rows are exact left-out ones, so the trees learn how far
to trust it. Mirror images are learned from as pictures of the same group (virtual examples: DeCoste & Schölkopf 2002), of the classes that stay
themselves in the mirror; they are not looked at in predictions. Everything, the Gaussian mixtures included, is fitted inside the rows that
`fit` is given.

Chosen on the training part of a campset (5 folds, macro-F1 / accuracy against the dirty labels): LightGBM on the handcrafted
columns alone .529 / .724, kernel machine alone .600 / .756, boosted from it .605 / .759 with the best log loss; docs/lab-notes.md.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import lightgbm
import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import recall_score

from cleaning.balance import BALANCES, class_weights, smote, undersampled_rows
from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.families import FAMILIES, family_columns, feature_names
from features.processes import in_processes, one_thread
from models.classifier import PictureClassifier
from models.decision import Decision, log_softmax
from models.fisher import FisherEncoder, fisher_vectors, mirrored_blocks, sampled_tiles
from models.kernel import Block, BlockProjection, KernelRidge, thinned_rows
from models.pictures import Pictures
from models.trained import Progress

KERNEL_FAMILIES = ("hog", "hsv")
TREE_FAMILIES = tuple(family for family in FAMILIES if family != "hog")
ENCODED = {"gradient": 64, "color": 48}  # kind of Fisher vector → principal components of its pieces
BLOCKS = (*ENCODED, *FAMILIES)  # everything that can be left out
CHUNK = 128  # pictures per encoding task
FEW_PICTURES = 1000  # learned from by one thread
REASONS = 4  # contributions that are told of a picture
Samples = dict[str, dict[int, np.ndarray]]  # descriptors, drawn once and shared by all folds: kind → row of the tile map → (m, d + 2)


@dataclass(frozen=True)
class LgbmParameters:
    """Every choice of the boosted model; the defaults were chosen by cross-validation, see the module's docstring."""

    balance: str = "none"  # one of cleaning.balance.BALANCES; the decision is made for macro-F1 in any case
    seed: int = 0
    leave_out: tuple[str, ...] = ()  # of `BLOCKS`: what neither the kernel machine nor the trees may see
    trust_labels: bool = False  # the final model learns from labels too that are more probably wrong than right
    gradient_share: float = 2.0  # of the four blocks' mean squared distance; the others have 1 each
    gaussians: int = 64
    dictionary_pictures: int = 6000  # pieces of at most so many pictures teach the mixtures
    kernel_rows: int = 8000  # pictures and mirror images that the kernel machine learns from at most: memory grows with its square
    mirror: bool = True  # mirror images are learned from too, of the classes to which they still belong
    projected: int = 512  # columns after the blocks are rotated together
    gamma: float = 1.0
    ridge: float = 0.1
    kernel_weight_power: float = 0.7  # with balance="class-weight"
    tree_weight_power: float = 0.5
    rounds: int = 400  # at most
    patience: int = 30  # rounds without a better log loss on the left-out fold
    learning_rate: float = 0.05
    leaves: int = 7
    feature_fraction: float = 0.2
    max_bin: int = 63
    min_rows_per_leaf: int = 20

    def __post_init__(self) -> None:
        if self.balance not in BALANCES:
            raise ScratchworkError(f"balance {self.balance!r} is unknown; choose one of {', '.join(BALANCES)}")
        object.__setattr__(self, "leave_out", (self.leave_out,) if isinstance(self.leave_out, str) else tuple(self.leave_out))
        for name in self.leave_out:
            if name not in BLOCKS:
                raise ScratchworkError(f"leave_out {name!r} is unknown; choose among {', '.join(BLOCKS)}")
        if not self.encoded and not self.kernel_families:
            raise ScratchworkError(f"leave_out leaves the kernel machine nothing; keep one of {', '.join((*ENCODED, *KERNEL_FAMILIES))}")

    @property
    def encoded(self) -> list[str]:
        """Kinds of Fisher vectors that are used."""
        return [kind for kind in ENCODED if kind not in self.leave_out]

    @property
    def kernel_families(self) -> list[str]:
        """Families beside them in the kernel machine."""
        return [family for family in KERNEL_FAMILIES if family not in self.leave_out]

    @property
    def tree_families(self) -> list[str]:
        """Families that the trees see beside the kernel machine's scores."""
        return [family for family in TREE_FAMILIES if family not in self.leave_out]


class LgbmClassifier(PictureClassifier):
    """Predicts labels and probabilities straight from picture files, as scikit-learn does; no GPU, no torch.

    ``classes_`` (n_classes,) labels in their natural order; ``decision_`` calibrates and decides; ``settings_`` repeats the
    extraction of training.
    """

    def __init__(self, parameters: LgbmParameters, settings: ExtractionSettings) -> None:
        self.parameters = parameters
        self.settings = settings

    def proba_of(self, pictures: Pictures, jobs: int = 1, progress: Progress | None = None) -> np.ndarray:
        """`predict_proba` for pictures that were extracted already with the same settings."""
        return self.decision_.proba(self.machine_.log_proba(pictures, jobs, progress))

    def embed(self, pictures: Pictures, jobs: int = 1) -> np.ndarray:
        """(n, projected) float16: the kernel machine's coordinates."""
        return self.machine_.embed(pictures, jobs)

    def reasons_of(self, pictures: Pictures, chosen: np.ndarray, other: np.ndarray, jobs: int = 1) -> list[str]:
        """The kernel machine's and the trees' largest contributions to log p(chosen) - log p(other), in logits."""
        names, values = self.machine_.contributions(pictures, chosen, other, jobs, [str(label) for label in self.classes_])
        order = np.argsort(-values, axis=1, kind="stable")[:, :REASONS]
        return [", ".join(f"{names[i]} {row[i]:+.2f}" for i in best if row[i] > 0) for row, best in zip(values, order, strict=True)]

    def adopt(self, classes: Sequence[str], machine: "BoostedKernel", decision: Decision) -> "LgbmClassifier":
        """Take over what `fit` of the parts learned."""
        self.classes_ = np.array(classes, dtype=str)
        self.machine_ = machine
        self.decision_ = decision
        return self


class BoostedKernel:
    """One fit: mixtures, projection, kernel machine and trees, all from the same rows.

    ``counts_before_`` (n_classes,): pictures per class; ``counts_after_``: what a class weighs in the trees once it is balanced.
    """

    def __init__(self, parameters: LgbmParameters) -> None:
        self.parameters = parameters

    def fit(self, pictures: Pictures, codes: np.ndarray, n_classes: int, groups: np.ndarray, samples: Samples, rounds: int, jobs: int,
            watch: tuple[Pictures, np.ndarray] | None = None, progress: Progress | None = None) -> "BoostedKernel":
        """Learn from n pictures with class codes (n,) and duplicate groups (n,).

        With ``watch`` (pictures and codes that are not learned from) boosting stops early and ``curve_`` holds its log loss per round;
        without, there are exactly ``rounds`` rounds. Fewer than `FEW_PICTURES` pictures are learned from by one thread: several wait for each other
        longer than they work, where something else is computing.
        """
        self.n_classes_ = n_classes
        self.counts_before_ = np.bincount(codes, minlength=n_classes)
        known = _Known(pictures, codes, np.unique(groups, return_inverse=True)[1])
        if self.parameters.balance == "undersample":
            known = known.take(undersampled_rows(codes, self.parameters.seed))
        few = len(known.codes) < FEW_PICTURES
        count = _Counter(progress, len(known.codes) + (len(watch[0].rows) if watch else 0))
        with one_thread() if few else nullcontext():
            data = self._dataset(self._fit_kernel(known, samples, jobs, count))
            self._boost(data, rounds, None if watch is None else self._watched(data, *watch, jobs, count), 1 if few else jobs)
        return self

    def _fit_kernel(self, known: "_Known", samples: Samples, jobs: int, count: "_Counter") -> "_TreeRows":
        """Mixtures, projection and kernel machine, and from them what the trees learn from."""
        p = self.parameters
        chosen = thinned_rows(known.codes, p.kernel_rows, p.seed)
        own = known.take(chosen)
        # the trees learn how far to trust the kernel machine: from pictures that it has not seen, nor others of their group
        rest = known.take(np.setdiff1d(np.flatnonzero(~np.isin(known.groups, own.groups)), chosen))
        self.encoders_ = [encoder.fit(_samples_of(samples, encoder.kind, known.pictures.rows)) for encoder in _encoders(p)]
        shares = {"gradient": p.gradient_share}
        self.projection_ = BlockProjection([Block(name, shares.get(name, 1)) for name in (*p.encoded, *p.kernel_families)], p.projected, p.seed)
        room = p.kernel_rows - len(chosen) if p.mirror else 0
        turned = thinned_rows(own.codes, room, p.seed) if room > self.n_classes_ else chosen[:0]  # to be mirrored, rare classes first
        count.total += len(turned)
        X = self.projection_.fit_transform(_stacked([part for _, part in count(self._encoded(own.pictures, jobs))]))
        turned, mirrored, plain = self._mirror_images(own, X, turned, jobs, count)
        trees = self._tree_columns(own.pictures)
        if plain is None or len(turned):
            self.kernel_ = self._kernel_machine(np.concatenate([X, mirrored]), np.concatenate([own.codes, own.codes[turned]]),
                                                np.concatenate([own.groups, own.groups[turned]]))
        else:
            self.kernel_ = plain
        left_out, mirrored_out = np.split(self.kernel_.left_out_scores_, [len(own.codes)])
        del self.kernel_.left_out_scores_  # as long as the training set, and of no use in prediction
        self.steepness_ = _steepness(left_out, own.codes)
        made, made_codes = self._made_rows(X, trees, left_out, own.codes)
        scores = np.concatenate([left_out, made[:, trees.shape[1]:], self._scores(rest.pictures, jobs, count), mirrored_out])
        columns = np.concatenate([trees, made[:, :trees.shape[1]], self._tree_columns(rest.pictures)])
        codes = np.concatenate([own.codes, made_codes, rest.codes])
        weights = self._weights(codes, p.tree_weight_power)
        self.counts_after_ = np.bincount(codes, weights, self.n_classes_)
        rows = np.concatenate([np.arange(len(codes)), turned])  # a picture's mirror image is a second row of half the weight
        return _TreeRows(scores, columns[rows], codes[rows], (weights / np.bincount(rows))[rows])

    def log_proba(self, pictures: Pictures, jobs: int = 1, progress: Progress | None = None, rounds: int | None = None) -> np.ndarray:
        """(n, n_classes) log-probabilities, not calibrated; ``rounds``: of the trees, all if not given."""
        scores = self._scores(pictures, jobs, _Counter(progress, len(pictures.rows)))
        return self._from_scores(scores, self._tree_columns(pictures), rounds)

    def embed(self, pictures: Pictures, jobs: int = 1) -> np.ndarray:
        """(n, projected) float16: the coordinates in which the kernel measures distances."""
        parts = [self.projection_.transform(blocks) for _, blocks in self._encoded(pictures, jobs)]
        return np.concatenate(parts) if parts else np.empty((0, self.projection_.axes_.shape[1]), np.float16)

    def contributions(self, pictures: Pictures, chosen: np.ndarray, other: np.ndarray, jobs: int, labels: list[str]) -> tuple[list[str], np.ndarray]:
        """Names (c,) and (n, c): what the kernel machine and each column of the trees (TreeSHAP, Lundberg et al. 2020) add to class ``chosen`` (n,)
        over class ``other`` (n,), in logits."""
        scores = self._scores(pictures, jobs, _Counter(None, len(pictures.rows)))
        rows, start = np.arange(len(scores)), self._start(scores)
        all_names = feature_names()
        names = ["kernel machine", *(f"kernel score of {label}" for label in labels),
                 *(all_names[column] for column in family_columns(self.parameters.tree_families))]
        table, parts = np.hstack([scores, self._tree_columns(pictures)]), []
        for part in np.split(rows, range(CHUNK, len(rows), CHUNK)):  # a number per picture, class and column
            shares = np.asarray(self.booster_.predict(table[part], pred_contrib=True)) if len(part) else np.empty((0, self.n_classes_ * len(names)))
            shares = shares.reshape(len(part), self.n_classes_, len(names))[:, :, :-1]  # the last is the trees' mean
            own = np.arange(len(part))
            parts.append(shares[own, chosen[part]] - shares[own, other[part]])
        return names, np.hstack([(start[rows, chosen] - start[rows, other])[:, None], np.concatenate(parts)])

    def _mirror_images(self, own: "_Known", X: np.ndarray, turned: np.ndarray, jobs: int,
                       count: "_Counter") -> tuple[np.ndarray, np.ndarray, KernelRidge | None]:
        """Which of ``turned`` (m,), positions among the kernel machine's n pictures, are learned from in the mirror (m',); their coordinates there
        (m', projected); and the machine that knows no mirror images, where one had to be asked.

        ``mirrored_`` (n_classes,) bool: an arrow to the left becomes one to the right, so that a class is mirrored only if that machine
        recognises it in the mirror at least half as often as in pictures that it has not seen.
        """
        self.mirrored_ = np.full(self.n_classes_, self.parameters.mirror)
        if not len(turned):
            return turned, X[:0], None
        encoded = count(self._encoded(own.pictures.take(turned), jobs, mirrored=True))
        mirrored = np.concatenate([self.projection_.transform(blocks) for _, blocks in encoded])
        plain = self._kernel_machine(X, own.codes, own.groups)
        unseen, in_mirror = (recall_score(true, scores.argmax(axis=1), labels=np.arange(self.n_classes_), average=None, zero_division=1.0)
                             for true, scores in ((own.codes, plain.left_out_scores_), (own.codes[turned], plain.scores(mirrored))))
        self.mirrored_ = in_mirror >= unseen / 2
        stay = self.mirrored_[own.codes[turned]]
        return turned[stay], mirrored[stay], plain

    def _made_rows(self, X: np.ndarray, trees: np.ndarray, left_out: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """SMOTE's rows for the trees, columns and then scores, and their codes; none with another balance. Between two pictures lie the scores that
        both would have had unseen; the kernel machine, whose memory grows with the square of its rows, does not learn from them."""
        if self.parameters.balance != "smote":
            return np.empty((0, trees.shape[1] + left_out.shape[1]), np.float32), codes[:0]
        made, made_codes = smote(np.hstack([X.astype(np.float32), trees, left_out]), codes, self.parameters.seed)
        return made[:, X.shape[1]:], made_codes

    def _kernel_machine(self, X: np.ndarray, codes: np.ndarray, groups: np.ndarray) -> KernelRidge:
        p = self.parameters
        return KernelRidge(p.gamma, p.ridge).fit(X, codes, self.n_classes_, self._weights(codes, p.kernel_weight_power), groups)

    def _weights(self, codes: np.ndarray, power: float) -> np.ndarray:
        return class_weights(codes, power if self.parameters.balance == "class-weight" else 0.0)

    def _boost(self, data: lightgbm.Dataset, rounds: int, watched: lightgbm.Dataset | None, threads: int) -> None:
        p = self.parameters
        history: dict[str, dict[str, list[float]]] = {}
        settings = {"objective": "multiclass", "num_class": self.n_classes_, "learning_rate": p.learning_rate, "num_leaves": p.leaves,
                    "feature_fraction": p.feature_fraction, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 1.0,
                    "min_data_in_leaf": p.min_rows_per_leaf, "max_bin": p.max_bin, "seed": p.seed, "deterministic": True,
                    "force_col_wise": True, "num_threads": threads, "verbosity": -1}
        callbacks: list[Callable] = [lightgbm.record_evaluation(history), lightgbm.early_stopping(p.patience, verbose=False)] if watched else []
        self.booster_ = lightgbm.train(settings, data, rounds, valid_sets=[watched] if watched else None, callbacks=callbacks,
                                       keep_training_booster=watched is not None)
        if watched is None:
            self.booster_.free_dataset()
        self.curve_ = np.array(history["valid_0"]["multi_logloss"]) if watched else np.empty(0)

    def boost_on(self, rounds: int) -> None:
        """Where boosting stopped before so many ``rounds``, go on to them: where it stopped was chosen on the watched pictures. Ends the training."""
        while self.booster_.current_iteration() < rounds:
            if self.booster_.update():
                break  # no tree can split anything any more
        self.booster_.free_dataset()

    def _watched(self, data: lightgbm.Dataset, pictures: Pictures, codes: np.ndarray, jobs: int, count: "_Counter") -> lightgbm.Dataset:
        self.watched_scores_ = self._scores(pictures, jobs, count)
        start = self._start(self.watched_scores_)
        table = np.hstack([self.watched_scores_, self._tree_columns(pictures)])
        return data.create_valid(table, codes, init_score=start.ravel(order="F"))

    def watched_log_proba(self, pictures: Pictures, rounds: int) -> np.ndarray:
        """`log_proba` of the watched pictures without encoding them once more."""
        return self._from_scores(self.watched_scores_, self._tree_columns(pictures), rounds)

    def see(self, pictures: Pictures, jobs: int) -> None:
        """Keep the kernel machine's scores of some pictures, so that `seen_log_proba` can tell of them once that machine is gone."""
        self.seen_scores_ = self._scores(pictures, jobs, _Counter(None, len(pictures.rows)))

    def seen_log_proba(self, pictures: Pictures, rounds: int) -> np.ndarray:
        """`log_proba` of the pictures that were given to `see`."""
        return self._from_scores(self.seen_scores_, self._tree_columns(pictures), rounds)

    def _from_scores(self, scores: np.ndarray, columns: np.ndarray, rounds: int | None) -> np.ndarray:
        raw = self.booster_.predict(np.hstack([scores, columns]), raw_score=True, num_iteration=rounds)
        return log_softmax(np.asarray(raw).reshape(len(scores), -1) + self._start(scores))

    def _dataset(self, rows: "_TreeRows") -> lightgbm.Dataset:
        return lightgbm.Dataset(np.hstack([rows.scores, rows.columns]), rows.codes, weight=rows.weights,
                                init_score=self._start(rows.scores).ravel(order="F"),
                                params={"max_bin": self.parameters.max_bin, "verbosity": -1}, free_raw_data=True)

    def _start(self, scores: np.ndarray) -> np.ndarray:
        return log_softmax(scores * self.steepness_)

    def _tree_columns(self, pictures: Pictures) -> np.ndarray:
        return pictures.columns(family_columns(self.parameters.tree_families))

    def importance(self) -> dict[str, float]:
        """Block → its share of what the trees gained in all their splits: the kernel machine's scores as ``kernel``, and the feature families."""
        names = feature_names()
        owners = ["kernel"] * self.n_classes_ + [names[column].split("__")[0] for column in family_columns(self.parameters.tree_families)]
        gains = np.asarray(self.booster_.feature_importance("gain"), float)
        return {owner: float(gains[[o == owner for o in owners]].sum() / max(gains.sum(), 1e-300)) for owner in dict.fromkeys(owners)}

    def _scores(self, pictures: Pictures, jobs: int, count: "_Counter") -> np.ndarray:
        """(n, n_classes) kernel scores, a chunk at a time. By one thread beside the processes that encode: a product's second thread spins for
        tens of ms after it, on the core that they, or the networks of a stack, want next."""
        with one_thread():
            parts = [self.kernel_.scores(self.projection_.transform(blocks)) for _, blocks in count(self._encoded(pictures, jobs))]
        return np.concatenate(parts) if parts else np.empty((0, self.n_classes_), np.float32)

    def _encoded(self, pictures: Pictures, jobs: int, mirrored: bool = False) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """(number of pictures, block name → rows) per chunk, in order."""
        columns = {family: family_columns([family]) for family in self.parameters.kernel_families}
        chunks = [pictures.take(np.arange(i, min(i + CHUNK, len(pictures.rows)))) for i in range(0, len(pictures.rows), CHUNK)]
        encode = mirrored_blocks if mirrored else fisher_vectors
        for chunk, encoded in zip(chunks, in_processes(encode, [(self.encoders_, chunk.tiles, chunk.rows) for chunk in chunks], jobs), strict=True):
            yield len(chunk.rows), {**{family: chunk.columns(c) for family, c in columns.items()}, **encoded}

    def __getstate__(self) -> dict:
        """Trees as LightGBM's own text; fold-only arrays are left behind."""
        state = {k: v for k, v in self.__dict__.items() if k not in ("watched_scores_", "seen_scores_", "curve_")}
        state["booster_"] = self.booster_.model_to_string()
        return state

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, booster_=lightgbm.Booster(model_str=state["booster_"]))


class _Known(NamedTuple):
    """What is learned from: n pictures, their class codes (n,), the numbers of their duplicate groups (n,)."""

    pictures: Pictures
    codes: np.ndarray
    groups: np.ndarray

    def take(self, rows: np.ndarray) -> "_Known":
        return _Known(self.pictures.take(rows), self.codes[rows], self.groups[rows])


class _TreeRows(NamedTuple):
    """What the trees learn from: the kernel machine's scores (n, n_classes), handcrafted columns (n, c), class codes and weights (n,)."""

    scores: np.ndarray
    columns: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


def draw_samples(pictures: Pictures, parameters: LgbmParameters, jobs: int) -> Samples:
    """Descriptors of at most ``dictionary_pictures`` pictures; which ones depends on the seed and on the order of ``pictures``."""
    rng = np.random.default_rng(parameters.seed)
    n = len(pictures.rows)
    chosen = np.sort(rng.choice(n, min(n, parameters.dictionary_pictures), replace=False))
    rows = pictures.rows[chosen]
    samples: Samples = {}
    for encoder in _encoders(parameters):
        tasks = [(encoder, pictures.tiles, rows[i:i + CHUNK], i) for i in range(0, len(rows), CHUNK)]
        drawn = [sample for part in in_processes(sampled_tiles, tasks, jobs) for sample in part]
        samples[encoder.kind] = dict(zip(rows.tolist(), drawn, strict=True))
    return samples


class _Counter:
    """Counts pictures as they come by and reports to ``progress``."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, parts: Iterator[tuple[int, dict[str, np.ndarray]]]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for n, part in parts:
            yield n, part
            self.done += n
            if self.progress:
                self.progress(self.done, self.total)


def _encoders(p: LgbmParameters) -> list[FisherEncoder]:
    return [FisherEncoder(kind, p.gaussians, ENCODED[kind], p.seed) for kind in p.encoded]


def _samples_of(samples: Samples, kind: str, rows: np.ndarray) -> np.ndarray:
    drawn = [samples[kind][row] for row in rows.tolist() if row in samples[kind]]
    points = np.concatenate(drawn) if drawn else np.empty((0, 0))
    if len(points) < 2:
        raise ScratchworkError("the training pictures are all flat, one colour each: there is nothing to learn from")
    return points


def _steepness(scores: np.ndarray, codes: np.ndarray) -> float:
    """The factor that makes softmax(factor * scores) the best probabilities by log loss."""
    rows = np.arange(len(codes))
    best = minimize_scalar(lambda t: -log_softmax(scores * t)[rows, codes].mean(), bounds=(0.5, 30), method="bounded")
    return float(best.x)


def _stacked(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
