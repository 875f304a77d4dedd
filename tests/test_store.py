from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from chains import DAY, EXPIRY
from hypothesis import given
from hypothesis import strategies as st

from optiq.errors import BusyError, DamagedError, MissingDataError
from optiq.market.day_arrays import Columns, grid_of, sort_order, take
from optiq.market.manifest import DayManifest, SourceEntry, SpotRecord
from optiq.market.repair import REBUILT, repair_store
from optiq.market.store import Store

SOURCE = SourceEntry("here.csv", "0" * 64, "csv", "/data", rows_in=1, rows_kept=1)
OPEN = np.datetime64(f"{DAY}T03:46", "us")


def day_columns(minutes: int = 5, missing: tuple[int, ...] = ()) -> Columns:
    """Return three contracts over some minutes; ``missing`` quotes are left out."""
    expiry = np.array([EXPIRY, EXPIRY, dt.date(2025, 12, 2)], "datetime64[D]")
    strike, right = np.array([26000.0, 26000.0, 26100.0]), np.array([1, -1, 1], np.int8)
    rows, contracts = minutes, 3
    columns: Columns = {
        "ts": np.tile(OPEN + np.arange(rows) * np.timedelta64(60, "s"), contracts),
        "expiry": np.repeat(expiry, rows),
        "strike": np.repeat(strike, rows),
        "right": np.repeat(right, rows),
        "ltp": np.arange(rows * contracts, dtype=np.float64) / 20 + 100,
        "bid": np.full(rows * contracts, 99.37),
        "spot": np.tile(26_000.0 + np.arange(rows), contracts),
        "iv": np.full(rows * contracts, 0.12),
    }
    chosen = np.setdiff1d(np.arange(rows * contracts), missing)
    return take(columns, chosen)


def write(store: Store, date: dt.date = DAY, columns: Columns | None = None) -> DayManifest:
    with store.lock():
        return store.write_day("NIFTY", date, columns or day_columns(), sources=[SOURCE])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.ltp.shape == (5, 3)
    assert panel.ltp[:, 0].tolist() == [100.0, 100.05, 100.10, 100.15, 100.20]
    assert panel.bid[2, 1] == 99.37  # float32 on disk, to the paisa in the panel
    assert np.isnan(panel.ask).all()
    assert np.isnan(panel.oi).all()  # never stored: missing, not absent
    assert panel.right.tolist() == [1, -1, 1]
    assert panel.lot.tolist() == [75, 75, 75]
    assert panel.spot.tolist() == [26000.0, 26001.0, 26002.0, 26003.0, 26004.0]
    assert (panel.open_minute, panel.close_minute) == (555.0, 930.0)
    assert panel.has_book
    assert panel.is_chain.all()
    assert (panel.known == panel.ts).all()


def test_a_field_is_read_when_first_asked_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store)
    panel = store.read_panel("NIFTY", DAY, fields=("ltp",))
    store.place("NIFTY", DAY).chain.unlink()
    assert panel.ltp[0, 0] == 100.0
    with pytest.raises(DamagedError, match="cannot be read"):
        _ = panel.iv


@given(st.sets(st.integers(0, 14), max_size=13))
def test_missing_quotes_are_nan_and_all_others_where_they_belong(missing: set[int]) -> None:
    columns = day_columns(missing=tuple(missing))
    grid = grid_of(columns)
    field = grid.spread(columns["ltp"])
    assert np.isfinite(field).sum() == len(columns["ts"])
    assert grid.gather(field).tolist() == columns["ltp"].tolist()
    assert field.flags.f_contiguous
    prices = grid.spread(columns["ltp"] + 0.0049, to_the_paisa=True)
    assert np.array_equal(prices, field, equal_nan=True)
    for quote in range(len(columns["ts"])):
        row, contract = grid.row[quote], grid.contract[quote]
        assert field[row, contract] == columns["ltp"][quote]
        assert grid.ts[row] == columns["ts"][quote]
        assert grid.strike[contract] == columns["strike"][quote]


@given(st.permutations(range(15)))
def test_any_order_is_put_right(order: list[int]) -> None:
    shuffled = take(day_columns(), np.array(order))
    by = sort_order(shuffled)
    sorted_again = shuffled if by is None else take(shuffled, by)
    assert sorted_again["ltp"].tolist() == day_columns()["ltp"].tolist()


def test_the_file_is_what_the_contract_says(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, columns=day_columns(missing=(3,)))
    path = tmp_path / "chain" / "underlying=NIFTY" / f"date={DAY}" / "part.parquet"
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    assert str(schema.field("ts").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("expiry").type) == "date32[day]"
    assert str(schema.field("ltp").type) == "float"
    assert file.metadata.num_row_groups == 2  # one an expiry
    for column in range(file.metadata.num_columns):
        chunk = file.metadata.row_group(0).column(column)
        assert chunk.compression == "ZSTD"
        is_dictionary = "PLAIN_DICTIONARY" in chunk.encodings or chunk.has_dictionary_page
        assert is_dictionary == (chunk.path_in_schema == "right")
        is_split = "BYTE_STREAM_SPLIT" in chunk.encodings
        assert is_split == (chunk.physical_type == "FLOAT")
    frame = pd.read_parquet(path)
    keys = ["expiry", "strike", "right", "ts"]
    assert frame[keys].equals(frame[keys].sort_values(keys, ignore_index=True))


def test_duckdb_and_polars_read_the_tree_and_see_nulls(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store)
    write(store, dt.date(2025, 11, 21), later(day_columns(), days=1))
    glob = f"{tmp_path}/chain/*/*/*.parquet"
    query = (
        f"SELECT count(*), count(ask), count(ltp), count(DISTINCT date), min(underlying), "
        f"min(\"right\"::VARCHAR) FROM read_parquet('{glob}', hive_partitioning = true)"
    )
    (answer,) = duckdb.connect().execute(query).fetchall()
    assert answer == (30, 0, 30, 2, "NIFTY", "CE")
    frame = pl.scan_parquet(f"{tmp_path}/chain/**/*.parquet", hive_partitioning=True).collect()
    assert frame.height == 30
    assert frame["ask"].null_count() == 30
    assert frame["ltp"].null_count() == 0


def later(columns: Columns, days: int) -> Columns:
    return columns | {"ts": columns["ts"] + np.timedelta64(days, "D")}


def test_context_holds_the_days_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    dates = [DAY, dt.date(2025, 11, 21), dt.date(2025, 11, 24)]
    for number, date in enumerate(dates):
        write(store, date, later(day_columns(), days=(date - DAY).days + 0 * number))
    context = store.context("NIFTY", dates[2])
    assert context.sessions.astype(str).tolist() == ["2025-11-20", "2025-11-21"]
    assert context.closes.tolist() == [26004.0, 26004.0]
    assert context.atm_iv == pytest.approx([0.12, 0.12])
    assert not len(store.context("NIFTY", DAY).sessions)
    between = context.before(dt.date(2025, 11, 21))
    assert between.sessions.astype(str).tolist() == ["2025-11-20"]
    assert (between.closes.tolist(), len(between.atm_iv)) == ([26004.0], 1)


def test_days_are_listed_from_their_manifests(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store)
    (day,) = store.days()
    assert (day.underlying, day.date, day.rows, day.snapshots) == ("NIFTY", DAY, 15, 5)
    assert (day.contracts, day.strikes) == (3, 2)
    assert day.expiries == ("2025-11-25", "2025-12-02")
    assert f"{day.first_ist:%H:%M} {day.last_ist:%H:%M}" == "09:16 09:20"
    assert store.underlyings() == ["NIFTY"]
    assert store.days("BANKNIFTY") == []
    assert DayManifest.from_json(day.to_json()) == day


def test_a_day_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="no NIFTY quotes of 2025-11-20") as missing:
        Store(tmp_path).read_panel("NIFTY", DAY)
    assert "optiq ingest" in missing.value.hint


def test_a_row_is_known_when_its_last_quote_arrived(tmp_path: Path) -> None:
    columns = day_columns()
    columns["received_ts"] = np.full(15, np.datetime64("NaT", "us"))
    columns["received_ts"][5] = columns["ts"][5] + np.timedelta64(72, "s")
    columns["received_ts"][10] = columns["ts"][10] - np.timedelta64(9, "s")
    write(store := Store(tmp_path), columns=columns)
    panel = store.read_panel("NIFTY", DAY)
    late = (panel.known - panel.ts) / np.timedelta64(1, "s")
    assert late.tolist() == [72.0, 0.0, 0.0, 0.0, 0.0]


def test_monitor_rows_are_told_from_the_chain(tmp_path: Path) -> None:
    columns = day_columns()
    columns["is_chain"] = np.tile([True, False, True, True, False], 3)
    write(store := Store(tmp_path), columns=columns)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.is_chain.tolist() == [True, False, True, True, False]
    assert store.manifest("NIFTY", DAY).close == 26003.0  # the last chain row's


def test_a_spot_with_another_clock_gives_way_to_the_forward(tmp_path: Path) -> None:
    columns = day_columns()
    columns["ltp"] = np.where(columns["right"] > 0, 110.0, 100.0)
    columns["bid"] = np.full(15, np.nan)
    store = Store(tmp_path)
    with store.lock():
        spot = SpotRecord("feed", trusted=False, lead_s=60.0)
        store.write_day("NIFTY", DAY, columns, sources=[SOURCE], spot=spot)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.spot.tolist() == [26010.0] * 5  # 26,000 + 110 - 100
    assert "60 s ahead" in " ".join(panel.notes)
    assert store.manifest("NIFTY", DAY).close == 26010.0
    assert store.read_panel("NIFTY", DAY, as_fed=True).spot[0] == 26000.0


@pytest.mark.parametrize("step", ["part", "intent", "chain"])
@pytest.mark.parametrize("has_old", [False, True])
def test_a_writer_killed_at_any_step_leaves_the_old_day_or_the_new(
    tmp_path: Path, step: str, has_old: bool
) -> None:
    store = Store(tmp_path)
    if has_old:
        write(store, columns=day_columns(minutes=3))
    kill_while_writing(tmp_path, step)
    seen = {"part": 3, "intent": 3, "chain": 5}[step] if has_old or step == "chain" else None
    assert [day.snapshots for day in store.days()] == ([] if seen is None else [seen])
    if seen is not None:
        assert len(store.read_panel("NIFTY", DAY).ts) == seen
    with store.lock():
        store.finish_interrupted()
    assert not list(tmp_path.rglob("*.tmp"))
    assert not list(tmp_path.rglob("*.next"))
    assert [day.snapshots for day in store.days()] == ([] if seen is None else [seen])
    write(store)
    assert len(store.read_panel("NIFTY", DAY).ts) == 5


def kill_while_writing(root: Path, step: str) -> None:
    code = (
        "import sys; from pathlib import Path; import test_store; "
        "test_store.write(test_store.Store(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)],
        cwd=Path(__file__).parent,
        env=os.environ | {"OPTIQ_TEST_DIE_AFTER": step},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()


def test_a_strangers_file_is_not_trusted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store)
    path = store.place("NIFTY", DAY).chain
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    with pytest.raises(DamagedError, match="no manifest speaks of this file") as damage:
        store.read_panel("NIFTY", DAY)
    assert "optiq data repair" in damage.value.hint


def test_half_a_file_is_damage_and_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store)
    path = store.place("NIFTY", DAY).chain
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DamagedError, match=r"part\.parquet"):
        store.read_panel("NIFTY", DAY)


def test_repair_rebuilds_a_lost_manifest_and_a_torn_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    before = write(store)
    place = store.place("NIFTY", DAY)
    for spoil in (place.manifest.unlink, lambda: place.manifest.write_text('{"rows": ')):
        spoil()
        (line,) = repair_store(store)
        assert line == f"NIFTY {DAY}: {REBUILT}"
        rebuilt = store.manifest("NIFTY", DAY)
        before = replace(before, sources=(), notes=(REBUILT,), atm_iv=rebuilt.atm_iv)
        assert rebuilt == before
        assert rebuilt.atm_iv == pytest.approx(0.12)
    assert repair_store(store) == []


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with Store(tmp_path).lock(), pytest.raises(BusyError), Store(tmp_path).lock():
        pass


def test_equal_content_has_equal_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        store = Store(tmp_path / name)
        write(store, columns=day_columns(missing=(2, 7)))
        files.append(store.place("NIFTY", DAY).chain.read_bytes())
    assert files[0] == files[1]
