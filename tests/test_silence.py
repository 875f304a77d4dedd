"""A strategy says in words why it stays silent, and its orders come row by row."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from option_chains import chain

from optiq.errors import LookAheadError, StrategyError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.run.backtest import Settings, backtest_day
from optiq.run.choosing import is_ready
from optiq.run.prefix import readiness_of, require
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strategies import built_in, from_module

NOON = [720.0, 721.0, 722.0]


@dataclasses.dataclass(frozen=True)
class NoParams:
    """Nothing."""


def backwards(panel: Panel, context: Context, params: NoParams) -> Orders:
    rows = np.arange(panel.n_rows)[::-1].repeat(2)
    return Orders.packages(rows, np.tile([[1], [0]], (panel.n_rows, 1)), 1, ExitRule())


def own(**parts: object) -> object:
    return from_module("own", SimpleNamespace(Params=NoParams, entries=backwards, **parts))


def test_orders_come_by_row_and_those_of_one_row_as_given():
    orders = own().entries(chain(NOON), Context())
    assert orders.row.tolist() == [0, 0, 1, 1, 2, 2]
    assert orders.legs[:, 0].tolist() == [1, 0, 1, 0, 1, 0]


def test_a_users_reason_silences_and_is_told():
    quiet = own(silent_because=lambda panel, context, params: "it rains")
    assert len(quiet.entries(chain(NOON), Context())) == 0
    notes = backtest_day(chain(NOON), Context(), [quiet], Settings()).notes
    assert "own stays silent: it rains" in notes


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (lambda panel, context, params: 3, "silent_because returned 3"),
        (lambda panel, context, params: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_users_reason_that_is_none_is_an_error_that_names_it(reason, message):
    with pytest.raises(StrategyError, match=f"strategy 'own'.*{message}"):
        own(silent_because=reason).entries(chain(NOON), Context())


def test_a_reason_must_be_a_function():
    with pytest.raises(StrategyError, match="silent_because is no function"):
        own(silent_because="it rains")


QUARTERS = [558.0, 573.0, 588.0, 603.0, 618.0]


def test_that_no_range_formed_is_known_when_its_minutes_are_over():
    """At 9:18 a range may still form; at 9:33 it is known that two rows did not come."""
    day, strategy = chain(QUARTERS), built_in("opening_range")
    ready = is_ready(day, Context(), strategy, np.arange(5))
    assert ready.tolist() == [True, False, False, False, False]
    for row in range(5):
        so_far = is_ready(day.until(row + 1), Context(), strategy, np.array([row]))
        assert so_far.tolist() == [ready[row]], "the same while the day went on"


def test_a_reason_that_is_known_from_the_first_holds_from_the_first():
    ready = is_ready(chain(QUARTERS), Context(), built_in("quantum_edge"), np.arange(5))
    assert not ready.any()


def test_a_reason_that_is_taken_back_is_caught():
    fickle = own(silent_because=lambda panel, context, params: "rain" if panel.n_rows < 3 else None)
    with pytest.raises(LookAheadError, match="the silence of strategy 'own'"):
        require(readiness_of(fickle), chain(QUARTERS))
