"""Which entries the slow walk refuses one strategy while others go on, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_walks import (
    BOLD,
    NAN,
    NOON,
    book_panel,
    buy,
    every_minute,
    go,
    price_panel,
    quotes,
    rows_and_reason,
)
from reference_settings import OwnLimits

from optiq.market.panel import Panel
from optiq.trade.orders import ExitRule, Orders

FREE = OwnLimits()
BRIEF = ExitRule(max_hold_minutes=1.0)
"""In at the next row, decided a row later, out at the third."""


def became(panel: Panel, *orders: Orders, own: tuple[OwnLimits, ...], **keys: object) -> list[str]:
    return list(go(panel, *orders, own=own, **keys).outcomes.values())


def flat(n_rows: int) -> Panel:
    return price_panel(every_minute(n_rows), *[(100.0, 50.0, 30.0, 20.0)] * n_rows)


def in_contracts(row: list[int], contract: list[int], rule: ExitRule = BOLD) -> Orders:
    return Orders.packages(np.array(row), np.array(contract)[:, None], 1, rule)


def test_each_strategy_has_its_own_places() -> None:
    first, second = in_contracts([0, 0, 2], [0, 1, 2]), buy(2, 3)
    assert became(flat(4), first, second, own=(OwnLimits(max_open=1), FREE), max_open=9) == [
        "filled",
        "strategy_max_open",  # pending counts
        "strategy_max_open",  # open counts
        "filled",
    ]


def test_a_place_freed_by_a_fill_serves_its_strategy_from_the_next_row() -> None:
    orders = in_contracts([0, 3, 4], [0, 1, 1], BRIEF)
    assert became(flat(6), orders, own=(OwnLimits(max_open=1),)) == [
        "filled",
        "strategy_max_open",
        "filled",
    ]


@pytest.mark.parametrize(
    ("gap_s", "outcome"), [(300.0, "filled"), (299.999999, "strategy_cooldown")]
)
def test_an_exit_in_any_contract_rests_its_strategy(gap_s: float, outcome: str) -> None:
    after = NOON + 3 + gap_s / 60
    panel = price_panel([*every_minute(4), after, after + 1], *[(100.0, 50.0, 30.0)] * 6)
    first, second = in_contracts([0, 4], [0, 1], BRIEF), buy(4, 2)
    rests = OwnLimits(cooldown_minutes=5.0)
    assert became(panel, first, second, own=(rests, rests)) == ["filled", outcome, "filled"]


def test_the_latest_exit_counts() -> None:
    # out at rows 3 and 5; five minutes later is row 10
    orders = in_contracts([0, 2, 9, 10], [0, 1, 2, 2], BRIEF)
    assert became(flat(12), orders, own=(OwnLimits(cooldown_minutes=5.0),)) == [
        "filled",
        "filled",
        "strategy_cooldown",
        "filled",
    ]


def test_a_strategy_counts_its_own_entries_without_the_expired() -> None:
    bid = quotes(*[(NAN, 50.0, 30.0, 20.0)] * 4)
    panel = book_panel([NOON, NOON + 4, NOON + 5, NOON + 6], bid, bid)
    first, second = in_contracts([0, 1, 2, 3], [0, 1, 1, 2]), in_contracts([1], [3])
    assert became(panel, first, second, own=(OwnLimits(max_trades_per_day=1), FREE)) == [
        "expired",
        "strategy_max_trades",  # the first still counts in step 3 of the row on which it expires
        "filled",
        "strategy_max_trades",
        "filled",
    ]


def test_a_strategys_capital_counts_its_own_premiums_only() -> None:
    first, second = in_contracts([0, 0, 2], [0, 1, 2]), buy(0, 3)
    own = OwnLimits(capital=13_500.0), OwnLimits(capital=1_500.0)  # 20 x 75 to the rupee
    # 7,500 and 3,750 and 2,250 rupees are 13,500
    assert became(flat(4), first, second, own=own, max_open=9) == ["filled"] * 4
    short = OwnLimits(capital=13_499.0), OwnLimits(capital=1_499.0)
    assert became(flat(4), first, second, own=short, max_open=9) == [
        *["filled"] * 2,
        *["strategy_capital"] * 2,
    ]


@pytest.mark.parametrize(
    ("capital", "outcome"), [(4_505.0, "expired"), (4_504.99, "strategy_capital")]
)
def test_a_strategys_capital_shrinks_with_its_losses(capital: float, outcome: str) -> None:
    rows = [(50.0, 200.0), (50.0, 200.0), (40.0, 200.0), (40.0, 300.0), (50.0, 300.0)]
    panel = price_panel(every_minute(5), *rows)
    # the first strategy lost 750 and 5 of charges and wants 3,750; what the other won is not its
    first, second = buy([0, 4]), buy(0, 1)
    found = became(panel, first, second, own=(OwnLimits(capital=capital), FREE), cooldown_minutes=0)
    assert found == ["filled", outcome, "filled"]


# The strategy's own end of the day


def test_a_lost_day_of_one_strategy_leaves_the_others_alone() -> None:
    rows = [(100.0, 50.0, 30.0, 20.0)] * 2 + [(90.0, 50.0, NAN, 20.0)] + [(95.0, 50.0, 30.0, 20.0)]
    panel = price_panel(every_minute(5), *rows, rows[-1])
    first = in_contracts([0, 1, 3], [0, 2, 3])
    second = in_contracts([0, 3], [1, 2])
    own = OwnLimits(max_daily_loss=750.0), FREE
    result = go(panel, first, second, own=own, latency_s=45.0, max_open=9)
    # row 2: (90 - 100) x 75 is exactly the limit
    assert list(result.outcomes.values()) == [
        "filled",
        "strategy_day_over",  # cancelled while it waited for the third contract
        "strategy_day_over",  # refused, although row 3 is at -375 only
        "filled",
        "filled",
    ]
    assert [rows_and_reason(trade) for trade in result.trades] == [
        (0, 1, 2, 3, "RISK"),
        (0, 1, 4, 4, "EOD"),
        (3, 4, 4, 4, "EOD"),
    ]


def test_a_strategys_loss_is_its_realised_and_its_open_one() -> None:
    rows = [(100.0, 50.0), (100.0, 50.0), (90.0, 50.0), (90.0, 50.0), (90.0, 50.0), (90.0, 49.0)]
    panel = price_panel(every_minute(7), *rows, rows[-1])
    orders = in_contracts([0, 3], [0, 1], ExitRule(stop=0.10))
    for limit, reason in ((830.0, "RISK"), (830.01, "EOD")):
        # 750 and 5 of charges realised at row 3, 1 x 75 open at row 5
        result = go(panel, orders, own=(OwnLimits(max_daily_loss=limit),))
        assert [trade.reason for trade in result.trades] == ["STOP", reason]


def test_the_day_of_the_run_ends_before_the_day_of_a_strategy() -> None:
    rows = [(100.0, 50.0), (100.0, 50.0), (90.0, NAN), (90.0, 50.0)]
    panel = price_panel(every_minute(4), *rows)
    orders = in_contracts([0, 1, 3], [0, 1, 1])
    keys = {"own": (OwnLimits(max_daily_loss=750.0),), "latency_s": 45.0}
    assert became(panel, orders, **keys, max_daily_loss=750.0)[1:] == ["day_over"] * 2
    assert became(panel, orders, **keys, max_daily_loss=750.01)[1:] == ["strategy_day_over"] * 2


# Precedence


STOPPED = ExitRule(stop=0.10)
TIGHT = {"max_trades_per_day": 2, "capital": 11_250.0}
"""Just room for two orders of 7,500 and 3,750."""


@pytest.mark.parametrize(
    ("row", "rule", "limits", "outcome"),
    [
        # at row 4 the first is out with a loss of 755, and 11,250 - 755 - 3,750 is under 7,500
        (4, STOPPED, {"max_daily_loss": 755.0, "cooldown_minutes": 5.0, **TIGHT}, "day_over"),
        (4, STOPPED, {"cooldown_minutes": 5.0, **TIGHT}, "cooldown"),
        (4, STOPPED, TIGHT, "max_trades"),
        (4, STOPPED, {"capital": 11_250.0}, "capital"),
        # at row 2 both are open, the first 750 down
        (2, BOLD, {"max_daily_loss": 750.0, "max_open": 2, **TIGHT}, "day_over"),
        (2, BOLD, {"max_open": 2, **TIGHT}, "max_open"),
    ],
)
def test_the_strategys_limits_are_asked_in_their_order_and_after_the_runs(
    row: int, rule: ExitRule, limits: dict, outcome: str
) -> None:
    rows = [(100.0, 50.0, 100.0)] * 2 + [(90.0, 50.0, 100.0)] * 4
    panel = price_panel(every_minute(6), *rows)
    orders = in_contracts([0, 0, row], [0, 1, 2], rule)
    own = (OwnLimits(**limits),)
    assert became(panel, orders, own=own) == ["filled", "filled", f"strategy_{outcome}"]
    assert became(panel, orders, own=own, max_trades_per_day=2)[-1] == "max_trades"
    assert became(panel, orders, own=own, capital=11_250.0)[-1] == "capital"
