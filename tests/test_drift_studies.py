"""Drift as it is used, evening after evening in several markets: false alarms, and shifts found.

The markets of `MARKETS` were looked at once, after everything was settled on markets of other
seeds; a change of method wants seeds that nobody has seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from test_drift import DAMAGES, moved, planted

from optiq.learn.drift.day import NAMES, Day
from optiq.learn.drift.days import FIELDS
from optiq.learn.drift.reference import LEAST_TREND, TREND_SESSIONS, Reference
from optiq.learn.drift.sample import (
    CONTRACT_NAMES,
    LEVEL_NAMES,
    MARKET_NAMES,
    DaySample,
    sample,
)
from optiq.learn.drift.scores import LEAST_UNSEEN, scores_in
from optiq.learn.scorer.fit import FitSettings
from optiq.learn.scorer.model import Question, ScorerModel, trained
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.trade.orders import ExitRule

MARKETS = (61, 62, 63, 64)
ORDINARY = 200
"""Days of each market that are judged, over less than a year."""
LONGEST = 200
RENEWED = 5
"""Sessions after which a reference is learnt anew."""
DAMAGED = 50
"""Sessions from one whose recording is damaged to the next."""
LEARNT = 40
"""Sessions that the scorer has seen."""
ALARMS, FOUND = 0.02, 0.99
SHIFTED = (*CONTRACT_NAMES, *MARKET_NAMES)
EXPLAINED, MOSTLY = (
    (
        "return_5m",
        "return_15m",
        "return_60m",
        "realised_vol_session",
        "realised_vol_30m",
        "atm_iv",
        "atm_iv_change_15m",
        "iv_minus_realised",
        "smile_curvature",
        "call_oi_flow_15m",
        "put_oi_flow_15m",
        "vwap_distance",
        "minutes_to_close",
    ),
    0.9,
)
"""The market's features of which the others say enough after `LONGEST` sessions, and how often.

A shift of the rest, drawn anew each session, is two standard errors, which nothing tells.
"""


@dataclass(frozen=True)
class Market:
    """Its sessions, and what the same sessions were as damaged recordings, by damage and place."""

    seed: int
    days: list[DaySample]
    damaged: dict[str, dict[int, DaySample]]


@pytest.fixture(scope="module")
def markets(tmp_path_factory) -> list[Market]:
    return [market(seed, tmp_path_factory.mktemp(f"market{seed}")) for seed in MARKETS]


def market(seed: int, root: Path) -> Market:
    """Return a market in years in which no expiry day and no closing time moved."""
    store = Store(root)
    n_days = LONGEST + ORDINARY + TREND_SESSIONS
    start = dt.date(2022, 1, 3)
    store_simulation(Simulation(days=n_days, seed=seed, start=start, row_seconds=300.0), store)
    first = list(recorded(store, 0, LEARNT))
    model = scorer_of_first(first)
    days, damaged = [], {damage: {} for damage in DAMAGES}
    for place, (panel, context) in enumerate(recorded(store, 0, n_days)):
        days.append(sample(panel, context, model.score))
        if place >= LONGEST and place % DAMAGED == 0:
            for damage, (spoil, _) in DAMAGES.items():
                damaged[damage][place] = sample(spoil(panel), context)
    return Market(seed, days, damaged)


def recorded(store: Store, begin: int, end: int) -> Iterator[tuple[Panel, Context]]:
    for day in store.days("NIFTY")[begin:end]:
        yield store.read_panel("NIFTY", day.date, FIELDS), store.context("NIFTY", day.date)


def scorer_of_first(days: Sequence[tuple[Panel, Context]]) -> ScorerModel:
    examples = [planted(list(days[:30]), 0), planted(list(days[30:]), 1)]
    settings = FitSettings(max_rounds=40, num_leaves=7)
    return trained(Question("any", ExitRule(0.15, 0.10), ("NIFTY",)), *examples, settings)[0]


def told(usual: Reference, recent: Sequence[Day]) -> BoolArray:
    """Return (n_features, 2): alarm of the day, and of the last sessions."""
    return np.array([(m.is_alarm, m.is_trend) for m in usual.judge(recent)])


def evenings(usual: Reference, days: list[DaySample], place: int) -> list[Day]:
    """Return the sessions of the `RENEWED` evenings from the twentieth on, in units."""
    return [usual.day(day) for day in days[place : place + TREND_SESSIONS + RENEWED - 1]]


def judged(
    days: list[DaySample], n_trained: int
) -> tuple[BoolArray, BoolArray, BoolArray, BoolArray]:
    """Return what is said of ordinary days, of young ones, and which shifts are found and first.

    (ORDINARY, n_features, 2), each day 20 to 24 sessions after those it is compared with;
    (ORDINARY / RENEWED, n_features, 2), each five sessions after; and twice (as many, n_shifted).
    """
    ordinary, young, found, first = [], [], [], []
    for place in range(LONGEST, LONGEST + ORDINARY, RENEWED):
        learnt = days[place - n_trained : place]
        usual = Reference(learnt)
        now = evenings(usual, days, place)
        ordinary += [told(usual, now[late:][:TREND_SESSIONS]) for late in range(RENEWED)]
        young.append(told(usual, now[:LEAST_TREND]))
        sign = 1 if place % 2 else -1
        shifted = [usual.day(d) for d in half_shifted(days[place:][:TREND_SESSIONS], learnt, sign)]
        named = [named_alone(usual, now, shifted, name) for name in SHIFTED]
        found.append([name in names for name, names in zip(SHIFTED, named, strict=True)])
        first.append([name in names[:1] for name, names in zip(SHIFTED, named, strict=True)])
    return np.array(ordinary), np.array(young), np.array(found), np.array(first)


def half_shifted(days: list[DaySample], learnt: list[DaySample], sign: int) -> list[DaySample]:
    """Return sessions whose features lie half a deviation of the training rows elsewhere."""
    contract, market = (
        sign * 0.5 * np.nanstd(np.concatenate([getattr(day, part) for day in learnt]), axis=0)
        for part in ("contract", "market")
    )
    return [
        replace(day, contract=day.contract + contract, market=day.market + market) for day in days
    ]


def named_alone(
    usual: Reference, ordinary: Sequence[Day], shifted: Sequence[Day], feature: str
) -> list[str]:
    """Return what moved, farthest first, where only one feature of the sessions is shifted."""
    f = NAMES.index(feature)
    mixed = [with_feature(*pair, f) for pair in zip(ordinary, shifted, strict=False)]
    moved = [m for m in usual.judge(mixed) if m.is_alarm or m.is_trend]
    return [m.feature for m in sorted(moved, key=lambda m: m.excess, reverse=True)]


def with_feature(day: Day, other: Day, f: int) -> Day:
    """Return a session with one feature of another."""
    parts = {}
    for part in ("level", "median", "missing", "counts"):
        parts[part] = getattr(day, part).copy()
        parts[part][f] = getattr(other, part)[f]
    return replace(day, **parts)


@pytest.mark.study
@pytest.mark.parametrize("n_trained", [60, 100, LONGEST])
def test_false_alarms_and_shifts_found_feature_by_feature(markets, write_study, n_trained):
    """Each ordinary day beside the sessions before it, as the command compares."""
    said = [judged(market.days, n_trained) for market in markets]
    ordinary, young, *shifts = (np.stack(part) for part in zip(*said, strict=True))
    by_market = ordinary.mean(axis=1)
    rates, worst = by_market.mean(axis=0), by_market.max(axis=0)
    soon = young.mean(axis=(0, 1))
    found, first = (
        dict(zip(SHIFTED, part.mean(axis=(0, 1)).tolist(), strict=True)) for part in shifts
    )
    columns = np.column_stack([rates[:, 0], worst[:, 0], rates[:, 1], worst[:, 1], soon[:, 1]])
    figures = {
        name: [f"{share:.4f}" for share in row] for name, row in zip(NAMES, columns, strict=True)
    }
    told_of = {name: [f"{part[name]:.3f}" for part in (found, first)] for name in SHIFTED}
    rows = [
        (name, *figures[name], *told_of.get(name, ["", ""])) for name in (*SHIFTED, *LEVEL_NAMES)
    ]
    write_study(
        f"drift-{n_trained}-sessions",
        f"{ordinary.shape[0] * ORDINARY} ordinary simulated days: {ORDINARY} of each of the "
        f"markets of seeds {', '.join(str(seed) for seed in MARKETS)}. Each is twenty to "
        f"twenty-four sessions after the {n_trained} it is compared with, which are learnt anew "
        f"every {RENEWED} sessions: {rates[:, 0].mean():.4f} false alarms a feature and day, and "
        f"{rates[:, 1].mean():.4f} of the last twenty sessions together; the worst is the worst "
        f"of the {len(markets)} markets alone. Lately, after {LEAST_TREND} sessions: the first "
        f"{LEAST_TREND} of each renewal, {young.shape[0] * young.shape[1]} times a feature. A "
        "shift of one feature by half a standard deviation of its rows over 20 sessions, "
        f"{young.shape[0] * young.shape[1]} times a feature, up and down by turns: how often it "
        "is named, and how often as what moved farthest. The market's own features, of which a "
        "row has one, differ by as much from session to session. Levels were not shifted.",
        [
            "feature",
            "false alarms a day",
            "worst market",
            "false alarms lately",
            "worst market",
            "lately, after five sessions",
            "shifts found",
            "and named first",
        ],
        rows,
    )
    loud = [name for name, rate in zip(NAMES, rates, strict=True) if rate.max() > ALARMS]
    missed = [name for name in CONTRACT_NAMES if found[name] < FOUND]
    if n_trained == LONGEST:
        missed += [name for name in EXPLAINED if found[name] < MOSTLY]
    assert (loud, missed) == ([], [])


@pytest.mark.study
def test_what_a_source_gets_wrong_is_found_at_once(markets, write_study):
    """Bid and ask swapped and units wrong by 100, on the first day that they are."""
    found = {damage: [] for damage in DAMAGES}
    for market in markets:
        for place in range(LONGEST, len(market.days), DAMAGED):
            usual = [Reference(market.days[place - n : place]) for n in (60, LONGEST)]
            for damage, (_, touched) in DAMAGES.items():
                named = [moved(one, market.damaged[damage][place]) for one in usual]
                found[damage].append(
                    [x for names in named for x in (bool(names & touched), names >= touched)]
                )
    rows = [
        (
            damage,
            ", ".join(sorted(DAMAGES[damage][1])),
            len(times),
            *(f"{share:.3f}" for share in np.mean(times, axis=0)),
        )
        for damage, times in found.items()
    ]
    write_study(
        "drift-damages",
        "Simulated days whose recording is damaged, each alone beside ordinary sessions of the "
        f"markets of seeds {', '.join(str(seed) for seed in MARKETS)}: how often something that "
        "the damage touches is named on that day, and how often all of it is.",
        [
            "damage",
            "touches",
            "days",
            "found with 60 sessions",
            "all of it",
            f"found with {LONGEST}",
            "all of it",
        ],
        rows,
    )
    assert {row[column] for row in rows for column in (3, 5)} == {"1.000"}


@pytest.mark.study
def test_false_alarms_and_shifts_found_in_scores(markets, write_study):
    """A scorer of the first sessions; from the day it serves, each day as the command compares."""
    rows = []
    for usual in (LEAST_UNSEEN, 20, 40, 80, LONGEST):
        said = [scores_judged(market.days[LEARNT:], usual) for market in markets]
        ordinary, up, down = (np.stack(part) for part in zip(*said, strict=True))
        by_market = ordinary.mean(axis=1)
        shares = (*by_market.mean(axis=0), *by_market.max(axis=0), up.mean(), down.mean())
        n_days = ordinary.shape[0] * ordinary.shape[1]
        rows.append((usual, n_days, up.size, *(f"{share:.4f}" for share in shares)))
    write_study(
        "drift-scores",
        f"Scores of ordinary simulated days in the markets of seeds "
        f"{', '.join(str(seed) for seed in MARKETS)}, each twenty to twenty-four sessions after "
        f"those they are compared with, none of which the scorer had seen; and the same days with "
        "every score half a standard deviation higher or lower for 20 sessions. With fewer than "
        f"{LEAST_UNSEEN} unseen sessions nothing is compared.",
        [
            "sessions",
            "days",
            "shifts each way",
            "false alarms a day",
            "lately",
            "a day, worst market",
            "lately, worst market",
            "found higher",
            "found lower",
        ],
        rows,
    )
    loud = [row[0] for row in rows if max(map(float, row[3:5])) > ALARMS]
    missed = [row[0] for row in rows if min(map(float, row[7:])) < FOUND]
    assert (loud, missed) == ([], [])


def scores_judged(days: list[DaySample], usual: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Return alarms of ordinary days (n, 2), and which shifts up and down are found."""
    ordinary, up, down = [], [], []
    for place in range(usual, len(days) - TREND_SESSIONS - RENEWED + 1, RENEWED):
        learnt, after = days[place - usual : place], days[place : place + TREND_SESSIONS]
        reference = Reference(learnt, scores_in, ("score",))
        now = evenings(reference, days, place)
        ordinary += [told(reference, now[late:][:TREND_SESSIONS])[0] for late in range(RENEWED)]
        half = 0.5 * float(np.nanstd(np.concatenate([day.score for day in learnt])))
        for found, step in ((up, half), (down, -half)):
            shifted = [replace(day, score=day.score + step) for day in after]
            found.append(bool(moved(reference, *shifted)))
    return np.array(ordinary), np.array(up), np.array(down)
