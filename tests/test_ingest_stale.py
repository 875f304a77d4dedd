"""Pages served again, copies of holidays, snapshots with nothing in them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from chains import DAY, LOT, quotes, write
from ingests import add, counts, quarantined

from optiq.market.store import Store


def test_an_older_page_served_again_is_quarantined(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=8)
    stamps = table.timestamp.unique()
    cached = table[table.timestamp == stamps[1]].assign(timestamp=stamps[5])
    mixed = pd.concat([table[table.timestamp != stamps[5]], cached]).sort_values("timestamp")
    mixed["volume"] = mixed.volume.where(
        mixed.timestamp != stamps[5], mixed.volume * 0.7 // LOT * LOT
    )
    report = add(store, write(mixed, tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (48, 42, 0, 6)
    assert set(quarantined(store).reason) == {"an older page served again (volume falls)"}
    assert store.manifest("NIFTY", DAY).snapshots == 7


def test_a_first_page_of_yesterday_goes_and_the_day_stays(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=8)
    table.loc[:5, "volume"] = 9_000_000 // LOT * LOT
    report = add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (48, 42, 0, 6)
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "10:21"


def test_a_snapshot_without_any_price_is_quarantined(store: Store, tmp_path: Path) -> None:
    table = quotes()
    table.loc[:5, ["ltp", "bid", "ask"]] = 0
    report = add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (24, 18, 0, 6)


def test_a_copy_received_on_a_holiday_is_recognised(store: Store, tmp_path: Path) -> None:
    table = quotes(start="15:20").assign(received_at="2025-11-21 09:30:00")
    report = add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (24, 0, 0, 24)
    assert "holiday copy" in quarantined(store).iloc[0].reason


def test_prices_alone_make_a_day_on_the_forward(store: Store, tmp_path: Path) -> None:
    table = quotes().drop(columns=["bid", "ask", "volume", "oi", "oi_change", "spot_price"])
    add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    day = store.manifest("NIFTY", DAY)
    assert (day.spot.source, day.has_book) == ("parity", False)
    assert any("parity forward" in note for note in day.notes)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.spot.tolist() == [25950.0, 25951.0, 25952.0, 25953.0]
