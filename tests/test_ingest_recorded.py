"""The recorded markets, counted."""

from __future__ import annotations

import datetime as dt

import numpy as np
from ingests import add, quarantined
from recorded import RECORDED, needs_recordings

from optiq.market.store import Store


@needs_recordings
def test_the_collectors_flips_of_unit_and_its_leading_spot(store: Store) -> None:
    report = add(store, RECORDED / "collector")
    assert report.failed == ()
    assert report.rows_kept == 197_612
    july = store.read_columns("NIFTY", dt.date(2026, 7, 28))
    exact = july["oi"][(july["oi"] > 0) & (july["oi"] < 2**24)]  # float32 holds no more
    assert set(exact % 65) == {0.0}
    panel = store.read_panel("NIFTY", dt.date(2026, 7, 28))
    total = np.nansum(panel.oi, axis=1)
    assert np.abs(np.diff(total) / total[:-1]).max() < 0.10  # no snapshot 65 times another
    stale = quarantined(store).query(
        "reason.str.contains('older page') and ts < '2026-08-01T00:00Z'"
    )
    assert len(stale) == 420  # the two flipped snapshots, both the day before's last page
    august = store.manifest("NIFTY", dt.date(2026, 8, 18))
    assert (august.spot.trusted, august.spot.lead_s) == (False, 60.0)
    assert august.rows == 153_990 - 1_337 - 1_910  # older pages, pages that stood still


@needs_recordings
def test_the_poorest_source_still_loads(store: Store) -> None:
    report = add(store, RECORDED / "ltp_only")
    assert len(report.days) == 6
    day = store.manifest("NIFTY", dt.date(2026, 8, 4))
    assert (day.spot.source, day.has_book) == ("parity", False)
    panel = store.read_panel("NIFTY", day.date)
    assert np.isfinite(panel.spot).mean() > 0.95


@needs_recordings
def test_night_time_rows_and_three_underlyings(store: Store) -> None:
    report = add(store, RECORDED / "dirty" / "kite_quotes")
    assert report.failed == ()
    assert store.underlyings() == ["BANKNIFTY", "MIDCPNIFTY", "NIFTY"]
    day = store.manifest("NIFTY", dt.date(2026, 1, 30))
    assert f"{day.first_ist:%H:%M} {day.last_ist:%H:%M}" == "09:18 15:26"


@needs_recordings
def test_open_interest_alone_is_refused(store: Store) -> None:
    (refusal,) = add(store, RECORDED / "dirty" / "banknifty_abbreviated").failed
    assert "no column for a price" in str(refusal)
