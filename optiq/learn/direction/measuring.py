"""Train the direction model, measure it beside what it must beat, and say which of them serves.

The transformer serves only if its log loss beats LightGBM's with a lower bound above zero; the
better of the two serves only if its log loss beats the prior with a lower bound above zero, and if
it knows the side: a model that only knows how far the market will move says nothing that
`quantum_edge` could trade. Otherwise none serves, and the card says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.learn.direction.figures import (
    KNOWS_SIDE,
    SAVED,
    Said,
    figures_of,
    is_above_zero,
    named,
)
from optiq.learn.direction.forecasters import LOGISTIC, PRIOR, TRANSFORMER, TREES
from optiq.learn.direction.labels import BUY, SELL, LabelRule
from optiq.learn.direction.model import DirectionModel
from optiq.learn.direction.sample import Sample, folds_of
from optiq.learn.direction.trial import Fit, Trial, run_trial
from optiq.learn.measured import Evidence, Measured, pooled
from optiq.learn.revision import code_revision
from optiq.learn.splits import Fold, final_fold, fitted_until
from optiq.learn.version_folder import files_sha256
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, FloatArray, IntArray
from optiq.run.backtest import Settings, backtest_day
from optiq.trade.strategies import built_in

ORDER = (PRIOR, LOGISTIC, TREES, TRANSFORMER)
DayOf = Callable[[dt.date], tuple[Panel, Context]]
"""Reads a session and what the days before it say."""


@dataclass(frozen=True)
class Measurement:
    """What the folds said: figures by model, which would serve, and why."""

    figures: Mapping[str, list[Measured]]
    serves: str | None
    reasons: tuple[str, ...]
    how: str
    daily: Mapping[str, Mapping[str, float]]


def measure(
    sample: Sample,
    rule: LabelRule,
    fit: Fit | None,
    day_of: DayOf | None,
    n_folds: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Measurement:
    """Fit and test every model fold by fold; ``day_of`` lets `quantum_edge` trade them as well."""
    folds, how = folds_of(sample, n_folds)
    parts: dict[str, list[tuple[Said, Evidence]]] = {}
    for number, fold in enumerate(folds):
        trial = run_trial(sample, fold, rule, fit)
        for name, model in trial.models.items():
            said = tested(sample, trial, model, day_of)
            evidence = evidence_of(sample, fold, model, f"fold {number + 1}: {how}")
            parts.setdefault(name, []).append((said, evidence))
        advance(1)
    pooled_said = {name: whole([part for part, _ in found]) for name, found in parts.items()}
    figures = {
        name: figures_of(
            pooled_said[name],
            pooled([evidence for _, evidence in parts[name]], how),
            {other: pooled_said[other] for other in _compared(name) if other in pooled_said},
        )
        for name in ORDER
        if name in pooled_said
    }
    serves, reasons = choice(figures)
    return Measurement(figures, serves, reasons, how, _daily(sample, folds, pooled_said))


def _compared(name: str) -> tuple[str, ...]:
    return () if name == PRIOR else (PRIOR, TREES) if name == TRANSFORMER else (PRIOR,)


def _daily(
    sample: Sample, folds: Sequence[Fold], said: Mapping[str, Said]
) -> dict[str, dict[str, float]]:
    dates = [str(day) for fold in folds for day in np.unique(sample.session[fold.test])]
    return {
        name: {
            date: float(net)
            for date, net in zip(dates, one.profit.tolist(), strict=True)
            if net == net
        }
        for name, one in said.items()
    }


def choice(figures: Mapping[str, list[Measured]]) -> tuple[str | None, tuple[str, ...]]:
    """Return which model may serve, None for none, and the reasons in words."""
    beats = TRANSFORMER in figures and is_above_zero(
        named(figures[TRANSFORMER], SAVED.format(TREES))
    )
    better = TRANSFORMER if beats else TREES
    reasons = []
    if TRANSFORMER in figures:
        reasons.append(
            f"the transformer's log loss {'beats' if beats else 'is not shown to beat'} LightGBM's"
        )
    if not is_above_zero(named(figures[better], SAVED.format(PRIOR))):
        reasons.append(f"the log loss of {better} is not shown to beat the prior's: none serves")
        return None, tuple(reasons)
    if not is_above_zero(named(figures[better], KNOWS_SIDE)):
        reasons.append(f"{better} is not shown to know the side, only how far: none serves")
        return None, tuple(reasons)
    return better, (*reasons, f"{better} is the candidate")


def tested(sample: Sample, trial: Trial, model: DirectionModel, day_of: DayOf | None) -> Said:
    """Return what a model says of its test windows, through the code that serves."""
    labels: list[IntArray] = []
    probabilities: list[FloatArray] = []
    sessions: list[IntArray] = []
    profit = []
    for number, (day, rows, label) in enumerate(sample.by_day(trial.fold.test)):
        whole_day = model.of_day(day.seen)
        probabilities.append(whole_day[rows])
        labels.append(label)
        sessions.append(np.full(len(rows), number))
        traded = day_of is not None and model.forecaster.name != PRIOR
        profit.append(
            traded_net(*day_of(day.session), model, whole_day) if traded and day_of else np.nan
        )
    prior = np.bincount(sample.label[trial.fold.train], minlength=3) + 1.0
    n = len(trial.fold.test)
    return Said(
        np.concatenate(sessions),
        np.concatenate(labels),
        np.concatenate(probabilities),
        np.array(profit),
        np.repeat(prior[None, [SELL, BUY]], n, axis=0),
    )


def traded_net(panel: Panel, context: Context, model: DirectionModel, said: FloatArray) -> float:
    """Return the rupees a session of `quantum_edge` brings, net, with the walk's defaults."""
    seen = replace(context, direction=said, direction_threshold=model.acts_from)
    day = backtest_day(panel, seen, [built_in("quantum_edge")], Settings(), compare_instant=False)
    return day.net_paise / 100.0


def whole(parts: Sequence[Said]) -> Said:
    """Return what was said in several folds as one."""
    starts = np.cumsum([0, *(len(part.profit) for part in parts[:-1])])
    return Said(
        np.concatenate([part.session + start for part, start in zip(parts, starts, strict=True)]),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("label", "probabilities", "profit", "sides")
        ),
    )


def evidence_of(sample: Sample, fold: Fold, model: DirectionModel, split: str) -> Evidence:
    """Return where the figures of a fold come from."""
    sessions: AnyArray = np.unique(sample.session[fold.test])
    return Evidence(
        split=split,
        rows=len(fold.test),
        sessions=len(sessions),
        first=sessions[0].item(),
        last=sessions[-1].item(),
        fitted_until=fitted_until(fold, sample.end),
        tested_from=np.datetime64(sample.ts[fold.test].min()),
        data_sha256=sample.sha256,
        model_sha256=files_sha256(model.files()),
        code=code_revision(),
    )


def final_models(sample: Sample, rule: LabelRule, fit: Fit | None) -> Mapping[str, DirectionModel]:
    """Return the models that are stored: fitted on all sessions, the last fifth to calibrate."""
    fold = final_fold(sample.session, sample.end, sample.ts)
    return run_trial(sample, fold, rule, fit).models


def card_of(
    sample: Sample,
    rule: LabelRule,
    measured: Measurement,
    settings: Mapping[str, Any],
    underlying: str,
) -> dict[str, Any]:
    """Return the card of a version."""
    from optiq.learn.direction.windows import NAMES
    from optiq.learn.registry import features_hash

    best = measured.serves or (TRANSFORMER if TRANSFORMER in measured.figures else TREES)
    sessions = [day.session for day in sample.days]
    return {
        "underlyings": [underlying],
        "sessions": {
            "first": sessions[0].isoformat(),
            "last": sessions[-1].isoformat(),
            "n": len(sessions),
        },
        "seen_until": sessions[-1].isoformat(),
        "features": list(NAMES),
        "features_hash": features_hash(NAMES),
        "label": rule.words,
        "settings": dict(settings),
        "splits": measured.how,
        "rows": {"windows": len(sample.label), "unlabelled": sample.unlabelled()},
        "serves": measured.serves,
        "reasons": list(measured.reasons),
        "figures": [figure.to_json() for figure in measured.figures[best]],
        "figures_of": best,
        "baselines": {
            name: [figure.to_json() for figure in found]
            for name, found in measured.figures.items()
            if name != best
        },
        "limits": [
            "figures are of walk-forward folds; the stored model was fitted on all sessions after",
            "one underlying; trained on recorded snapshots, not on ticks",
        ],
        "intended_use": "research and paper trading through quantum_edge",
        "hashes": {"data": sample.sha256, "code": code_revision()},
    }
