"""Tables of any shape and container give the same day."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import DAY, EXPIRY, LOT, quotes, write
from ingests import add, counts

from optiq.market.store import Store


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
