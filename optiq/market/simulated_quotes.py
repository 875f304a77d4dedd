"""The simulated book and tape: bids, asks, last prices, volumes, and what is missing.

Arrays are (n_contracts, n_rows). ``depth`` is how many deviations a contract lies in the money
(negative: out of it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.schema import TICK_RUPEES, BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class QuoteLaw:
    """How options are quoted and traded.

    Attributes
    ----------
    spread
        Of the price, at the money, before rounding outward to ticks.
    wing
        How much wider it is per deviation in the money.
    lots_per_minute
        At the money of the nearest expiry on an average minute.
    later_expiry
        Activity of the next expiry against the nearest one.
    out_fade, in_fade
        Activity falls by e per this many deviations out of, or in, the money.
    one_sided
        Chance that a side of the book is empty far in the money; half of it four deviations in.
    missing
        Chance that a quote is missing from a snapshot.
    freak
        Chance that a last price is a misprint, for one snapshot.
    """

    spread: float = 0.0016
    wing: float = 0.8
    lots_per_minute: float = 12_000.0
    later_expiry: float = 0.015
    out_fade: float = 1.0
    in_fade: float = 0.32
    one_sided: float = 0.08
    missing: float = 0.002
    freak: float = 3e-6


@dataclass(frozen=True)
class Book:
    """Best bid and ask in rupees on the tick grid, NaN where that side is empty; sizes in units."""

    bid: FloatArray
    ask: FloatArray
    bid_qty: FloatArray
    ask_qty: FloatArray


def quote_book(
    worth: FloatArray,
    depth: FloatArray,
    liveliness: FloatArray,
    activity: FloatArray,
    lot: FloatArray,
    law: QuoteLaw,
    rng: np.random.Generator,
) -> Book:
    """Return the book around ``worth``; ``liveliness`` (n_rows,) is the hour's, 1 when calm.

    Spreads grow with the price, into the money, in the lively hours and where little trades.
    """
    wide = 1.0 + law.wing * np.clip(depth - 0.5, 0.0, 4.0)
    thin = 1.0 + 0.5 * (activity < 0.1 * law.lots_per_minute)
    spread = law.spread * worth * wide * thin * np.sqrt(liveliness)
    spread = spread * np.exp(0.3 * rng.standard_normal(worth.shape, np.float32))
    lean = 0.5 + 0.2 * (rng.random(worth.shape, np.float32) - 0.5)
    bid = np.floor((worth - lean * spread) / TICK_RUPEES + 1e-9)
    ask = np.maximum(np.ceil((worth + (1.0 - lean) * spread) / TICK_RUPEES - 1e-9), bid + 1.0)
    no_bid, no_ask = _empty_sides(depth, law, rng)
    bid_qty, ask_qty = _sizes(worth, activity, lot[:, None], rng)
    no_bid |= bid < 1.0
    return Book(
        bid=np.where(no_bid, np.nan, on_grid(bid)),
        ask=np.where(no_ask, np.nan, on_grid(ask)),
        bid_qty=np.where(no_bid, np.nan, bid_qty),
        ask_qty=np.where(no_ask, np.nan, ask_qty),
    )


def on_grid(ticks: FloatArray) -> FloatArray:
    """Return a whole number of ticks in rupees: 3 are 0.15, where 3 * 0.05 would be a hair more.

    >>> on_grid(np.array([3.0]))
    array([0.15])
    """
    rupees: FloatArray = ticks / round(1.0 / TICK_RUPEES)
    return rupees


def _empty_sides(
    depth: FloatArray, law: QuoteLaw, rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Return where nobody bids and where nobody offers: mostly deep in the money."""
    chance = law.one_sided * (0.05 + 0.95 / (1.0 + np.exp(2.0 * (4.0 - depth))))
    draws = rng.random((2, *depth.shape), np.float32)
    return draws[0] < chance, draws[1] < chance


def _sizes(
    worth: FloatArray, activity: FloatArray, lot: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return units at the best bid and ask: whole lots, more of them where options are cheap."""
    typical = 1.0 + 0.002 * activity + 300.0 / (worth + 1.0) * (activity > 1.0)
    drawn = rng.standard_exponential((2, *worth.shape), np.float32)
    sizes = np.ceil(typical * drawn) * lot
    return sizes[0], sizes[1]


def activity(
    depth: FloatArray, is_nearest: BoolArray, liveliness: FloatArray, law: QuoteLaw
) -> FloatArray:
    """Return expected lots a minute: most at the money of the nearest expiry."""
    fade = np.where(depth > 0, depth / law.in_fade, -depth / law.out_fade)
    expiry = np.where(is_nearest, 1.0, law.later_expiry)[:, None]
    expected: FloatArray = law.lots_per_minute * expiry * np.exp(-fade) * liveliness
    return expected


def traded_lots(expected: FloatArray, pulse: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return lots traded in each row; ``pulse`` (n_rows,) is how much the minute was awake."""
    mood = np.exp(0.25 * rng.standard_normal((len(expected), 1)))
    lots: FloatArray = rng.poisson(expected * mood * pulse).astype(np.float64)
    return lots


def last_prices(
    worth: FloatArray, book: Book, lots: FloatArray, law: QuoteLaw, rng: np.random.Generator
) -> FloatArray:
    """Return the last traded price: NaN before a contract's first trade, old where few trade.

    A trade takes place at the bid or the ask of its own moment, which lies before the row's end:
    the fewer trades, the longer before. Once in a long while a misprint stands for one row.
    """
    ago = np.minimum(rng.standard_exponential(worth.shape, np.float32) / (1.0 + 0.05 * lots), 1.0)
    earlier = np.diff(worth, axis=1, prepend=worth[:, :1]) * ago
    lifted = rng.random(worth.shape, np.float32) < 0.5
    side = np.where(lifted, book.ask, book.bid)
    ticks = np.round((side - earlier) / TICK_RUPEES)
    traded = (lots > 0) & ~np.isnan(ticks)
    price = on_grid(np.maximum(ticks, 1.0))
    last_trade = np.maximum.accumulate(np.where(traded, np.arange(worth.shape[1]), -1), axis=1)
    last = np.take_along_axis(price, np.maximum(last_trade, 0), axis=1)
    last = np.where(last_trade < 0, np.nan, last)
    return _misprint(last, law, rng)


def _misprint(last: FloatArray, law: QuoteLaw, rng: np.random.Generator) -> FloatArray:
    count = rng.poisson(law.freak * last.size)
    cells = rng.integers(0, last.size, count)
    factor = 1.0 + rng.choice([-1.0, 1.0], count) * rng.uniform(0.10, 0.30, count)
    flat = last.reshape(-1)
    flat[cells] = on_grid(np.maximum(np.round(flat[cells] * factor / TICK_RUPEES), 1.0))
    return flat.reshape(last.shape)


def missing_cells(shape: tuple[int, ...], law: QuoteLaw, rng: np.random.Generator) -> BoolArray:
    """Return the quotes that are missing from their snapshots altogether."""
    return rng.random(shape, np.float32) < law.missing


def kept_rows(n_rows: int, rng: np.random.Generator) -> BoolArray:
    """Return the rows a recorder kept: it misses one in 400, and one day in 12 several in a row."""
    kept: BoolArray = rng.random(n_rows) >= 1.0 / 400.0
    unlucky, start, length = rng.random(), rng.integers(0, n_rows), rng.integers(3, 20)
    if unlucky < 1.0 / 12.0:
        kept[start : start + length] = False
    return kept
