"""Ask strategies and a scorer about a panel: they see its chain rows and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, FloatArray, IntArray
from optiq.trade.book import Records, queue
from optiq.trade.orders import Orders
from optiq.trade.strategies import Strategy

Scorer = Callable[[Panel, Context, Orders], FloatArray | None]
"""Scores 0 to 100 for each order, NaN where it cannot say; None: no scorer serves that session."""


def ask(
    chain: Panel,
    rows: IntArray,
    context: Context,
    strategies: Sequence[Strategy],
    scorer: Scorer | None = None,
    *,
    since: int = 0,
) -> Records:
    """Return the orders of all strategies, scored, as the walk wants them.

    Parameters
    ----------
    chain
        The chain rows of a day, or of a day so far.
    rows : (chain.n_rows,) int
        Which row of the day each of them is.
    since
        Orders of earlier chain rows are left out; the others count them in their index, so that
        asking row by row gives the records of asking once.
    """
    asked = [strategy.entries(chain, context) for strategy in strategies]
    new = asked if since == 0 else [orders.take(orders.row >= since) for orders in asked]
    scores = _scores(chain, context, new, scorer)
    records = queue([replace(orders, row=rows[orders.row]) for orders in new], scores)
    earlier: AnyArray = np.array([len(a) - len(n) for a, n in zip(asked, new, strict=True)])
    if since and len(records):
        records["index"] += earlier[records["strategy"]].astype(np.int32)
    return records


def _scores(
    chain: Panel, context: Context, asked: Sequence[Orders], scorer: Scorer | None
) -> list[FloatArray] | None:
    """Return each strategy's scores, or None where orders rank by their own strength."""
    if scorer is None:
        return None
    said = [scorer(chain, context, orders) for orders in asked]
    known = [scores for scores in said if scores is not None]
    return known if len(known) == len(said) else None
