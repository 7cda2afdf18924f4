"""The split: groups stay together, shares come out, the draw depends on seed and contents only, and what was drawn stays."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cleaning.folds import TEST, TEST_SHARE, check_no_group_straddles, draw_parts, held_out_and_folds, labels_too_small
from features.errors import ScratchworkError

NOTHING = pd.Series(dtype=int)
pure_tables = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), min_size=1, max_size=25)  # (label, size) per group
mixed_tables = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=40)  # (label, group) per picture
folds_counts = st.integers(2, 5)
seeds = st.integers(0, 1000)


def of_groups(table: list[tuple[str, int]]) -> tuple[pd.Series, pd.Series]:
    """Labels and groups of pictures, indexed by path; each group has one label."""
    rows = [(f"{label}/{g}_{k}.png", label, f"group{g}") for g, (label, size) in enumerate(table) for k in range(size)]
    frame = pd.DataFrame(rows, columns=["path", "label", "group"]).set_index("path")
    return frame["label"], frame["group"]


def of_pictures(table: list[tuple[str, int]]) -> tuple[pd.Series, pd.Series]:
    """Labels and groups of pictures, indexed by path; labels may disagree within a group."""
    rows = [(f"{i}.png", label, f"group{g}") for i, (label, g) in enumerate(table)]
    frame = pd.DataFrame(rows, columns=["path", "label", "group"]).set_index("path")
    return frame["label"], frame["group"]


def balanced(groups_each: int, size: int = 1, labels: str = "abcd") -> tuple[pd.Series, pd.Series]:
    return of_groups([(label, size) for label in labels for _ in range(groups_each)])


@given(table=mixed_tables, folds=folds_counts, seed=seeds)
def test_groups_never_straddle(table: list[tuple[str, int]], folds: int, seed: int) -> None:
    """Whatever the labels and groups, each picture gets one part, and all of a group get the same."""
    labels, groups = of_pictures(table)
    fold = held_out_and_folds(labels, groups, folds, seed, NOTHING)
    assert fold.index.equals(labels.index)
    assert fold.dtype == int
    assert fold.between(TEST, folds - 1).all()
    assert (fold.groupby(groups).nunique() == 1).all()
    check_no_group_straddles(groups, fold)


@given(table=pure_tables, shares=st.sampled_from([[TEST_SHARE, 1 - TEST_SHARE], [0.2] * 5, [0.5, 0.25, 0.25]]), seed=seeds)
def test_each_part_gets_its_share_of_each_label(table: list[tuple[str, int]], shares: list[float], seed: int) -> None:
    """No part has more of a label than its share and one group, and so none has much less."""
    labels, groups = of_groups(table)
    parts = draw_parts(labels, groups, shares, seed)
    for label in labels.unique():
        of_label = parts[labels == label]
        largest = groups[labels == label].value_counts().max()
        for part, share in enumerate(shares):
            have, want = (of_label == part).sum(), share * len(of_label)
            assert want - (len(shares) - 1) * largest - 1e-6 <= have <= want + largest + 1e-6


@given(table=pure_tables, parts=st.integers(2, 5), seed=seeds)
def test_each_label_is_in_every_part_if_there_are_groups_enough(table: list[tuple[str, int]], parts: int, seed: int) -> None:
    """A label with as many groups as there are parts is in all of them, however unequal the groups."""
    labels, groups = of_groups(table)
    drawn = draw_parts(labels, groups, [1 / parts] * parts, seed)
    for label in labels.unique():
        enough = groups[labels == label].nunique()
        assert drawn[labels == label].nunique() == min(enough, parts)


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_small_labels_are_held_out_and_in_every_fold(folds: int) -> None:
    """With few pictures a label, but enough, each is tested and in every fold."""
    labels, groups = balanced(math.ceil((folds + 1) / (1 - TEST_SHARE)))
    fold = held_out_and_folds(labels, groups, folds, 0, NOTHING)
    assert (fold.groupby(labels).nunique() == folds + 1).all()


@pytest.mark.parametrize(("groups_each", "size"), [pytest.param(200, 1, id="no-copies"), pytest.param(60, 4, id="groups-of-four")])
@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_is_held_out(groups_each: int, size: int, seed: int) -> None:
    """The held-out share is 20 % of each label within one group, and the folds share the rest evenly."""
    labels, groups = balanced(groups_each, size)
    fold = held_out_and_folds(labels, groups, 5, seed, NOTHING)
    for label in labels.unique():
        counts = fold[labels == label].value_counts()
        assert counts[TEST] == pytest.approx(TEST_SHARE * groups_each * size, abs=size)
        assert counts.drop(TEST).max() - counts.drop(TEST).min() <= 2 * size


def test_a_label_of_one_group_is_learned_and_not_tested() -> None:
    """What cannot be in both parts is in the larger, for any seed."""
    labels, groups = of_groups([("a", 3)] + [("b", 1)] * 20)
    for seed in range(20):
        assert (held_out_and_folds(labels, groups, 5, seed, NOTHING)[labels == "a"] != TEST).all()


@given(table=mixed_tables, folds=folds_counts, seed=seeds, data=st.data())
def test_the_order_of_rows_does_not_show(table: list[tuple[str, int]], folds: int, seed: int, data: st.DataObject) -> None:
    """The same pictures in another order get the same parts, path by path."""
    labels, groups = of_pictures(table)
    order = data.draw(st.permutations(labels.index.tolist()))
    fold, shuffled = (held_out_and_folds(labels.loc[rows], groups.loc[rows], folds, seed, NOTHING) for rows in (labels.index, order))
    assert shuffled.index.tolist() == order
    pd.testing.assert_series_equal(shuffled.loc[labels.index], fold, check_names=False)


@given(table=mixed_tables, seed=seeds)
def test_names_of_files_do_not_show(table: list[tuple[str, int]], seed: int) -> None:
    """Renaming pictures moves none of them: the draw knows contents, not paths."""
    labels, groups = of_pictures(table)
    renamed = [f"renamed/{i:05}.jpg" for i in range(len(labels), 0, -1)]
    fold, moved = (held_out_and_folds(labels.set_axis(names), groups.set_axis(names), 3, seed, NOTHING) for names in (labels.index, renamed))
    assert fold.tolist() == moved.tolist()


def test_the_seed_decides() -> None:
    """The same seed draws the same parts, another seed others."""
    labels, groups = balanced(30)
    first, again, other = (held_out_and_folds(labels, groups, 5, seed, NOTHING) for seed in (0, 0, 1))
    assert first.equals(again)
    assert ((first == TEST) != (other == TEST)).mean() > 0.1


@given(table=mixed_tables, more=mixed_tables, folds=folds_counts, seed=seeds, data=st.data())
def test_what_was_drawn_stays(table: list[tuple[str, int]], more: list[tuple[str, int]], folds: int, seed: int, data: st.DataObject) -> None:
    """When pictures come and go, the others keep their parts, also with another seed, and new members follow their group."""
    labels, groups = of_pictures(table + more)
    old = labels.index[:len(table)]
    before = held_out_and_folds(labels[old], groups[old], folds, seed, NOTHING)
    left = data.draw(st.lists(st.sampled_from(old.tolist()), min_size=1, unique=True))
    remembered = before[before.index.isin(left)]
    now = labels.index[labels.index.isin(left) | ~labels.index.isin(old)]
    assume((remembered == TEST).all() or remembered.max() == folds - 1)  # else it looks like another number of folds
    after = held_out_and_folds(labels[now], groups[now], folds, seed + 7, remembered)
    assert after[remembered.index].tolist() == remembered.tolist()
    check_no_group_straddles(groups[now], after)


@pytest.mark.parametrize("held_before", [4, 0, 8], ids=["a-fifth-before", "none-before", "too-many-before"])
def test_new_pictures_fill_up_to_the_shares(held_before: int) -> None:
    """Twice as many pictures later, a fifth of all is held out and the folds are even, whatever the first half looked like."""
    labels, groups = balanced(40)
    place = labels.groupby(labels).cumcount()
    old = place.index[place < 20]
    remembered = (place[old] % 5).where(place[old] >= held_before, TEST)
    fold = held_out_and_folds(labels, groups, 5, 0, remembered)
    assert ((fold == TEST).groupby(labels).sum() == 8).all()
    assert fold[fold != TEST].groupby(labels).value_counts().between(6, 7).all()


def test_another_number_of_folds_keeps_the_held_out_part() -> None:
    """Three folds instead of five are drawn anew, and nobody leaves or joins the held-out part."""
    labels, groups = balanced(40)
    five = held_out_and_folds(labels, groups, 5, 0, NOTHING)
    three = held_out_and_folds(labels, groups, 3, 0, five)
    assert ((five == TEST) == (three == TEST)).all()
    assert sorted(three.unique()) == [TEST, 0, 1, 2]


def test_a_group_that_joins_held_out_and_learned_pictures_is_held_out() -> None:
    """When a duplicate of a held-out picture is found among the learned ones, learning gives way."""
    labels, groups = balanced(40)
    remembered = held_out_and_folds(labels, groups, 5, 0, NOTHING)
    held, learned = remembered.index[remembered == TEST][0], remembered.index[remembered != TEST][0]
    joined = groups.where(groups != groups[learned], groups[held])
    fold = held_out_and_folds(labels, joined, 5, 0, remembered)
    assert fold[held] == fold[learned] == TEST
    others = remembered.index.drop([learned])
    assert (fold[others] == remembered[others]).all()


@given(table=pure_tables, at_least=st.integers(1, 8))
def test_labels_too_small_are_counted_by_group(table: list[tuple[str, int]], at_least: int) -> None:
    """Copies do not make a label larger: distinct groups count."""
    labels, groups = of_groups(table)
    counts = {label: sum(of == label for of, _ in table) for label in {label for label, _ in table}}
    assert labels_too_small(labels, groups, at_least) == {label: n for label, n in counts.items() if n < at_least}


def test_a_straddling_group_is_named() -> None:
    """The check names the group that leaks."""
    index = ["1", "2", "3"]
    with pytest.raises(ScratchworkError, match="group y is in more than one fold; this is a bug"):
        check_no_group_straddles(pd.Series(["x", "y", "y"], index), pd.Series(np.array([0, 1, TEST]), index))
