"""From labelled rows to a candidate: split, fit, calibrate, measure out of sample, fit for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optiq.learn.dataset import Dataset
from optiq.learn.scorer.fit import NAMES, FitSettings, Fitted, threads_for
from optiq.learn.scorer.metrics import Scored
from optiq.learn.scorer.model import Question, ScorerModel, trained
from optiq.learn.splits import LOCKBOX_SESSIONS
from optiq.learn.validate import (
    Fold,
    final_fold,
    fitted_until,
    walk_forward,
    within_session,
)
from optiq.market.schema import AnyArray, FloatArray, IntArray, TimeArray

ENOUGH_FOR_A_LOCKBOX = 60
"""With fewer sessions none is locked away: what is left would teach too little."""

CHOICES: dict[str, tuple[float, ...]] = {
    "num_leaves": (7, 15, 31, 63),
    "learning_rate": (0.02, 0.03, 0.05, 0.08),
    "min_data_in_leaf": (100, 300, 1000),
    "lambda_l2": (1.0, 5.0, 20.0),
    "feature_fraction": (0.3, 0.5, 0.8),
    "bagging_fraction": (0.5, 0.7, 0.9),
}
"""What a random search draws from."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    ``trials`` settings are drawn beside ``fit``; in every fold the one with the least log loss on
    that fold's calibration rows is taken. ``lockbox`` is how many of the last sessions stay unseen
    where there are at least sixty.
    """

    fit: FitSettings = field(default_factory=FitSettings)
    trials: int = 0
    lockbox: int = LOCKBOX_SESSIONS
    seed: int = 0

    def settings(self) -> list[FitSettings]:
        """Return the settings to try, the given first; the same for the same seed."""
        rng = np.random.default_rng(self.seed)
        given = replace(self.fit, seed=self.seed)
        return [given, *(_drawn(given, rng) for _ in range(self.trials))]


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit: in which fold (None for the last, which serves), of what, how it went."""

    fold: int | None
    settings: FitSettings
    fitted: Fitted


@dataclass(frozen=True)
class FoldResult:
    """One fold's test rows, scored by a model that has not seen them."""

    fold: Fold
    model: ScorerModel
    fitted_until: np.datetime64
    base: float
    chance: FloatArray
    margin: FloatArray


@dataclass(frozen=True)
class Result:
    """A trained scorer and what its folds said; ``data`` is without the lockbox."""

    model: ScorerModel
    fitted: Fitted
    last: Fold
    fits: tuple[Fit, ...]
    folds: tuple[FoldResult, ...]
    data: Dataset
    locked: TimeArray
    split: str


Watch = Callable[[Fit], None]


def train(whole: Dataset, question: Question, plan: Plan, watch: Watch = lambda _: None) -> Result:
    """Train a scorer; ``watch`` is told of each fit."""
    data, locked = without_lockbox(whole, plan.lockbox)
    folds, split = folds_of(data)
    fits: list[Fit] = []

    def noted(fit: Fit) -> None:
        fits.append(fit)
        watch(fit)

    results = tuple(
        _tested(data, fold, *_best(data, fold, question, plan, number, noted))
        for number, fold in enumerate(folds)
    )
    last = last_fold(data)
    model, fitted = _best(data, last, question, plan, None, noted)
    return Result(model, fitted, last, tuple(fits), results, data, locked, split)


def n_fits(n_sessions: int, plan: Plan) -> int:
    """Return how many fits training takes, for a progress bar."""
    learnt = n_sessions - plan.lockbox * (n_sessions >= ENOUGH_FOR_A_LOCKBOX)
    return (1 + plan.trials) * (1 + _n_folds(learnt))


def without_lockbox(data: Dataset, n_sessions: int) -> tuple[Dataset, TimeArray]:
    """Return the rows to learn from, and the last sessions, which stay unseen."""
    sessions: TimeArray = np.unique(data.session)
    if len(sessions) < ENOUGH_FOR_A_LOCKBOX or n_sessions == 0:
        return data, sessions[:0]
    locked = sessions[-n_sessions:]
    return data.take(data.session < locked[0]), locked


def folds_of(data: Dataset) -> tuple[list[Fold], str]:
    """Return the folds that measure, and in words how they were made."""
    n_sessions = len(np.unique(data.session))
    if n_sessions <= 2:
        fold = within_session(data.ts, data.label_end)
        return [fold], "inside the session by time, purged by label end"
    embargo, n_folds = int(n_sessions > 3), _n_folds(n_sessions)
    folds = walk_forward(
        data.session, data.label_end, data.ts, n_folds=n_folds, embargo_sessions=embargo
    )
    words = f"walk-forward by session, {n_folds} folds, purged by label end, embargo {embargo}"
    return folds, words


def last_fold(data: Dataset) -> Fold:
    """Return the split of the model that is to serve: it tests on nothing."""
    if len(np.unique(data.session)) >= 2:
        return final_fold(data.session, data.label_end, data.ts)
    day = within_session(data.ts, data.label_end, test_share=0.2)
    return Fold(np.concatenate([day.train, day.calibrate]), day.test, day.test[:0])


def tested_rows(result: Result) -> IntArray:
    """Return the numbers of the test rows of all folds."""
    return np.concatenate([one.fold.test for one in result.folds])


def scored(result: Result) -> Scored:
    """Return the test rows of all folds as one table, sessions numbered from 0."""
    rows = tested_rows(result)
    sessions, number = np.unique(result.data.session[rows], return_inverse=True)
    return Scored(
        chance=np.concatenate([one.chance for one in result.folds]),
        margin=np.concatenate([one.margin for one in result.folds]),
        won=result.data.won[rows],
        net_pnl=result.data.net_pnl[rows],
        base=np.concatenate([np.full(len(one.chance), one.base) for one in result.folds]),
        session=number,
        n_sessions=len(sessions),
    )


def importance(model: ScorerModel, features: AnyArray, most: int = 2_000) -> dict[str, float]:
    """Return each feature's share of what moves the scores: mean |SHAP| by LightGBM's own trees.

    Of evenly spaced rows, at most ``most``; the shares add up to 1, largest first.
    """
    step = -(-len(features) // most)
    said = model.booster.predict(features[::step], pred_contrib=True, num_threads=1)
    size = np.abs(np.asarray(said)[:, : len(NAMES)]).mean(axis=0)
    shares = size / max(float(size.sum()), 1e-300)
    return {NAMES[k]: float(shares[k]) for k in np.argsort(-shares, kind="stable")}


def _n_folds(n_sessions: int) -> int:
    """Return as many folds, up to four, as leave two sessions to learn from before the first."""
    return 1 if n_sessions <= 2 else max(1, min(4, n_sessions - 3))


def _best(
    data: Dataset, fold: Fold, question: Question, plan: Plan, number: int | None, watch: Watch
) -> tuple[ScorerModel, Fitted]:
    """Return the model whose settings did best on the fold's calibration rows."""
    train_rows, calibrate_rows = data.examples(fold.train), data.examples(fold.calibrate)
    found: list[tuple[ScorerModel, Fitted]] = []
    for settings in plan.settings():
        pair = trained(question, train_rows, calibrate_rows, settings)
        watch(Fit(number, settings, pair[1]))
        found.append(pair)
    return min(found, key=lambda pair: pair[1].log_loss)


def _tested(data: Dataset, fold: Fold, model: ScorerModel, _: Fitted) -> FoldResult:
    learnt = np.concatenate([fold.train, fold.calibrate])
    features = data.features[fold.test]
    margin = model.margin(features, threads_for(len(features)))
    return FoldResult(
        fold=fold,
        model=model,
        fitted_until=fitted_until(fold, data.label_end),
        base=float(data.won[learnt].mean()),
        chance=model.chance_of(margin, features),
        margin=margin,
    )


def _drawn(given: FitSettings, rng: np.random.Generator) -> FitSettings:
    drawn: dict[str, Any] = {}
    for name, values in CHOICES.items():
        drawn[name] = values[int(rng.integers(len(values)))]
    return replace(given, **drawn)
