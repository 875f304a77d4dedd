"""Fit gradient-boosted trees so that the same input gives the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.errors import InputError
from optiq.market.feature_table import FEATURES
from optiq.market.schema import AnyArray, BoolArray, FloatArray

if TYPE_CHECKING:
    from lightgbm import Booster

NAMES = tuple(feature.name for feature in FEATURES)
_OURS = ("leaf_sessions", "max_rounds", "patience")
"""Settings that LightGBM does not know."""

ROWS_A_THREAD = 15_000
MOST_LEAVES = 16
FALLING = ("relative_spread",)
"""Features that can only lower a chance: a wider book never pays."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How the trees are grown.

    A leaf holds at least ``min_data_in_leaf`` rows and, where rows are of several sessions, those
    of ``leaf_sessions`` (or a sixteenth of all): rows of a session share its path, and a smaller
    leaf learns sessions by heart. ``max_rounds`` trees at most; growing stops once the log loss of
    the calibration rows has not fallen for ``patience`` trees, and the trees after its lowest are
    dropped.
    """

    num_leaves: int = 15
    learning_rate: float = 0.03
    min_data_in_leaf: int = 300
    leaf_sessions: int = 20
    lambda_l2: float = 5.0
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.7
    max_rounds: int = 600
    patience: int = 50
    seed: int = 0

    def to_lightgbm(self, threads: int) -> dict[str, Any]:
        """Return them in LightGBM's words; equal input then gives equal trees on any threads."""
        own = {n: v for n, v in asdict(self).items() if n not in _OURS}
        return own | {
            "objective": "binary",
            "metric": "binary_logloss",
            "bagging_freq": 1,
            "deterministic": True,
            "force_row_wise": True,
            "monotone_constraints": [-1 if name in FALLING else 0 for name in NAMES],
            "num_threads": threads,
            "verbose": -1,
        }


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows to learn from.

    ``features`` (n, 34) float32 in the order of the feature table, NaN where unknown; ``won``
    (n,) whether the trade made money after charges; ``weight`` (n,) above 0; ``n_sessions`` how
    many sessions the rows are of.
    """

    features: AnyArray
    won: BoolArray
    weight: FloatArray
    n_sessions: int = 1

    def __len__(self) -> int:
        return len(self.won)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Grown trees as LightGBM's own text, and the calibration rows' log loss at the end."""

    text: str
    trees: int
    log_loss: float


def fit(
    train: Examples,
    calibrate: Examples,
    settings: FitSettings | None = None,
    *,
    threads: int | None = None,
    on_tree: Callable[[], None] | None = None,
) -> Fitted:
    """Grow trees on ``train`` until ``calibrate`` gets no better.

    ``threads`` changes nothing but the time. `InputError` where ``train`` has only winners or only
    losers, or ``calibrate`` no rows: nothing could be learnt.
    """
    import lightgbm

    settings = settings or FitSettings()
    _require_both(train.won)
    if not len(calibrate):
        raise InputError("no rows to calibrate on", "take more sessions")
    settings = replace(settings, min_data_in_leaf=leaf_size(settings, train))
    params = settings.to_lightgbm(threads or threads_for(len(train)))
    grown = lightgbm.Dataset(
        train.features, train.won, weight=train.weight, feature_name=list(NAMES), params=params
    )
    judged = grown.create_valid(calibrate.features, calibrate.won)
    evals: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        params,
        grown,
        settings.max_rounds,
        valid_sets=[judged],
        callbacks=[
            lightgbm.early_stopping(settings.patience, verbose=False),
            lightgbm.record_evaluation(evals),
            *([] if on_tree is None else [lambda _: on_tree()]),
        ],
    )
    losses = evals["valid_0"]["binary_logloss"]
    trees = booster.best_iteration
    return Fitted(plain_text(booster, trees), trees, float(losses[trees - 1]))


def threads_for(n_rows: int) -> int:
    """Return how many threads are worth waiting for each other."""
    return max(1, min(os.cpu_count() or 1, n_rows // ROWS_A_THREAD))


def plain_text(booster: Booster, trees: int | None = None) -> str:
    """Return the trees alone: what follows them in LightGBM's text names threads and paths."""
    text: str = booster.model_to_string(num_iteration=trees)
    end = text.find("\nparameters:")
    return text if end < 0 else text[: end + 1]


def booster_of(text: str) -> Booster:
    """Return the trees of a text that a manifest has vouched for.

    LightGBM aborts the whole process on some damaged texts: never call this before the hash was
    checked.
    """
    import lightgbm

    return lightgbm.Booster(model_str=text)


def leaf_size(settings: FitSettings, train: Examples) -> int:
    """Return the least rows of a leaf; of few rows a fiftieth will do."""
    n_rows, of_sessions = len(train), 0
    if train.n_sessions > 1:
        wanted = settings.leaf_sessions * n_rows // train.n_sessions
        of_sessions = min(wanted, n_rows // MOST_LEAVES)
    few = max(20, n_rows // 50)
    return max(of_sessions, min(settings.min_data_in_leaf, few))


def _require_both(won: BoolArray) -> None:
    if not len(won) or won.all() or not won.any():
        what = f"{int(np.count_nonzero(won))} of {len(won)} rows"
        raise InputError(f"{what} to train on made money: nothing to learn", "take more sessions")
