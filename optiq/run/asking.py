"""Ask strategies and a scorer about a panel: they see its chain rows and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, FloatArray
from optiq.trade.book import Records, queue
from optiq.trade.orders import Orders
from optiq.trade.strategies import Strategy

Scorer = Callable[[Panel, Context, Orders], FloatArray]
"""Scores 0 to 100 for each order, NaN where it cannot say."""


def ask(
    panel: Panel, context: Context, strategies: Sequence[Strategy], scorer: Scorer | None = None
) -> Records:
    """Return the orders of all strategies on a panel's rows, scored, as the walk wants them."""
    chain = panel.chain_only
    asked = [strategy.entries(chain, context) for strategy in strategies]
    scores = None if scorer is None else [scorer(chain, context, orders) for orders in asked]
    on_all = [replace(orders, row=panel.chain_rows[orders.row]) for orders in asked]
    return queue(on_all, scores)


def ask_about_last(
    chain: Panel,
    context: Context,
    strategies: Sequence[Strategy],
    row: int,
    scorer: Scorer | None = None,
) -> Records:
    """Return the orders of a chain panel's last row, as decided on row ``row`` of the day.

    Their index counts a strategy's orders from the open, as it does when the whole day is asked.
    """
    last = chain.n_rows - 1
    asked = [strategy.entries(chain, context) for strategy in strategies]
    now = [orders.take(orders.row == last) for orders in asked]
    scores = None if scorer is None else [scorer(chain, context, orders) for orders in now]
    records = queue([replace(orders, row=np.full(len(orders), row)) for orders in now], scores)
    earlier: AnyArray = np.array([len(orders) for orders in asked]) - [len(part) for part in now]
    records["index"] += earlier[records["strategy"]].astype(np.int32)
    return records
