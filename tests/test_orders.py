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


GOOD = Orders.packages(np.array([2]), np.array([[0, 1]]), np.array([[1, -1]]), ExitRule())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": np.array([3])}, "a row the panel does not have"),
        ({"row": np.array([-1])}, "a row the panel does not have"),
        ({"row": np.array([1])}, "a monitor row"),
        ({"legs": np.array([[0, 2, -1, -1]])}, "a contract the panel does not have"),
        ({"legs": np.array([[-1, 1, -1, -1]])}, "no first leg"),
        ({"side": np.array([[1, 0, 0, 0]])}, r"a side other than \+1 or -1"),
        ({"ratio": np.array([[1, 0, 0, 0]])}, "a ratio below 1"),
        ({"strength": np.array([np.nan])}, "a strength outside 0 to 100"),
        ({"strength": np.array([101.0])}, "a strength outside 0 to 100"),
        ({"legs": np.array([[0, 1]])}, "gave legs of shapes"),
    ],
)
def test_nonsense_is_refused_by_name(change, message):
    with pytest.raises(StrategyError, match=f"'mine'.*{message}"):
        check_orders("mine", dataclasses.replace(GOOD, **change), DAY)


def test_something_else_than_orders_is_refused():
    with pytest.raises(StrategyError, match="'mine' returned list, not Orders"):
        check_orders("mine", [], DAY)
