"""An order's outcome is the walk of a day that has only this order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from both_walks import RATES, slow, terms
from markets import random_market
from reference_settings import Sizing
from simulated import days_of

from optiq.market.ingest import day_writer
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.stored_panel import panel_from_columns
from optiq.trade.book import Status, queue
from optiq.trade.fills import WalkSettings
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.outcomes import NO_LIMITS, outcomes
from optiq.trade.walk import walk_day


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


RULES = (
    ExitRule(target=0.15, stop=0.10),
    ExitRule(target=0.40, stop=0.25, trail_after=0.20, trail=0.15),
    ExitRule(target=0.30, stop=0.15, max_hold_minutes=60.0),
    ExitRule(max_hold_minutes=0.0),
    ExitRule(trail_after=0.0, trail=0.02),
    ExitRule(),
)


def simulated_panel(seed: int, minutes: int = 1) -> Panel:
    (day,) = days_of(Simulation(days=1, seed=seed, row_seconds=60.0 * minutes))
    priced = day_writer.price("NIFTY", day.date, day.columns)
    return panel_from_columns("NIFTY", day.date, priced.columns)


def random_bets(panel: Panel, n: int, seed: int) -> Orders:
    """Orders of one leg anywhere in the chain: bought and sold, any rule, any quoted contract."""
    rng = np.random.default_rng(seed)
    row, column = np.nonzero(panel.observed)
    chosen = rng.choice(len(row), n)
    rules = rng.integers(len(RULES), size=n)
    several = [
        Orders.packages(
            row[chosen[rules == k]],
            column[chosen[rules == k]][:, None],
            rng.choice([1, 1, -1], (np.count_nonzero(rules == k), 1)),
            rule,
            ratio=rng.integers(1, 3, (np.count_nonzero(rules == k), 1)),
        )
        for k, rule in enumerate(RULES)
    ]
    return Orders.joined(*several).by_row()


def differences(panel: Panel, orders: Orders, settings: WalkSettings) -> int:
    """How many outcomes are not, byte for byte, the walk of a day with that order alone."""
    records, count = queue([orders]), 0
    found = outcomes(panel, records, RATES, settings)
    for number, result in enumerate(found):
        book = walk_day(panel, records[number : number + 1], RATES, settings, NO_LIMITS)
        expected = book.closed[: book.day["n_closed"][0]].copy()
        expected["order"] = number
        same = result["status"] == book.status[0]
        same &= result["net_paise"] == book.day["realised_paise"][0]
        if len(expected):
            same &= all(  # field by field: what pads a record is left as it was found
                result["position"][name].tobytes() == expected[0][name].tobytes()
                for name in expected.dtype.names
            )
        count += not same
    return count


@pytest.mark.parametrize("latency_s", [0.0, 1.0])
def test_outcomes_of_a_day_are_its_walks_with_one_order_each(latency_s):
    panel = simulated_panel(seed=3)
    orders = random_bets(panel, 500, seed=int(latency_s))
    assert differences(panel, orders, WalkSettings(latency_s=latency_s)) == 0


@pytest.mark.study
def test_ten_thousand_outcomes_are_walks_with_one_order_each(write_study):
    rows = []
    for seed in range(10):
        panel = simulated_panel(seed)
        orders = random_bets(panel, 1_000, seed)
        rows.append((panel.date, seed, len(orders), differences(panel, orders, WalkSettings())))
    write_study(
        "outcomes",
        "Outcomes of random orders beside the walk of the day with that order alone: status, rows, "
        "prices, charges and net result, byte for byte.",
        ["session", "seed", "orders", "that differ"],
        rows,
    )
    assert sum(row[-1] for row in rows) == 0
