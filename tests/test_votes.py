"""Votes: known kappas, scikit-learn as oracle, and a journal in which majorities settle, ties wait or are set aside, and later votes re-open."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from cleaning.overrides import VOTES, Override, Places, append_overrides, read_overrides, resolve, standing
from cleaning.votes import SET_ASIDE, fleiss_kappa, group_agreements, majority, pair_agreements, settlements, tallies

FLEISS = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2],
          [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]  # 14 raters, 10 subjects, 5 categories: the worked example of the textbooks, kappa 0.210
MANIFEST = pd.DataFrame({"sha256": ["x", "y", "z"], "label": ["a", "a", "b"]}, index=["a/1", "a/2", "b/3"])
LABEL_OF, DIGEST_OF = MANIFEST["label"].to_dict(), MANIFEST["sha256"].to_dict()
said = st.lists(st.sampled_from(["keep", "drop", "label b"]), min_size=2, max_size=2)


def by(reviewer: str, path: str, keep: bool | None, label: str = "", undo: bool = False) -> Override:
    return Override(path, DIGEST_OF[path], keep, label, reviewer=reviewer, undo=undo)


def stacks_of(rows: list[Override]) -> dict[str, list[Override]]:
    return standing(rows, Places(MANIFEST))[0]


def counts_now(rows: list[Override]) -> dict[str, object]:
    table, _ = resolve(rows, MANIFEST, ["a", "b"])
    return {path: row["label"] or row["keep"] for path, row in table.iterrows()}


def test_fleiss_kappa_is_the_textbooks() -> None:
    """The worked example of 14 raters; perfect agreement is 1; one category for everything tells nothing."""
    assert fleiss_kappa(np.array(FLEISS)) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa(np.array([[3, 0], [0, 3]])) == 1
    assert np.isnan(fleiss_kappa(np.array([[3, 0], [3, 0]])))


@given(st.lists(said, min_size=1, max_size=30))
def test_cohens_kappa_is_scikit_learns(pairs: list[list[str]]) -> None:
    """On the pictures that both judged, and on those only; NaN where all said the same one thing."""
    votes = [{"kim": a, "lee": b} for a, b in pairs] + [{"kim": "drop"}, {"lee": "keep", "park": "drop"}]
    found = next(p for p in pair_agreements(votes) if (p.first, p.second) == ("kim", "lee"))
    assert (found.n, found.same) == (len(pairs), sum(a == b for a, b in pairs))
    if len({vote for pair in pairs for vote in pair}) == 1:
        assert np.isnan(found.kappa)
    else:
        assert found.kappa == pytest.approx(cohen_kappa_score([a for a, _ in pairs], [b for _, b in pairs]), nan_ok=True)


def test_fleiss_is_told_per_number_of_judges() -> None:
    """Pictures with two and with three votes are not thrown together, and single votes tell nothing about agreement."""
    votes = [{"a": "keep", "b": "keep", "c": "drop"}, {"a": "drop", "b": "drop", "c": "drop"}, {"a": "keep", "b": "drop"}, {"c": "keep"}]
    assert [(g.judges, g.n) for g in group_agreements(votes)] == [(3, 2), (2, 1)]
    assert group_agreements(votes)[0].kappa == pytest.approx(fleiss_kappa(np.array([[1, 2], [3, 0]])))


def test_a_majority_is_more_than_half() -> None:
    """Of two or more; a single vote is no majority, nor is the largest of three different ones."""
    assert majority({"a": "keep"}) == ""
    assert majority({"a": "keep", "b": "drop"}) == ""
    assert majority({"a": "keep", "b": "drop", "c": "drop"}) == "drop"
    assert majority({"a": "keep", "b": "drop", "c": "label b"}) == ""
    assert majority(dict.fromkeys("ab", "keep") | dict.fromkeys("cd", "drop")) == ""


def test_settling_writes_what_the_majority_said(tmp_path: Path) -> None:
    """Two to one wins though the one came last; the label that a picture has is a vote to keep; a second settling writes nothing."""
    rows = [by("kim", "a/1", False), by("lee", "a/1", False), by("park", "a/1", True),
            by("kim", "a/2", True), by("lee", "a/2", None, "a"), by("kim", "b/3", None, "a"), by("lee", "b/3", None, "a")]
    assert counts_now(rows) == {"a/1": True, "a/2": "a", "b/3": "a"}
    settled = settlements(stacks_of(rows), LABEL_OF, DIGEST_OF)
    assert [(s.path, s.keep, s.label, s.note, s.reviewer) for s in settled] == [
        ("a/1", False, "", "2 of 3 votes", VOTES), ("a/2", True, "", "2 of 2 votes", VOTES), ("b/3", True, "a", "2 of 2 votes", VOTES)]
    append_overrides(tmp_path / "o.csv", rows + settled)
    again = read_overrides(tmp_path / "o.csv")
    assert counts_now(again) == {"a/1": False, "a/2": True, "b/3": "a"}
    assert settlements(stacks_of(again), LABEL_OF, DIGEST_OF) == []


def test_a_tie_waits_for_a_third_vote_or_is_set_aside() -> None:
    """Two who differ are open; ``set_ties_aside`` drops the picture and says why; three who all differ have no majority either."""
    tie = [by("kim", "a/1", True), by("lee", "a/1", False)]
    assert tallies(stacks_of(tie), LABEL_OF)["a/1"].open
    assert settlements(stacks_of(tie), LABEL_OF, DIGEST_OF, set_ties_aside=False) == []
    aside = settlements(stacks_of(tie), LABEL_OF, DIGEST_OF)
    assert [(s.keep, s.note) for s in aside] == [(False, SET_ASIDE)]
    assert not tallies(stacks_of(tie + aside), LABEL_OF)["a/1"].open
    third = [*tie, by("park", "a/1", None, "b")]
    assert tallies(stacks_of(third), LABEL_OF)["a/1"].open


def test_a_later_vote_and_an_undone_one_reopen() -> None:
    """What was settled stands until somebody votes again, and again when that vote is undone; undoing a vote that it rests on takes it away."""
    rows = [by("kim", "a/1", True), by("lee", "a/1", False)]
    rows += settlements(stacks_of(rows), LABEL_OF, DIGEST_OF)
    later = [*rows, by("park", "a/1", True)]
    assert tallies(stacks_of(later), LABEL_OF)["a/1"][1:] == ("keep", False)
    assert counts_now(later + settlements(stacks_of(later), LABEL_OF, DIGEST_OF)) == {"a/1": True}
    back = [*later, by("park", "a/1", None, undo=True)]
    assert tallies(stacks_of(back), LABEL_OF)["a/1"].settled
    assert counts_now(back) == {"a/1": False}
    under = [*rows, by("lee", "a/1", None, undo=True)]
    assert counts_now(under) == {"a/1": True}
    assert tallies(stacks_of(under), LABEL_OF)["a/1"].votes == {"kim": "keep"}


acts = st.lists(st.tuples(st.sampled_from(["kim", "lee", "park"]), st.sampled_from([True, False, None]), st.sampled_from(["", "b"])), max_size=8)


@given(acts, st.sampled_from(["kim", "lee", "park"]), st.sampled_from([True, False]))
def test_undo_restores_what_counted_before(earlier: list[tuple[str, bool | None, str]], reviewer: str, keep: bool) -> None:
    """A click and its undo leave the standing rows of everybody as they were, whatever was said before and by whom."""
    rows = [by(name, "a/1", kept, label) for name, kept, label in earlier]
    assert stacks_of([*rows, by(reviewer, "a/1", keep), by(reviewer, "a/1", None, undo=True)]).get("a/1", []) == stacks_of(rows).get("a/1", [])
