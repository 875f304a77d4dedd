from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optiq.market.day_arrays import Columns
from optiq.market.day_view import holes, median_gap, view_day
from optiq.market.ingest.day_writer import price, spot_record, store_day
from optiq.market.quality import (
    check_day,
    crossed_books,
    ltp_outside_book,
    one_row_jumps,
    spot_lead,
)
from optiq.market.schema import FloatArray
from optiq.market.store import Store
from optiq.market.stored_panel import panel_from_columns

DAY = dt.date(2025, 11, 20)
ROWS = 240


def wandering(seed: int, rows: int = ROWS) -> FloatArray:
    """Return a level that moves by a few points a row."""
    steps = np.random.default_rng(seed).normal(0, 4, rows)
    return 26_000 + np.cumsum(np.round(steps * 20) / 20)


def day_of(level: FloatArray, spot: FloatArray, *, book: bool = True) -> Columns:
    """Return a day of five strikes whose parity forward is ``level``."""
    rows = len(level)
    strikes = np.array([25900.0, 25950.0, 26000.0, 26050.0, 26100.0])
    ts = np.datetime64(f"{DAY}T03:50", "us") + np.arange(rows) * np.timedelta64(60, "s")
    parts = []
    for strike in strikes:
        for right in (1, -1):
            time_value = 80 * np.exp(-(((level - strike) / 300) ** 2))
            parts.append(np.maximum(right * (level - strike), 0) + time_value)
    ltp = np.concatenate(parts)
    columns: Columns = {
        "ts": np.tile(ts, 10),
        "expiry": np.full(rows * 10, np.datetime64("2025-11-25", "D")),
        "strike": np.repeat(strikes, 2 * rows),
        "right": np.tile(np.repeat(np.array([1, -1], np.int8), rows), 5),
        "ltp": ltp,
        "spot": np.tile(spot, 10),
    }
    return columns | ({"bid": ltp - 0.5, "ask": ltp + 0.5} if book else {})


@given(st.integers(-4, 4), st.integers(0, 1000))
def test_a_planted_lead_is_measured_to_the_row(shift: int, seed: int) -> None:
    level = wandering(seed, ROWS + 8)
    now = level[4:-4]
    spot = level[4 + shift : len(level) - 4 + shift] + 12.0
    lead = spot_lead(panel_from_columns("NIFTY", DAY, day_of(now, spot)))
    assert (lead.rows, lead.seconds) == (shift, 60.0 * shift)
    assert lead.is_clear == (shift != 0)


def test_a_spot_of_its_own_is_not_measured() -> None:
    columns = day_of(wandering(1), wandering(2))
    lead = spot_lead(panel_from_columns("NIFTY", DAY, columns))
    assert lead.rows is None
    assert spot_record(panel_from_columns("NIFTY", DAY, columns)).trusted


@pytest.mark.parametrize("rows", [1, 2, 20])
def test_a_short_day_is_not_measured(rows: int) -> None:
    level = wandering(3, rows)
    assert spot_lead(panel_from_columns("NIFTY", DAY, day_of(level, level))).rows is None


def test_a_still_level_is_not_measured() -> None:
    still = np.full(ROWS, 26_000.0)
    assert spot_lead(panel_from_columns("NIFTY", DAY, day_of(still, still))).rows is None


def test_no_spot_at_all_is_the_forward() -> None:
    columns = day_of(wandering(4), np.full(ROWS, np.nan))
    assert spot_record(panel_from_columns("NIFTY", DAY, columns)).source == "parity"


def test_books_and_last_prices_are_counted() -> None:
    level = wandering(5)
    columns = day_of(level, level)
    columns["bid"][:3] = columns["ask"][:3] + 1
    columns["ltp"][ROWS : ROWS + 7] *= 1.5
    panel = panel_from_columns("NIFTY", DAY, columns)
    assert crossed_books(panel) == 3
    assert ltp_outside_book(panel) == (7, ROWS * 10 - 3)
    bare = panel_from_columns("NIFTY", DAY, day_of(level, level, book=False))
    assert (crossed_books(bare), ltp_outside_book(bare)) == (0, (0, 0))


@pytest.mark.parametrize(
    ("prices", "jumps"),
    [
        ([100, 112, 101], 1),
        ([100, 112, 112], 0),  # it moved and stayed
        ([100, 107, 100], 0),  # not over 8 %
        ([100, np.nan, 100], 0),
        ([1.0, 2.0, 1.0], 0),  # a tick or two of a worthless option
        ([100, 88, 99, 120, 100], 2),
    ],
)
def test_a_jump_that_reverts_is_counted_once(prices: list[float], jumps: int) -> None:
    assert one_row_jumps(np.array(prices, float)[:, None]) == jumps


def test_gaps_and_holes() -> None:
    minutes = np.array([0, 1, 2, 3, 22, 23, 24, 27])
    ts = np.datetime64(f"{DAY}T04:00", "us") + minutes * np.timedelta64(1, "m")
    assert median_gap(ts) == 60.0
    (hole,) = holes(ts)  # three minutes are not over three times the usual one
    assert hole.words == "09:33-09:52 (19 min)"
    assert np.isnan(median_gap(ts[:1]))
    assert holes(ts[:1]) == []


def test_a_days_warnings_say_what_to_make_of_them(tmp_path: Path) -> None:
    level = wandering(6, ROWS + 1)
    store = Store(tmp_path)
    with store.lock():
        columns = day_of(level[:-1], level[1:])
        store_day(store, price("NIFTY", DAY, columns), [])
    (day,) = store.days()
    assert (day.spot.trusted, day.spot.lead_s) == (False, 60.0)
    found = dict(check_day(store, day))
    assert found["spot_lead"].startswith("spot runs 60 s ahead of the options' forward")
    assert "trading on the future" in found["spot_lead"]
    panel = store.read_panel("NIFTY", DAY)
    assert panel.spot == pytest.approx(level[:-1], abs=0.02)
    assert view_day(store, "NIFTY", DAY).median_gap_s == 60.0
