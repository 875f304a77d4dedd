"""Lots by risk and by capital, orders split at the freeze quantity, limits of one strategy."""

from __future__ import annotations

import numpy as np
import pytest
from both_walks import RATES
from hand_walks import BOLD, RULE, buy, every_minute, price_panel

from optiq.errors import InputError
from optiq.trade.book import Book, Rules, Status, queue
from optiq.trade.charges import leg_charge_paise, order_charge_paise, order_premiums
from optiq.trade.fills import MOST_LOTS, WalkSettings
from optiq.trade.limits import Limits, StrategyLimits
from optiq.trade.margin import margin_rates
from optiq.trade.orders import Orders
from optiq.trade.sizing import Sizing
from optiq.trade.walk import walk_day

LOT = 75
FLAT = price_panel(every_minute(5), *[(100.0, 120.0)] * 5)  # two calls that never move
FALLING = price_panel(every_minute(8), *[(p, 120.0) for p in (100, 100, 99, 80, 80, 80, 80, 80)])


def walked(panel, *orders: Orders, sizing=None, own=(), **limits) -> Book:
    free = {"first_entry_minutes": 0.0, "cooldown_minutes": 0.0, "max_open": 9} | limits
    terms = (WalkSettings(), Limits(**free), sizing, own)
    return walk_day(panel, queue(list(orders)), RATES, *terms)


def statuses(book: Book) -> list[str]:
    return [Status(int(status)).name.lower() for status in book.status]


def lots(book: Book) -> list[int]:
    closed = book.closed[: int(book.day["n_closed"][0])]
    return closed[np.argsort(closed["order"])]["lots"].tolist()


# One lot pays 100 x 75 = 7,500 and loses 10 % of it, 750, at the stop; without a stop all of it.
@pytest.mark.parametrize(
    ("sizing", "rule", "expected"),
    [
        (Sizing("risk", risk_rupees=750.0), RULE, 1),
        (Sizing("risk", risk_rupees=2_249.99), RULE, 2),
        (Sizing("risk", risk_rupees=2_250.0), RULE, 3),
        (Sizing("risk", risk_rupees=749.99), RULE, 0),
        (Sizing("risk", risk_rupees=15_000.0), BOLD, 2),
        (Sizing("risk", risk_rupees=7_499.99), BOLD, 0),
        (Sizing("capital", capital_fraction=0.2), RULE, 2),  # 20,000 of 100,000
        (Sizing("capital", capital_fraction=0.07), RULE, 0),
        (Sizing("capital", capital_fraction=1.0), RULE, 13),
        (Sizing("risk", risk_rupees=1e12), RULE, MOST_LOTS),
    ],
)
def test_lots_are_what_the_budget_pays_for(sizing, rule, expected):
    capital = None if sizing.risk_rupees == 1e12 else 100_000.0
    book = walked(FLAT, buy(0, rule=rule), sizing=sizing, capital=capital)
    assert statuses(book) == (["filled"] if expected else ["size"])
    assert lots(book) == ([expected] if expected else [])


def test_a_loss_shrinks_the_next_position():
    # 0.9 x 25,000 is three lots at 7,500; they lose 20 x 225 = 4,500 and some charges, and
    # 0.9 x 20,450 is three lots at 80 x 75 = 6,000. Of 23,000 it is two lots; they lose 3,000, and
    # 0.9 x 20,000 would be three, were it not for the charges.
    sizing = Sizing("capital", capital_fraction=0.9)
    book = walked(FALLING, buy([0, 6]), sizing=sizing, capital=25_000.0)
    assert lots(book) == [3, 3]
    book = walked(FALLING, buy([0, 6]), sizing=sizing, capital=23_000.0)
    assert lots(book) == [2, 2]


def test_a_share_of_no_capital_is_an_error():
    with pytest.raises(InputError, match=r"limits\.capital is off"):
        walked(FLAT, buy(0), sizing=Sizing("capital", capital_fraction=0.2))


@pytest.mark.parametrize(
    "wrong",
    [{"method": "risk"}, {"method": "capital"}, {"risk_rupees": 0.0}, {"capital_fraction": -1.0}],
)
def test_a_sizing_without_its_number_is_refused(wrong):
    with pytest.raises(ValueError, match=r"needs|give"):
        Sizing(**wrong)


@pytest.mark.parametrize("idle", [{"risk_rupees": 2_000.0}, {"capital_fraction": 0.2}])
def test_a_number_that_would_do_nothing_is_refused(idle):
    with pytest.raises(ValueError, match="does nothing while method = lots"):
        Sizing(**idle)


def test_an_order_over_the_freeze_quantity_pays_for_each_part():
    rules = Rules(np.array([2 * LOT, 2 * LOT]), margin_rates("NIFTY", FLAT.date))
    book = walk_day(
        FLAT,
        queue([buy(0)]),
        RATES,
        WalkSettings(lots=5),
        Limits(first_entry_minutes=0.0),
        rules=rules,
    )
    closed = book.closed[0]
    # 375 units: two orders of 150 and one of 75, on each side, at 100.00 both.
    parts = [(units, side) for side in (1, -1) for units in (150, 150, 75)]
    expected = sum(order_charge_paise(10_000 * units, side, RATES) for units, side in parts)
    assert closed["charges_paise"].sum() == expected
    assert closed["lots"] == 5


@pytest.mark.parametrize(
    ("quantity", "parts"), [(75, [75]), (150, [150]), (151, [150, 1]), (450, [150] * 3), (0, [])]
)
def test_the_parts_of_an_order(quantity, parts):
    premium, leg = order_premiums(np.array([7]), np.array([quantity]), np.array([150]))
    assert premium.tolist() == [7 * part for part in parts]
    assert leg.tolist() == [0] * len(parts)
    charged = sum(order_charge_paise(7 * part, 1, RATES) for part in parts)
    assert leg_charge_paise(7, quantity, 150, 1, RATES) == charged


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (StrategyLimits(), ["filled", "filled"]),
        (StrategyLimits(max_open=1), ["filled", "strategy_max_open"]),
        (StrategyLimits(max_trades_per_day=1), ["filled", "strategy_max_trades"]),
        (StrategyLimits(capital=7_500.0), ["filled", "strategy_capital"]),
        (StrategyLimits(capital=16_500.0), ["filled", "filled"]),  # 7,500 and 120 x 75 = 9,000
        (StrategyLimits(capital=16_499.0), ["filled", "strategy_capital"]),
        (StrategyLimits(max_daily_loss=0.0), ["strategy_day_over", "strategy_day_over"]),
    ],
)
def test_the_limits_of_one_strategy_bind_it_alone(own, expected):
    both = Orders.packages(np.zeros(2), np.array([[0], [1]]), 1, BOLD)
    first, second = both, buy(0, contract=0, rule=BOLD)
    assert statuses(walked(FLAT, both, own=[own])) == expected
    book = walked(FLAT, first, second, own=[own, StrategyLimits()], max_open=9)
    assert statuses(book)[:2] == expected
    first_is_free = "filled" not in expected
    assert statuses(book)[2] == ("filled" if first_is_free else "same_contract")


def test_a_strategy_rests_in_every_contract_after_its_exit():
    # Entered at row 1, the stop decides at row 3 (80) and fills at row 4: minute 724.
    orders = [buy(0), buy([5, 6], contract=1)]
    one = Orders.packages(np.array([0, 5, 6]), np.array([[0], [1], [1]]), 1, RULE)
    assert statuses(walked(FALLING, one, own=[StrategyLimits(cooldown_minutes=2.0)])) == [
        *("filled", "strategy_cooldown", "filled"),
    ]
    assert statuses(walked(FALLING, *orders, own=[StrategyLimits(cooldown_minutes=9.0)]))[1] == (
        "filled"
    )


def test_a_strategy_that_lost_too_much_leaves_and_others_go_on():
    # Row 3: 20 x 75 = 1,500 lost on paper by the first.
    own = [StrategyLimits(max_daily_loss=1_000.0), StrategyLimits()]
    first = Orders.packages(np.array([0, 5]), np.array([[0], [1]]), 1, BOLD)
    book = walked(FALLING, first, buy(6, contract=1, rule=BOLD), own=own)
    assert statuses(book) == ["filled", "strategy_day_over", "filled"]
    risk = book.closed[book.closed["order"] == 0]
    assert (risk["reason"][0], risk["exit_decided_row"][0]) == (6, 3)
