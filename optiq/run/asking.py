"""Ask strategies and a scorer about a panel: they see its chain rows and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray, IntArray
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
    earlier: IntArray | None = None,
) -> Records:
    """Return the orders of all strategies, scored, as the walk wants them.

    Parameters
    ----------
    chain
        The chain rows of a day, or of a day so far.
    rows : (chain.n_rows,) int
        Which row of the day each of them is.
    since
        The first chain row whose orders are wanted.
    earlier : (n_strategies,) int
        How many orders each gave before, for the index of the new ones to go on from.
    """
    asked = list(orders_since(chain, context, strategies, since))
    scores = _scores(chain, context, asked, scorer)
    records = queue([replace(orders, row=rows[orders.row]) for orders in asked], scores)
    if earlier is not None:
        records["index"] += earlier[records["strategy"]].astype(np.int32)
    return records


def orders_since(
    chain: Panel, context: Context, strategies: Sequence[Strategy], since: int
) -> Iterator[Orders]:
    """Yield each strategy's orders of the rows from ``since`` on, of which there is at least one.

    It is shown no more rows than it looks back on; strategies that look back equally far share
    what is worked out about them.
    """
    shown: dict[int, tuple[Panel, Context]] = {}
    for strategy in strategies:
        start = strategy.shown_from(chain, since) if since else 0
        if start not in shown:
            shown[start] = chain.tail(start), context.tail(start)
        orders = strategy.entries(*shown[start])
        if since:
            orders = orders.take(orders.row >= since - start)
        yield replace(orders, row=orders.row + start) if start else orders


def _scores(
    chain: Panel, context: Context, asked: Sequence[Orders], scorer: Scorer | None
) -> list[FloatArray] | None:
    """Return each strategy's scores, or None where orders rank by their own strength."""
    if scorer is None:
        return None
    said = [scorer(chain, context, orders) for orders in asked]
    known = [scores for scores in said if scores is not None]
    return known if len(known) == len(said) else None
