"""Checks that a scorer was not flattered: each tries to make a leak show itself.

| check | what it does | fails when |
|---|---|---|
| truncation | features and scores of a day cut at t against the whole day | any bit differs |
| permuted labels | labels shuffled within each session, fitted and tested anew | ranks them |
| planted future | looks for a column ``zz_future``, and at the features so | misses it, finds one |
| fit scope | rows to test on changed a million-fold, fitted anew | any byte of a model differs |
| duplicates | rows to test on that are also learnt from | there is one |
| warm-up | older days put before a day | any score differs |
| shifted | features of the row before and the row after | those fit better |
| random walk | a market without an edge, through labels, fits and figures | its best earns |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from optiq.errors import EvidenceError
from optiq.learn.audit import Found
from optiq.learn.dataset import Dataset, Recipe, dataset
from optiq.learn.scorer.audit_days import random_walk, shifted, warm_up, within_sessions
from optiq.learn.scorer.fit import NAMES, Examples, FitSettings, fit
from optiq.learn.scorer.model import Question, ScorerModel
from optiq.learn.scorer.recipe import recipe_of
from optiq.learn.scorer.serving import features_of, scorer_of
from optiq.learn.scorer.training import Plan, folds_of, importance, train
from optiq.learn.splits import Fold
from optiq.learn.version_folder import Stored
from optiq.market.context import Context
from optiq.market.manifest import DayManifest
from optiq.market.panel import Panel
from optiq.market.schema import PRICES, AnyArray, BoolArray, IntArray
from optiq.market.store import Store
from optiq.run.prefix import Checked, check, of_contracts, of_the_market, scores_of

PLANT = "zz_future"
MOST_ROWS = 20_000
CUT_DAYS, CUTS_A_DAY = 10, 20
PLACEBOS = 20
FEW_ROUNDS = 40
TOO_GOOD = 0.75
"""No single feature ranks outcomes of a session this well: one that does has seen them."""
TOO_HEAVY, RANKS_AT_ALL = 0.5, 0.6
"""Nor carries one over half of a model, if it ranks at all: a tiny model has few features."""
ENOUGH_SESSIONS = 10
"""On fewer, one path can make any feature look like the future."""
A_MILLION = np.float32(1e6)


Look = Callable[[Panel, Context, IntArray, IntArray], AnyArray]


@dataclass(frozen=True)
class Subject:
    """A scorer and the labelled sessions it has learnt from; ``look`` is what it sees of cells."""

    model: ScorerModel
    recipe: Recipe
    data: Dataset
    store: Store
    days: tuple[DayManifest, ...]
    seed: int = 0
    look: Look = features_of

    @cached_property
    def folds(self) -> list[Fold]:
        """The folds that measure such sessions."""
        return folds_of(self.data)[0]

    @property
    def settings(self) -> FitSettings:
        """Of short fits: the checks ask what a fit has seen, not how good it is."""
        return FitSettings(max_rounds=FEW_ROUNDS, patience=10, seed=self.seed)


def subject(store: Store, stored: Stored, seed: int) -> Subject:
    """Return what the checks ask: the model, and the rows of the sessions it has seen."""
    card, model = stored.card, ScorerModel.from_files(stored.files)
    recipe = recipe_of(card)
    first, last = card["sessions"]["first"], card["seen_until"]
    days = [
        day
        for name in card["underlyings"]
        for day in store.days(name)
        if first <= str(day.date) <= last
    ]
    data = dataset(store, days, recipe, most_rows=MOST_ROWS) if days else None
    if data is None or not len(data):
        raise EvidenceError(
            f"the sessions that scorer {stored.version} learnt from are not in {store.root}",
            "give the store it was trained on",
        )
    return Subject(model, recipe, data, store, tuple(days), seed)


def truncation(asked: Subject) -> Found:
    """Cut some days at many moments: features and scores must be those of the whole day."""
    scorer = scorer_of(asked.model)
    subjects = [of_the_market(), of_contracts(), scores_of("it", scorer, asked.recipe.strategy)]
    cuts = statements = 0
    for day in _spread(asked.days, CUT_DAYS):
        panel = asked.store.read_panel(day.underlying, day.date, PRICES)
        context = asked.store.context(day.underlying, day.date)
        for one in check(subjects, panel.chain_only, context, CUTS_A_DAY, asked.seed):
            cuts, statements = cuts + one.cuts, statements + one.statements
            if one.mismatch is not None:
                return False, f"{day.date}: {one.mismatch}", _cut(one, cuts)
    numbers = {"cuts": cuts, "statements": statements, "differences": 0}
    return True, f"0 of {statements:,} statements differ over {cuts} cuts", numbers


def permuted(asked: Subject) -> Found:
    """Fit on labels shuffled within sessions: nothing may be ranked, session by session."""
    rng, data = np.random.default_rng(asked.seed), asked.data
    fold = asked.folds[-1]
    real = _ranked(asked, data.won, fold)
    placebo = []
    for _ in range(PLACEBOS):
        value = _ranked(asked, _shuffled(data.won, data.session, data.underlying, rng), fold)
        if not np.isnan(value):
            placebo.append(value)
    if not placebo:
        return False, "no session has both winners and losers", {}
    mean, error = float(np.mean(placebo)), float(np.std(placebo) / np.sqrt(len(placebo)))
    allowed = max(0.01, 3 * error)
    p = (1 + sum(value >= real for value in placebo)) / (1 + len(placebo))
    numbers = {"placebos": len(placebo), "mean": mean, "allowed": allowed, "p_of_real": p}
    says = (
        f"{len(placebo)} fits on shuffled labels rank them at {mean:.3f} on average "
        f"(0.500 is none, +-{allowed:.3f} allowed); the real labels' p is {p:.2f}"
    )
    return abs(mean - 0.5) <= allowed, says, numbers


def planted(asked: Subject) -> Found:
    """Find a column made of the outcomes by its name, and none of the features."""
    data = asked.data
    outcome = data.net_pnl.astype(np.float32)
    columns = dict(zip(NAMES, data.features.T, strict=True))
    found = suspects({**columns, PLANT: outcome}, data, _weights(asked, columns, outcome))
    named = [name for name in found if name != PLANT]
    serving = suspects(columns, data, importance(asked.model, data.features))
    leaks = list(dict.fromkeys([*named, *serving]))
    many = len(np.unique(data.session)) >= ENOUGH_SESSIONS
    numbers = {"found_planted": PLANT in found, "suspects": ", ".join(leaks)}
    if PLANT not in found:
        return False, f"the planted {PLANT} was not found", numbers
    if leaks and many:
        return False, f"{', '.join(leaks)} know the outcome, as {PLANT} does", numbers
    doubt = f"; {', '.join(leaks)} fit these few sessions as well" if leaks else ""
    return True, f"{PLANT} was found by name, no feature was{doubt}", numbers


def fit_scope(asked: Subject) -> Found:
    """Change the rows to test on a million-fold: every byte that was fitted must stay."""
    data, last = asked.data, asked.folds[-1].test
    plan = Plan(fit=asked.settings, lockbox=0, seed=asked.seed)
    question = asked.model.question
    before = _fitted(train(data, question, plan).folds, question)
    after = _fitted(train(_changed(data, last), question, plan).folds, question)
    differ = sum(one != other for one, other in zip(before, after, strict=True))
    numbers = {"fits": len(before), "rows_changed": len(last), "differ": differ}
    words = f"{differ} of {len(before)} fits differ when {len(last):,} rows to test on change"
    return differ == 0, f"{words} a million-fold", numbers


def duplicates(asked: Subject) -> Found:
    """Count rows to test on whose features are, to the bit, those of a row learnt from."""
    features, both = asked.data.features, 0
    for fold in asked.folds:
        learnt = np.concatenate([fold.train, fold.calibrate])
        both += len(set(_keys(features[learnt])) & set(_keys(features[fold.test])))
    tested = sum(len(fold.test) for fold in asked.folds)
    says = f"{both} of {tested:,} tested rows are also learnt from"
    return both == 0, says, {"duplicates": both, "tested": tested}


CHECKS = (
    ("truncation", truncation),
    ("permuted labels", permuted),
    ("planted future", planted),
    ("fit scope", fit_scope),
    ("duplicates", duplicates),
    ("warm-up", warm_up),
    ("shifted", shifted),
    ("random walk", random_walk),
)


def suspects(
    columns: Mapping[str, AnyArray], data: Dataset, weights: Mapping[str, float]
) -> list[str]:
    """Return the columns that know the outcome: they rank it too well, or carry a model alone."""
    names = []
    for name, values in columns.items():
        ranks = within_sessions(values, data.won, data.session)
        ranks = max(ranks, 1 - ranks)
        heavy = weights.get(name, 0.0) > TOO_HEAVY and ranks > RANKS_AT_ALL
        if ranks > TOO_GOOD or heavy:
            names.append(name)
    return names


def _ranked(asked: Subject, won: BoolArray, fold: Fold) -> float:
    """Return how well a fit on these labels ranks them where it is tested; NaN where it cannot."""
    data = asked.data
    if any(not 0 < won[rows].sum() < len(rows) for rows in (fold.train, fold.calibrate)):
        return float("nan")
    train_rows, calibrate_rows = (
        Examples(
            data.features[rows], won[rows], np.ones(len(rows)), len(np.unique(data.session[rows]))
        )
        for rows in (fold.train, fold.calibrate)
    )
    fitted = fit(train_rows, calibrate_rows, asked.settings)
    model = replace(asked.model, trees=fitted.text)
    margin = model.margin(data.features[fold.test])
    return within_sessions(margin, won[fold.test], data.session[fold.test])


def _shuffled(
    won: BoolArray, session: AnyArray, underlying: AnyArray, rng: np.random.Generator
) -> BoolArray:
    shuffled = won.copy()
    for name in np.unique(underlying):
        for day in np.unique(session):
            mine = np.flatnonzero((session == day) & (underlying == name))
            shuffled[mine] = won[rng.permutation(mine)]
    return shuffled


def _weights(
    asked: Subject, columns: Mapping[str, AnyArray], outcome: AnyArray
) -> Mapping[str, float]:
    """Return each column's share of a model that was given the plant as well."""
    import lightgbm

    names = [*columns, PLANT]
    features = np.column_stack([*columns.values(), outcome])
    params = asked.settings.to_lightgbm(1) | {"monotone_constraints": [0] * len(names)}
    rows = lightgbm.Dataset(features, asked.data.won, feature_name=names, params=params)
    gain = lightgbm.train(params, rows, FEW_ROUNDS).feature_importance("gain")
    return dict(zip(names, (gain / max(gain.sum(), 1e-300)).tolist(), strict=True))


def _fitted(folds: Any, question: Question) -> list[dict[str, bytes]]:
    return [replace(one.model, question=question).files() for one in folds]


def _changed(data: Dataset, rows: IntArray) -> Dataset:
    features, net_pnl, r = data.features.copy(), data.net_pnl.copy(), data.r.copy()
    features[rows] *= A_MILLION
    net_pnl[rows] *= -1e6
    r[rows] *= -1e6
    return replace(data, features=features, net_pnl=net_pnl, r=r)


def _keys(features: AnyArray) -> list[bytes]:
    whole = np.ascontiguousarray(np.where(np.isnan(features), np.float32("nan"), features))
    return [row.tobytes() for row in whole]


def _spread(days: tuple[DayManifest, ...], most: int) -> list[DayManifest]:
    picked = np.unique(np.linspace(0, len(days) - 1, min(most, len(days))).round().astype(int))
    return [days[int(at)] for at in picked]


def _cut(one: Checked, cuts: int) -> dict[str, Any]:
    return {"cuts": cuts, "statements": one.statements, "differences": 1}
