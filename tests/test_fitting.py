"""Training a network: interrupted and resumed, short of memory, gone wrong, on too little; and the saved model."""

import errno
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from models import cnn_training, fitting
from models.artifacts import load_model, save_model, settings_card
from models.checkpoints import read_checkpoint, write_checkpoint
from models.cnn import CnnClassifier
from models.cnn_training import Conduct, forget_checkpoints, train_cnn
from models.decision import Decision, decided_by_others
from models.fitting import Checkpoint, Epoch, Task, drawn_order, fit_network, rate_at
from models.inference import log_proba_of_members, state_of, threads
from models.kernel_head import Member
from models.networks import make_network, sees_edges
from models.pictures import Examples, Pictures, Unlabelled
from models.recipes import ARCHITECTURES, PRESETS, SHAPES, CnnParameters, cnn_parameters
from models.tensors import sized_tiles

ROOT = Path(__file__).resolve().parent.parent
SMALL = cnn_parameters(chosen={"size": 32, "width": 8, "patch": 2, "epochs": 3, "batch": 8, "sampling": 0.5, "progressive": True,
                               "deterministic": True, "precision": "float32"})


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Small networks are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawings(n: int, classes: int = 2, side: int = 128) -> tuple[Pictures, np.ndarray]:
    """n pictures: class c is c + 1 bars across, at any place, in any colour."""
    rng = np.random.default_rng(0)
    tiles = np.full((n, side, side, 3), 255, np.uint8)
    codes = np.arange(n) % classes
    for tile, c in zip(tiles, codes, strict=True):
        color = rng.integers(0, 150, 3)
        for start in rng.choice(10, c + 1, replace=False) * (side // 10):
            tile[start:start + side // 16] = color
    return Pictures(np.zeros((n, 1), np.float32), tiles, np.arange(n)), codes


def task_of(n: int, classes: int = 2, watched: int = 6) -> Task:
    pictures, codes = drawings(n + watched, classes)
    return Task(pictures.take(np.arange(n)), codes[:n], pictures.take(np.arange(n, n + watched)), codes[n:], classes, 0)


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], two[name]) for name in one)


def test_twenty_pictures_are_learned_by_heart() -> None:
    """Without augmentation the network gets every one of the pictures that it learned from right."""
    pictures, codes = drawings(20, 4)
    off = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "mirror": False, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
    p = cnn_parameters(chosen={"size": 32, "width": 16, "epochs": 30, "batch": 10, "progressive": False, **off})
    fitted = fit_network(Task(pictures, codes, pictures, codes, 4, 0), p)
    assert fitted.history[-1].accuracy == 1
    assert (log_proba_of_members([Member(fitted.state, None)], p, 4, pictures).argmax(1) == codes).all()


class Stop(Exception):
    """An interruption."""


def _stop_after(epochs: int) -> Any:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == epochs:
            raise Stop
    return on_epoch


@pytest.mark.parametrize("more", [{}, {"optimizer": "adamw"}, {"patience": 2}, {"optimizer": "sgd", "learning_rate": 0.05, "cutmix": 1.0}],
                         ids=["muon", "adamw", "patience", "sgd"])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path, more: dict) -> None:
    """Interrupted after an epoch and continued, the weights and the history are those of an uninterrupted run, bit for bit."""
    p = cnn_parameters(chosen={"size": 32, "width": 8, "patch": 2, "epochs": 4, "batch": 8, "deterministic": True, **more})
    whole = fit_network(task_of(20), p)
    with pytest.raises(Stop):
        fit_network(task_of(20), p, Checkpoint(tmp_path / "c", "key", False), _stop_after(2))
    resumed = fit_network(task_of(20), p, Checkpoint(tmp_path / "c", "key", True))
    assert same(whole.state, resumed.state)
    assert [e.loss for e in whole.history] == [e.loss for e in resumed.history]


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    """Resumed from its last epoch, nothing is trained and the same weights come back."""
    told: list[Epoch] = []
    first = fit_network(task_of(12), SMALL, Checkpoint(tmp_path / "c", "key", False))
    again = fit_network(task_of(12), SMALL, Checkpoint(tmp_path / "c", "key", True), told.append)
    assert told == []
    assert same(first.state, again.state)


def test_a_checkpoint_is_not_replaced_without_a_word(tmp_path: Path) -> None:
    """Without --resume, and with it when the options are others, the run starts anew and says so; going on is said too."""
    for key, resume, said in [("a", False, []), ("a", False, ["--resume would have gone on"]), ("b", True, ["starting anew"]),
                              ("b", True, ["going on after epoch 1"])]:
        told: list[str] = []
        fit_network(task_of(8), replace(SMALL, epochs=1), Checkpoint(tmp_path / "c", key, resume), notice=told.append)
        assert len(told) == len(said)
        assert all(word in line for word, line in zip(said, told, strict=True))


def test_a_checkpoint_that_is_cut_or_of_another_training_is_not_loaded(tmp_path: Path) -> None:
    """A cut or changed file is refused by its digest, another training's key gives nothing, a temporary file is never looked at."""
    file = tmp_path / "c"
    write_checkpoint({"key": "a", "x": torch.ones(3)}, file)
    assert read_checkpoint(file, "b") is None
    assert read_checkpoint(tmp_path / "absent", "a") is None
    found = read_checkpoint(file, "a")
    assert found
    assert torch.equal(found["x"], torch.ones(3))
    content = file.read_bytes()
    for spoiled in (content[:-1], content[:40], b"", content[:-5] + b"?" + content[-4:]):
        file.write_bytes(spoiled)
        with pytest.raises(ScratchworkError, match="is not whole"):
            read_checkpoint(file, "a")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so, the file before stays whole, and --resume goes on from it."""
    write_checkpoint({"key": "a", "epoch": 1}, tmp_path / "c")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ScratchworkError, match="disk is full"):
        write_checkpoint({"key": "a", "epoch": 2}, tmp_path / "c")
    found = read_checkpoint(tmp_path / "c", "a")
    assert found
    assert found["epoch"] == 1
    assert os.listdir(tmp_path) == ["c"]


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    """The step, the epoch and what to try are named."""
    p = replace(SMALL, optimizer="sgd", learning_rate=1e20, warm_up=0.0)
    with pytest.raises(ScratchworkError, match=r"the loss is \w+ at step \d+ \(epoch 1, .*try --learning-rate"):
        fit_network(task_of(40), p)


def test_short_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches go through in parts, with a word; the number of steps stays; where nothing helps the error says what to do."""
    real, limit, told = fitting.loss_of, 3, []

    def tight(logits: torch.Tensor, *rest: Any) -> torch.Tensor:
        if len(logits) > limit:
            raise torch.OutOfMemoryError("no memory")
        return real(logits, *rest)

    monkeypatch.setattr(fitting, "loss_of", tight)
    fitted = fit_network(task_of(16), SMALL, notice=told.append)
    assert len(fitted.history) == SMALL.epochs
    assert [line.split(" it in ")[1] for line in told] == ["2 parts from here on", "4 parts from here on"]
    limit = 0
    with pytest.raises(ScratchworkError, match="does not hold"):
        fit_network(task_of(16), SMALL)


def test_memory_that_is_short_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run begins with the parts that the one before it came to: an attempt at the whole batch would move the norms' averages again."""
    real, asked = fitting.loss_of, list[int]()

    def tight(logits: torch.Tensor, *rest: Any) -> torch.Tensor:
        asked.append(len(logits))
        if len(logits) > 4:
            raise torch.OutOfMemoryError("no memory")
        return real(logits, *rest)

    monkeypatch.setattr(fitting, "loss_of", tight)
    p = replace(SMALL, deterministic=True)
    whole = fit_network(task_of(16), p)
    with pytest.raises(Stop):
        fit_network(task_of(16), p, Checkpoint(tmp_path / "c", "key", False), _stop_after(1))
    asked.clear()
    resumed = fit_network(task_of(16), p, Checkpoint(tmp_path / "c", "key", True))
    assert max(asked) == 4
    assert same(whole.state, resumed.state)


def test_an_equal_epoch_is_not_a_better_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the watched figure stays what it is, patience runs out, and the first of the equal epochs is kept."""
    monkeypatch.setattr(fitting, "_watch", lambda *_: (1.0, 1.0, 0.1))
    fitted = fit_network(task_of(8), replace(SMALL, epochs=9, patience=2, progressive=False))
    assert (len(fitted.history), fitted.best) == (3, 1)


def test_a_device_that_is_not_there_is_named() -> None:
    """--device cuda on a machine without one."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ScratchworkError, match="sees no CUDA device"):
        fit_network(task_of(8), replace(SMALL, device="cuda"))


@pytest.mark.parametrize(("pictures", "batch", "steps"), [(3000, 64, 46), (100, 64, 12), (5, 64, 1), (65, 2, 32)])
def test_batches_are_even_and_enough(pictures: int, batch: int, steps: int) -> None:
    """Every picture is in one batch, sizes differ by one at most and are never under the smallest, small sets still take steps."""
    batches = fitting._batches(np.arange(pictures), batch)
    assert np.concatenate(batches).tolist() == list(range(pictures))
    assert len(batches) == steps
    assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_fewer_pictures_than_a_batch() -> None:
    """One step an epoch, over all of them; two pictures are enough."""
    assert len(fit_network(task_of(2, watched=0), replace(SMALL, batch=64)).history) == SMALL.epochs


def test_early_stopping_keeps_the_best_weights() -> None:
    """It stops ``patience`` epochs after the best, whose weights give the best epoch's figure again."""
    p = replace(SMALL, epochs=30, patience=3, learning_rate=0.02, watch="log-loss", progressive=False)
    task = task_of(20)
    fitted = fit_network(task, p)
    best = fitted.history[fitted.best - 1]
    assert best.log_loss == min(e.log_loss for e in fitted.history)
    assert len(fitted.history) in (fitted.best + 3, 30)
    z = log_proba_of_members([Member(fitted.state, None)], replace(p, mirrored_views=False), 2, task.watch)
    assert -z[np.arange(6), task.watch_codes].mean() == pytest.approx(best.log_loss, abs=1e-4)


def test_pictures_grow_to_full_size() -> None:
    """Smaller ones first, never larger than the size, which the last epochs have; other architectures know one size only."""
    for size in (16, 30, 64, 80, 96, 128):
        p = CnnParameters(size=size, patch=2, epochs=10, progressive=True)
        sizes = [p.size_in(epoch) for epoch in range(10)]
        assert sizes == sorted(sizes)
        assert sizes[-4:] == [size] * 4
        assert min(sizes) >= 16
        assert all(side % 2 == 0 for side in sizes)
    assert {cnn_parameters(arch="camp").size_in(epoch) for epoch in range(10)} == {224}


def test_the_rate_rises_and_falls() -> None:
    """Warm-up to the peak, cosine to nothing; the constant one decays as 1 / (1 + decay * step)."""
    p = CnnParameters(learning_rate=1.0, warm_up=0.1)
    rates = [rate_at(done, 0, p) for done in np.linspace(0, 1, 101)]
    assert int(np.argmax(rates)) == 10
    assert max(rates) == pytest.approx(1)
    assert rates[-1] == pytest.approx(0)
    assert rate_at(0.5, 10, replace(p, schedule="constant", decay=0.1)) == pytest.approx(0.5)


@pytest.mark.parametrize(("sampling", "share"), [(0.0, 0.9), (0.5, 0.75), (1.0, 0.5)])
def test_sampling_evens_classes_out(sampling: float, share: float) -> None:
    """An epoch has as many draws as pictures; the larger class of 900 to 100 has the share that its power says."""
    codes = np.repeat([0, 1], [900, 100])
    order = drawn_order(codes, sampling, np.random.default_rng(0))
    assert len(order) == 1000
    assert (codes[order] == 0).mean() == pytest.approx(share, abs=0.05)
    if not sampling:
        assert sorted(order) == list(range(1000))


def train_small(folder: Path, every_fold: bool = False, refit: bool = False, fold: np.ndarray | None = None, classes: int = 2, jobs: int = 1,
                p: CnnParameters = SMALL) -> Any:
    pictures, codes = drawings(30, classes)
    fold = np.arange(30) // 2 % 5 - 1 if fold is None else fold
    examples = Examples(pictures, codes, np.arange(30), fold, np.zeros(30, bool))
    conduct = Conduct(folder, "digest", every_fold, refit, False, jobs, lambda line: None)
    return train_cnn(examples, [f"L{c}" for c in range(classes)], p, ExtractionSettings(), conduct), fold


@pytest.mark.parametrize("every_fold", [False, True])
def test_probabilities_are_of_pictures_not_learned_from(tmp_path: Path, every_fold: bool) -> None:
    """One network judges its watched fold and the held-out part; fold models judge everything."""
    trained, fold = train_small(tmp_path, every_fold)
    assert trained.judged.tolist() == ([True] * 30 if every_fold else (fold <= 0).tolist())
    assert np.allclose(trained.proba[trained.judged].sum(1), 1)
    assert set(trained.predicted[~trained.judged]) <= {""}
    assert len(trained.model.members_) == (4 if every_fold else 1)
    assert len(os.listdir(tmp_path)) == len(trained.model.members_)
    forget_checkpoints(tmp_path)
    assert os.listdir(tmp_path) == []


def test_undersampling_thins_what_is_learned_from_only(tmp_path: Path) -> None:
    """Of 24 to 6 pictures a network learns from fewer of the larger class; every picture is judged all the same."""
    pictures, _ = drawings(30)
    codes = (np.arange(30) % 5 == 0).astype(int)
    examples = Examples(pictures, codes, np.arange(30), np.arange(30) % 3, np.zeros(30, bool))
    conduct = Conduct(tmp_path, "digest", True, True, False, 1, lambda line: None)
    found = {thin: train_cnn(examples, ["L0", "L1"], replace(SMALL, undersample=thin), ExtractionSettings(), conduct) for thin in (False, True)}
    assert [found[thin].told["trained_on"] for thin in (False, True)] == [30, 12]
    assert found[True].judged.all()


def test_soft_labels_of_one_class_are_hard_labels() -> None:
    """Label weights that are all on one class train the same weights as the codes do; others do not."""
    task = task_of(20)
    hard = fit_network(task, SMALL)
    assert same(hard.state, fit_network(task._replace(soft=np.eye(2)[task.codes]), SMALL).state)
    assert not same(hard.state, fit_network(task._replace(soft=np.full((20, 2), 0.5)), SMALL).state)


def test_refit_changes_the_model_and_not_the_scores(tmp_path: Path) -> None:
    """The probabilities are those from before; the networks are others, as many as before."""
    plain, _ = train_small(tmp_path)
    refitted, _ = train_small(tmp_path, refit=True)
    assert np.array_equal(plain.proba, refitted.proba, equal_nan=True)
    assert not same(plain.model.members_[0].state, refitted.model.members_[0].state)
    assert len(refitted.model.members_) == 1


def test_networks_beside_each_other_are_those_one_after_another(tmp_path: Path) -> None:
    """Two processes or one: the same weights, the same probabilities; processes that did small work before are no part of it."""
    joblib.Parallel(2, batch_size=1)(joblib.delayed(time.sleep)(0.2) for _ in range(4))  # of such a one, joblib would say that it leaks memory
    one, two = (train_small(tmp_path / str(jobs), every_fold=True, jobs=jobs)[0] for jobs in (1, 2))
    assert len(two.model.members_) == 4
    assert all(same(a.state, b.state) for a, b in zip(one.model.members_, two.model.members_, strict=True))
    assert np.array_equal(one.proba, two.proba)


def test_a_network_ends_with_the_program_that_wants_it(tmp_path: Path) -> None:
    """The process of a network whose parent has gone ends at its next epoch, so that no two go on from one checkpoint."""
    pictures, codes = drawings(30, 2)
    examples = Examples(pictures, codes, np.arange(30), np.zeros(30, int), np.zeros(30, bool))
    conduct = Conduct(tmp_path, "digest", True, False, False, 1, print)
    gone = 0  # nobody's number
    tasks = [[(examples, 2, np.arange(30) < 20, np.arange(30) >= 20, SMALL, number, conduct, 0, "network")] for number in range(2)]
    with pytest.raises(TerminatedWorkerError):  # an exception would leave a process that begins the next network
        joblib.Parallel(2, batch_size=1)(joblib.delayed(cnn_training._fitted_beside)(gone, row) for row in tasks)


def test_a_refit_may_be_of_fewer_networks(tmp_path: Path) -> None:
    """One instead of four: the first of the four, and the same scores."""
    four, one = (train_small(tmp_path, every_fold=True, refit=True, p=replace(SMALL, refits=refits))[0] for refits in (0, 1))
    assert (len(four.model.members_), len(one.model.members_)) == (4, 1)
    assert same(four.model.members_[0].state, one.model.members_[0].state)
    assert np.array_equal(four.proba, one.proba, equal_nan=True)


def test_a_refit_does_not_learn_from_doubted_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 pictures 3 are doubted: 27 teach the refit, 30 where labels are trusted; every label is scored."""
    monkeypatch.setattr(cnn_training, "doubted_labels", lambda examples, proba, which: np.arange(30) < 3)
    left_out, _ = train_small(tmp_path, refit=True)
    trusted, _ = train_small(tmp_path, refit=True, p=replace(SMALL, trust_labels=True))
    assert [trained.told["trained_on"] for trained in (left_out, trusted)] == [27, 30]
    assert [trained.told["doubted"] for trained in (left_out, trusted)] == [3, 0]
    assert np.array_equal(left_out.judged, trusted.judged)


def test_distillation_teaches_the_refit_alone(tmp_path: Path) -> None:
    """Probabilities are those without it, the refitted weights are others."""
    plain, distilled = (train_small(tmp_path, every_fold=True, refit=True, p=replace(SMALL, distillation=share))[0] for share in (0.0, 0.5))
    assert np.array_equal(plain.proba, distilled.proba)
    assert not same(plain.model.members_[0].state, distilled.model.members_[0].state)


def test_a_network_goes_on_from_where_another_ended() -> None:
    """Steps of no length leave another network's weights as they are, harmonic or not; a step at a real rate does not, and begins at its loss."""
    task = task_of(20)
    first = fit_network(task, SMALL)
    rest = task._replace(start=first.state, number=7)
    still = fit_network(rest, replace(SMALL, learning_rate=1e-9, epochs=1))
    for name, _ in make_network("scratch", 2, 32, 8, 3).named_parameters():
        np.testing.assert_allclose(still.state[name], first.state[name], atol=1e-6)
    on = fit_network(rest, SMALL)
    assert not same(on.state, still.state)
    assert on.history[0].loss < first.history[0].loss


def test_a_refit_may_go_on_from_the_networks_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six refits of one epoch begin with the four folds' weights by turns, beside what they would be taught anyway; the scores are those without."""
    tasks: list[tuple[Task, int]] = []
    monkeypatch.setattr(cnn_training, "fit_network", lambda task, p, *more: tasks.append((task, p.epochs)) or fit_network(task, p, *more))
    plain, _ = train_small(tmp_path, every_fold=True)
    states = [member.state for member in plain.model.members_]
    tasks.clear()
    refitted, _ = train_small(tmp_path, every_fold=True, refit=True, p=replace(SMALL, refits=6, refit_epochs=1))
    begun, gone_on = tasks[:4], tasks[4:]
    assert [task.start for task, _ in begun] == [None] * 4
    assert [epochs for _, epochs in tasks] == [3] * 4 + [1] * 6
    assert all(task.start and same(task.start, states[i % 4]) for i, (task, _) in enumerate(gone_on))
    assert np.array_equal(plain.proba, refitted.proba)
    assert len(refitted.model.members_) == 6


def test_folds_begin_in_pairs_and_are_never_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five folds: three starts that leave both folds of a pair out, then each fold's network from its own pair's start, on all but the fold."""
    tasks: list[tuple[Task, CnnParameters]] = []
    monkeypatch.setattr(cnn_training, "fit_network", lambda task, p, *more: tasks.append((task, p)) or fit_network(task, p, *more))
    fold = np.arange(30) // 2 % 6 - 1
    trained, _ = train_small(tmp_path, every_fold=True, fold=fold, p=replace(SMALL, fold_epochs=2))
    by_number = {task.number: (set(task.learn.rows.tolist()), task, p.epochs) for task, p in tasks}
    assert sorted(by_number) == [0, 1, 2, 3, 4, 2000, 2002, 2004]
    starts = {0: 2000, 1: 2000, 2: 2002, 3: 2002, 4: 2004}
    left_out = {2000: {0, 1}, 2002: {2, 3}, 2004: {4, 0}, **{k: {k} for k in starts}}
    for number, folds in left_out.items():
        assert by_number[number][0] == set(np.flatnonzero((fold >= 0) & ~np.isin(fold, list(folds))).tolist())
        assert by_number[number][2] == (SMALL.epochs if number >= 2000 else 2)
    plain = fit_network(by_number[2000][1], SMALL)
    assert by_number[0][1].start and same(by_number[0][1].start, plain.state)
    assert by_number[4][1].start and not same(by_number[4][1].start, plain.state)
    assert all(same(by_number[k][1].start, by_number[j][1].start) == (starts[k] == starts[j]) for k in starts for j in starts)
    assert trained.judged.all() and len(trained.model.members_) == 5
    history = trained.told["history"]
    assert history.groupby("network")["epoch"].apply(list).tolist() == [[1, 2, 3, 4, 5]] * 5
    assert trained.told["epochs"] == [5] * 5


def test_pairs_do_not_depend_on_the_number_of_jobs(tmp_path: Path) -> None:
    """One by one and two at once: the same probabilities and the same refitted weights, of five folds, too, one of which has a start of its
    own; at a size at which sums by two threads are not those by one."""
    p = replace(SMALL, width=16, size=64, fold_epochs=1, epochs=1, refits=2, refit_epochs=1, edge_networks=True)
    fold = np.arange(30) // 2 % 5
    with threads(2):  # what torch would take by itself on two cores
        found = [train_small(tmp_path / str(jobs), every_fold=True, refit=True, jobs=jobs, p=p, fold=fold)[0] for jobs in (1, 2)]
    assert np.array_equal(found[0].proba, found[1].proba)
    assert all(same(a.state, b.state) for a, b in zip(found[0].model.members_, found[1].model.members_, strict=True))


def test_pairs_go_on_where_they_were_interrupted(tmp_path: Path) -> None:
    """Two starts and a fold of five networks were done; the rest is made, and what was done is taken, with the same weights in the end."""
    p, fold = replace(SMALL, fold_epochs=1), np.arange(30) // 2 % 5
    whole, _ = train_small(tmp_path, every_fold=True, fold=fold, p=p)
    for number in (1, 2, 3, 4, 2004):
        (tmp_path / f"cnn.{number}.checkpoint").unlink()
    pictures, codes = drawings(30)
    lines: list[str] = []
    conduct = Conduct(tmp_path, "digest", True, False, True, 1, lines.append)
    rest = train_cnn(Examples(pictures, codes, np.arange(30), fold, np.zeros(30, bool)), ["L0", "L1"], p, ExtractionSettings(), conduct)
    assert [line.split("  ")[0] for line in lines if "  epoch" in line] == [
        "network 2 of 5", *["start of 5 and 1"] * 3, *(f"network {i} of 5" for i in (5, 3, 4))]
    assert sum("going on after epoch" in line for line in lines) == 3
    assert all(same(a.state, b.state) for a, b in zip(whole.model.members_, rest.model.members_, strict=True))


def test_an_edge_network_stands_beside_every_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same pictures: the first kind's weights are those without the second, a fold is judged by the mean of its own two, and
    refits go on from either kind in turn, as before from as many starts as there are."""
    tasks: dict[int, tuple[Task, CnnParameters]] = {}
    raw: list[np.ndarray] = []
    monkeypatch.setattr(cnn_training, "fit_network", lambda task, p, *more: tasks.update({task.number: (task, p)}) or fit_network(task, p, *more))
    monkeypatch.setattr(cnn_training, "decided_by_others", lambda *given: raw.append(given[0]) or decided_by_others(*given))
    p = replace(SMALL, fold_epochs=1, epochs=1, refits=4, refit_epochs=1, augmentation=SHAPES)
    fold = np.arange(30) // 2 % 6 - 1
    plain, _ = train_small(tmp_path / "plain", every_fold=True, fold=fold, p=p)
    numbers = list(tasks)
    both, _ = train_small(tmp_path / "both", every_fold=True, fold=fold, p=replace(p, edge_networks=True))
    assert sorted(tasks) == [*sorted(numbers), *(n + cnn_training.APART for n in sorted(numbers))]
    for n in numbers:
        (task, own), (other_task, other) = tasks[n], tasks[n + cnn_training.APART]
        assert task.learn.rows.tolist() == other_task.learn.rows.tolist()
        assert other == replace(own, edges=True, augmentation=replace(own.augmentation, hue=0, grayscale=0))
    members = both.model.members_
    assert all(same(a.state, b.state) for a, b in zip(members[::2], plain.model.members_, strict=True))
    assert not any(same(a.state, b.state) for a, b in zip(members[::2], members[1::2], strict=True))
    for k in range(5):
        said = log_proba_of_members(members[2 * k:2 * k + 2], p, 2, drawings(30)[0].take(fold == k))
        assert raw[1][fold == k] == pytest.approx(said, abs=1e-6)
    assert (both.told["networks"], both.told["judged_folds"]) == (10, 5)
    assert list(both.told["history"]["network"].unique()) == [*map(str, range(5)), *(f"edge {k}" for k in range(5))]
    again, _ = train_small(tmp_path / "again", every_fold=True, refit=True, fold=fold, p=replace(p, edge_networks=True))
    assert np.array_equal(again.proba, both.proba)
    assert all(same(tasks[1000 + i][0].start, members[place].state) for i, place in enumerate((0, 1, 4, 5)))
    assert [sees_edges(member.state) for member in again.model.members_] == [False, True, False, True]


def test_a_network_of_edges_learns_and_is_not_doubled(tmp_path: Path) -> None:
    """Alone it sees edges in training and prediction, of pictures that may be gray; one of edges beside it would be another of the same."""
    for gray in (False, True):
        trained, _ = train_small(tmp_path / str(gray), every_fold=True, p=replace(SMALL, edges=True, gray=gray))
        assert all(sees_edges(member.state) for member in trained.model.members_)
        pictures, _ = drawings(30)
        negative = pictures._replace(tiles=255 - pictures.tiles)
        np.testing.assert_allclose(trained.model.proba_of(pictures), trained.model.proba_of(negative), atol=0.01)  # sizing rounds
        assert trained.model.embed(pictures).shape[0] == 30
    assert not cnn_parameters("balanced", chosen={"edges": True}).edge_networks
    with pytest.raises(ScratchworkError, match="every network sees edges already"):
        cnn_parameters("balanced", chosen={"edges": True, "edge_networks": True})


def test_our_networks_see_any_hue() -> None:
    """What others published keeps its own colours."""
    assert [cnn_parameters(preset).augmentation.hue for preset in PRESETS] == [0.5] * 3
    assert all(cnn_parameters("fast", arch).augmentation.hue == 0 for arch in ARCHITECTURES if arch != "scratch")


def test_few_folds_share_no_start(tmp_path: Path) -> None:
    """Of three folds a pair would leave one to learn from: each network is trained by itself, as long as both parts together."""
    fold = np.arange(30) // 2 % 3
    whole, parts = replace(SMALL, epochs=SMALL.epochs + 2), replace(SMALL, fold_epochs=2)
    found = [train_small(tmp_path, every_fold=True, fold=fold, p=p)[0] for p in (whole, parts)]
    assert np.array_equal(found[0].proba, found[1].proba)


def test_no_unlabelled_picture_joins_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever judged it for one fold of the pair has learned from the other."""
    tasks: list[Task] = []
    monkeypatch.setattr(cnn_training, "fit_network", lambda task, p, *more: tasks.append(task) or fit_network(task, p, *more))
    pictures, codes = drawings(24)
    unlabelled = Unlabelled(drawings(6)[0], np.tile([0.95, 0.05], (5, 6, 1)), 0.5, 1.0)
    examples = Examples(pictures, codes, np.arange(24), np.arange(24) % 4, np.zeros(24, bool), unlabelled)
    conduct = Conduct(tmp_path, "digest", True, False, False, 1, lambda line: None)
    train_cnn(examples, ["L0", "L1"], replace(SMALL, fold_epochs=1), ExtractionSettings(), conduct)
    assert {task.number: len(task.codes) for task in tasks} == {2000: 12, 2002: 12, **dict.fromkeys(range(4), 24)}


def test_a_class_missing_from_a_fold(tmp_path: Path) -> None:
    """A label that is only in the watched fold has a probability all the same; one label alone is refused with a reason."""
    _, codes = drawings(30, 3)
    trained, _ = train_small(tmp_path, fold=np.where(codes == 2, 0, np.arange(30) % 2 + 1), classes=3)
    assert trained.proba.shape == (30, 3)
    with pytest.raises(ScratchworkError, match="of 1 label; at least two"):
        train_small(tmp_path, fold=np.where(codes == 0, 1, 0), classes=3)


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    """Through joblib and back, and tiles of another size are taken too; its state is plain arrays."""
    trained, _ = train_small(tmp_path)
    model = trained.model
    save_model(model, tmp_path / "cnn.joblib", {"classes": ["L0", "L1"], **settings_card(ExtractionSettings())})
    loaded, _ = load_model(tmp_path / "cnn.joblib")
    pictures, _ = drawings(5)
    assert np.array_equal(loaded.proba_of(pictures), model.proba_of(pictures))
    assert loaded.proba_of(drawings(5, side=96)[0]).shape == (5, 2)
    assert loaded.predict_proba([]).shape == (0, 2)
    assert all(type(array) is np.ndarray for member in loaded.members_ for array in member.state.values())


def test_a_model_loads_without_torch_and_predicts_without_lightgbm(tmp_path: Path) -> None:
    """Loading imports neither library; predicting imports torch only."""
    model = CnnClassifier(SMALL, ExtractionSettings())
    decision = Decision().fit(np.log(np.full((4, 2), 0.5)), np.array([0, 1, 0, 1]))
    network = make_network("scratch", 2, 32, 8, 3)
    joblib.dump(model.adopt(["a", "b"], [Member(state_of(network), None)], decision), tmp_path / "cnn.joblib")
    script = ("import sys, joblib, numpy as np\n"
              f"model = joblib.load({str(tmp_path / 'cnn.joblib')!r})\n"
              "before = 'torch' in sys.modules\n"
              "from models.pictures import Pictures\n"
              "p = model.proba_of(Pictures(np.zeros((1, 1)), np.zeros((1, 128, 128, 3), np.uint8), np.arange(1)))\n"
              "print(before, 'torch' in sys.modules, 'lightgbm' in sys.modules, p.shape)")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "True", "False", "(1,", "2)"], done.stderr


def test_tiles_are_averaged_not_skipped() -> None:
    """Reduced to a quarter, a fine checkerboard is gray; gray tiles have one channel; whole size is the tile itself."""
    board = np.zeros((1, 128, 128, 3), np.uint8)
    board[:, ::2, ::2] = board[:, 1::2, 1::2] = 255
    pictures = Pictures(np.zeros((1, 1)), board, np.arange(1))
    small = sized_tiles(pictures, 32, False, torch.device("cpu"))
    assert small.shape == (1, 3, 32, 32)
    assert abs(small.float().mean() - 127.5) < 2
    assert small[:, :, 4:-4, 4:-4].float().std() < 5
    assert sized_tiles(pictures, 32, True, torch.device("cpu")).shape == (1, 1, 32, 32)
    assert np.array_equal(sized_tiles(pictures, 128, False, torch.device("cpu"))[0].permute(1, 2, 0).numpy(), board[0])


def test_recipes_name_what_is_wrong() -> None:
    """An unknown choice, a size that is too small; an architecture's published settings beside one's own."""
    with pytest.raises(ScratchworkError, match="choose one of cross-entropy, weighted, focal"):
        cnn_parameters(chosen={"loss": "magic"})
    with pytest.raises(ScratchworkError, match="at least 16"):
        cnn_parameters(chosen={"size": 8})
    with pytest.raises(ScratchworkError, match="must be a multiple of the patch"):
        cnn_parameters(chosen={"size": 51})
    camp = cnn_parameters(arch="camp", chosen={"size": 64, "rotation": 5.0})
    assert (camp.epochs, camp.batch, camp.learning_rate, camp.decay, camp.size) == (10, 128, 1e-3, 1e-6, 64)
    assert (camp.augmentation.rotation, camp.augmentation.upside_down) == (5.0, True)


def test_who_wants_few_epochs_gets_few() -> None:
    """What a preset goes on with is no longer than the epochs that were asked for, unless it was asked for itself."""
    for chosen, wanted in [({}, (8, 8)), ({"epochs": 3}, (3, 3)), ({"epochs": 40}, (8, 8)), ({"epochs": 3, "refit_epochs": 5}, (3, 5))]:
        p = cnn_parameters("balanced", chosen=chosen)
        assert (p.fold_epochs, p.refit_epochs) == wanted
    assert cnn_parameters("fast", chosen={"epochs": 3}).refit_epochs == 0


@pytest.mark.gpu
def test_a_gpu_and_a_cpu_agree() -> None:
    """One saved model gives the same probabilities within 1e-3 on both."""
    pictures, _ = drawings(64)
    fitted = fit_network(task_of(64), replace(SMALL, device="cuda", deterministic=False, precision="auto"))
    each = [np.exp(log_proba_of_members([Member(fitted.state, None)], SMALL, 2, pictures, device)) for device in ("cpu", "cuda")]
    assert np.abs(each[0] - each[1]).max() < 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_gpu_repeats_itself(arch: str) -> None:
    """In deterministic mode every step has a repeatable algorithm, and two trainings end with the same weights."""
    p = replace(cnn_parameters(arch=arch), size=32, width=8, epochs=2, device="cuda", deterministic=True, precision="auto")
    one, two = (fit_network(task_of(64), p).state for _ in range(2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
