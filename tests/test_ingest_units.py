"""Contracts or units, percent or fraction; the vendor's Greeks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chains import DAY, LOT, quotes, write
from hypothesis import given
from hypothesis import strategies as st
from ingests import add

from optiq.market.ingest.units import counts_contracts, volatility_fraction
from optiq.market.store import Store


@pytest.mark.parametrize("lots", [False, True])
def test_contracts_and_units_end_as_units(store: Store, tmp_path: Path, lots: bool) -> None:
    add(store, write(quotes(lots=lots), tmp_path / "in" / "a.csv"), tz="IST")
    panel = store.read_panel("NIFTY", DAY)
    assert panel.oi[1, 0] == 301 * LOT
    assert panel.oi_change[1, 0] == -LOT
    assert panel.volume[1, 0] == (10_000 + 7 * 66 + 25900 % 11) * LOT


@given(
    st.lists(st.booleans(), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
    st.sampled_from([15, 25, 50, 65, 75]),
)
def test_units_are_told_per_snapshot(in_contracts: list[bool], seed: int, lot: int) -> None:
    rng = np.random.default_rng(seed)
    per_snapshot = 40
    counted = rng.integers(1, 50_000, (len(in_contracts), per_snapshot)).astype(float)
    shown = np.where(np.array(in_contracts)[:, None], counted, counted * lot)
    snapshot = np.repeat(np.arange(len(in_contracts)), per_snapshot)
    lots = np.full(snapshot.size, lot)
    found = counts_contracts(shown.ravel(), lots, snapshot, "unknown")
    assert found.tolist() == np.repeat(in_contracts, per_snapshot).tolist()


def test_units_that_are_multiples_of_another_lot_are_units_all_the_same() -> None:
    # the lot table says 75, the exchange traded lots of 50, all day long
    shown, snapshot = np.tile(50.0 * np.arange(1, 41), 6), np.repeat(np.arange(6), 40)
    found = counts_contracts(shown, np.full(240, 75), snapshot, "unknown")
    assert not found.any()


@pytest.mark.parametrize(
    ("shown", "stated", "expected"),
    [
        ([12.5, 0.0, 30.0], "unknown", [0.125, np.nan, 0.30]),
        ([0.125, 0.0, 0.30], "unknown", [0.125, np.nan, 0.30]),
        ([1.5, 1.2], "percent", [0.015, 0.012]),
    ],
)
def test_volatility_is_a_fraction(shown: list[float], stated: str, expected: list[float]) -> None:
    found = volatility_fraction(np.array(shown), stated)  # type: ignore[arg-type]
    assert found == pytest.approx(expected, nan_ok=True)


def test_vendor_greeks_stand_aside(store: Store, tmp_path: Path) -> None:
    table = quotes().assign(iv=12.5, delta=0.9, theta=-8.0)
    add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    columns = store.read_columns("NIFTY", DAY)
    assert np.unique(columns["iv_vendor"]).tolist() == [0.125]
    assert np.unique(columns["theta_vendor"]).tolist() == [-8.0]
    assert len(np.unique(columns["delta"])) > 1
