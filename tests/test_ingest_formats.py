"""The rules of each ingest format, by hand-made documents, and the recorded ones counted."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_documents import DOCUMENTS
from ingest_samples import BHAVCOPY, DHAN, KITE, NSE_OLD, NUBRA, UDIFF, UPSTOX
from recorded import RECORDED, needs_recordings

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import read_document
from optiq.market.ingest.formats import FORMATS, format_named, format_of

NAN = float("nan")
AT = ReadOptions(at="2026-08-18 10:15", expiry="2026-08-25", underlying="NIFTY")


def read_one(name: str, path: Path, options: ReadOptions = AT) -> Batch:
    (batch,) = format_named(name).read(path, options)
    return batch


def saved(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def changed(document: Any, *place: Any, to: object) -> Any:
    """Return a deep copy with one value replaced."""
    copy = json.loads(json.dumps(document))
    holder = copy
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = to
    return copy


@pytest.mark.parametrize(
    ("place", "value", "reason", "kept"),
    [
        (("records", "data", 0, "CE", "lastPrice"), "soon", "lastPrice: 'soon'", 2),
        (("records", "data", 0, "CE"), [1], "CE is no object", 2),
        (("records", "data", 0), 7, "no object", 1),
        (("records", "data", 1, "expiryDate"), "31-Feb-2026", "is not a date", 2),
        (("records", "data", 1, "strikePrice"), -5, "no price level", 2),
        (("records", "data", 1, "PE", "openInterest"), 10**20, "too large", 2),
    ],
)
def test_a_damaged_leg_of_a_chain_is_one_broken_row(
    place: tuple[Any, ...], value: object, reason: str, kept: int, tmp_path: Path
) -> None:
    path = saved(tmp_path, "chain.json", changed(NSE_OLD, *place, to=value))
    batch = read_one("nse", path)
    assert len(batch.columns["ts"]) == kept
    (broken,) = batch.broken
    assert reason in broken.reason
    assert broken.row_number == place[2] + 1


def test_an_empty_chain_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path, "chain.json", "{}\n")
    assert format_of(Sample(path, b"{}\n")).NAME == "nse"
    with pytest.raises(InputError, match=r"chain\.json is an empty option chain") as caught:
        read_one("nse", path)
    assert "blocks" in caught.value.hint


def test_a_chain_without_its_stamp_takes_the_time_given(tmp_path: Path) -> None:
    path = saved(tmp_path, "chain.json", changed(NSE_OLD, "records", "timestamp", to=None))
    assert (read_one("nse", path).columns["ts"] == np.datetime64("2026-08-18T10:15")).all()
    with pytest.raises(InputError, match="on which day"):
        read_one("nse", path, ReadOptions())


def test_a_web_page_in_place_of_a_chain_names_the_line(tmp_path: Path) -> None:
    path = saved(tmp_path, "chain.json", "<html>\n<body>Access Denied")
    with pytest.raises(InputError, match="is not JSON: Expecting value at line 1, column 1"):
        read_one("nse", path)


def test_a_broker_chain_without_a_time_asks_for_it(tmp_path: Path) -> None:
    path = saved(tmp_path, "chain.json", UPSTOX)
    with pytest.raises(InputError, match="on which day") as caught:
        read_one("upstox", path, ReadOptions())
    assert "--at" in caught.value.hint


def test_a_refused_answer_shows_its_status(tmp_path: Path) -> None:
    path = saved(tmp_path, "chain.json", {"status": "error", "data": []})
    with pytest.raises(InputError, match=r"empty chain \(status 'error'\)"):
        read_one("upstox", path)


def test_a_damaged_line_of_responses_is_named(tmp_path: Path) -> None:
    good = json.dumps({"received_at": "2026-08-18 10:15", "payload": UPSTOX})
    path = saved(tmp_path, "day.jsonl", f"{good}\n{good[:-9]}\n")
    with pytest.raises(InputError, match="line 2 is not JSON"):
        list(format_named("upstox").read(path, ReadOptions()))


def test_a_chain_that_mixes_underlyings_is_refused(tmp_path: Path) -> None:
    row = UPSTOX["data"][0]
    mixed = {"data": [row, changed(row, "underlying_key", to="NSE_INDEX|Nifty Bank")]}
    with pytest.raises(InputError, match="mixes 2 underlyings"):
        read_one("upstox", saved(tmp_path, "chain.json", mixed))


def test_a_chain_without_an_expiry_asks_for_it(tmp_path: Path) -> None:
    path = saved(tmp_path, "NIFTY.json", DHAN)
    with pytest.raises(InputError, match="which expiry") as caught:
        read_one("dhan", path, ReadOptions(at="2026-08-18 10:15"))
    assert "--expiry" in caught.value.hint


def test_a_quote_of_another_instrument_is_a_broken_row(tmp_path: Path) -> None:
    quotes = changed(KITE, "data", "NFO:NIFTY26AUGFUT", to={"last_price": 24050})
    batch = read_one("kite", saved(tmp_path, "quote.json", quotes))
    assert len(batch.columns["ts"]) == 2
    assert [row.reason for row in batch.broken] == ["'NIFTY26AUGFUT' is not an index option"]


def test_quotes_of_shares_alone_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, "quote.json", {"data": {"NSE:ABC": {"last_price": 1}}})
    with pytest.raises(InputError, match="quotes no index option"):
        read_one("kite", path)


def test_a_stamp_in_seconds_is_not_taken_for_nanoseconds(tmp_path: Path) -> None:
    chain = changed(NUBRA, "chain", "ce", 0, "timestamp", to=1787028300)
    chain = changed(chain, "chain", "pe", 0, "timestamp", to=1787028300)
    with pytest.raises(InputError, match="no timestamp in nanoseconds"):
        read_one("nubra", saved(tmp_path, "chain.json", chain))


def test_a_bhavcopy_counts_what_it_leaves_out(tmp_path: Path) -> None:
    assert read_one("bhavcopy", saved(tmp_path, "b.csv", UDIFF)).left_out == 2


def test_a_bhavcopy_of_a_holiday_is_broken_row_by_row(tmp_path: Path) -> None:
    path = saved(tmp_path, "b.csv", BHAVCOPY.replace("29-DEC-2023", "25-DEC-2023"))
    batch = read_one("bhavcopy", path)
    assert len(batch.columns["ts"]) == 0
    assert "no trading day" in batch.broken[0].reason


def test_a_bhavcopy_is_read_out_of_its_zip(tmp_path: Path) -> None:
    path = tmp_path / "fo29DEC2023bhav.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fo29DEC2023bhav.csv", BHAVCOPY)
    assert format_of(Sample(path, path.read_bytes())).NAME == "bhavcopy"
    assert read_one("bhavcopy", path).columns["ltp"].tolist() == [120.55]


def test_a_bhavcopy_without_index_options_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, "b.csv", UDIFF.replace(",NIFTY,", ",ABC,"))
    with pytest.raises(InputError, match="holds no options on NIFTY"):
        read_one("bhavcopy", path)


OLD_PAGE_OF_AN_EXPIRY_DAY = (
    b"CALLS,\xa0,PUTS\n"
    b"Chart,OI,Chng in OI,Volume,IV,LTP,Net Chng,BidQty,BidPrice,AskPrice,AskQty,Strike Price,"
    b"BidQty,BidPrice,AskPrice,AskQty,Net Chng,LTP,IV,Volume,Chng in OI,OI,Chart\n"
    b',-,-,-,-,"\n\t\t\t-\n",-," 1,200"," 2,100.45",-,-,9650.00,-,-, 0.25, 75,-,"\n 0.20\n",-,'
    b' 1," 3,825"," 88,650",\n'
    b',-,-,-,-,"\n -\n",-,-,-,-,-,9700.00,-,-, 0.25\n'
    b'Total," 9,277,700",,12,,9,," 11,273,100",Total\n'
)


def test_the_older_page_is_read_through_its_broken_quoting(tmp_path: Path) -> None:
    path = saved(tmp_path, "expiry_day_2019_05_23/11_9.csv", OLD_PAGE_OF_AN_EXPIRY_DAY)
    batch = read_one("nse_csv", path, ReadOptions(underlying="NIFTY"))
    np.testing.assert_array_equal(batch.columns["ltp"], [NAN, 0.2])
    np.testing.assert_array_equal(batch.columns["bid"], [2100.45, NAN])
    np.testing.assert_array_equal(batch.columns["oi"], [NAN, 88650.0])
    assert (batch.columns["ts"] == np.datetime64("2019-05-23T11:09")).all()
    assert (batch.columns["expiry"] == np.datetime64("2019-05-23")).all()
    assert (batch.oi_unit, batch.volume_unit, batch.clock) == ("units", "contracts", "IST")
    assert [row.reason for row in batch.broken] == ["15 cells under 23 names"]


def test_a_bad_cell_costs_its_side_of_the_strike_only(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    DOCUMENTS["flat"][0].write(path)
    path.write_text(path.read_text("utf-8").replace(",101.3,", ",n.v.t.,"), "utf-8")
    batch = read_one("flat", path)
    assert batch.columns["right"].tolist() == [-1]
    assert [(row.row_number, row.reason) for row in batch.broken] == [
        (2, "CALLS_LTP: 'n.v.t.' is not a number")
    ]


def test_a_table_of_other_columns_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, "day.csv", "Fetch_Time,CALLS_LTP,PUTS_LTP\n1,2,3\n")
    with pytest.raises(InputError, match=r"lacks CALLS_Ask_Price, CALLS_Ask_Qty"):
        read_one("flat", path)


def test_a_document_that_unpacks_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    bomb = saved(tmp_path, "chain.json.gz", gzip.compress(b" " * 10_000))
    assert len(bomb.read_bytes()) < 1000
    with pytest.raises(InputError, match="unpacks to over 1,000 bytes"):
        read_document(bomb, largest=1000)
    assert len(read_document(bomb, largest=10_000).content) == 10_000


def test_a_document_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "chain.json", "[" * 2000)
    with pytest.raises(InputError, match="holds 2,000 bytes"):
        read_document(path, largest=1000)


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="no format 'excel'") as caught:
        format_named("excel")
    assert all(name in caught.value.hint for name in FORMATS)


def files_of(folder: str, pattern: str = "*") -> list[Path]:
    return sorted(path for path in (RECORDED / folder).rglob(pattern) if path.is_file())


@needs_recordings
def test_recorded_chains_keep_every_leg_and_their_sums() -> None:
    """Against the plain JSON, over every tenth of the recorded responses."""
    for path in files_of("nse_json")[::10]:
        batch = read_one("nse", path, ReadOptions())
        records = json.loads(gzip.decompress(path.read_bytes()))["records"]
        legs = [row[side] for row in records["data"] for side in ("CE", "PE") if side in row]
        assert (len(batch.columns["ts"]), batch.broken) == (len(legs), ())
        assert batch.columns["oi"].sum() == pytest.approx(sum(leg["openInterest"] for leg in legs))
        assert np.isfinite(batch.columns["ltp"]).sum() == sum(leg["lastPrice"] > 0 for leg in legs)
        assert (batch.underlying, "received_ts" in batch.columns) == ("NIFTY", False)


@needs_recordings
def test_recorded_minutes_are_read_with_both_clocks() -> None:
    lags = []
    for path in files_of("nse_1min", "*20250829*")[::10]:
        batch = read_one("flat", path, ReadOptions())
        lags.append(
            (batch.columns["received_ts"] - batch.columns["ts"])[0] / np.timedelta64(1, "s")
        )
        assert batch.broken == ()
    assert 30 < np.median(lags) < 120


@needs_recordings
@pytest.mark.parametrize(
    ("folder", "options", "files", "rows", "broken"),
    [
        ("dirty/nse_html_2019_06_12", ReadOptions(), 140, 23_274, 0),
        ("dirty/expiry_day_2019_05_23", ReadOptions(underlying="NIFTY"), 244, 36_600, 0),
        ("payloads/nubra", ReadOptions(), 1, 450, 0),
        ("payloads/upstox_v2", ReadOptions(at="2024-06-20 10:15"), 2, 438, 0),
        ("payloads/dhan_v2", AT, 1, 440, 0),
    ],
)
def test_recorded_folders_load_with_what_they_lack(
    folder: str, options: ReadOptions, files: int, rows: int, broken: int
) -> None:
    paths = files_of(folder)
    batches = []
    for path in paths:
        form = format_of(Sample(path, path.read_bytes()[:65536]))
        batches += form.read(path, options)
    assert len(paths) == files
    assert sum(len(batch.columns["ts"]) for batch in batches) == rows
    assert sum(len(batch.broken) for batch in batches) == broken


@needs_recordings
@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("upstox", "payloads/upstox_v2", "on which day"),
        ("dhan", "payloads/dhan_v2", "which expiry"),
        ("kite", "payloads/kite", "index option|no quotes under data"),
        ("nse_csv", "dirty/nse_website_csv", "which expiry|on which day"),
        ("nse_csv", "dirty/expiry_day_2019_05_23", "whose options"),
        ("nse_csv", "payloads/nse_old_html_csv", "which expiry|whose options"),
    ],
)
def test_recordings_that_lack_a_fact_are_refused_with_the_remedy(
    name: str, path: str, message: str
) -> None:
    for file in files_of(path)[:20]:
        with pytest.raises(InputError, match=message) as caught:
            list(format_named(name).read(file, ReadOptions()))
        assert caught.value.hint
