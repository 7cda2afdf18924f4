"""What several people said of the same pictures: how far they agree, and what their votes settle (row E8).

In: the journal's standing rows per picture (`cleaning.overrides.standing`). A reviewer's vote is the last row of theirs that was not undone: keep,
drop, or another label. The label that the picture has already is a vote to keep. What a majority of more than half says is settled by a row of the
reviewer `VOTES`; where there is none, a third vote decides, or the picture is set aside. A vote that comes later, or one that is undone, re-opens.
Cohen 1960 and Fleiss 1971 for the agreement: 1 is perfect, 0 what chance gives.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from sklearn.metrics import cohen_kappa_score

from cleaning.overrides import VOTES, Override

KEEP, DROP = "keep", "drop"
LABEL = "label "  # before the name of another label, which may be "drop"
SET_ASIDE = "votes disagree"


class PairAgreement(NamedTuple):
    """Two reviewers: ``n`` pictures that both judged, ``same`` of them alike; ``kappa``: Cohen's, NaN where all said the same one thing."""

    first: str
    second: str
    n: int
    same: int
    kappa: float


class GroupAgreement(NamedTuple):
    """``n`` pictures that ``judges`` people each judged, whoever they were; ``kappa``: Fleiss', NaN where all said the same one thing."""

    judges: int
    n: int
    kappa: float


class Tally(NamedTuple):
    """Of one picture: ``votes`` by reviewer, the ``verdict`` of more than half (empty where there is none), and whether it was ``settled`` since."""

    votes: dict[str, str]
    verdict: str
    settled: bool

    @property
    def open(self) -> bool:
        """Several people judged it, no majority came of it, and it was not set aside: it needs a third vote."""
        return len(self.votes) > 1 and not self.verdict and not self.settled


def vote_of(override: Override, own_label: str) -> str:
    """What a row says of a picture that has ``own_label``; empty for a row that withdraws."""
    if override.keep is False:
        return DROP
    if override.label and override.label != own_label:
        return LABEL + override.label
    return KEEP if override.keep or override.label else ""


def tallies(stacks: Mapping[str, Sequence[Override]], label_of: Mapping[str, str]) -> dict[str, Tally]:
    """Per path with at least one vote."""
    found = {path: tally(stack, label_of[path]) for path, stack in stacks.items()}
    return {path: one for path, one in found.items() if one.votes}


def tally(stack: Sequence[Override], own_label: str) -> Tally:
    """Of one picture's standing rows."""
    last = {row.reviewer: vote_of(row, own_label) for row in stack if row.reviewer != VOTES}
    votes = {reviewer: vote for reviewer, vote in last.items() if vote}
    return Tally(votes, majority(votes), bool(stack) and stack[-1].reviewer == VOTES)


def majority(votes: Mapping[str, str]) -> str:
    """What more than half of at least two say, else empty."""
    said = list(votes.values())
    first = max(said, key=said.count, default="")
    return first if len(said) > 1 and 2 * said.count(first) > len(said) else ""


def settlements(stacks: Mapping[str, Sequence[Override]], label_of: Mapping[str, str], digest_of: Mapping[str, str],
                set_ties_aside: bool = True) -> list[Override]:
    """Rows for the journal: the majority's verdict on every picture that several people judged and that is not settled; without a majority the
    picture is dropped with the note `SET_ASIDE`, or left open."""
    rows = []
    for path, told in tallies(stacks, label_of).items():
        if len(told.votes) < 2 or told.settled or not (told.verdict or set_ties_aside):
            continue
        said = list(told.votes.values())
        note = f"{said.count(told.verdict)} of {len(said)} votes" if told.verdict else SET_ASIDE
        label = told.verdict.removeprefix(LABEL) if told.verdict.startswith(LABEL) else ""
        rows.append(Override(path, digest_of[path], told.verdict not in ("", DROP), label, note, VOTES))
    return rows


def pair_agreements(votes: Sequence[Mapping[str, str]]) -> list[PairAgreement]:
    """``votes``: per picture reviewer → vote. Every two reviewers who judged a picture in common, in the order of their names."""
    found = []
    for first, second in combinations(sorted({name for one in votes for name in one}), 2):
        both = [(one[first], one[second]) for one in votes if first in one and second in one]
        if both:
            same = sum(a == b for a, b in both)
            known = len({vote for pair in both for vote in pair}) > 1
            kappa = float(cohen_kappa_score(*map(list, zip(*both, strict=True)))) if known else float("nan")
            found.append(PairAgreement(first, second, len(both), same, kappa))
    return found


def group_agreements(votes: Sequence[Mapping[str, str]]) -> list[GroupAgreement]:
    """Fleiss' kappa needs as many judges for every picture: one for each number of judges from two on, most judges first."""
    found = []
    for judges in sorted({len(one) for one in votes if len(one) > 1}, reverse=True):
        own = [list(one.values()) for one in votes if len(one) == judges]
        categories = sorted({vote for said in own for vote in said})
        counts = np.array([[said.count(category) for category in categories] for said in own])
        found.append(GroupAgreement(judges, len(own), fleiss_kappa(counts)))
    return found


def fleiss_kappa(counts: np.ndarray) -> float:
    """(n pictures, n categories) counts with equal row sums of at least 2 → kappa; NaN where one category has all votes."""
    n, judges = len(counts), counts[0].sum()
    alike = ((counts**2).sum(1) - judges) / (judges * (judges - 1))  # (n,): share of pairs of judges that agree
    chance = ((counts.sum(0) / (n * judges)) ** 2).sum()
    return float((alike.mean() - chance) / (1 - chance)) if chance < 1 else float("nan")
