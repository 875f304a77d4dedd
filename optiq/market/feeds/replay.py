"""A stored day as a feed: its rows, one after the other, at any pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from optiq.market.chain_row import ChainRow, rows_of
from optiq.market.panel import Panel

Sleep = Callable[[float], object]
"""Waits some seconds."""


def replay(
    panel: Panel, after: np.datetime64 | None, speed: float, sleep: Sleep
) -> Iterator[ChainRow]:
    """Yield a day's rows later than ``after``, ``speed`` times as fast as they came.

    ``speed`` infinite waits for nothing.
    """
    before = None
    for row in rows_of(panel):
        if after is not None and row.ts <= after:
            continue
        if before is not None and np.isfinite(speed):
            sleep(float((row.ts - before) / np.timedelta64(1, "s")) / speed)
        before = row.ts
        yield row
