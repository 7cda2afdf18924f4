"""Class imbalance, inside training folds only: undersampling, SMOTE, class weights.

Source A evened two majority classes of 6,200 pictures down to the mean of the others (row A3); SMOTE is Chawla et al. 2002, by
imbalanced-learn. All of it changes what is learned from, never what is scored.
"""

import numpy as np

BALANCES = ("none", "undersample", "smote", "class-weight")
MAJORITY = 3.0  # times the mean of the other classes: from here on a class is a majority
SMOTE_NEIGHBOURS = 5


def undersampled_rows(codes: np.ndarray, seed: int) -> np.ndarray:
    """Sorted positions that stay when every majority class is cut to the mean of the other classes.

    Majority classes are found largest first, each against the mean of all smaller ones.
    """
    counts = np.bincount(codes)
    targets = counts.copy()
    order = np.argsort(-counts, kind="stable")
    rest = [c for c in order if counts[c] > 0]
    majority = []
    while len(rest) > 1 and counts[rest[0]] > MAJORITY * counts[rest[1:]].mean():
        majority.append(rest.pop(0))
    for c in majority:
        targets[c] = round(counts[rest].mean())
    rng = np.random.default_rng(seed)
    kept = [rng.choice(np.flatnonzero(codes == c), targets[c], replace=False) for c in range(len(counts))]
    return np.sort(np.concatenate(kept))


def class_weights(codes: np.ndarray, power: float) -> np.ndarray:
    """(n,) weights (mean count / count of the own class) ** power: 0 = all equal, 1 = every class weighs the same."""
    counts = np.bincount(codes)
    return (counts[counts > 0].mean() / counts[codes]) ** power


def smote(X: np.ndarray, codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Made-up rows and their codes that, added, bring every class of at least two rows up to the largest.

    A class of one row has no neighbour to interpolate with and stays as it is.
    """
    from imblearn.over_sampling import SMOTE  # a second to import, for one of four options

    counts = np.bincount(codes)
    able = np.flatnonzero(counts >= 2)
    rows = np.isin(codes, able)
    made_X, made_y = [], []
    for c in able:  # one class at a time, since imbalanced-learn wants one neighbour count for all
        wanted = {int(c): int(counts.max())}
        if counts[c] == counts.max():
            continue
        sampler = SMOTE(sampling_strategy=wanted, k_neighbors=min(SMOTE_NEIGHBOURS, int(counts[c]) - 1), random_state=seed)
        X_all, y_all = sampler.fit_resample(X[rows], codes[rows])
        made_X.append(X_all[rows.sum():])
        made_y.append(y_all[rows.sum():])
    if not made_X:
        return X[:0], codes[:0]
    return np.concatenate(made_X).astype(X.dtype), np.concatenate(made_y)
