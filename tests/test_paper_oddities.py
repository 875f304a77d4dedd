"""Odd days come to the same trades whether they are walked at once or as their rows come in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import cheats
import numpy as np
import pytest
from option_chains import remembering

from optiq import Context, Panel
from optiq.market.chain_row import rows_of
from optiq.market.moneyness import lasting_iv
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest_day
from optiq.run.choosing import chooser_named
from optiq.run.day_in_progress import DayInProgress
from optiq.trade.fills import WalkSettings
from optiq.trade.ledger import Columns
from optiq.trade.limits import Limits
from optiq.trade.strategies import BUILT_IN, Strategy, built_in

EAGER = {
    "gamma_scalping": {"gamma_min": 1e-4, "delta_min": 0.05, "delta_max": 0.95},
    "institutional_oi": {"oi_change_min": 0.01, "volume_min_lots": 1.0},
    "quantum_edge": {"threshold": 0.4},
    "opening_range": {"range_minutes": 20.0, "until_minutes": 300.0},
    "vwap_deviation": {"deviation_min": 2e-4},
    "iv_rank": {},
    "oi_buildup": {"minutes": 10.0, "price_min": 1e-5, "oi_min": 1e-5},
    "pcr_reversal": {"high": 1.0, "low": 1.0, "strikes_min": 1},
}
SETTINGS = Settings(
    walk=WalkSettings(latency_s=0.0),
    limits=Limits(max_open=20, max_trades_per_day=500, cooldown_minutes=0.0),
)
ODD_DAYS = 24


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> list[Panel]:
    """Days of a snapshot every three minutes, near and after an expiry."""
    store = Store(tmp_path_factory.mktemp("store"))
    store_simulation(Simulation(days=4, seed=7, row_seconds=180.0), store)
    return [store.read_panel(day.underlying, day.date) for day in store.days()]


def team() -> list[Strategy]:
    """All that ship, so eager that each speaks on most days, and one of a user's own."""
    eager = []
    for name in BUILT_IN:
        strategy = built_in(name)
        assert strategy.lookback_minutes is not None
        params = dataclasses.replace(strategy.params, min_premium=5.0, **EAGER[name])
        eager.append(dataclasses.replace(strategy, params=params))
    return [*eager, cheats.strategy(cheats.knows_the_high_so_far, "mine")]


def odd(panel: Panel, rng: np.random.Generator) -> tuple[Panel, Context]:
    """A day with contracts, an expiry and fields that come late or go, a hole, rows without spot
    and, on every other day, monitor rows.

    With it what makes every strategy speak: a moody model and volatilities around today's.
    """
    rows = np.arange(panel.n_rows)[:, None]
    begin = rng.integers(0, panel.n_rows, panel.n_contracts) * (rng.random(panel.n_contracts) < 0.3)
    end = np.where(
        rng.random(panel.n_contracts) < 0.2,
        rng.integers(1, panel.n_rows, panel.n_contracts),
        panel.n_rows,
    )
    if rng.random() < 0.5:  # the nearest expiry comes late
        begin = np.where(panel.expiry_index == 0, max(int(rng.integers(60)), 1), begin)
    seen = (rows >= begin) & (rows < end)
    fields = {name: np.where(seen, values, np.nan) for name, values in panel.fields.items()}
    for name in rng.choice(["oi", "volume", "gamma", "iv", "oi_change", "bid"], 2, replace=False):
        late = rows < rng.integers(panel.n_rows)
        fields[str(name)] = np.where(late, np.nan, fields[str(name)])
    spot = np.where(rng.random(panel.n_rows) < 0.05, np.nan, panel.spot)
    hole = int(rng.integers(panel.n_rows))
    kept = np.delete(np.arange(panel.n_rows), slice(hole, hole + int(rng.integers(12))))
    is_chain = rng.random(panel.n_rows) >= (0.25 if rng.random() < 0.5 else 0.0)
    whole = dataclasses.replace(panel, fields=fields, spot=spot, is_chain=is_chain)
    day = dataclasses.replace(
        whole,
        **{name: getattr(whole, name)[kept] for name in ("ts", "known", "is_chain", "spot")},
        fields={name: np.asfortranarray(values[kept]) for name, values in fields.items()},
    )
    low, high = np.nanquantile(lasting_iv(panel), [0.3, 0.7])
    moods = rng.dirichlet([0.5, 0.5, 0.5], int(day.is_chain.sum()))
    return day, dataclasses.replace(remembering(*np.linspace(low, high, 25)), direction=moods)


def as_it_comes(day: Panel, context: Context, chooser, rng: np.random.Generator) -> Columns:
    """The trades of the day shown in pieces of one to five rows, as a start after a stop shows."""
    moods = context.direction

    def model(panel: Panel, _: Context) -> np.ndarray:
        return moods[: panel.n_rows]

    known = dataclasses.replace(context, direction=None)
    coming = DayInProgress(
        day.underlying,
        day.date,
        known,
        team(),
        SETTINGS,
        has_book=day.has_book,
        chooser=chooser,
        direction=model,
    )
    for piece in pieces(rows_of(day), rng):
        for _ in coming.take_all(piece):
            pass
    coming.finish()
    return coming.result().trades()


def pieces(rows: list, rng: np.random.Generator) -> Iterator[list]:
    while rows:
        n = int(rng.integers(1, 6)) if rng.random() < 0.3 else 1
        yield rows[:n]
        rows = rows[n:]


@pytest.mark.parametrize("seed", range(ODD_DAYS))
def test_an_odd_day_comes_to_the_same_trades_row_by_row(days, seed):
    rng = np.random.default_rng(seed)
    day, context = odd(days[seed % len(days)], rng)
    chooser = chooser_named("random", team(), seed) if seed % 2 else None
    at_once = backtest_day(day, context, team(), SETTINGS, chooser=chooser).trades()
    row_by_row = as_it_comes(day, context, chooser, rng)
    assert list(row_by_row) == list(at_once)
    for name, values in at_once.items():
        np.testing.assert_array_equal(row_by_row[name], values, err_msg=name)
    assert len(at_once["trade_id"]) > 0
