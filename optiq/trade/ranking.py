"""Which of several orders of one row comes first; a heap, so that few are ranked of many."""

from __future__ import annotations

import math
from typing import Any

from optiq.market.compiling import compiled
from optiq.market.schema import IntArray
from optiq.trade.book import Quotes, Records


@compiled
def outranks(i: int, j: int, orders: Records, quotes: Quotes, spot: float) -> bool:
    """Return whether order ``i`` is decided before order ``j`` of the same row.

    By score or strength, descending, NaN last; then the first leg's distance to the last known
    spot, lower strike, CE before PE, earlier expiry, the strategy's place, the order's index.
    """
    one, other = orders[i], orders[j]
    if one.rank != other.rank:
        if math.isnan(one.rank):
            if not math.isnan(other.rank):
                return False
        elif math.isnan(other.rank):
            return True
        else:
            return one.rank > other.rank
    a, b = one.legs[0], other.legs[0]
    if not math.isnan(spot):
        distance, far = abs(quotes.strike[a] - spot), abs(quotes.strike[b] - spot)
        if distance != far:
            return distance < far
    return _contract_outranks(one, other, a, b, quotes)


@compiled
def _contract_outranks(one: Any, other: Any, a: int, b: int, quotes: Quotes) -> bool:
    if quotes.strike[a] != quotes.strike[b]:
        return quotes.strike[a] < quotes.strike[b]
    if quotes.right[a] != quotes.right[b]:
        return quotes.right[a] > quotes.right[b]
    if quotes.expiry[a] != quotes.expiry[b]:
        return quotes.expiry[a] < quotes.expiry[b]
    if one.strategy != other.strategy:
        return one.strategy < other.strategy
    return one.index < other.index


@compiled
def heapify(heap: IntArray, size: int, orders: Records, quotes: Quotes, spot: float) -> None:
    """Make the first ``size`` order numbers a heap with the best on top."""
    for start in range(size // 2 - 1, -1, -1):
        _sink(heap, start, size, orders, quotes, spot)


@compiled
def pop(heap: IntArray, size: int, orders: Records, quotes: Quotes, spot: float) -> int:
    """Take the best order off a heap of ``size``."""
    best = heap[0]
    heap[0] = heap[size - 1]
    _sink(heap, 0, size - 1, orders, quotes, spot)
    return best


@compiled
def _sink(
    heap: IntArray, start: int, size: int, orders: Records, quotes: Quotes, spot: float
) -> None:
    node = start
    while True:
        child = 2 * node + 1
        if child >= size:
            return
        if child + 1 < size and outranks(heap[child + 1], heap[child], orders, quotes, spot):
            child += 1
        if not outranks(heap[child], heap[node], orders, quotes, spot):
            return
        heap[node], heap[child] = heap[child], heap[node]
        node = child
