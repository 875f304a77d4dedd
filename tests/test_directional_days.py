"""vwap_deviation, oi_buildup and pcr_reversal on whole days: slow siblings say the same."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from cheats import with_late_contracts
from directional import NAN, PARAMS, each, orders
from recorded import RECORDED, needs_recordings

from optiq.market.ingest.pipeline import ingest
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.prefix import orders_of, require
from optiq.trade.strategies import built_in, oi_buildup, pcr_reversal, vwap_deviation
from optiq.trade.tradability import Tradable, strikes_from_the_money, tradable


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("simulated"))
    store_simulation(Simulation(days=3, seed=5), store)
    return store


@pytest.fixture(scope="module")
def days(simulated) -> list[Panel]:
    """A simulated day, and another whose contracts come late and whose rows are half monitors."""
    first, second, *_ = (simulated.read_panel(day.underlying, day.date) for day in simulated.days())
    late = with_late_contracts(second)
    is_chain = np.random.default_rng(3).random(late.n_rows) < 0.6
    return [first, dataclasses.replace(late, is_chain=is_chain)]


EASY = {
    "vwap_deviation": {"deviation_min": 0.0007},
    "oi_buildup": {"oi_min": 0.001, "price_min": 0.0002},
    "pcr_reversal": {"high": 1.25, "low": 1.20},
}
"""Thresholds at which an ordinary day speaks often."""


@each
def test_it_does_not_look_ahead_on_a_simulated_day(name, days):
    for day, params in itertools.product(days, ({}, EASY[name])):
        require(orders_of(built_in(name, PARAMS[name](**params))), day)


@needs_recordings
@each
def test_it_does_not_look_ahead_on_the_recorded_collector_day(name, tmp_path):
    store = Store(tmp_path)
    ingest([str(RECORDED / "collector" / "2026-08-18*.parquet")], store)
    panel = store.read_panel("NIFTY", dt.date(2026, 8, 18))
    compared = sum(
        require(orders_of(built_in(name, PARAMS[name](**params))), panel)
        for params in ({}, EASY[name])
    )
    assert compared > 0


@each
def test_the_slow_sibling_agrees(name, days):
    for day in days:
        said = orders(name, day, **EASY[name])
        direction, strength = SLOW[name](day, PARAMS[name](**EASY[name]))
        steps = strikes_from_the_money(day, 60.0)
        mask = tradable(day, Tradable()) & (steps == 0) & (day.right == direction[:, None])
        row, column = np.nonzero(mask & day.is_chain[:, None])
        assert len(row) > 10
        assert set(direction[row]) == {-1.0, 1.0}
        assert np.array_equal(said.row, row)
        assert np.array_equal(said.legs[:, 0], column)
        np.testing.assert_allclose(said.strength, strength[row], rtol=1e-9, atol=1e-9)


def exists(panel: Panel) -> np.ndarray:
    """Whether a chain row has quoted each contract by each row."""
    return np.cumsum(panel.observed & panel.is_chain[:, None], axis=0) > 0


def slow_vwap(panel: Panel, params: vwap_deviation.Params) -> tuple[np.ndarray, np.ndarray]:
    """With pandas: fill volume forward, difference, sum across, weigh."""
    chain = pd.Series(panel.is_chain)
    volume = pd.DataFrame(np.where(exists(panel), panel.volume, NAN))[chain]
    weight = volume.ffill().diff().clip(lower=0.0).sum(axis=1)
    spot = pd.Series(panel.spot)[chain]
    level = (weight * spot).cumsum() / weight.cumsum().replace(0.0, NAN)
    level = level.fillna(spot.expanding().mean())
    deviation = (spot / level - 1.0).reindex(range(panel.n_rows)).to_numpy()
    late = panel.minute - panel.open_minute >= params.minutes_min
    direction = np.where(deviation > params.deviation_min, -1.0, 0.0)
    direction[deviation < -params.deviation_min] = 1.0
    strength = 100.0 - 100.0 * params.deviation_min / np.maximum(np.abs(deviation), 1e-12)
    return np.where(late, direction, 0.0), strength


def slow_build_up(panel: Panel, params: oi_buildup.Params) -> tuple[np.ndarray, np.ndarray]:
    """Row by row in plain Python, quadrant by name."""
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    there, minute = exists(panel), panel.minute
    direction, strength = np.zeros(panel.n_rows), np.zeros(panel.n_rows)
    for r in range(panel.n_rows):
        rows = [
            e
            for e in range(r)
            if panel.is_chain[e] and 15.0 - 1e-6 <= minute[r] - minute[e] <= 30.0 + 1e-6
        ]
        if not rows:
            continue
        e = rows[-1]
        then = now = 0.0
        for c in range(panel.n_contracts):
            both = not np.isnan(panel.oi[e, c] + panel.oi[r, c])
            if there[r, c] and abs(steps[r, c]) <= params.strikes and both:
                then, now = then + panel.oi[e, c], now + panel.oi[r, c]
        move, change = panel.spot[r] / panel.spot[e] - 1.0, (now / then - 1.0 if then else 0.0)
        if abs(move) > params.price_min and abs(change) > params.oi_min:
            direction[r] = 1.0 if move > 0 else -1.0
            share = min(abs(move) / params.price_min, abs(change) / params.oi_min)
            strength[r] = 100.0 - 100.0 / share
    return direction, strength


def slow_ratio(panel: Panel, params: pcr_reversal.Params) -> tuple[np.ndarray, np.ndarray]:
    """With pandas: one long table, grouped by row and side."""
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    row, column = np.nonzero((np.abs(steps) <= params.strikes) & (panel.oi > 0) & exists(panel))
    table = pd.DataFrame({"row": row, "side": panel.right[column], "oi": panel.oi[row, column]})
    held = table.groupby(["row", "side"]).oi.agg(["sum", "count"]).unstack("side")
    held = held.reindex(range(panel.n_rows))
    enough = (held["count"] >= params.strikes_min).all(axis=1)
    ratio = (held["sum"][-1] / held["sum"][1]).where(enough)
    direction = (ratio > params.high).astype(float) - (ratio < params.low).astype(float)
    above = 100.0 - 100.0 * params.high / ratio
    below = 100.0 - 100.0 * ratio / params.low
    return direction.to_numpy(), above.where(ratio > params.high, below).to_numpy()


SLOW = {
    "vwap_deviation": slow_vwap,
    "oi_buildup": slow_build_up,
    "pcr_reversal": slow_ratio,
}
