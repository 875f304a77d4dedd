"""An order's outcome is the walk of a day that has only this order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from both_walks import RATES, slow, terms
from markets import random_market
from reference_settings import Sizing

from optiq.trade.book import Status, queue
from optiq.trade.outcomes import outcomes


@pytest.mark.parametrize("seed", range(120))
def test_an_outcome_is_the_slow_walk_of_the_order_alone(seed):
    market = random_market(seed)
    free = dataclasses.replace(
        market.settings,
        first_entry_minutes=0.0,
        last_entry_minutes=0.0,
        max_trades_per_day=10**6,
        max_daily_loss=None,
        capital=None,
        min_score=None,
        sizing=Sizing(),
        own=(),
        freeze=1800,
    )
    name, orders = market.orders[0]
    records = queue([orders], None)
    found = outcomes(market.panel, records, RATES, terms(free)[0])
    for record, result in list(zip(records, found, strict=True))[:12]:
        alone = orders.take(np.array([record["index"]]))
        trades, statuses = slow(market._replace(orders=[(name, alone)], scores=None, settings=free))
        assert Status(int(result["status"])).name.lower() == statuses[0, 0]
        if trades:
            (trade,) = trades
            legs = record["legs"] >= 0
            assert tuple(result["position"]["exit_paise"][legs]) == trade.exit
            assert int(result["position"]["exit_row"]) == trade.exit_row
        else:
            assert result["net_paise"] == 0
