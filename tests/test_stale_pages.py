"""Which snapshots are pages served again, by hand: one expiry, volumes in units."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from markets import at_minute

from optiq.market.day_arrays import Columns, Grid
from optiq.market.ingest.settle import concatenate, settle
from optiq.market.ingest.stale import older_pages, repeated_pages

NAN = np.nan


def grid(n_rows: int, n_contracts: int) -> Grid:
    return Grid(
        ts=at_minute(np.arange(600.0, 600.0 + n_rows)),
        expiry=np.full(n_contracts, np.datetime64("2025-11-25")),
        strike=26_000.0 + 50.0 * np.arange(n_contracts),
        right=np.ones(n_contracts, np.int64),
        place=np.arange(n_rows * n_contracts),
    )


@pytest.mark.parametrize(
    ("volume", "older"),
    [
        ([[1, 1], [2, 2], [3, 3]], []),
        ([[1, 1], [3, 3], [2, 2], [4, 4], [5, 5]], [2]),  # the later stamp shows the older state
        ([[1, 1], [2, 2], [3, 3], [1, 1], [1, 1], [4, 4], [5, 5]], [3, 4]),  # cached twice
        ([[9, 9], [1, 1], [2, 2], [3, 3], [4, 4]], [0]),  # yesterday's page at the open
        ([[5, 5, 5], [6, 0, 6], [7, 7, 7]], []),  # one leg zeroed by the vendor is no older page
        ([[5, 5, 5], [6, 4, 6], [7, 7, 7]], []),  # one correction against two rises neither
        ([[5, NAN], [NAN, 3], [6, 4]], []),  # nothing in common, nothing to compare
        ([[2, 2], [2, 2], [3, 3]], []),  # a repeat is not older
        ([[4, 4], [3, 3], [2, 2], [1, 1]], []),  # where most would go, the volume is at fault
    ],
)
def test_older_pages(volume, older):
    values = np.array(volume, float)
    found = older_pages(grid(*values.shape), values)
    assert np.flatnonzero(found[:, 0]).tolist() == older


def moving(moved: list[int]) -> dict[str, np.ndarray]:
    """Fifty contracts; so many trade before each row."""
    volume = np.zeros((len(moved), 50))
    for row, count in enumerate(moved):
        volume[row] = volume[max(0, row - 1)]
        volume[row, :count] += 75
    return {"volume": volume, "ltp": np.full(volume.shape, 80.0)}


@pytest.mark.parametrize(
    ("moved", "repeated"),
    [
        ([30, 30, 0, 30, 30], [2]),  # a lively expiry stands still once: the page came again
        ([30, 30, 0, 0, 30, 30, 30], [2, 3]),
        ([3, 3, 0, 3, 3], []),  # a quiet one may
        ([30, 30, 30, 30], []),
    ],
)
def test_a_lively_expiry_does_not_stand_still(moved, repeated):
    fields = moving(moved)
    found = repeated_pages(grid(len(moved), 50), fields)
    assert np.flatnonzero(found[:, 0]).tolist() == repeated


def test_one_price_that_moved_makes_a_page_new():
    fields = moving([30, 30, 0, 30, 30])
    fields["ltp"][2:, 7] = 80.05
    assert not repeated_pages(grid(5, 50), fields).any()


def test_ticks_may_stand_still_for_a_second():
    ticks = grid(5, 50)
    ticks = dataclasses.replace(ticks, ts=ticks.ts[0] + np.arange(5) * np.timedelta64(1, "s"))
    assert not repeated_pages(ticks, moving([30, 30, 0, 30, 30])).any()


def quotes(minute: float, volume: np.ndarray, ltp: np.ndarray, *, is_chain: bool) -> Columns:
    """The first contracts of an expiry, as many as there are prices, in one snapshot."""
    n = len(ltp)
    return {
        "ts": np.repeat(at_minute(np.array([minute])), n),
        "expiry": np.full(n, np.datetime64("2025-11-25")),
        "strike": 26_000.0 + 50.0 * np.arange(n),
        "right": np.ones(n, np.int8),
        "ltp": ltp,
        "volume": volume,
        "is_chain": np.full(n, is_chain),
        "source": np.zeros(n, np.int64),
        "row_number": np.arange(n) + int(minute * 1_000),
    }


@pytest.mark.parametrize(("traded", "refused"), [(3, 0), (30, 50)])
def test_quotes_between_snapshots_do_not_tell_how_lively_an_expiry_is(traded, refused):
    """Beside a row of twelve quotes all fifty seem to move; of a quiet expiry nothing is old."""
    volume = moving([traded, traded, 0, traded, traded])["volume"]
    snapshots = [
        quotes(600.0 + row, volume[row], np.full(50, 80.0), is_chain=True) for row in range(5)
    ]
    between = [
        quotes(600.5 + row, np.full(12, NAN), 80.0 + np.arange(12.0), is_chain=False)
        for row in (0, 2, 3)
    ]
    settled = settle(None, [concatenate([*snapshots, *between])])
    assert sum(len(rows["ts"]) for _, rows, _ in settled.refused) == refused
    assert settled.n_new == 5 * 50 + 3 * 12 - refused
