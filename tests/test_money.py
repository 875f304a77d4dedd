"""Rupees as people in India read them."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optiq.report.money import grouped, profit, rupees


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0.00"),
        (-0.001, "0.00"),
        (999.999, "1,000.00"),
        (100000, "1,00,000.00"),
        (-9999999.5, "-99,99,999.50"),
        (Decimal("0.005"), "0.01"),
        (float("nan"), "-"),
        (np.float64(12.5), "12.50"),
    ],
)
def test_rupees(amount: float, text: str) -> None:
    assert rupees(amount) == text


@given(st.integers(-(10**15), 10**15))
def test_grouping_only_adds_commas_and_every_group_has_two_or_three(number: int) -> None:
    text = grouped(number)
    assert int(text.replace(",", "")) == number
    first, *rest = text.lstrip("-").split(",")
    assert 1 <= len(first) <= (3 if not rest else 2)
    assert [len(group) for group in rest] == [2] * (len(rest) - 1) + [3] * bool(rest)


def test_a_gain_is_green_and_a_loss_red() -> None:
    assert (profit(5).plain, profit(5).style) == ("+5.00", "green")
    assert (profit(-5).plain, profit(-5).style) == ("-5.00", "red")
    assert (profit(0).plain, profit(0).style) == ("0.00", "")
    assert (profit(float("nan")).plain, profit(float("nan")).style) == ("-", "")
