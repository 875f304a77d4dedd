"""A whole day priced at once: parity forwards, implied volatilities and Greeks of a panel.

One row's numbers come from that row's quotes alone, so they are the same bits whether the panel
ends there or at the close, and whatever the order of its columns.
"""

from __future__ import annotations

import math

import numpy as np

from optiq.market import contracts
from optiq.market.black76 import LANES, N_VALUES, solve_lanes
from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.parity import ABSENT, StrikePairs, forwards, quoted_price, strike_pairs
from optiq.market.schema import GREEKS, MINUTES_PER_YEAR, AnyArray, FloatArray, TimeArray

MICROSECONDS_PER_YEAR = MINUTES_PER_YEAR * 60 * 1_000_000


def parity_forward(panel: Panel) -> FloatArray:
    """Return the forward of each expiry at each row, (n_rows, n_expiries) in rupees.

    F = K + C - P at each strike with both sides quoted in that row; the weighted median over the
    strikes nearest the money (the cheapest straddles), wide quotes counting less. A side's price
    is the middle of its two-sided, uncrossed book, else its last price. Nothing is discounted:
    with an interest rate r, K + C - P is off by r * T * (F - K), which vanishes at the money and
    has opposite signs on its two sides, so the median is free of it without knowing r. NaN where
    no strike has both sides.
    """
    pairs = strike_pairs(panel.expiry, panel.strike, panel.right)
    last, bid, ask = contract_major_quotes(panel)
    return forwards(last, bid, ask, panel.has_book, pairs, len(panel.expiries))


def years_to_expiry(ts: TimeArray, expiry_close_utc: TimeArray) -> FloatArray:
    """Return the time left in years of 525,600 minutes, (n_rows, n_expiries); NaN once none is.

    >>> close = np.array(["2025-11-25T10:00"], "datetime64[us]")
    >>> years_to_expiry(np.array(["2025-11-24T10:00"], "datetime64[us]"), close) * 365
    array([[1.]])
    """
    left: AnyArray = (expiry_close_utc[None, :] - ts[:, None]) / np.timedelta64(1, "us")
    return np.where(left > 0.0, left / MICROSECONDS_PER_YEAR, np.nan)


def price_day(panel: Panel) -> dict[str, FloatArray]:
    """Return iv, delta, gamma, theta and vega of every quote, each (n_rows, n_contracts).

    Black-76, undiscounted, on the parity forward. Both sides of a strike get the volatility of
    the side out of the money (the call where K >= F). Where that side is not quoted in the row,
    the other's time value, its price less |F - K|, stands in for it, provided it is at least as
    large as what that price may be off. NaN where the contract itself is not quoted, and for
    whatever is impossible: no forward, no time left, a price outside its bounds.
    """
    closes = contracts.expiry_close_utc(panel.expiries, panel.underlying)
    years = years_to_expiry(panel.ts, closes)
    pairs = strike_pairs(panel.expiry, panel.strike, panel.right)
    last, bid, ask = contract_major_quotes(panel)
    solved = price_quotes(last, bid, ask, panel.has_book, pairs, panel.forward_by_expiry, years)
    return {name: solved[place].T for place, name in enumerate(GREEKS)}


def contract_major_quotes(panel: Panel) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ltp, bid and ask as (n_contracts, n_rows); ltp thrice where there is no book."""
    last = np.ascontiguousarray(panel.ltp.T)
    if not panel.has_book:
        return last, last, last
    return last, np.ascontiguousarray(panel.bid.T), np.ascontiguousarray(panel.ask.T)


@compiled
def is_quoted(last: float, bid: float, ask: float, has_book: bool) -> bool:
    """Return whether any price of a contract is there."""
    if not math.isnan(last):
        return True
    return has_book and not (math.isnan(bid) and math.isnan(ask))


@compiled
def out_of_the_money_price(
    last: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    has_book: bool,
    out: int,
    other: int,
    row: int,
    intrinsic: float,
) -> float:
    """Return the price of the out-of-the-money side by its own quote, else by the other's."""
    if out != ABSENT:
        price, _, _ = quoted_price(last[out, row], bid[out, row], ask[out, row], has_book)
        if not math.isnan(price):
            return price
    if other != ABSENT:
        price, off, trust = quoted_price(
            last[other, row], bid[other, row], ask[other, row], has_book
        )
        if price - intrinsic >= off / trust:
            return price - intrinsic
    return math.nan


@compiled
def price_quotes(
    last: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    has_book: bool,
    pairs: StrikePairs,
    forward: FloatArray,
    years: FloatArray,
) -> FloatArray:
    """Return the five Greeks as (5, n_contracts, n_rows); quotes are (n_contracts, n_rows).

    The prices that can be solved are gathered until the lanes of one pass are full.
    """
    n_contracts, n_rows = last.shape
    solved = np.full((5, n_contracts, n_rows), math.nan)
    work = np.empty(N_VALUES * LANES)
    lane_pair = np.empty(LANES, np.int64)
    lane_row = np.empty(LANES, np.int64)
    n = 0
    for pair in range(len(pairs.strike)):
        expiry, strike = pairs.expiry[pair], pairs.strike[pair]
        call, put = pairs.call[pair], pairs.put[pair]
        for row in range(n_rows):
            level = forward[row, expiry]
            if level > 0.0 and years[row, expiry] > 0.0:
                out, other = (call, put) if strike >= level else (put, call)
                price = out_of_the_money_price(
                    last, bid, ask, has_book, out, other, row, abs(level - strike)
                )
                if price > 0.0:
                    work[n] = price
                    work[LANES + n] = level
                    work[2 * LANES + n] = strike
                    work[3 * LANES + n] = years[row, expiry]
                    lane_pair[n], lane_row[n] = pair, row
                    n += 1
            if n == LANES:
                solve_and_scatter(
                    work, n, lane_pair, lane_row, pairs, last, bid, ask, has_book, solved
                )
                n = 0
    solve_and_scatter(work, n, lane_pair, lane_row, pairs, last, bid, ask, has_book, solved)
    return solved


@compiled
def solve_and_scatter(
    work: FloatArray,
    n: int,
    lane_pair: AnyArray,
    lane_row: AnyArray,
    pairs: StrikePairs,
    last: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    has_book: bool,
    solved: FloatArray,
) -> None:
    """Solve ``n`` lanes and write them to both sides of their strike, where quoted."""
    solve_lanes(work, n)
    for lane in range(n):
        pair, row = lane_pair[lane], lane_row[lane]
        for side in range(2):
            column = pairs.put[pair] if side else pairs.call[pair]
            if column != ABSENT and is_quoted(
                last[column, row], bid[column, row], ask[column, row], has_book
            ):
                for value in range(5):
                    solved[value, column, row] = work[(4 + value) * LANES + lane]
                if side:
                    solved[1, column, row] -= 1.0
