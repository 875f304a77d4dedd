"""Drift as it is used, day after day on two simulated years: false alarms, and shifts found."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_drift import moved, planted, with_contract

from optiq.learn.drift import NAMES, TREND_SESSIONS, Reference
from optiq.learn.drift_days import FIELDS
from optiq.learn.drift_sample import CONTRACT_NAMES, DaySample, sample
from optiq.learn.drift_scores import scores_in
from optiq.learn.scorer.fit import FitSettings
from optiq.learn.scorer.model import Question, trained
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.trade.orders import ExitRule

ORDINARY, SHIFTS = 200, 40
LONGEST = 100


def share(count: int) -> str:
    return f"{count / ORDINARY:.3f}"


def half_shifted(days: list[DaySample], learnt: list[DaySample], name: str) -> list[DaySample]:
    column = CONTRACT_NAMES.index(name)
    unit = np.nanstd(np.concatenate([day.contract[:, column] for day in learnt]))
    return [with_contract(day, column, 0.5 * float(unit)) for day in days]


@pytest.fixture(scope="module")
def years(tmp_path_factory) -> list[tuple[Panel, Context]]:
    """Two years in which no expiry day and no closing time moved."""
    store = Store(tmp_path_factory.mktemp("years"))
    n_days = LONGEST + TREND_SESSIONS + ORDINARY
    simulation = Simulation(days=n_days, seed=21, start=dt.date(2022, 1, 3), row_seconds=300.0)
    store_simulation(simulation, store)
    return [
        (store.read_panel("NIFTY", day.date, FIELDS), store.context("NIFTY", day.date))
        for day in store.days("NIFTY")
    ]


@pytest.fixture(scope="module")
def found(years) -> list[DaySample]:
    return [sample(panel, context) for panel, context in years]


@pytest.mark.study
@pytest.mark.parametrize("n_trained", [60, LONGEST])
def test_false_alarms_and_shifts_found_feature_by_feature(found, write_study, n_trained):
    """Each ordinary day beside the sessions before it, as the command compares."""
    alarms: Counter[str] = Counter()
    lately: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    places = range(LONGEST, LONGEST + ORDINARY)
    shifted_at = set(places[:: ORDINARY // SHIFTS])
    for place in places:
        learnt, after = found[place - n_trained : place], found[place : place + TREND_SESSIONS]
        usual = Reference(learnt)
        said = usual.compare(after)
        alarms.update(m.feature for m in said if m.is_alarm)
        lately.update(m.feature for m in said if m.is_trend)
        if place in shifted_at:
            seen.update(
                n for n in CONTRACT_NAMES if n in moved(usual, *half_shifted(after, learnt, n))
            )
    shares = {name: f"{seen[name] / len(shifted_at):.3f}" for name in CONTRACT_NAMES}
    others = [name for name in NAMES if name not in CONTRACT_NAMES]
    rows = [
        (
            name,
            *(f"{count[name] / ORDINARY:.3f}" for count in (alarms, lately)),
            shares.get(name, ""),
        )
        for name in (*CONTRACT_NAMES, *others)
    ]
    rate = sum(alarms.values()) / (ORDINARY * len(NAMES))
    late = sum(lately.values()) / (ORDINARY * len(NAMES))
    write_study(
        f"drift-{n_trained}-sessions",
        f"{ORDINARY} ordinary simulated days, each twenty sessions after the {n_trained} it is "
        f"compared with: {rate:.4f} false alarms a feature and day, and {late:.4f} of the last "
        "twenty sessions together. A shift of half a standard deviation of the rows over 20 "
        f"sessions, {len(shifted_at)} times a feature of the contract; features of the market and "
        "levels were not shifted, as their sessions differ by more than that among themselves.",
        ["feature", "false alarms a day", "false alarms lately", "shifts found"],
        rows,
    )
    assert rate <= 0.02
    missed = [name for name, share in shares.items() if float(share) < 0.99]
    loud = [row[0] for row in rows if float(row[1]) > 0.02 or float(row[2]) > 0.02]
    if missed or loud:
        pytest.xfail(f"not every feature: shifts missed of {missed}, alarms above 0.02 of {loud}")


@pytest.mark.study
def test_false_alarms_and_shifts_found_in_scores(years, write_study):
    """A scorer of the first sessions; from the day it serves, each day as the command compares."""
    examples = [planted(years[:30], 0), planted(years[30:40], 1)]
    settings = FitSettings(max_rounds=40, num_leaves=7)
    model = trained(Question("any", ExitRule(0.15, 0.10), ("NIFTY",)), *examples, settings)[0]
    unseen = [sample(panel, context, model.score) for panel, context in years[40:]]
    rows = []
    for usual in (20, 40, 80):
        scores = [
            Reference(unseen[place : place + usual], scores_in, ("score",))
            for place in range(0, len(unseen) - usual - TREND_SESSIONS, 2)
        ]
        alarms = lately = up = down = 0
        for place, reference in zip(range(0, 2 * len(scores), 2), scores, strict=True):
            after = unseen[place + usual : place + usual + TREND_SESSIONS]
            (said,) = reference.compare(after)
            alarms, lately = alarms + said.is_alarm, lately + said.is_trend
            unit = np.nanstd(np.concatenate([d.score for d in unseen[place : place + usual]]))
            higher = [replace(day, score=day.score + unit / 2) for day in after]
            lower = [replace(day, score=day.score - unit / 2) for day in after]
            up += bool(moved(reference, *higher))
            down += bool(moved(reference, *lower))
        n = len(scores)
        rows.append((usual, n, *(f"{count / n:.3f}" for count in (alarms, lately, up, down))))
    write_study(
        "drift-scores",
        "Scores of ordinary simulated days, each twenty sessions after those they are compared "
        "with, none of which the scorer had seen; and the same days with every score half a "
        "standard deviation higher or lower for 20 sessions.",
        ["sessions", "days", "false alarms a day", "lately", "found higher", "found lower"],
        rows,
    )
    loud = [row[0] for row in rows if float(row[2]) > 0.02 or float(row[3]) > 0.02]
    missed = [row[0] for row in rows if min(map(float, row[4:])) < 0.99]
    if missed or loud:
        pytest.xfail(f"alarms above 0.02 with {loud} sessions, shifts missed with {missed}")
