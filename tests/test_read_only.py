"""A day of quotes cannot be changed by whoever reads it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from panels import panel

from optiq import Context, Panel
from optiq.market.schema import FIELDS
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation

SMALL = panel([600, 601, 602], [26_000, 26_100], [1, -1], [[1, np.nan], [2, 3], [4, 5]])
ROWS = ("ts", "known", "is_chain", "spot", "minute", "observed", "forward_by_expiry")
CONTRACTS = ("expiry", "strike", "right", "lot", "expiries", "expiry_index")


def writable(day: Panel) -> list[str]:
    names = [name for name in (*ROWS, *CONTRACTS) if getattr(day, name).flags.writeable]
    return names + [name for name in FIELDS if day.fields[name].flags.writeable]


@pytest.mark.parametrize(
    "day",
    [
        SMALL,
        SMALL.until(2),
        SMALL.reordered(np.array([1, 0])),
        dataclasses.replace(SMALL, spot=np.zeros(3)),
    ],
)
def test_no_array_of_a_panel_can_be_written_to(day):
    assert writable(day) == []
    with pytest.raises(ValueError, match="read-only"):
        day.ltp[0, 0] = 9.0


def test_nor_of_a_stored_day_whenever_its_fields_are_read(store):
    store_simulation(Simulation(days=1, seed=5), store)
    (stored,) = store.days()
    day = store.read_panel("NIFTY", stored.date, ("ltp",))
    assert writable(day) == []


def test_its_fields_cannot_be_exchanged():
    with pytest.raises(TypeError):
        SMALL.fields["ltp"] = np.zeros((3, 2))


def test_a_panel_with_other_quotes_is_another_panel():
    other = dataclasses.replace(SMALL, fields=SMALL.fields | {"ltp": np.ones((3, 2))})
    assert (other.ltp == 1.0).all()
    assert set(other.fields) == set(SMALL.fields)
    assert SMALL.ltp[2].tolist() == [4, 5]


def test_who_made_the_arrays_may_still_write_to_them():
    spot = np.array([1.0, 2.0, 3.0])
    dataclasses.replace(SMALL, spot=spot)
    spot[0] = 5.0
    assert spot.flags.writeable


def test_a_morning_has_the_contracts_seen_by_then():
    assert SMALL.until(1).strike.tolist() == [26_000]
    assert SMALL.until(2).ltp.tolist() == [[1, pytest.approx(np.nan, nan_ok=True)], [2, 3]]
    assert SMALL.until(0).ltp.shape == (0, 0)


def test_columns_in_another_order_are_the_same_day():
    turned = SMALL.reordered(np.array([1, 0]))
    assert turned.strike.tolist() == [26_100, 26_000]
    assert turned.right.tolist() == [-1, 1]
    assert turned.ltp[2].tolist() == [5, 4]
    assert np.array_equal(turned.spot, SMALL.spot)


def test_what_earlier_days_say_is_read_only_too_and_cut_with_the_rows():
    seen = Context(closes=np.zeros(3), direction=np.zeros((3, 3)))
    assert not seen.closes.flags.writeable
    cut = seen.until(2)
    assert cut.direction is not None
    assert cut.direction.shape == (2, 3)
    assert not cut.direction.flags.writeable
    assert len(cut.closes) == 3
    assert Context().until(2).direction is None
