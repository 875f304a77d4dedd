"""Days for the tests of features: one small enough for a pencil, and how two answers compare."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from markets import random_panel
from panels import DATE, EXPIRY, panel

from optiq.market.context import Context
from optiq.market.features import FeatureDay, atm_calls, contract_features, market_features
from optiq.market.panel import Panel
from optiq.market.pricing import price_day

MINUTES = [555.0, 560.0, 570.0, 585.0, 600.0, 610.0, 615.0]
FORWARDS = [26000.0, 26050.0, 25950.0, 26010.0, 26100.0, 26080.0, 26130.0]
STRIKES = [25900.0, 26000.0, 26100.0, 26200.0]
NEXT = np.datetime64("2025-12-02")
NOW = len(MINUTES) - 1
TIME_VALUE = [40.0, 40.0, 40.0, 40.0, 40.0, 40.0, 50.0]
CALL, PUT = 3, 5  # columns: 26200 CE and 26000 PE

Compute = Callable[[Panel, Context], np.ndarray]


def pencil_day() -> Panel:
    """Seven snapshots of four strikes, and of one strike a week later in the last two columns.

    Columns: the four calls, the four puts, then 26100 CE and PE of the next expiry. Every call is
    dearer than its put by exactly the forward less its strike. The index itself is nonsense.
    """
    strikes, rights = [*STRIKES, *STRIKES, 26100.0, 26100.0], [1] * 4 + [-1] * 4 + [1, -1]
    forward, value = np.array(FORWARDS)[:, None], np.array(TIME_VALUE)[:, None]
    price = np.maximum(np.array(rights) * (forward - strikes), 0.0) + value
    day = panel(
        MINUTES,
        strikes,
        rights,
        price,
        bid=price - 1.0,
        ask=price + 1.0,
        spot=12_345.0,
        iv=over_time([0.15, 0.13, 0.11, 0.11] * 2 + [0.15] * 2, [0.15, 0.13, 0.12, 0.11, *PUT_IV]),
        delta=[0.9, 0.75, 0.6, 0.2, -0.2, -0.3, -0.4, -0.8, 0.5, -0.5],
        gamma=[0.001] * 4 + [0.002] * 4 + [0.5] * 2,
        theta=-12.0,
        vega=10.0,
        oi=over_time([50, 200, 300, 400, 500, 400, 50, 50, 7, 7], OI_NOW),
        oi_change=[10, 20, 30, 100, 0, 0, 0, -25, 0, 0],
        volume=volumes(),
    )
    return replace(day, expiry=np.array([EXPIRY] * 8 + [NEXT] * 2))


PUT_IV = [0.15, 0.13, 0.14, 0.11, 0.17, 0.15]
OI_NOW = [100, 200, 300, 400, 500, 400, 300, 50, 7, 7]


def over_time(before: list[float], now: list[float]) -> np.ndarray:
    return np.array([before] * NOW + [now], float)


def volumes() -> np.ndarray:
    """Only the 26100 call trades after the first snapshot."""
    fixed = [100.0, 200.0, 0.0, 400.0, 500.0, 400.0, 300.0, 50.0, 9.0, 9.0]
    table = np.tile(fixed, (len(MINUTES), 1))
    table[:, 2] = [100, 150, 150, 250, 250, 300, 400]
    return table


def history(n_days: int = 25, date: dt.date = DATE, lowest: float = 0.10) -> Context:
    """Days up to the evening before: closes from 25,560 up by ten, volatility up by a point."""
    sessions = np.datetime64(date) - np.arange(n_days, 0, -1)
    closes = 25_800.0 - 10.0 * np.arange(n_days - 1, -1, -1)
    atm_iv = lowest + 0.01 * np.arange(n_days)
    return Context(sessions=sessions, closes=closes, atm_iv=atm_iv)


def active_panel(seed: int, n_rows: int, n_contracts: int) -> Panel:
    """A random market with activity and Greeks, holes, falls, fractions and all."""
    rng = np.random.default_rng(seed)
    quoted = random_panel(rng, n_rows, n_contracts)
    shape = (quoted.n_rows, quoted.n_contracts)
    volume = np.cumsum(rng.choice([0.0, 75.0, 7_500.0, 1e7], shape), axis=0)
    oi = rng.choice([0.0, 1.0, 75.0, 1_312.5, 2e8], shape) * rng.integers(0, 5, shape)
    fields = {
        "volume": np.where(rng.random(shape) < 0.05, 0.0, volume),
        "oi": oi,
        "oi_change": rng.choice([0.0, -75.0, 75.0, 1e6], shape),
        **price_day(quoted),
    }
    for name in ("iv", "delta", "gamma"):  # stray values beside no quote, which nothing may read
        stray = np.isnan(fields[name]) & (rng.random(shape) < 0.3)
        fields[name] = np.where(stray, rng.uniform(0.0, 0.6, shape), fields[name])
    for values in fields.values():
        values[rng.random(shape) < rng.choice([0.0, 0.05, 0.5])] = np.nan
    return replace(quoted, fields={**quoted.fields, **fields})


def differing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return where two arrays differ in any bit; one NaN is as good as another."""
    both_missing = np.isnan(one) & np.isnan(other)
    bits = np.ascontiguousarray(one).view(np.int64), np.ascontiguousarray(other).view(np.int64)
    return (bits[0] != bits[1]) & ~both_missing


def require_prefix_invariance(
    compute: Compute, whole: Panel, context: Context, cuts: Iterable[int]
) -> None:
    """Demand that ``compute`` says of a row what it says in the whole day, wherever that is cut."""
    said = compute(whole, context)
    for cut in cuts:
        now = compute(whole.until(cut), context)
        places = np.argwhere(differing(now, said[:cut]))
        assert not len(places), f"cut at {cut}: (row, feature) {places[:5].tolist()}"


def by_contract(panel: Panel, context: Context) -> dict[tuple[str, float, int], np.ndarray]:
    """The contract's features of every pair, (n_rows, 11) by expiry, strike and right."""
    row, column = np.indices((panel.n_rows, panel.n_contracts)).reshape(2, -1)
    grid = contract_features(panel, context, row, column).reshape(*panel.ltp.shape, 11)
    keys = zip(
        panel.expiry.astype(str).tolist(),
        panel.strike.tolist(),
        panel.right.tolist(),
        strict=True,
    )
    return {key: grid[:, place] for place, key in enumerate(keys)}


def everything(panel: Panel, context: Context) -> np.ndarray:
    """The market's features and the call at the money's, (n_rows, 34), of one shared day."""
    from optiq.market.features import contracts_of, market_of

    day = FeatureDay(panel, context)
    market = market_of(day)
    call = contracts_of(day, np.arange(panel.n_rows), atm_calls(day))
    assert not differing(market, market_features(panel, context)).any()
    return np.concatenate([market, call], axis=1)
