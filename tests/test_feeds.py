"""One contract for all live feeds: what is wrong with an answer is a fault, never a price."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from feed_server import (
    CASES,
    CLOSE,
    ENVIRON,
    EXPIRIES,
    KINDS,
    OPEN,
    FakeClock,
    Quote,
    Vendor,
    fed,
    plain_market,
    served,
)
from paper_days import ensemble, plan_of
from recorded import RECORDED, needs_recordings

from optiq.errors import InputError, RuleError
from optiq.market.chain_row import ChainRow, Contract, rows_of
from optiq.market.context import Context
from optiq.market.feeds.faults import FeedFault
from optiq.market.feeds.live import NAMES, open_feed
from optiq.market.growing_panel import GrowingPanel
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.documents import unpacked
from optiq.market.ingest.pipeline import IngestOptions, ingest
from optiq.market.schema import FIELDS, PRICES
from optiq.market.store import Store
from optiq.run.journal import NAME
from optiq.run.sessions import opened

MINUTE = 60.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(OPEN + np.timedelta64(60, "s"))


@pytest.fixture
def vendor(clock) -> Iterator[Vendor]:
    with served(Vendor(lambda: clock.at)) as vendor:
        yield vendor


def first_of(row: ChainRow) -> Contract:
    return Contract(row.expiry[0], float(row.strike[0]), int(row.right[0]))


@pytest.mark.parametrize(("name", "trouble"), CASES)
def test_a_bad_answer_is_a_fault_and_the_next_good_one_is_a_row(clock, vendor, name, trouble):
    with fed(name, clock, vendor) as feed:
        polls: list[Callable[[], ChainRow]] = [
            feed.snapshot,
            lambda: feed.quotes([first_of(good)]),
        ]
        good = feed.snapshot()
        for poll in polls:
            clock.sleep(MINUTE)
            vendor.trouble = trouble
            with pytest.raises(FeedFault) as caught:
                poll()
            assert caught.value.kind == KINDS[trouble]
            assert caught.value.retry_after_s == (7.0 if trouble == "429" else 0.0)
            vendor.trouble = ""
            clock.sleep(MINUTE)
            again = poll()
            assert again.ts > good.ts
            clock.sleep(MINUTE)
            good = feed.snapshot()


@pytest.mark.parametrize("name", ["upstox", "dhan"])
def test_a_page_that_stands_still_for_minutes_is_stale(clock, vendor, name):
    with fed(name, clock, vendor) as feed:
        vendor.market = lambda now, expiry, at=clock.at: plain_market(at, expiry)
        feed.snapshot()
        clock.sleep(2 * MINUTE)
        feed.snapshot()
        clock.sleep(2 * MINUTE)
        with pytest.raises(FeedFault, match="nothing of 2026-08-18 has changed since") as caught:
            feed.snapshot()
    assert caught.value.kind == "stale"


@pytest.mark.parametrize("name", NAMES)
def test_an_older_page_that_nobody_stamped_is_stale_until_it_is_the_market(clock, vendor, name):
    """Volumes only grow; where they fall for minutes, the page before was the wrong one."""
    ahead = np.timedelta64(3_600, "s")
    with fed(name, clock, vendor) as feed:
        feed.snapshot()
        vendor.market = lambda now, expiry: plain_market(now + ahead, expiry)
        clock.sleep(MINUTE)
        feed.snapshot()
        vendor.market = plain_market
        for _ in range(3):
            clock.sleep(MINUTE)
            with pytest.raises(FeedFault, match="sent an older page of 2026-08-18") as caught:
                feed.snapshot()
            assert caught.value.kind == "stale"
        clock.sleep(2 * MINUTE)
        assert feed.snapshot().is_chain


@pytest.mark.parametrize("name", NAMES)
def test_units_by_hand(clock, vendor, name):
    """One strike: 1,300 units of interest, 65 before, 65,715 traded; 0 is no price."""

    def market(now: np.datetime64, expiry: dt.date) -> tuple[float, list[Quote]]:
        spot, quotes = plain_market(OPEN, expiry)
        untraded = {25_250.0: {"ltp": None}, 25_300.0: {"bid": None, "ltp": None}}
        return spot, [q._replace(**untraded.get(q.strike, {})) for q in quotes]

    vendor.market = market
    with fed(name, clock, vendor) as feed:
        row = feed.snapshot()
    assert row.is_chain
    assert row.spot == 26_000.0
    assert sorted(set(row.expiry.tolist())) == list(EXPIRIES[:2])
    call = [
        {name: float(values[k]) for name, values in row.fields.items()}
        for k in range(len(row))
        if row.expiry[k] == np.datetime64(EXPIRIES[0])
        and row.right[k] == 1
        and row.strike[k] in (25_250.0, 25_300.0, 26_000.0)
    ]
    assert [quote["ltp"] for quote in call] == pytest.approx([np.nan, np.nan, 101.0], nan_ok=True)
    assert [quote["bid"] for quote in call] == pytest.approx([753.9, np.nan, 100.95], nan_ok=True)
    at_the_money = call[2]
    sizes = ("volume", "oi", "oi_change", "bid_qty", "ask_qty")
    assert [at_the_money[size] for size in sizes] == [65_130.0, 1_300.0, 1_235.0, 65.0, 130.0]
    by_hand = 101 / (0.39894 * 26_000 * np.sqrt(384 / 525_600))  # 384 minutes are left
    assert at_the_money["iv"] == pytest.approx(by_hand, rel=0.02)
    assert 0.45 < at_the_money["delta"] < 0.55, "the vendor's own say 0.9, and 99 %"


@pytest.mark.parametrize("name", NAMES)
def test_live_store_and_replay_agree_bit_for_bit(clock, vendor, name, tmp_path):
    """The rows of a session, ingested as its journal is, come back as the very same rows."""
    with fed(name, clock, vendor) as feed:
        rows = []
        for _ in range(6):
            rows.append(feed.snapshot())
            clock.sleep(7.0)
            rows.append(feed.quotes([first_of(rows[-1])]))
            clock.sleep(MINUTE)
    grown = GrowingPanel("NIFTY", EXPIRIES[0], has_book=True)
    for row in rows:
        grown.append(row)
    panel = grown.panel()
    who = ensemble()
    with opened(tmp_path / "session", plan_of(panel, Context(), who), who) as session:
        session.run(rows, [])
    store = Store(tmp_path / "store")
    report = ingest([str(tmp_path / "session" / NAME)], store)
    assert (report.failed, report.quarantined, report.duplicates) == ((), 0, 0)
    stored = rows_of(store.read_panel("NIFTY", EXPIRIES[0], FIELDS, as_fed=True))
    assert len(stored) == len(rows)
    for live, again in zip(rows, stored, strict=True):
        assert (live.ts, live.known, live.is_chain, live.spot) == (
            again.ts,
            again.known,
            again.is_chain,
            again.spot,
        )
        for part in ("expiry", "strike", "right"):
            assert np.array_equal(getattr(live, part), getattr(again, part))
        assert live.fields.keys() >= {"ltp", "bid", "ask"}
        for field, values in live.fields.items():
            assert np.array_equal(values, again.fields[field].astype(np.float32), equal_nan=True)
    assert {*FIELDS} == rows[0].fields.keys()
    assert {*PRICES} == rows[1].fields.keys()


def test_each_vendor_is_asked_as_it_wants(clock, vendor):
    for name in NAMES:
        vendor.asked.clear()
        vendor.headers.clear()
        with fed(name, clock, vendor) as feed:
            feed.snapshot()
        times = [at for at, _ in vendor.asked]
        apart = np.diff(np.array(times)) / np.timedelta64(1, "s")
        assert (apart >= {"upstox": 1.0, "dhan": 3.0, "nse": 3.0}[name]).all()
        told = vendor.headers[-1]
        if name == "upstox":
            assert told["Authorization"] == "Bearer upstox-token"
        elif name == "dhan":
            assert (told["access-token"], told["client-id"]) == ("dhan-token", "1000000001")
        else:
            assert [path for _, path in vendor.asked][:2] == [
                "/option-chain",
                "/api/option-chain-contract-info",
            ]
            assert "nsit=visitor" in told["Cookie"]


def test_a_visitor_that_was_refused_comes_back_with_new_cookies(clock, vendor):
    with fed("nse", clock, vendor) as feed:
        feed.snapshot()
        for trouble, visits in (("{}", 2), ("401", 3), ("old", 3)):
            clock.sleep(MINUTE)
            vendor.trouble = trouble
            with pytest.raises(FeedFault):
                feed.snapshot()
            vendor.trouble = ""
            clock.sleep(MINUTE)
            feed.snapshot()
            assert [path for _, path in vendor.asked].count("/option-chain") == visits


def test_the_last_page_again_is_stale(clock, vendor):
    with fed("nse", clock, vendor) as feed:
        row = feed.snapshot()
        vendor.now = lambda: row.ts
        with pytest.raises(FeedFault, match="again the page") as caught:
            feed.snapshot()
        assert caught.value.kind == "stale"
        vendor.now = lambda: row.ts - np.timedelta64(9, "s")
        with pytest.raises(FeedFault, match="an older page"):
            feed.snapshot()


def test_another_index_is_told_by_its_level_even_where_no_page_names_it(clock, vendor):
    with fed("dhan", clock, vendor, level=57_000.0) as feed:
        with pytest.raises(FeedFault, match="for NIFTY, 57000 before") as caught:
            feed.snapshot()
        assert caught.value.kind == "wrong_underlying"


def test_before_the_open_and_after_the_close_is_no_row(vendor):
    for moment in (OPEN - np.timedelta64(60, "s"), CLOSE + np.timedelta64(60, "s")):
        clock = FakeClock(moment)
        vendor.now = lambda clock=clock: clock.at
        for name in NAMES:
            with fed(name, clock, vendor) as feed, pytest.raises(FeedFault) as caught:
                feed.snapshot()
            assert caught.value.kind == "closed"


def test_a_holiday_is_refused_at_once(vendor):
    clock = FakeClock(np.datetime64("2026-08-15T05:00:00", "us"))
    with pytest.raises(RuleError, match="2026-08-15 is no trading day"), fed("nse", clock, vendor):
        pass


def test_what_is_missing_or_unknown_is_said(clock):
    with pytest.raises(InputError, match="no DHAN_CLIENT_ID in the environment"):
        open_feed("dhan", "NIFTY", clock.clock, environ={"DHAN_ACCESS_TOKEN": "x"})
    with pytest.raises(InputError, match="NSE lists no SENSEX"):
        open_feed("nse", "SENSEX", clock.clock, environ={})
    with pytest.raises(InputError, match="no feed 'zerodha'"):
        open_feed("zerodha", "NIFTY", clock.clock, environ={})


def test_nobody_there_is_a_fault(clock):
    feed = open_feed("upstox", "NIFTY", clock.clock, environ=ENVIRON, base_url="http://127.0.0.1:9")
    with pytest.raises(FeedFault, match="cannot be reached") as caught:
        feed.snapshot()
    feed.close()
    assert caught.value.kind == "unreachable"


@needs_recordings
def test_recorded_pages_come_through_a_feed_as_through_a_file(tmp_path):
    """Genuine answers, served as they are: the same prices and sizes, and our Greeks."""
    folder = RECORDED / "payloads"
    upstox = folder / "upstox_v2" / "Aravin_optionchain_bb40d5c_2024-06-27_spot23868.8.json"
    dhan = folder / "dhan_v2" / "m2india_SAMPLE_DATA_USER.json"
    nse = folder / "nse_option_chain_indices" / "prashantbhadvankar_NIFTY_2025-11-13_e2c51a34.json"
    cases = {
        "upstox": (upstox, "2024-06-26T05:00:00", dt.date(2024, 6, 27)),
        "dhan": (dhan, "2026-07-16T05:00:00", dt.date(2026, 7, 16)),
        "nse": (nse, "2025-11-13T09:31:00", dt.date(2025, 11, 18)),
    }
    for name, (path, moment, expiry) in cases.items():
        clock = FakeClock(np.datetime64(moment, "us"))
        body = unpacked(path.read_bytes(), path)
        vendor = Vendor(lambda clock=clock: clock.at, expiries=(expiry,), pages={name: body})
        with served(vendor), fed(name, clock, vendor, expiries=1) as feed:
            row = feed.snapshot()
        copy = tmp_path / f"NIFTY_{name}.json.gz"
        copy.write_bytes(gzip.compress(body))
        store = Store(tmp_path / name)
        read = ReadOptions(underlying="NIFTY", at=f"{row.ts}Z", expiry=str(expiry))
        report = ingest([str(copy)], store, IngestOptions(format=name, read=read))
        assert not report.failed
        panel = store.read_panel("NIFTY", row.ts.astype("datetime64[D]").item(), FIELDS)
        (stored,) = rows_of(panel.reordered(np.flatnonzero(panel.expiry == np.datetime64(expiry))))
        assert len(row) == len(stored) > 150
        for field in FIELDS:
            live, kept = (
                one.fields.get(field, np.full(len(row), np.nan, np.float32))
                for one in (row, stored)
            )
            assert np.array_equal(live, kept.astype(np.float32), equal_nan=True), (name, field)
        assert np.isfinite(row.fields["iv"]).sum() > 50
