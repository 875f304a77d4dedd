"""Generated markets, orders and settings, shaped like what recorders of option chains deliver.

Everything follows from one seed; ``as_hypothesis`` adds knobs that shrink.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from market_orders import random_orders, random_scores
from market_settings import random_settings, sized_by_margin
from reference_settings import Settings

from optiq.market.contracts import expiry_close_utc
from optiq.market.paisa import to_paisa
from optiq.market.panel import Panel
from optiq.market.schema import FIELDS
from optiq.trade.orders import Orders

DATE = dt.date(2025, 11, 20)
SESSIONS = ((555.0, 930.0), (555.0, 940.0), (825.0, 885.0))  # regular, 2026, an hour of Muhurat
SPOT = 24_000.0
TICK = 0.05
SECOND = 1_000_000
LOTS = (75, 65, 25)


class Market(NamedTuple):
    """A day, what the strategies ask on it, and the rules."""

    panel: Panel
    orders: list[tuple[str, Orders]]
    scores: list[np.ndarray] | None
    settings: Settings


def random_market(
    seed: int,
    n_rows: int | None = None,
    n_contracts: int | None = None,
    n_orders: int | None = None,
) -> Market:
    """Return the market of a seed; sizes not given are drawn.

    ``n_orders`` is the most that a strategy asks for. Fewer rows may come back than asked for,
    where the session ends before them.
    """
    rng = np.random.default_rng(seed)
    drawn = int(rng.integers(8, 70)), int(rng.integers(1, 10)), int(rng.integers(4, 60))
    n_rows = drawn[0] if n_rows is None else n_rows
    n_contracts = drawn[1] if n_contracts is None else n_contracts
    n_orders = drawn[2] if n_orders is None else n_orders
    writes = rng.random() < 0.2
    panel = random_panel(rng, n_rows, n_contracts, tidy=writes or rng.random() < 0.3)
    names = ("first", "second", "third")[: int(rng.integers(1, 4))]
    orders = [(name, random_orders(rng, panel, n_orders)) for name in names]
    scores = random_scores(rng, orders) if rng.random() < 0.35 else None
    settings = random_settings(rng, panel, [asked for _, asked in orders])
    if writes:
        settings = sized_by_margin(rng, settings)
    return Market(panel, orders, scores, settings)


def as_hypothesis() -> st.SearchStrategy[Market]:
    """Markets by seed, with sizes that shrink."""
    return st.builds(
        random_market,
        seed=st.integers(0, 2**32 - 1),
        n_rows=st.integers(1, 60),
        n_contracts=st.integers(1, 8),
        n_orders=st.integers(0, 40),
    )


# The panel


def random_panel(
    rng: np.random.Generator, n_rows: int, n_contracts: int, tidy: bool = False
) -> Panel:
    """A panel whose quotes are all there (``tidy``), or have holes of every kind."""
    """A day of quotes with the holes and oddities of real recordings."""
    opening, closing = SESSIONS[rng.choice(len(SESSIONS), p=(0.6, 0.2, 0.2))]
    ts = random_times(rng, n_rows, opening, closing)
    n_rows = len(ts)
    has_book = bool(rng.random() > 0.15)
    is_chain = np.ones(n_rows, bool)
    if rng.random() < 0.5:
        is_chain[1:] = rng.random(n_rows - 1) < 0.65
    expiry, strike, right, lot = random_contracts(rng, n_contracts)
    spot = random_spot(rng, n_rows)
    ltp, bid, ask = random_quotes(rng, spot, strike, right, is_chain, has_book, tidy)
    iv = random_volatilities(rng, ltp, bid, ask)
    iv[ts[:, None] >= expiry_close_utc(expiry)] = np.nan  # no time left, no volatility
    fields = filled_fields(ltp, bid, ask) | {"iv": iv}
    spot[random_stretches(rng, n_rows)] = np.nan
    return Panel(
        underlying="NIFTY",
        date=DATE,
        ts=ts,
        known=random_known(rng, ts),
        is_chain=is_chain,
        spot=spot,
        expiry=expiry,
        strike=strike,
        right=right,
        lot=lot,
        open_minute=opening,
        close_minute=closing,
        has_book=has_book,
        fields=fields,
    )


def at_minute(minute: np.ndarray | float) -> np.ndarray:
    """UTC times of IST minutes of ``DATE``, to the microsecond."""
    since = np.round((np.asarray(minute, np.float64) - 330.0) * 60 * SECOND).astype(np.int64)
    return np.datetime64(DATE, "us") + since.astype("timedelta64[us]")


def random_times(
    rng: np.random.Generator, n_rows: int, opening: float, closing: float
) -> np.ndarray:
    """Strictly increasing UTC times inside the session; anchored to the open, noon or the close."""
    style = rng.choice(["minute", "minute", "monitor", "irregular", "sparse", "mixed"])
    gap = {
        "minute": lambda: np.full(n_rows, rng.choice([30.0, 60.0, 60.0, 150.0])),
        "monitor": lambda: rng.integers(1, 20, n_rows).astype(float),
        "irregular": lambda: np.exp(rng.uniform(0, np.log(1200), n_rows)),
        "sparse": lambda: rng.choice([300.0, 600.0, 1200.0], n_rows),
        "mixed": lambda: rng.choice([1.0, 5.0, 60.0, 60.0, 61.0, 120.0, 180.0, 1200.0], n_rows),
    }[style]()
    if rng.random() < 0.3:
        gap[int(rng.integers(n_rows))] += rng.choice([300.0, 3600.0])
    gap[0] = rng.choice([0.0, 60.0, 300.0])
    minute = np.cumsum(gap) / 60.0
    room = (closing - opening) - minute[-1]
    start = {"open": 0.0, "noon": room * rng.random(), "close": room}
    anchor = rng.choice(["open", "noon", "close"], p=(0.35, 0.3, 0.35))
    # A whole number of minutes keeps boundaries such as "exactly ten minutes left" likely.
    minute += opening + np.floor(max(0.0, start[str(anchor)]))
    inside = minute <= closing
    inside[0] = True
    return at_minute(minute[inside])


def random_known(rng: np.random.Generator, ts: np.ndarray) -> np.ndarray:
    """When each row was known; on some rows later than its own time, past later rows too."""
    delay = np.zeros(len(ts))
    if rng.random() < 0.4:
        late = rng.random(len(ts)) < 0.3
        delay[late] = rng.choice([0.25, 1.0, 7.5, 60.0, 200.0], int(late.sum()))
    return ts + (delay * SECOND).astype("timedelta64[us]")


def random_contracts(
    rng: np.random.Generator, n_contracts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distinct contracts near the money in any order; the lot goes with the expiry.

    Mostly both sides of a strike come together, so that they imply a forward.
    """
    days = np.array([[0, 7, 28], [0, 7, 28], [5, 12, 33]][int(rng.integers(3))])
    days = days[: rng.choice([1, 1, 1, 2, 2, 3])]
    strikes = [(e, k) for e in range(len(days)) for k in range(-6, 7)]
    grid = [(*strikes[i], r) for i in rng.permutation(len(strikes)) for r in (1, -1)]
    if rng.random() < 0.15:
        grid = [grid[i] for i in rng.permutation(len(grid))]
    chosen = [grid[i] for i in rng.permutation(min(n_contracts, len(grid)))]
    place = np.array([c[0] for c in chosen], np.int64)
    expiry = np.datetime64(DATE, "D") + days[place].astype("timedelta64[D]")
    strike = np.array([SPOT + 50.0 * c[1] for c in chosen])
    right = np.array([c[2] for c in chosen], np.int64)
    return expiry, strike, right, np.array(LOTS, np.int64)[place]


def random_spot(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    steps = rng.normal(0.0, rng.choice([2.0, 12.0, 40.0]), n_rows)
    return np.round(SPOT + np.cumsum(steps), 2)


def random_stretches(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """A mask with up to two stretches, at times from the first row on."""
    missing = np.zeros(n_rows, bool)
    for _ in range(int(rng.integers(0, 3))):
        start = 0 if rng.random() < 0.3 else int(rng.integers(n_rows))
        missing[start : start + int(rng.integers(1, 12))] = True
    return missing


def random_quotes(
    rng: np.random.Generator,
    spot: np.ndarray,
    strike: np.ndarray,
    right: np.ndarray,
    is_chain: np.ndarray,
    has_book: bool,
    tidy: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Last price, bid and ask, at times as float32."""
    fair = random_premiums(rng, spot, strike, right)
    off_grid = rng.random() < 0.25
    snap = 0.01 if off_grid else TICK
    half = np.where(rng.random(fair.shape) < 0.8, 1, rng.integers(0, 8, fair.shape)) * TICK
    half *= rng.choice([0, 1, 1])  # locked books make marks and fills agree
    bid = np.floor((fair - half) / snap) * snap
    ask = np.ceil((fair + half) / snap) * snap
    ltp = np.round((fair + rng.normal(0, 0.5, fair.shape) * half) / snap) * snap
    jump = rng.random(fair.shape) < 0.02
    ltp[jump] *= rng.choice([0.7, 1.3])
    crossed = rng.random(fair.shape) < (0.0 if tidy else rng.choice([0.0, 0.05]))
    bid, ask = np.where(crossed, ask + TICK, bid), np.where(crossed, bid, ask)
    prices = [ltp, bid, ask]
    holes = rng.choice([0.0] if tidy else [0.0, 0.05, 0.3], 3)
    for price, share in zip(prices, holes, strict=True):
        price[(rng.random(fair.shape) < share) | (price < 0.01)] = np.nan
    unseen = random_silence(rng, is_chain, fair.shape) & (not tidy)
    for price in prices:
        price[unseen] = np.nan
    if not has_book:
        bid[:], ask[:] = np.nan, np.nan
    if rng.random() < 0.5:
        ltp, bid, ask = (price.astype(np.float32) for price in prices)
    return ltp, bid, ask


def random_volatilities(
    rng: np.random.Generator, ltp: np.ndarray, bid: np.ndarray, ask: np.ndarray
) -> np.ndarray:
    """Volatilities of what is quoted, drifting; at times tiny, in holes, or none all day."""
    level = rng.uniform(0.08, 0.35, ltp.shape[1])
    if rng.random() < 0.25:
        level = rng.uniform(0.005, 0.06, ltp.shape[1])  # the scan's least shift and floor bind
    iv = level * np.exp(np.cumsum(rng.normal(0.0, 0.02, ltp.shape), axis=0))
    iv[rng.random(ltp.shape) < rng.choice([0.0, 0.0, 0.1])] = np.nan
    iv[np.isnan(ltp) & np.isnan(bid) & np.isnan(ask)] = np.nan
    if rng.random() < 0.25:
        iv[random_stretches(rng, len(iv))] = np.nan
    if rng.random() < 0.03:
        iv[:] = np.nan
    return iv


def filled_fields(ltp: np.ndarray, bid: np.ndarray, ask: np.ndarray) -> dict[str, np.ndarray]:
    """The prices of a panel to the paisa, and every other field as unknown."""
    unknown = dict.fromkeys(FIELDS, np.full(ltp.shape, np.nan))
    return unknown | {"ltp": to_paisa(ltp), "bid": to_paisa(bid), "ask": to_paisa(ask)}


def random_premiums(
    rng: np.random.Generator, spot: np.ndarray, strike: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Fair values that follow spot and wander; a few contracts are worth almost nothing."""
    intrinsic = np.maximum(right * (spot[:, None] - strike), 0.0)
    time_value = rng.uniform(5.0, 90.0, len(strike))
    if rng.random() < 0.2:
        intrinsic[:], time_value[:] = 0.0, 40.0  # premiums so close that packages come out thin
    noise = rng.normal(0.0, rng.choice([0.003, 0.02, 0.06]), intrinsic.shape)
    fair = (intrinsic + time_value) * np.exp(np.cumsum(noise, axis=0))
    if rng.random() < 0.2:
        fair = 5.0 * np.round(fair / 5.0)  # round numbers land on stops and targets exactly
    cheap = rng.random(len(strike)) < rng.choice([0.1, 0.1, 0.8])
    decay = np.linspace(0.0, 4.0, len(spot))[:, None]
    dying = rng.uniform(0.1, 1.0, len(strike)) * np.exp(np.cumsum(3 * noise, axis=0) - decay)
    return np.where(cheap, dying, fair)


def random_silence(
    rng: np.random.Generator, is_chain: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Where nothing at all is quoted: single cells, long outages, most of a monitor row."""
    silent = rng.random(shape) < rng.choice([0.0, 0.05, 0.25])
    silent |= ~is_chain[:, None] & (rng.random(shape) < 0.5)
    for column in range(shape[1]):
        if rng.random() < 0.3:
            silent[random_stretches(rng, shape[0]), column] = True
        if rng.random() < 0.1:
            silent[int(rng.integers(shape[0])) :, column] = True
    return silent
