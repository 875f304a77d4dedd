"""Whole live sessions against a local server: each is the backtest of its rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from feed_server import CASES, CLOSE, EXPIRIES, KINDS, FakeClock, Vendor, fed, panel_market, served
from paper_days import ensemble, plan_of

from optiq.market import calendar
from optiq.market.context import Context
from optiq.market.feeds.clocks import span
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.paper import Fault, PaperSession
from optiq.run.parity import prove
from optiq.run.polling import Paces, Polling
from optiq.run.sessions import opened, read_session


def run_live(
    folder, name: str, clock: FakeClock, vendor: Vendor, plan_panel: Panel, paces: Paces
) -> tuple[PaperSession, Polling]:
    """A session of a vendor from now to its end."""
    who = ensemble()
    with (
        fed(name, clock, vendor) as feed,
        opened(folder, plan_of(plan_panel, Context(), who), who) as session,
    ):
        rng = np.random.default_rng(1)
        held = session.day.held
        polls = Polling(feed, feed.session, clock.clock, paces, held, rng, session.last_ts)
        session.run(polls, [])
    return session, polls


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Panel:
    store = Store(tmp_path_factory.mktemp("store"))
    store_simulation(Simulation(days=1, seed=11), store)
    (day,) = store.days("NIFTY")
    return store.read_panel("NIFTY", day.date)


@pytest.mark.parametrize(("name", "minutes"), [("upstox", 375), ("dhan", 90), ("nse", 90)])
def test_a_live_session_is_the_backtest_of_its_rows(tmp_path, simulated, name, minutes):
    """A day from a server, or the end of one, with monitor rows, and trouble twice on the way."""
    closes = calendar.session(simulated.date).close_utc
    starts = closes - np.timedelta64(minutes, "m")
    clock = FakeClock(starts)
    expiries = tuple(simulated.expiries.tolist())
    vendor = Vendor(lambda: clock.at, panel_market(simulated), expiries=expiries)
    sleep = clock.sleep

    def troubled(seconds: float) -> None:
        sleep(seconds)
        minute = float((clock.at - starts) / np.timedelta64(1, "m"))
        vendor.trouble = "500" if 40 <= minute < 44 else "html" if 60 <= minute < 61 else ""

    clock.sleep = troubled
    with served(vendor):
        session, polls = run_live(tmp_path, name, clock, vendor, simulated, Paces(monitor=25.0))
    rows = session.day.rows
    assert rows.n_chain_rows > minutes - 8
    assert rows.n_rows > rows.n_chain_rows + 20, "positions were watched"
    assert session.faults["server"] == polls.refused["server"] > 2
    assert session.faults["broken"] >= 1
    proof = prove(read_session(tmp_path), ensemble())
    assert proof["trades"] >= 1
    assert (proof["rows"], proof["mismatches"]) == (rows.n_rows, 0)


@pytest.mark.parametrize("until", [200.0, 400.0])
def test_hours_of_faults_and_a_restart_with_other_paces(tmp_path, simulated, until):
    """From the second hour no answer is good, for two hours or to the end; then the session is
    started again. Nothing enters meanwhile, what is open waits, and leaves by fresh quotes or,
    at the close, marked stale."""
    starts = calendar.session(simulated.date).open_utc
    clock, since = FakeClock(starts), 70.0
    expiries = tuple(simulated.expiries.tolist())
    vendor = Vendor(lambda: clock.at, panel_market(simulated), expiries=expiries)
    sleep = clock.sleep

    def troubled(seconds: float) -> None:
        sleep(seconds)
        minute = float((clock.at - starts) / np.timedelta64(1, "m"))
        vendor.trouble = "500" if since <= minute < until else ""

    clock.sleep = troubled
    with served(vendor):
        first = Paces(monitor=45.0)
        run_until(tmp_path, clock, vendor, simulated, first, starts + np.timedelta64(150, "m"))
        session, _ = run_live(
            tmp_path, "upstox", clock, vendor, simulated, Paces(snapshot=120.0, monitor=50.0)
        )
    ts = session.day.rows.ts[: session.day.rows.n_rows]
    minutes = (ts - starts) / np.timedelta64(1, "m")
    assert not ((minutes > since + 1.0) & (minutes < until)).any()
    trades = session.day.result().trades()
    entered = (trades["entry_ts"] - starts) / np.timedelta64(1, "m")
    left = (trades["exit_ts"] - starts) / np.timedelta64(1, "m")
    waited = (entered < since) & ((left > since) | trades["stale_exit"])
    assert waited.any(), "something was open when it began"
    if until < 375.0:
        assert (minutes > until).sum() > 50
        assert (left[waited] >= until).all()
        assert not trades["stale_exit"][waited].any()
    else:
        assert trades["stale_exit"][waited].all()
        assert (entered < since + 1.0).all()
    assert prove(read_session(tmp_path), ensemble())["mismatches"] == 0


def run_until(
    folder: Path,
    clock: FakeClock,
    vendor: Vendor,
    plan_panel: Panel,
    paces: Paces,
    stop: np.datetime64,
) -> None:
    """A session that is stopped at a moment: what it took stays."""
    who = ensemble()
    with (
        fed("upstox", clock, vendor) as feed,
        opened(folder, plan_of(plan_panel, Context(), who), who) as session,
    ):
        polls = Polling(
            feed, feed.session, clock.clock, paces, session.day.held, np.random.default_rng(2)
        )
        for item in polls:
            if clock.at >= stop:
                return
            session.note(item) if isinstance(item, Fault) else session.take(item)


@pytest.mark.parametrize(("name", "trouble"), CASES)
def test_no_trouble_becomes_a_row_or_stops_a_session(tmp_path, simulated, name, trouble):
    """Some minutes of it before the close: it is counted, no row is of then, rows come after."""
    is_frozen = trouble == "old" and name != "nse"  # such a page is doubted after a while
    first = CLOSE - span(1_200.0)
    since, until = first + span(200.0), first + span(800.0 if is_frozen else 350.0)
    clock = FakeClock(first)
    vendor = Vendor(lambda: clock.at)
    sleep = clock.sleep

    def troubled(seconds: float) -> None:
        sleep(seconds)
        vendor.trouble = trouble if since <= clock.at < until else ""

    clock.sleep = troubled
    plan_day = replace(simulated, date=EXPIRIES[0])
    with served(vendor):
        session, polls = run_live(tmp_path, name, clock, vendor, plan_day, Paces())
    assert session.is_over
    assert session.faults[KINDS[trouble]] >= 1
    assert polls.refused[KINDS[trouble]] >= session.faults[KINDS[trouble]] - 1
    ts = session.day.rows.ts[: session.day.rows.n_rows]
    patience = span(245.0 if is_frozen else 0.0)
    assert not ((ts >= since + patience) & (ts < until)).any()
    assert (ts >= until).sum() > 3


def test_a_day_without_one_good_row_ends_flat(tmp_path, simulated):
    clock = FakeClock(CLOSE - np.timedelta64(600, "s"))
    vendor = Vendor(lambda: clock.at, trouble="403")
    with served(vendor):
        session, _ = run_live(
            tmp_path, "upstox", clock, vendor, replace(simulated, date=EXPIRIES[0]), Paces()
        )
    assert session.is_over
    assert session.day.rows.n_rows == 0
    assert session.faults["refused"] > 3
