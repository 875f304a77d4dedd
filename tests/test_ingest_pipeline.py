from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from chains import DAY, EXPIRY, LOT, quotes, write
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import RECORDED, needs_recordings

from optiq.errors import InputError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.clock import snapshot_times
from optiq.market.ingest.pipeline import IngestOptions, IngestReport, ingest
from optiq.market.ingest.units import counts_contracts, volatility_fraction
from optiq.market.schema import AnyArray
from optiq.market.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def add(store: Store, *sources: object, **said: object) -> IngestReport:
    """Ingest, and check that every row is accounted for."""
    options = IngestOptions(
        merge=bool(said.pop("merge", False)),
        rows_in_memory=int(str(said.pop("rows_in_memory", 1_000_000))),
        read=ReadOptions(**said),  # type: ignore[arg-type]
    )
    report = ingest([str(source) for source in sources], store, options)
    assert report.rows_in == report.rows_kept + report.duplicates + report.quarantined
    for day in store.days():
        assert sum(source.rows_kept for source in day.sources) == day.rows
        for source in day.sources:
            settled = source.rows_kept + source.duplicates + source.quarantined
            assert source.rows_in == settled
    return report


def quarantined(store: Store) -> pd.DataFrame:
    files = sorted(store.root.glob("quarantine/*/*/*.parquet"))
    return pd.concat([pq.read_table(file).to_pandas() for file in files], ignore_index=True)


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.rows_in, report.rows_kept, report.duplicates, report.quarantined


def test_a_csv_becomes_a_day(store: Store, tmp_path: Path) -> None:
    report = add(store, write(quotes(), tmp_path / "in" / "day.csv"))
    assert counts(report) == (24, 24, 0, 0)
    assert report.days == (f"NIFTY {DAY}",)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.minute.tolist() == [620.0, 621.0, 622.0, 623.0]
    assert panel.ltp[0].tolist() == [110.0, 60.0, 60.0, 60.0, 60.0, 110.0]
    assert panel.spot[0] == 25950.0
    assert panel.oi[0, 0] == 300 * LOT
    assert np.isfinite(panel.iv).all()  # ours, computed
    assert 0 < panel.delta[0, 0] < 1
    assert store.manifest("NIFTY", DAY).spot.source == "feed"


def test_the_same_file_twice_adds_nothing(store: Store, tmp_path: Path) -> None:
    path = write(quotes(), tmp_path / "in" / "day.csv")
    add(store, path)
    before = store.manifest("NIFTY", DAY)
    assert counts(add(store, path)) == (24, 0, 24, 0)
    assert store.manifest("NIFTY", DAY) == before


def test_a_deleted_day_may_be_ingested_again(store: Store, tmp_path: Path) -> None:
    path = write(quotes(), tmp_path / "in" / "day.csv")
    add(store, path)
    store.place("NIFTY", DAY).manifest.unlink()
    store.place("NIFTY", DAY).chain.unlink()
    assert counts(add(store, path)) == (24, 24, 0, 0)


def test_overlapping_files_of_one_feed_merge(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=6)
    first, second = table.iloc[:24], table.iloc[12:]
    add(store, write(first, tmp_path / "in" / "a.csv"))
    report = add(store, write(second, tmp_path / "in" / "b.csv"))
    assert counts(report) == (24, 12, 12, 0)
    day = store.manifest("NIFTY", DAY)
    assert (day.rows, day.snapshots, len(day.sources)) == (36, 6, 2)


def test_the_same_quote_with_other_values_is_quarantined_with_both(
    store: Store, tmp_path: Path
) -> None:
    table = quotes()
    add(store, write(table, tmp_path / "in" / "a.csv"))
    changed = table.assign(ltp=table.ltp.where(table.index != 5, 111.25))
    report = add(store, write(changed, tmp_path / "in" / "b.csv"))
    assert counts(report) == (24, 0, 23, 1)
    row = quarantined(store).iloc[0]
    assert row.reason == "other values for the same quote"
    assert (row.ltp, row.kept_ltp) == (111.25, 110.0)
    assert row.row_number == 7  # line of the file: the header is line 1


def test_a_second_feed_needs_merge_and_is_named(store: Store, tmp_path: Path) -> None:
    add(store, write(quotes(), tmp_path / "one" / "a.csv"))
    other = quotes(start="10:30").assign(timestamp=lambda t: t.timestamp + pd.Timedelta("20s"))
    path = write(other, tmp_path / "two" / "b.csv")
    report = add(store, path)
    assert counts(report) == (0, 0, 0, 0)
    (refusal,) = report.failed
    assert "stored from another feed" in str(refusal)
    assert "--merge" in refusal.hint
    assert counts(add(store, path, merge=True)) == (24, 24, 0, 0)
    day = store.manifest("NIFTY", DAY)
    assert [source.merged for source in day.sources] == [False, True]
    assert any(note.startswith("merged from 2 feeds") for note in day.notes)


def test_broken_sources_are_listed_and_the_others_go_in(store: Store, tmp_path: Path) -> None:
    good = write(quotes(), tmp_path / "in" / "good.csv")
    bad = tmp_path / "in" / "bad.csv"
    bad.write_text("when,what\n1,2\n")
    empty = tmp_path / "in" / "empty.csv"
    empty.write_text("")
    report = add(store, tmp_path / "in")
    assert report.rows_kept == 24
    assert sorted(str(one).split(" ")[0].strip(":") for one in report.failed) == [
        str(bad),
        str(empty),
    ]
    assert Path(good).exists()


def test_a_chain_without_prices_is_refused(store: Store, tmp_path: Path) -> None:
    table = quotes().drop(columns=["ltp", "bid", "ask"])
    (refusal,) = add(store, write(table, tmp_path / "in" / "oi.csv")).failed
    assert "a price (ltp, or bid and ask)" in str(refusal)
    assert "cannot be traded" in refusal.hint


BAD_ROWS: list[tuple[str, object, str]] = [
    ("ltp", -3.0, "a negative price"),
    ("ltp", 2e6, "a price of a million rupees or more"),
    ("ltp", "abc", "ltp: 'abc' is not a number"),
    ("oi", -75, "a negative quantity"),
    ("option_type", "XX", "neither call nor put"),
    ("strike_price", 0, "no positive strike"),
    ("expiry", "2025-11-18", "expired before the session"),
    ("expiry", "", "no readable expiry"),
    ("timestamp", "2025-11-20 08:59:00", "outside the session (09:15-15:30)"),
    ("timestamp", "2025-11-05 10:00:00", "not a session (holiday copy)"),
    ("timestamp", "", "no readable time"),
    ("symbol", "RELIANCE", "'RELIANCE' is none of"),
]


@pytest.mark.parametrize(("column", "value", "reason"), BAD_ROWS)
def test_a_bad_row_is_quarantined_with_its_reason_and_line(
    store: Store, tmp_path: Path, column: str, value: object, reason: str
) -> None:
    table = quotes().astype(object)
    table.loc[4, column] = value
    report = add(store, write(table, tmp_path / "in" / "a.csv"), tz="Asia/Kolkata")
    assert counts(report) == (24, 23, 0, 1)
    row = quarantined(store).iloc[0]
    assert row.reason.startswith(reason)
    assert row.row_number == 6
    assert any(reason in note for note in report.notes)


def test_a_line_with_too_many_cells_is_quarantined(store: Store, tmp_path: Path) -> None:
    path = Path(write(quotes(), tmp_path / "in" / "a.csv"))
    lines = path.read_text().splitlines()
    lines[3] += ",7,8"
    path.write_text("\n".join(lines) + "\n")
    assert counts(add(store, path, tz="IST")) == (24, 23, 0, 1)
    assert "cells where the header has 12" in quarantined(store).iloc[0].reason


def test_zero_means_no_quote(store: Store, tmp_path: Path) -> None:
    table = quotes()
    table.loc[0, ["ltp", "bid"]] = 0
    add(store, write(table, tmp_path / "in" / "a.csv"))
    panel = store.read_panel("NIFTY", DAY)
    assert np.isnan(panel.ltp[0, 0])
    assert np.isnan(panel.bid[0, 0])
    assert panel.ask[0, 0] == 110.5


def test_crossed_quotes_stay_as_quoted(store: Store, tmp_path: Path) -> None:
    table = quotes()
    table.loc[0, ["bid", "ask"]] = [112.0, 109.0]
    add(store, write(table, tmp_path / "in" / "a.csv"))
    panel = store.read_panel("NIFTY", DAY)
    assert (panel.bid[0, 0], panel.ask[0, 0]) == (112.0, 109.0)


# --- clocks


def test_naive_utc_is_told_from_the_hours(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=8, start="04:09")
    add(store, write(table, tmp_path / "in" / "a.csv"))
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "09:39"


def test_a_morning_that_may_be_either_is_refused(store: Store, tmp_path: Path) -> None:
    path = write(quotes(minutes=3, start="09:30"), tmp_path / "in" / "a.csv")
    later = write(quotes(minutes=1, start="09:40"), tmp_path / "in" / "b.csv")
    first, second = add(store, path, later).failed
    assert "2025-11-20T09:30" in str(first)
    assert "--tz" in first.hint
    assert later in str(second)
    assert add(store, path, tz="UTC").rows_kept == 18
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "15:00"


def test_files_of_one_feed_settle_each_others_zone(store: Store, tmp_path: Path) -> None:
    write(quotes(minutes=2, start="09:30"), tmp_path / "in" / "a.csv")
    write(quotes(minutes=2, start="10:30"), tmp_path / "in" / "b.csv")
    report = add(store, tmp_path / "in")
    assert (report.rows_kept, report.failed) == (24, ())
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "09:30"


def test_a_recorder_that_runs_all_night_is_judged_by_when_its_quotes_change(
    store: Store, tmp_path: Path
) -> None:
    night = quotes(minutes=1, start="03:50")
    copies = [
        night.assign(timestamp=night.timestamp + pd.Timedelta(minutes=5 * step))
        for step in range(60)  # 03:50 to 08:45, all in the session if they were UTC
    ]
    live = quotes(minutes=30, start="11:00")
    report = add(store, write(pd.concat([*copies, live]), tmp_path / "in" / "a.csv"))
    assert (report.rows_kept, report.quarantined) == (30 * 6, 60 * 6)
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "11:00"


def test_stamps_with_a_zone_need_no_telling(store: Store, tmp_path: Path) -> None:
    table = quotes(minutes=2, start="09:30")
    zoned = table.assign(timestamp=table.timestamp.dt.strftime("%Y-%m-%dT%H:%M:%S+05:30"))
    assert add(store, write(zoned, tmp_path / "in" / "a.csv")).rows_kept == 12
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "09:30"


def times(*seconds: float) -> AnyArray:
    start = np.datetime64("2025-11-20T05:00:00", "us")
    return start + np.array([round(s * 1e6) for s in seconds]).astype("timedelta64[us]")


@pytest.mark.parametrize(
    ("stamps", "contract", "expected"),
    [
        ((0, 0, 60, 60), (1, 2, 1, 2), (0, 0, 60, 60)),  # snapshots already
        ((0, 20, 45), (1, 2, 3), (45, 45, 45)),  # one slow poll: nothing quoted twice
        ((0, 0.2, 60, 60.3), (1, 2, 1, 2), (0.2, 0.2, 60.3, 60.3)),  # two polls
        ((0.1, 0.4, 0.9, 1.0, 1.2), (1, 1, 2, 1, 1), (1, 1, 1, 1, 2)),  # ticks: ends of seconds
        ((0, 3, 6), (1, 1, 1), (0, 3, 6)),  # a three-second feed is no tick feed
    ],
)
def test_quotes_of_one_poll_share_its_latest_time(
    stamps: tuple[float, ...], contract: tuple[int, ...], expected: tuple[float, ...]
) -> None:
    found = snapshot_times(times(*stamps), np.array(contract))
    assert found.tolist() == times(*expected).tolist()


def test_the_last_tick_of_a_second_wins(store: Store, tmp_path: Path) -> None:
    base = quotes(minutes=1, strikes=(26000,), start="11:00")
    ticks = [
        base.assign(timestamp=base.timestamp + pd.Timedelta(milliseconds=300 * step), ltp=60 + step)
        for step in range(1, 7)  # 0.3 to 1.8 seconds
    ]
    table = pd.concat(ticks)
    table["timestamp"] = table.timestamp.dt.strftime("%Y-%m-%d %H:%M:%S.%f")
    report = add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (12, 4, 8, 0)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.ltp[:, 0].tolist() == [63.0, 66.0]
    assert panel.minute.tolist() == pytest.approx([660 + 1 / 60, 660 + 2 / 60])


# --- units


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
    shown = 50.0 * np.arange(1, 41)  # the lot table says 75, the exchange traded lots of 50
    found = counts_contracts(shown, np.full(40, 75), np.zeros(40, np.int64), "unknown")
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


# --- stale and missing


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


# --- table shapes


def test_a_wide_table_with_calls_and_puts_side_by_side(store: Store, tmp_path: Path) -> None:
    long = quotes()
    wide = long.pivot(
        index=["timestamp", "symbol", "expiry", "strike_price"],
        columns="option_type",
        values=["ltp", "volume", "oi"],
    )
    wide.columns = [f"{side}_{name.upper()}" for name, side in wide.columns]
    report = add(store, write(wide.reset_index(), tmp_path / "in" / "a.csv"), tz="IST")
    assert counts(report) == (24, 24, 0, 0)
    assert store.read_panel("NIFTY", DAY).ltp[0].tolist() == [110.0, 60.0, 60.0, 60.0, 60.0, 110.0]


def test_indian_numbers_and_suffixes(store: Store, tmp_path: Path) -> None:
    table = quotes().astype(object)
    table["oi"] = [f"{value / 1000}K" for value in table.oi]
    table["ltp"] = [f"{value:,}" for value in table.ltp]
    table.loc[2, "ltp"] = "-"
    add(store, write(table, tmp_path / "in" / "a.csv"), tz="IST")
    panel = store.read_panel("NIFTY", DAY)
    assert panel.oi[0, 0] == 300 * LOT
    assert np.isnan(panel.ltp[0, 2])


def test_a_map_names_columns_nobody_could_guess(store: Store, tmp_path: Path) -> None:
    table = quotes().rename(columns={"ltp": "Schlusskurs", "bid": "Geld", "ask": "Brief"})
    path = write(table, tmp_path / "in" / "a.csv")
    assert add(store, path, tz="IST").failed
    names = {"ltp": "Schlusskurs", "bid": "Geld", "ask": "Brief"}
    assert add(store, path, tz="IST", column_map=names).rows_kept == 24
    (refusal,) = add(Store(tmp_path / "b"), path, column_map={"ltp": "Kurs"}).failed
    assert "has no column 'Kurs'" in str(refusal)


def test_the_expiry_may_be_in_the_name_or_in_an_option(store: Store, tmp_path: Path) -> None:
    table = quotes().drop(columns=["expiry", "symbol"])
    path = write(table, tmp_path / "in" / f"NIFTY_expiry_{EXPIRY}.csv")
    assert add(store, path, tz="IST").rows_kept == 24
    plain = write(table, tmp_path / "in2" / "NIFTY.csv")
    other = Store(tmp_path / "b")
    assert add(other, plain, tz="IST", expiry=str(EXPIRY)).rows_kept == 24
    assert str(other.read_panel("NIFTY", DAY).expiry[0]) == str(EXPIRY)


@pytest.mark.parametrize("kind", ["parquet", "csv.gz", "db", "latin"])
def test_other_containers_give_the_same_day(tmp_path: Path, kind: str) -> None:
    table = quotes()
    path = tmp_path / "in" / f"day.{kind}"
    path.parent.mkdir()
    if kind == "parquet":
        table.to_parquet(path)
    elif kind == "csv.gz":
        table.to_csv(path, index=False, compression="gzip")
    elif kind == "latin":
        text = table.assign(remark="d\xe9j\xe0").to_csv(index=False)
        path.write_bytes(text.encode("latin-1"))
    else:
        with sqlite3.connect(path) as database:
            pd.DataFrame({"a": [1]}).to_sql("other", database, index=False)
            table.astype({"timestamp": str, "expiry": str}).to_sql("snaps", database, index=False)
    plain, packed = Store(tmp_path / "plain"), Store(tmp_path / "packed")
    add(plain, write(table, tmp_path / "csv" / "day.csv"), tz="IST")
    assert counts(add(packed, path, tz="IST")) == (24, 24, 0, 0)
    ids = {store.manifest("NIFTY", DAY).content_id for store in (plain, packed)}
    assert len(ids) == 1


def test_only_the_underlying_asked_for(store: Store, tmp_path: Path) -> None:
    bank = quotes(strikes=(58000,)).assign(symbol="NIFTY BANK", spot_price=58000.0)
    path = write(pd.concat([quotes(), bank]), tmp_path / "in" / "a.csv")
    assert counts(add(store, path, tz="IST", underlying="NIFTY")) == (24, 24, 0, 0)
    assert store.underlyings() == ["NIFTY"]
    assert counts(add(store, path, tz="IST")) == (32, 8, 24, 0)
    assert store.underlyings() == ["BANKNIFTY", "NIFTY"]


# --- promises


KINDS = ("good", "copy", "other", "negative", "night", "sideless", "broken")


@settings(max_examples=25)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=40), st.integers(1, 3))
def test_every_row_is_accounted_for_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], files: int
) -> None:
    root = tmp_path_factory.mktemp("any")
    store = Store(root / "store")
    table = quotes(minutes=7).astype(object).iloc[: len(kinds)].reset_index(drop=True)
    for index, kind in enumerate(kinds):
        if kind in ("copy", "other") and index:
            table.loc[index] = table.loc[index - 1]
        if kind == "other":
            table.loc[index, "ltp"] = 61.5
        if kind == "negative":
            table.loc[index, "bid"] = -1
        if kind == "night":
            table.loc[index, "timestamp"] = pd.Timestamp("2025-11-20 22:00")
        if kind == "sideless":
            table.loc[index, "option_type"] = "FUT"
        if kind == "broken":
            table.loc[index, "ask"] = "??"
    for number, part in enumerate(np.array_split(np.arange(len(table)), files)):
        if len(part):
            write(table.iloc[part], root / "in" / f"{number}.csv")
    report = add(store, root / "in", tz="IST")
    assert report.failed == ()
    assert report.rows_in == len(kinds)
    again = add(store, root / "in", tz="IST")
    assert again.rows_kept == 0
    assert again.rows_in == len(kinds)


def test_any_order_of_the_rows_gives_the_same_day(tmp_path: Path) -> None:
    table = quotes(minutes=6)
    shuffled = table.sample(frac=1, random_state=7)
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    add(one, write(table, tmp_path / "a" / "a.csv"), tz="IST")
    add(other, write(shuffled, tmp_path / "b" / "b.csv"), tz="IST")
    assert one.manifest("NIFTY", DAY).content_id == other.manifest("NIFTY", DAY).content_id


@pytest.mark.parametrize("step", ["part", "intent", "chain"])
def test_a_killed_ingest_is_finished_by_the_next(tmp_path: Path, step: str) -> None:
    days = [DAY, dt.date(2025, 11, 21)]
    for day in days:
        write(quotes(day=day), tmp_path / "in" / f"{day}.csv")
    code = (
        "import sys; from optiq.market.store import Store; "
        "from optiq.market.ingest.pipeline import *; "
        "ingest([sys.argv[1]], Store(sys.argv[2]), IngestOptions(read=ReadOptions(tz='IST')))"
    )
    root = tmp_path / "store"
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "in"), str(root)],
        env=os.environ | {"OPTIQ_TEST_DIE_AFTER": step},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    store = Store(root)
    seen = [(day.date, day.rows) for day in store.days()]
    assert {rows for _, rows in seen} == ({24} if step == "chain" else set())
    report = add(store, tmp_path / "in", tz="IST")
    assert report.rows_in == 48
    assert report.rows_kept == 48 - 24 * len(seen)
    assert [(day.date, day.rows) for day in store.days()] == [(day, 24) for day in days]
    clean, ids = Store(tmp_path / "clean"), []
    add(clean, tmp_path / "in", tz="IST")
    for one in (store, clean):
        ids.append([day.content_id for day in one.days()])
    assert ids[0] == ids[1]


def test_a_store_being_written_to_is_busy(store: Store, tmp_path: Path) -> None:
    from optiq.errors import BusyError

    path = write(quotes(), tmp_path / "in" / "a.csv")
    with store.lock(), pytest.raises(BusyError):
        ingest([path], store)


def test_a_source_that_is_not_there(store: Store) -> None:
    with pytest.raises(InputError, match="no file nowhere"):
        ingest(["nowhere.csv"], store)


def test_progress_is_told_every_row(store: Store, tmp_path: Path) -> None:
    seen: list[int] = []
    path = write(quotes(), tmp_path / "in" / "a.csv")
    ingest([path], store, IngestOptions(read=ReadOptions(tz="IST")), seen.append)
    assert sum(seen) == 24


def test_the_ledger_survives_a_torn_line(store: Store, tmp_path: Path) -> None:
    path = write(quotes(), tmp_path / "in" / "a.csv")
    add(store, path, tz="IST")
    ledger = store.root / "sources.jsonl"
    line = ledger.read_text()
    assert json.loads(line)["days"] == [f"NIFTY {DAY}"]
    ledger.write_text(line[: len(line) // 2])
    assert counts(add(store, path, tz="IST")) == (24, 0, 24, 0)
    assert json.loads(ledger.read_text().splitlines()[-1])["rows_in"] == 24


def test_many_sessions_in_any_order_are_committed_as_memory_goes(
    tmp_path: Path,
) -> None:
    days = [dt.date(2025, 11, day) for day in (17, 18, 19, 20)]
    parts = [quotes(day=day, minutes=6) for day in days]
    mixed = [part.iloc[start : start + 12] for start in (12, 0, 24) for part in parts]
    for number, part in enumerate(mixed):
        write(part, tmp_path / "in" / f"{number:02d}.csv")
    busy, calm = Store(tmp_path / "busy"), Store(tmp_path / "calm")
    report = add(busy, tmp_path / "in", tz="IST", rows_in_memory=30)
    assert counts(report) == (144, 144, 0, 0)
    add(calm, tmp_path / "in", tz="IST")
    for one, other in zip(busy.days(), calm.days(), strict=True):
        assert one.content_id == other.content_id
        assert len(one.sources) == len(other.sources) == 3


# --- recorded markets


@needs_recordings
def test_the_collectors_flips_of_unit_and_its_leading_spot(store: Store) -> None:
    report = add(store, RECORDED / "collector")
    assert report.failed == ()
    assert report.rows_kept == 200_859
    july = store.read_columns("NIFTY", dt.date(2026, 7, 28))
    exact = july["oi"][(july["oi"] > 0) & (july["oi"] < 2**24)]  # float32 holds no more
    assert set(exact % 65) == {0.0}
    panel = store.read_panel("NIFTY", dt.date(2026, 7, 28))
    total = np.nansum(panel.oi, axis=1)
    assert np.abs(np.diff(total) / total[:-1]).max() < 0.10  # no snapshot 65 times another
    stale = quarantined(store).query("reason.str.contains('older page')")
    assert len(stale) == 420  # the two flipped snapshots, both the day before's last page
    august = store.manifest("NIFTY", dt.date(2026, 8, 18))
    assert (august.spot.trusted, august.spot.lead_s) == (False, 60.0)
    assert august.rows == 153_990


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
