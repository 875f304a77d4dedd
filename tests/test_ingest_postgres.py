from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from chains import DAY, LOT, quotes
from postgres_server import binaries, server

from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.pipeline import IngestOptions, ingest
from optiq.market.store import Store

pytestmark = pytest.mark.skipif(
    binaries() is None, reason="no PostgreSQL server installed (Debian: postgresql)"
)

CREATE = """
CREATE TABLE option_snapshots (
    id serial PRIMARY KEY, timestamp timestamp NOT NULL, symbol text, strike_price numeric(10, 2),
    option_type varchar(4), expiry date, ltp numeric(12, 2), bid numeric(12, 2),
    ask numeric(12, 2), volume bigint, oi bigint, oi_change bigint, delta double precision,
    gamma double precision, theta double precision, vega double precision, iv double precision,
    spot_price numeric(12, 2));
CREATE TABLE trades (trade_id text, entry_time timestamp, strike_price numeric);
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return a URL with a password in it, as people write them."""
    with server() as folder:
        yield f"postgresql://optiq:hush@/postgres?host={folder}"


@pytest.fixture
def database(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        yield connection


def fill(database: psycopg.Connection[tuple[object, ...]], start: str, minutes: int = 6) -> None:
    """Store a chain as a live system does: naive UTC, CALL and PUT, a poll in milliseconds."""
    table = quotes(minutes=minutes, start=start)
    with database.cursor() as cursor:
        for number, row in enumerate(table.itertuples()):
            cursor.execute(
                "INSERT INTO option_snapshots"
                " (timestamp, symbol, strike_price, option_type, expiry, ltp, bid, ask, volume,"
                " oi, oi_change, iv, delta, spot_price)"
                " VALUES (%s, 'NIFTY', %s, %s, %s, %s, %s, %s, %s, %s, %s, 12.5, 0.5, %s)",
                (
                    row.timestamp.to_pydatetime().replace(microsecond=1000 * (number % 6)),
                    row.strike_price,
                    {"CE": "CALL", "PE": "PUT"}[row.option_type],
                    row.expiry,
                    row.ltp,
                    None if number == 3 else row.bid,
                    row.ask,
                    row.volume,
                    row.oi,
                    row.oi_change,
                    row.spot_price,
                ),
            )


def test_a_live_systems_table(
    url: str, database: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    database.execute(CREATE)
    fill(database, "04:50")
    store = Store(tmp_path / "store")
    report = ingest([url], store)
    assert report.failed == ()
    assert (report.rows_in, report.rows_kept, report.quarantined) == (36, 36, 0)
    panel = store.read_panel("NIFTY", DAY)
    assert panel.ltp.shape == (6, 6)  # the quotes of one poll are one row
    assert panel.minute[0] == pytest.approx(620, abs=0.001)  # 04:50 UTC is 10:20 in India
    assert panel.oi[0, 0] % LOT == 0
    assert store.read_columns("NIFTY", DAY)["iv_vendor"][0] == pytest.approx(0.125)
    nothing = panel.bid != panel.bid
    assert nothing.sum() == 1


def test_what_was_added_since_is_all_that_is_added(
    url: str, database: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    database.execute(CREATE)
    fill(database, "04:50")
    store = Store(tmp_path / "store")
    ingest([url], store)
    assert ingest([url], store).rows_kept == 0
    fill(database, "05:30", minutes=2)
    report = ingest([url], store)
    assert (report.rows_in, report.rows_kept, report.duplicates) == (48, 12, 36)


def test_no_secret_is_written_down(
    url: str, database: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    database.execute(CREATE)
    fill(database, "04:50")
    store = Store(tmp_path / "store")
    ingest([url], store)
    texts = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert texts
    assert not any(b"hush" in text for text in texts)


def test_a_table_by_name_and_stamps_with_a_zone(
    url: str, database: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    database.execute(CREATE)
    fill(database, "10:20")
    database.execute(
        "CREATE TABLE \"My Chain\" AS SELECT timestamp AT TIME ZONE 'Asia/Kolkata' AS as_of,"
        " strike_price AS strike, option_type AS right, expiry, ltp FROM option_snapshots"
    )
    database.execute("DROP TABLE option_snapshots")
    store = Store(tmp_path / "store")
    read = ReadOptions(table="My Chain", underlying="NIFTY")
    assert ingest([url], store, IngestOptions(read=read)).rows_kept == 36
    assert f"{store.manifest('NIFTY', DAY).first_ist:%H:%M}" == "10:20"


@pytest.mark.parametrize(
    ("make", "table", "found"),
    [
        ("CREATE TABLE trades (trade_id text)", None, "none of its tables (trades)"),
        ("", None, "there are none"),
        ("CREATE TABLE a (x int)", "b", "no table 'b'"),
        ("CREATE TABLE a (ts timestamp, ltp int)", "a", "no column for strike, right"),
    ],
)
def test_a_database_without_a_chain_says_what_it_has(
    url: str,
    database: psycopg.Connection[tuple[object, ...]],
    tmp_path: Path,
    make: str,
    table: str | None,
    found: str,
) -> None:
    if make:
        database.execute(make)  # type: ignore[call-overload]
    options = IngestOptions(read=ReadOptions(table=table))
    (refusal,) = ingest([url], Store(tmp_path / "store"), options).failed
    assert found in str(refusal)
    assert "hush" not in f"{refusal} {refusal.hint}"


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    url = f"postgresql://optiq:hush@/postgres?host={tmp_path}"
    (refusal,) = ingest([url], Store(tmp_path / "store")).failed
    assert "No such file" in str(refusal)
    assert "hush" not in f"{refusal} {refusal.hint}"
    assert "check the server" in refusal.hint
