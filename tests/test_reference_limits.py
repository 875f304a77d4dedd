"""Which entries the slow walk refuses and how its day ends, computed by hand."""

from __future__ import annotations

from dataclasses import replace

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
    only,
    price_panel,
    quotes,
    rows_and_reason,
)

from optiq.market.panel import Panel
from optiq.trade.orders import ExitRule, Orders


def refusals(panel: Panel, *orders: Orders, **keys: object) -> dict[tuple[int, int], str]:
    return go(panel, *orders, **keys).outcomes


@pytest.mark.parametrize(
    ("minute", "outcome"),
    [(559.99, "hours"), (560.0, "expired"), (900.0, "expired"), (900.01, "hours")],
)
def test_entries_keep_hours(minute: float, outcome: str) -> None:
    assert refusals(price_panel([minute], (100.0,)), buy(0)) == {(0, 0): outcome}


@pytest.mark.parametrize(("gap_s", "outcome"), [(300.0, "filled"), (299.999999, "cooldown")])
def test_the_cooldown_ends_at_exactly_five_minutes(gap_s: float, outcome: str) -> None:
    after = NOON + 3 + gap_s / 60
    panel = price_panel([*every_minute(4), after, after + 1], *[(100.0,)] * 6)
    rule = ExitRule(max_hold_minutes=1.0)  # in at row 1, decided at row 2, out at row 3
    assert refusals(panel, buy([0, 4], rule=rule)) == {(0, 0): "filled", (0, 1): outcome}


def test_a_slot_freed_by_a_fill_serves_from_the_next_row() -> None:
    panel = price_panel(every_minute(6), *[(100.0, 50.0)] * 6)
    first = buy(0, rule=ExitRule(max_hold_minutes=1.0))  # out at row 3
    assert refusals(panel, first, buy([3, 4], 1), max_open=1) == {
        (0, 0): "filled",
        (1, 0): "max_open",
        (1, 1): "filled",
    }


def test_the_same_first_contract_is_held_once() -> None:
    panel = price_panel(every_minute(4), *[(100.0, 50.0)] * 4)
    assert refusals(panel, buy([0, 0, 2])) == {
        (0, 0): "filled",
        (0, 1): "same_contract",  # pending
        (0, 2): "same_contract",  # open
    }


def test_expired_entries_do_not_use_up_the_day() -> None:
    bid = quotes((NAN, 50.0), (NAN, 50.0), (NAN, 50.0))
    panel = book_panel([NOON, NOON + 4, NOON + 5], bid, bid)
    assert refusals(panel, buy(0), buy([0, 1], 1), max_trades_per_day=1) == {
        (0, 0): "expired",
        (1, 0): "max_trades",
        (1, 1): "max_trades",  # still accepted in step 3 of the row on which it expires
    }
    assert refusals(panel, buy(0), buy([2], 1), max_trades_per_day=1)[1, 0] == "expired"


def test_a_score_under_the_least_is_refused_but_an_unknown_one_is_not() -> None:
    panel = price_panel(every_minute(2), (100.0, 50.0, 30.0), (100.0, 50.0, 30.0))
    orders = [buy(0, contract) for contract in range(3)]
    scores = [np.array([49.9]), np.array([50.0]), np.array([NAN])]
    result = go(panel, *orders, scores=scores, min_score=50.0)
    assert list(result.outcomes.values()) == ["min_score", "filled", "filled"]
    assert refusals(panel, *orders, min_score=50.0) == dict.fromkeys(result.outcomes, "filled")


def test_the_best_score_goes_first_and_an_unknown_one_last() -> None:
    panel = price_panel(every_minute(2), (100.0, 50.0, 30.0), (100.0, 50.0, 30.0))
    orders = [buy(0, contract) for contract in range(3)]
    scores = [np.array([NAN]), np.array([1.0]), np.array([2.0])]
    result = go(panel, *orders, scores=scores, max_open=2)
    assert list(result.outcomes.values()) == ["max_open", "filled", "filled"]


def test_equal_strengths_go_by_distance_then_strike_then_place() -> None:
    prices = [(100.0, 50.0, 30.0)] * 2
    panel = book_panel(every_minute(2), quotes(*prices), quotes(*prices), spot=24_075.0)
    orders = [buy(0, 2), buy(0, 1), buy(0, 0), buy(0, 1)]  # 24100 and 24050 are both 25 away
    outcomes = go(panel, *orders, max_open=1).outcomes
    assert list(outcomes.values()) == ["max_open", "filled", "max_open", "max_open"]
    outcomes = go(panel, *orders, max_open=2).outcomes
    assert list(outcomes.values()) == ["filled", "filled", "max_open", "same_contract"]


def test_one_strike_goes_calls_first_then_the_earlier_expiry() -> None:
    panel = price_panel(every_minute(2), *[(100.0, 50.0, 30.0, 20.0)] * 2)
    later = panel.expiry + np.timedelta64(7, "D")
    panel = replace(
        panel,
        strike=np.full(4, 24_000.0),
        right=np.array([-1, 1, 1, -1]),
        expiry=np.array([panel.expiry[0], later[0], panel.expiry[0], later[0]]),
    )
    orders = [buy(0, contract) for contract in range(4)]

    def filled(max_open: int) -> set[int]:
        outcomes = go(panel, *orders, max_open=max_open).outcomes
        return {place for (place, _), outcome in outcomes.items() if outcome == "filled"}

    # the near call, the far call, the near put
    assert [filled(1), filled(2), filled(3)] == [{2}, {1, 2}, {0, 1, 2}]


def test_distance_is_from_the_last_known_spot() -> None:
    panel = price_panel(every_minute(3), *[(100.0, 50.0)] * 3)
    orders = [buy(1, 0), buy(1, 1)]
    for spot, outcomes in (
        ((24_050.0, NAN, 24_000.0), ["max_open", "filled"]),
        ((NAN, NAN, 24_050.0), ["filled", "max_open"]),  # none yet: the lower strike
    ):
        result = go(replace(panel, spot=np.array(spot)), *orders, max_open=1)
        assert list(result.outcomes.values()) == outcomes


def test_capital_counts_premium_paid_and_premium_awaited() -> None:
    panel = price_panel(every_minute(3), *[(100.0, 50.0, 30.0)] * 3)
    orders = [buy(0, 0), buy(0, 1), buy(1, 2)]
    # 7,500 and 3,750 and 2,250 rupees, to the rupee
    assert set(go(panel, *orders, capital=13_500.0).outcomes.values()) == {"filled"}
    assert list(go(panel, *orders, capital=13_499.0).outcomes.values())[2] == "capital"
    assert list(go(panel, *orders, capital=11_249.0).outcomes.values())[:2] == ["filled", "capital"]


@pytest.mark.parametrize(("capital", "outcome"), [(7_505.0, "expired"), (7_504.99, "capital")])
def test_capital_shrinks_with_realised_losses(capital: float, outcome: str) -> None:
    panel = price_panel(every_minute(5), (100.0,), (100.0,), (90.0,), (90.0,), (90.0,))
    # 750 lost and 5 of charges; 90 x 75 is 6,750, and nothing is left to fill the second order
    result = go(panel, buy([0, 4]), capital=capital, cooldown_minutes=0.0)
    assert result.outcomes == {(0, 0): "filled", (0, 1): outcome}


# The end of the day


def test_a_lost_day_closes_everything_and_cancels_what_waits() -> None:
    rows = [(100.0, 50.0), (100.0, 50.0), (90.0, NAN), (89.0, 50.0), (88.0, 50.0)]
    panel = price_panel(every_minute(5), *rows)
    result = go(panel, buy(0, rule=BOLD), buy([1, 3], 1), max_daily_loss=750.0, latency_s=45.0)
    # row 2: (90 - 100) x 75 is exactly the limit
    assert rows_and_reason(only(result)) == (0, 1, 2, 3, "RISK")
    assert result.outcomes == {(0, 0): "filled", (1, 0): "day_over", (1, 1): "day_over"}


def test_a_lost_day_stays_lost() -> None:
    panel = price_panel(every_minute(5), (100.0,), (100.0,), (90.0,), (120.0,), (120.0,))
    result = go(panel, buy([0, 4], rule=BOLD), max_daily_loss=750.0, cooldown_minutes=0.0)
    assert only(result).gross_paise == 150_000  # sold at 120 after all
    assert result.outcomes[0, 1] == "day_over"


def test_finish_moves_the_last_mark_against_us() -> None:
    bid = quotes((100.0,), (100.0,), (99.0,), (NAN,), (NAN,))
    panel = book_panel(every_minute(5), bid, bid)
    trade = only(go(panel, buy(0)))
    assert (trade.reason, trade.stale, trade.exit_row) == ("EOD", True, 4)
    assert trade.legs[0].exit_price == 9_890  # 99.00 less 0.099 is 98.901, down to the tick
    assert only(go(panel, buy(0), slippage_ticks=1)).legs[0].exit_price == 9_885


def test_finish_takes_the_latest_mark_of_each_leg() -> None:
    both = Orders.packages(np.array([0]), np.array([[0, 1]]), 1, BOLD)
    bid = quotes((100.0, 50.0), (100.0, 50.0), (99.0, 40.0), (98.0, NAN), (NAN, NAN), (NAN, 45.0))
    panel = book_panel([NOON + n for n in (0, 1, 2, 3, 4, 30)], bid, bid)
    legs = only(go(panel, both)).legs
    # the first leg's last mark is row 3's 98.00 (row 4 carries it), the second leaves at its bid
    assert [leg.exit_price for leg in legs] == [9_790, 4_500]


def test_lots_multiply_quantities_and_the_loss_of_the_day() -> None:
    panel = price_panel(every_minute(4), (100.0,), (100.0,), (95.0,), (95.0,))
    trade = only(go(panel, buy(0, rule=BOLD), lots=2, max_daily_loss=750.0))
    assert (trade.legs[0].quantity, trade.gross_paise, trade.reason) == (150, -75_000, "RISK")
    assert only(go(panel, buy(0, rule=BOLD), max_daily_loss=750.0)).reason == "EOD"


def test_finish_without_any_mark_gives_the_entry_price_back() -> None:
    bid = quotes((100.0,), (100.0,), (NAN,))
    panel = book_panel([NOON, NOON + 1, NOON + 30], bid, bid)
    trade = only(go(panel, buy(0)))
    assert (trade.legs[0].exit_price, trade.net_pnl) == (10_000, -500)


def test_finish_keeps_the_reason_of_who_was_leaving() -> None:
    panel = price_panel(every_minute(3), (100.0,), (100.0,), (80.0,))
    trade = only(go(panel, buy(0)))
    assert (trade.reason, trade.stale, trade.exit_decided_row) == ("STOP", True, 2)
    assert trade.legs[0].exit_price == 8_000


def test_without_finish_nothing_is_closed() -> None:
    panel = price_panel(every_minute(3), (100.0, 50.0), (100.0, 50.0), (101.0, 50.0))
    result = go(panel, buy(0), buy([2, 9], 1), finish=False)
    assert result.trades == []
    assert result.outcomes == {(0, 0): "filled", (1, 0): "pending", (1, 1): "not_reached"}
