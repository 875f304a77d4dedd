"""The forward that calls and puts of one strike imply together, robust against bad quotes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.schema import CE, TICK_RUPEES, FloatArray, IntArray, TimeArray

STRIKES_USED = 12
"""Strikes nearest the money (the cheapest straddles) that vote on the forward."""
LAST_PRICE_HALF_SPREAD = 0.001
"""What a last price may be off, as a fraction; never under a tick (the rule of the fills)."""
STALE_TRUST = 0.1
"""The vote of a last price in a source that could quote a book and does not; a fresh one has 1."""
ABSENT = -1


class StrikePairs(NamedTuple):
    """Call and put column of each strike of each expiry, by expiry, then strike.

    ``call`` and ``put`` are ``ABSENT`` where the panel has no such contract.
    """

    expiry: IntArray
    strike: FloatArray
    call: IntArray
    put: IntArray


def strike_pairs(expiry: TimeArray, strike: FloatArray, right: IntArray) -> StrikePairs:
    """Return the pairs of a panel's columns, whatever their order.

    >>> june = np.array(["2026-06-30"] * 3, "datetime64[D]")
    >>> pairs = strike_pairs(june, np.array([110.0, 100.0, 110.0]), np.array([-1, 1, 1]))
    >>> pairs.strike, pairs.call, pairs.put
    (array([100., 110.]), array([1, 2]), array([-1,  0]))
    """
    expiry_index = np.unique(expiry, return_inverse=True)[1].astype(np.int64)
    order = np.lexsort((strike, expiry_index))
    by_expiry, by_strike = expiry_index[order], np.asarray(strike, np.float64)[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(by_expiry) != 0) | (np.diff(by_strike) != 0)
    pair = np.cumsum(is_new) - 1
    is_call = np.asarray(right)[order] == CE
    call = np.full(int(is_new.sum()), ABSENT, np.int64)
    put = call.copy()
    call[pair[is_call]] = order[is_call]
    put[pair[~is_call]] = order[~is_call]
    return StrikePairs(by_expiry[is_new], by_strike[is_new], call, put)


@compiled
def quoted_price(last: float, bid: float, ask: float, has_book: bool) -> tuple[float, float, float]:
    """Return the price of one side, what it may be off (both in rupees), and the trust in it.

    The middle of a two-sided book that is not crossed, else the last price; NaN without either.
    """
    if has_book and ask >= bid > 0.0:
        return 0.5 * (bid + ask), max(0.5 * (ask - bid), 0.5 * TICK_RUPEES), 1.0
    if last > 0.0:
        off = max(LAST_PRICE_HALF_SPREAD * last, TICK_RUPEES)
        return last, off, STALE_TRUST if has_book else 1.0
    return math.nan, math.nan, 0.0


@compiled
def insert(key: FloatArray, other: FloatArray, n: int, new_key: float, new_other: float) -> int:
    """Put a pair into the first ``n`` by ascending key; return how many there are then.

    A full array loses its largest. Of equal keys the earlier stays first.
    """
    if n == len(key) and not new_key < key[n - 1]:
        return n
    place = min(n, len(key) - 1)
    while place > 0 and key[place - 1] > new_key:
        key[place] = key[place - 1]
        other[place] = other[place - 1]
        place -= 1
    key[place] = new_key
    other[place] = new_other
    return min(n + 1, len(key))


@compiled
def weighted_median(value: FloatArray, weight: FloatArray, n: int) -> float:
    """Return the weighted median of the first ``n`` ascending values."""
    half = 0.0
    for i in range(n):
        half += 0.5 * weight[i]
    total = 0.0
    for i in range(n):
        total += weight[i]
        if i + 1 < n and abs(total - half) <= 1e-9 * half:
            return 0.5 * float(value[i] + value[i + 1])
        if total > half:
            return float(value[i])
    return math.nan


@compiled
def forwards(
    last: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    has_book: bool,
    pairs: StrikePairs,
    n_expiries: int,
) -> FloatArray:
    """Return the parity forward, (n_rows, n_expiries); quotes are (n_contracts, n_rows)."""
    forward = np.full((last.shape[1], n_expiries), math.nan)
    cost = straddles(last, bid, ask, has_book, pairs)
    straddle, voter = np.empty(STRIKES_USED), np.empty(STRIKES_USED)
    level, off, trust = np.empty(STRIKES_USED), np.empty(STRIKES_USED), np.empty(STRIKES_USED)
    ascending, place = np.empty(STRIKES_USED), np.empty(STRIKES_USED)
    for row in range(last.shape[1]):
        n = 0
        for pair in range(len(pairs.strike)):
            if cost[pair, row] > 0.0:
                n = insert(straddle, voter, n, cost[pair, row], float(pair))
            is_last = pair + 1 == len(pairs.strike)
            if n > 0 and (is_last or pairs.expiry[pair + 1] != pairs.expiry[pair]):
                for vote in range(n):
                    chosen = int(voter[vote])
                    call, put = pairs.call[chosen], pairs.put[chosen]
                    up, up_off, up_trust = quoted_price(
                        last[call, row], bid[call, row], ask[call, row], has_book
                    )
                    down, down_off, down_trust = quoted_price(
                        last[put, row], bid[put, row], ask[put, row], has_book
                    )
                    level[vote] = pairs.strike[chosen] + (up - down)
                    off[vote] = up_off + down_off
                    trust[vote] = min(up_trust, down_trust)
                forward[row, pairs.expiry[pair]] = elected(level, off, trust, ascending, place, n)
                n = 0
    return forward


@compiled
def straddles(
    last: FloatArray, bid: FloatArray, ask: FloatArray, has_book: bool, pairs: StrikePairs
) -> FloatArray:
    """Return what call and put of each strike cost together, (n_pairs, n_rows) in rupees."""
    cost = np.full((len(pairs.strike), last.shape[1]), math.nan)
    for pair in range(len(pairs.strike)):
        call, put = pairs.call[pair], pairs.put[pair]
        if call != ABSENT and put != ABSENT:
            for row in range(last.shape[1]):
                up, _, _ = quoted_price(last[call, row], bid[call, row], ask[call, row], has_book)
                down, _, _ = quoted_price(last[put, row], bid[put, row], ask[put, row], has_book)
                cost[pair, row] = up + down
    return cost


@compiled
def elected(
    level: FloatArray,
    off: FloatArray,
    trust: FloatArray,
    ascending: FloatArray,
    place: FloatArray,
    n: int,
) -> float:
    """Return the median of ``n`` levels, each weighing trust / max(off, the median of off).

    No strike outweighs the better half of those that vote, so a single wrong quote cannot carry
    the vote however narrow it is. ``ascending`` and ``place`` are room to sort in.
    """
    for vote in range(n):
        insert(ascending, place, vote, off[vote], float(vote))
    middle_off = ascending[n // 2]
    for vote in range(n):
        insert(ascending, place, vote, level[vote], float(vote))
    for i in range(n):
        vote = int(place[i])
        place[i] = trust[vote] / max(off[vote], middle_off)
    return weighted_median(ascending, place, n)
