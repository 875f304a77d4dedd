"""From files to stored days: merging, quarantine, and what a killed ingest leaves."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import DAY, LOT, quotes, write
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_samples import UDIFF
from ingests import add, counts, quarantined

from optiq.errors import InputError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.pipeline import IngestOptions, ingest
from optiq.market.store import Store


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


def test_rows_of_other_instruments_are_told(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "fo18AUG2026bhav.csv"
    path.write_text(UDIFF)
    for _ in range(2):
        report = add(store, path)
        assert report.rows_in == 2
        assert "2 rows of other instruments left out" in report.notes


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


# Promises


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


def test_a_day_whose_folder_was_taken_away_can_be_ingested_again(
    store: Store, tmp_path: Path
) -> None:
    path = write(quotes(), tmp_path / "in" / "a.csv")
    first = add(store, path, tz="IST")
    shutil.rmtree(store.place("NIFTY", DAY).chain.parent)
    assert store.days() == []
    again = add(store, path, tz="IST")
    assert again.rows_kept == first.rows_kept > 0
    assert store.read_panel("NIFTY", DAY).n_rows > 0
