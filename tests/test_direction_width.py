"""How wide the barrier is: what was known, what was learnt, and that it gives nothing away."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest

from optiq.learn.direction.figures import ACCURACY, LOG_LOSS, named
from optiq.learn.direction.forecasters import PRIOR
from optiq.learn.direction.labels import HOLD, LabelRule, variance_after, watched
from optiq.learn.direction.measuring import Measurement, measure
from optiq.learn.direction.sample import folds_of, learnt_rule, sample_of, stored_sample
from optiq.learn.direction.width import KNOTS, Outlook, WidthLaw, learnt_law, sessions_after
from optiq.learn.direction.windows import SeenDay, seen_day
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

RULE = LabelRule()


@pytest.mark.parametrize(
    ("date", "expiry", "n"),
    [
        ("2025-11-20", "2025-11-25", 3),  # over a weekend
        ("2025-11-25", "2025-11-25", 0),
        ("2025-10-20", "2025-10-28", 4),  # without Diwali's evening hour and the holiday after it
        ("2025-10-21", "2025-10-28", 4),  # and on that evening itself
        ("2031-01-02", "2031-01-09", 5),  # beyond the calendar weekdays count
    ],
)
def test_sessions_up_to_an_expiry(date: str, expiry: str, n: int) -> None:
    day, last = dt.date.fromisoformat(date), dt.date.fromisoformat(expiry)
    assert sessions_after(day, last, "NIFTY") == n


def outlook(n: int, rng: np.random.Generator) -> Outlook:
    return Outlook(rng.uniform(0, 345, n), np.exp(rng.normal(-17, 0.5, n)), rng.normal(0, 0.5, n))


def test_the_law_is_found_again_and_is_right_in_the_mean() -> None:
    """Twice as lively at the open, half the pull of what was realised, and noise."""
    rng = np.random.default_rng(1)
    true = WidthLaw((0.7, 0.3, *(0.0,) * (len(KNOTS) - 2)), 0.5, 0.8)
    days, truth = [], []
    for _ in range(100):
        known = outlook(30, rng)
        came = true.variance(known) * rng.chisquare(30, 30) / 30.0
        days.append((known, np.arange(30), came))
        truth.append(came)
    law = learnt_law(days)
    hour = np.array(law.by_hour) - np.array(true.by_hour)
    assert np.ptp(hour) < 0.1  # all by the same amount, which the level takes back
    assert law.pull == pytest.approx(0.5, abs=0.03)
    forecast = np.concatenate([law.variance(known) for known, _, _ in days])
    assert np.mean(np.concatenate(truth) / forecast) == pytest.approx(1.0, abs=0.02)
    assert law.windows == 3000


def test_a_few_windows_hardly_bend_it() -> None:
    """Three windows at the open, each a thousand times as lively as the options said."""
    rng = np.random.default_rng(2)
    known = replace(outlook(3, rng), elapsed=np.zeros(3))
    law = learnt_law([(known, np.arange(3), known.variance * [0.1, 1.0, 1e3])])
    assert max(map(abs, law.by_hour)) < 1.0


def test_without_a_move_or_an_outlook_the_law_stays_as_it_was() -> None:
    known = Outlook(np.zeros(3), np.array([1e-7, np.nan, 1e-7]), np.zeros(3))
    assert learnt_law([(known, np.arange(3), np.array([np.nan, 1e-7, 0.0]))]) == WidthLaw()


def test_a_rule_comes_back_from_its_json_as_it_was() -> None:
    rule = LabelRule(barrier=0.8, law=WidthLaw((0.1,) * len(KNOTS), 0.2, 0.9, 7))
    assert LabelRule.from_json(json.loads(json.dumps(asdict(rule)))) == rule
    with pytest.raises(ValueError, match="2 factors by hour"):
        WidthLaw((1.0, 2.0))


@cache
def random_walk() -> tuple[SeenDay, ...]:
    """Sixty simulated sessions of a narrow chain: nothing can be known but how lively it gets."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="optiq-width-") as folder:
        store = Store(Path(folder))
        store_simulation(Simulation(days=60, seed=3, strikes_each_side=5, expiries=1), store)
        dates = [day.date for day in store.days("NIFTY")]
        days = [(store.read_panel("NIFTY", d), store.context("NIFTY", d)) for d in dates]
        return tuple(seen_day(panel, context) for panel, context in days)


def measured(days: tuple[SeenDay, ...], rule: LabelRule) -> Measurement:
    sample = sample_of([day.labelled(rule, 10.0) for day in days], "walk", rule)
    return measure(sample, rule, None, None, n_folds=2)


def gained(found: Measurement, metric: str) -> list[float]:
    """By how much each model's figure is above the prior's."""
    value = {name: named(figures, metric).interval.value for name, figures in found.figures.items()}
    return [value[name] - value[PRIOR] for name in value if name != PRIOR]


def test_on_a_random_walk_how_often_a_barrier_is_met_cannot_be_foretold() -> None:
    days = random_walk()
    found = measured(days, learnt_rule(days, RULE, 10.0, 2))
    assert min(gained(found, LOG_LOSS)) >= -0.005
    assert max(map(abs, gained(found, ACCURACY))) <= 0.02
    assert found.serves is None


def spread_of_holds(days: tuple[SeenDay, ...], rule: LabelRule) -> tuple[float, float]:
    """How far the share of holds differs by the hour, and by what the last half hour was like."""
    label, elapsed, surprise = [], [], []
    for day, known in ((day.labelled(rule, 10.0), day.watched.outlook) for day in days):
        label.append(day.labels.label[day.rows] == HOLD)
        elapsed.append(known.elapsed[day.rows])
        surprise.append(known.surprise[day.rows])
    held = np.concatenate(label)

    def spread(values: list[np.ndarray], parts: int) -> float:
        order = np.concatenate(values).argsort(kind="stable")
        return float(np.ptp([held[part].mean() for part in np.array_split(order, parts)]))

    return spread(elapsed, 5), spread(surprise, 3)


def test_holds_are_as_many_at_every_hour_and_after_calm_or_storm() -> None:
    """And would not be behind a barrier made of the last half hour, or of the options alone."""

    def lagging(day: SeenDay) -> SeenDay:
        known = day.watched.outlook
        realised = replace(known, variance=known.variance * np.exp(known.surprise))
        return replace(day, watched=replace(day.watched, outlook=realised))

    days = random_walk()
    learnt = spread_of_holds(days, learnt_rule(days, RULE, 10.0, 3))
    lags = spread_of_holds(tuple(map(lagging, days)), RULE)
    plain = spread_of_holds(days, RULE)
    assert max(learnt) < 0.10
    assert lags[1] > 0.15
    assert plain[0] > 0.15


def test_the_law_is_learnt_before_the_first_window_that_is_tested() -> None:
    """Whatever is tested later may change a million-fold: the law stays bit for bit."""
    days = random_walk()
    before = learnt_rule(days, RULE, 10.0, 3)
    sample = sample_of([day.labelled(RULE, 10.0) for day in days], "walk", RULE)
    first = folds_of(sample, 3)[0][0]
    tested = sample.session[first.test].min()

    def wilder(day: SeenDay) -> SeenDay:
        if np.datetime64(day.session) < tested:
            return day
        forward = day.watched.forward**1.5
        return replace(day, watched=replace(day.watched, forward=forward))

    assert learnt_rule([wilder(day) for day in days], RULE, 10.0, 3) == before
    assert learnt_rule([wilder(day) for day in days[::-1]][::-1], RULE, 10.0, 2) != before


def test_what_came_is_measured_from_the_start_to_the_horizons_end() -> None:
    day = random_walk()[0]
    row = 100
    (came,) = variance_after(day.watched, RULE, np.array([row]))
    level = day.watched.forward[row + 1 : row + 32, day.watched.near[row]]
    assert came == pytest.approx((np.diff(np.log(level)) ** 2).sum() / 30.0, rel=1e-12)
    late = len(day.ts) - 20
    assert np.isnan(variance_after(day.watched, RULE, np.array([late]))[0])


def test_a_stored_sample_learns_its_law_and_carries_its_rule(tmp_path) -> None:
    store = Store(tmp_path)
    store_simulation(Simulation(days=4, seed=5, strikes_each_side=5, expiries=1), store)
    dates = [day.date for day in store.days("NIFTY")]
    plain = stored_sample(store, "NIFTY", dates, RULE, 10.0)
    learnt = stored_sample(store, "NIFTY", dates, RULE, 10.0, learn_for_folds=1)
    assert plain.rule == RULE
    assert learnt.rule.law.windows > 30
    panel, context = store.read_panel("NIFTY", dates[0]), store.context("NIFTY", dates[0])
    assert watched(panel, context).outlook.variance[100] > 0
