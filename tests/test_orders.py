"""How strategies paint orders, and which orders are refused as nonsense."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from panels import panel

from optiq import ExitRule, Orders
from optiq.errors import StrategyError
from optiq.trade.strategies import check_orders

DAY = panel([720, 721, 722], [26_000, 26_100], [1, -1], 100.0, chain=[True, False, True])


def test_single_paints_row_by_row_and_skips_monitor_rows():
    mask = np.array([[True, False], [True, True], [True, True]])
    orders = Orders.single(DAY, mask, rule=ExitRule(target=0.15, stop=0.10))
    assert orders.row.tolist() == [0, 2, 2]
    assert orders.legs[:, 0].tolist() == [0, 0, 1]
    assert (orders.legs[:, 1:] == -1).all()
    assert orders.side[:, 0].tolist() == [1, 1, 1]
    assert orders.side[:, 1:].sum() == 0
    assert np.isnan(orders.trail).all()
    assert set(orders.target) == {0.15}


def test_strength_may_be_painted_too():
    strength = np.arange(6.0).reshape(3, 2)
    orders = Orders.single(DAY, np.ones((3, 2), bool), strength=strength)
    assert orders.strength.tolist() == [0, 1, 4, 5]


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(StrategyError, match=r"mask of shape \(2, 2\), the panel has \(3, 2\)"):
        Orders.single(DAY, np.ones((2, 2), bool))


def test_no_orders_are_orders():
    assert len(Orders.empty()) == 0
    check_orders("quiet", Orders.empty(), DAY)


RULE = ExitRule(target=0.15, stop=0.1, trail_after=0.2, trail=0.1, max_hold_minutes=30)
GOOD = Orders.packages(
    np.array([0, 2]),
    np.array([[0, 1], [1, 0]]),
    np.array([[1, -1]]),
    ExitRule(0.15, 0.1, 0.2, 0.1, 30),
)
FLOATS = np.array([50.0, 50.0])
NAN = np.nan


def legs(*second: int) -> np.ndarray:
    """The first order's legs as they should be, the second's as given."""
    return np.array([[0, 1, -1, -1], second])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": np.array([0, 3])}, "order 1 at row 3 has a row the panel does not have: 3"),
        ({"row": np.array([0, -1])}, "order 1 at row -1 has a row the panel does not have: -1"),
        ({"row": np.array([0, 1])}, "order 1 at row 1 has a monitor row, which decides nothing: 1"),
        ({"legs": legs(0, 2, -1, -1)}, "order 1 at row 2 has a contract the panel .*: 2"),
        ({"legs": legs(0, -2, -1, -1)}, "a contract the panel does not have: -2"),
        ({"legs": legs(-1, 1, -1, -1)}, "no first leg: -1"),
        ({"legs": legs(1, 1, -1, -1)}, "the same contract twice: 1"),
        ({"side": legs(1, 0, 0, 0)}, r"order 0 at row 0 has a side other than \+1 or -1: 0"),
        ({"side": GOOD.side * 2}, r"a side other than \+1 or -1: 2"),
        ({"ratio": GOOD.ratio * [[1], [0]]}, "order 1 .* a ratio below 1: 0"),
        ({"ratio": -GOOD.ratio}, "a ratio below 1: -1"),
        ({"strength": np.array([50.0, NAN])}, "order 1 .* a strength outside 0 to 100: nan"),
        ({"strength": np.array([50.0, 101.0])}, "a strength outside 0 to 100: 101.0"),
        ({"strength": np.array([-1, 5])}, "a strength outside 0 to 100: -1"),
        ({"target": np.array([0.15, 0.0])}, "order 1 .* a target that is not above 0: 0.0"),
        ({"stop": np.array([-0.1, 0.1])}, "order 0 .* a stop that is not above 0: -0.1"),
        ({"trail_after": np.array([-0.1, 0.1])}, "a trail_after below 0: -0.1"),
        ({"trail": np.array([0.0, 0.1])}, "a trail that is not above 0: 0.0"),
        ({"max_hold_minutes": np.array([-1.0, NAN])}, "max_hold_minutes below 0: -1.0"),
        ({"row": np.array([[0, 2]])}, r"gave row of shape \(1, 2\), not \(n,\)"),
        ({"row": np.array([0])}, r"gave legs of shape \(2, 4\), not \(1, 4\)"),
        ({"legs": GOOD.legs[:, :2]}, r"gave legs of shape \(2, 2\), not \(2, 4\)"),
        ({"side": GOOD.side[0]}, r"gave side of shape \(4,\), not \(2, 4\)"),
        ({"ratio": GOOD.ratio[:1]}, r"gave ratio of shape \(1, 4\), not \(2, 4\)"),
        ({"strength": np.full((2, 2), 50.0)}, r"gave strength of shape \(2, 2\), not \(2,\)"),
        ({"strength": np.float64(50)}, "gave strength as float64, not an array"),
        ({"target": np.array([0.1])}, r"gave target of shape \(1,\), not \(2,\)"),
        ({"stop": 0.1}, "gave stop as float, not an array"),
        ({"trail": [0.1, 0.1]}, "gave trail as list, not an array"),
        ({"max_hold_minutes": np.empty(0)}, r"gave max_hold_minutes of shape \(0,\), not \(2,\)"),
        ({"row": np.array([0.0, 2.0])}, "gave row as float64, not whole numbers"),
        ({"legs": GOOD.legs.astype(float)}, "gave legs as float64, not whole numbers"),
        ({"side": GOOD.side > 0}, "gave side as bool, not whole numbers"),
        ({"ratio": GOOD.ratio.astype(str)}, "gave ratio as <U21, not whole numbers"),
        ({"strength": FLOATS > 0}, "gave strength as bool, not numbers"),
        ({"stop": np.array([None, 0.1])}, "gave stop as object, not numbers"),
        ({"trail_after": FLOATS.astype("timedelta64[m]")}, "gave trail_after as timedelta64"),
    ],
)
def test_nonsense_is_refused_by_name(change, message):
    with pytest.raises(StrategyError, match=f"^strategy 'mine'.* ?{message}"):
        check_orders("mine", dataclasses.replace(GOOD, **change), DAY)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"row": GOOD.row.astype(np.int32), "ratio": GOOD.ratio.astype(np.uint8)},
        {"legs": np.asfortranarray(GOOD.legs)},
        {"strength": np.array([0, 100])},
        {"strength": FLOATS.astype(np.float32)},
        {"stop": np.full(2, NAN), "target": np.full(2, NAN)},
        {"trail_after": np.zeros(2), "max_hold_minutes": np.zeros(2)},
    ],
)
def test_what_the_walk_understands_passes(change):
    check_orders("mine", dataclasses.replace(GOOD, **change), DAY)


@pytest.mark.parametrize(("given", "words"), [([], "list"), (None, "nothing"), (3, "int")])
def test_something_else_than_orders_is_refused(given, words):
    with pytest.raises(StrategyError, match=f"'mine' returned {words}, not Orders"):
        check_orders("mine", given, DAY)
