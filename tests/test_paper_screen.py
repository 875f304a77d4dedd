"""The paper screen as text: at 80 columns, at 200, at odd sizes, and on a real terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from feed_server import FakeClock
from paper_days import ensemble_of, patience, plan_of
from rich.console import Console

from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.report.money import rupees
from optiq.report.paper_screen import PaperScreen
from optiq.report.screen_layout import draw
from optiq.report.screen_positions import SCALE, positions_table
from optiq.run.backtest import Settings
from optiq.run.choosing import Acting, Choice, Chooser, chooser_named
from optiq.run.exploring import Progress
from optiq.run.paper import Fault, PaperSession
from optiq.run.sessions import opened, read_session
from optiq.run.standing import Held, Leg, standing_of
from optiq.trade.book import PAISE, Stage
from optiq.trade.limits import Limits

LIMITS = Limits(capital=200_000.0, max_daily_loss=6_000.0, max_trades_per_day=40)
NAMES = ("gamma_scalping", "vwap_deviation", "oi_buildup")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("store")
    store_simulation(Simulation(days=1, seed=11), Store(root))
    return root


@pytest.fixture(scope="module")
def day(store) -> Panel:
    return Store(store).read_panel("NIFTY", Store(store).days("NIFTY")[0].date)


class Ticking:
    """A stopwatch that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def console(width: int = 80, height: int = 24) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        legacy_windows=False,
    )


def text_of(screen: PaperScreen, width: int = 80, height: int = 24) -> list[str]:
    """What a terminal of that size would show, a line each."""
    plain = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    plain.print(draw(screen.view(), width, height))
    return plain.file.getvalue().splitlines()


@pytest.fixture(scope="module")
def session(day, tmp_path_factory) -> Iterator[PaperSession]:
    """A session amid its day, with a policy and positions open."""
    who = ensemble_of(*NAMES, settings=Settings(limits=LIMITS))
    who = replace(who, chooser=chooser_named("random", who.strategies, 3))
    folder = tmp_path_factory.mktemp("session")
    with opened(folder, plan_of(day, Context(), who), who) as session:
        for row in rows_of(day):
            session.take(row)
            active = session.day.book.active[: int(session.day.book.day["n_active"][0])]
            is_marked = (active["stage"] == Stage.OPEN) & ~np.isnan(active["mark"][:, 0])
            if session.day.book.day["n_closed"][0] >= 2 and is_marked.any():
                break
    with opened(folder, plan_of(day, Context(), who), who) as session:
        yield session


def shown(session: PaperSession, **more: object) -> PaperScreen:
    return PaperScreen(session, "NIFTY 2025-01-01  replay x10", console(), policy="random", **more)


def test_at_80_columns_everything_is_there_and_as_the_walk_has_it(session):
    lines = text_of(shown(session))
    words = "\n".join(lines)
    assert len(lines) == 24
    assert max(map(len, lines)) <= 80
    book, day = session.day.book, session.day
    standing = standing_of(day)
    realised = int(book.day["realised_paise"][0]) / PAISE
    assert f"{realised:+,.2f}" in words
    assert standing.closed.net == pytest.approx(realised, abs=1e-9)
    (held, *_) = [one for one in standing.held if one.stage == Stage.OPEN]
    position = next(p for p in book.active if p["order"] >= 0 and p["stage"] == Stage.OPEN)
    assert held.mark == position["mark"][0] == held.legs[0].mark
    assert held.profit == position["open_pnl"]
    row = next(line for line in lines if line.startswith(held.strategy))
    assert f"{held.mark:,.2f}" in row
    assert f"{held.to_stop:.1%}" in row
    for title in ("Positions", "Today", "Limits", "Feed", "Policy", "Decisions"):
        assert re.search(rf"\b{title} ─", words), title
    assert f"{standing.accepted} of 40" in words
    assert "of 6,000" in words
    decision = day.decisions[-1]
    assert f"possible {int(decision.mask.sum())} of 3, aside" in words
    assert re.search(r"refused \d+: ", words)
    assert re.search(r"\d\d:\d\d:00 (entry|exit|leaving|chosen) +\w+", words)


def test_exploring_at_random_shows_how_far_it_is(session):
    decisions = len(session.day.decisions)
    for width, height in ((80, 24), (150, 40)):
        screen = shown(session, exploring=Progress(800 - decisions, 40))
        (line,) = [line for line in text_of(screen, width, height) if "explored" in line]
        assert "━━━━━━──── 800/1,000 41/60" in line, "the sessions lag behind"
        assert not [line for line in text_of(shown(session)) if "explored" in line]


class Prefers:
    """A learnt policy by hand: +0.2 for the second strategy, nothing known of the third."""

    def on(self, underlying: str, date: object) -> Acting:
        said = np.array([-0.1, 0.2, np.nan])
        return Acting("policy/1.0.0", lambda *_: Choice(1, said, np.array([0.0, 1.0, 0.0])))


def test_a_learnt_policy_shows_what_it_prefers(day, tmp_path):
    who = ensemble_of(*NAMES)
    who = replace(who, chooser=Chooser("champion", Prefers()))
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        for row in rows_of(day)[:20]:
            session.take(row)
        screen = PaperScreen(session, "x", console(), policy="policy/1.0.0")
        wide, narrow = text_of(screen, 150, 40), text_of(screen, 80, 24)
    assert any("Policy policy/1.0.0 at 09:35 ─" in line for line in wide), wide
    shown = {line[-46:].split()[0]: line for line in wide if line[-46:].strip()}
    assert "━━━━━───── -0.100" in shown["gamma_scalping"]
    assert "━━━━━━━━━━ +0.200 chosen" in shown["vwap_deviation"]
    assert "not learnt" in shown["oi_buildup"]
    assert "────────── +0.000" in shown["aside"]
    words = "\n".join(narrow)
    for said in ("by       policy/1.0.0 at 09:35", "chose    vwap_deviation", "+0.200 over aside"):
        assert said in words, words
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        again = PaperScreen(session, "x", console(), policy="policy/1.0.0")
        assert "chosen   vwap_deviation +0.200, 3 of 3 possible" in "\n".join(text_of(again))


def test_the_money_is_that_of_the_trades(session):
    standing, book = standing_of(session.day), session.day.book
    closed = book.closed[: int(book.day["n_closed"][0])]
    charges = closed["charges_paise"].sum() / PAISE
    assert standing.closed.charges == charges > 0
    assert standing.day.net == pytest.approx(
        standing.closed.net + standing.still_open.gross - standing.still_open.charges
    )
    active = book.active[: int(book.day["n_active"][0])]
    assert standing.loss_counted == pytest.approx(standing.closed.net + active["open_pnl"].sum())
    free = 200_000.0 + standing.closed.net - active["held"].sum()
    assert standing.free_capital == pytest.approx(free)


@pytest.mark.parametrize(
    "size", [(80, 24), (200, 50), (120, 30), (119, 30), (60, 20), (40, 10), (45, 40)]
)
def test_it_fits_every_terminal_and_follows_when_it_is_resized(session, size):
    screen = shown(session)
    width, height = size
    lines = text_of(screen, width, height)
    assert max(map(len, lines)) <= width
    if height >= 24:
        assert len(lines) <= height
    wide = "not possible" in "\n".join(lines) or "chosen" in "\n".join(lines)
    assert wide or width < 120


def test_on_a_phone_no_amount_loses_a_digit(session):
    screen = shown(session)
    booked = screen.view().standing.closed
    (line,) = [line for line in text_of(screen, 45, 40) if line.startswith("booked")]
    assert line.split()[1:] == [
        rupees(booked.gross, signed=True),
        rupees(-booked.charges),
        rupees(booked.net, signed=True),
    ]
    loss = table_text([condor(-0.3125)], 45)[1]
    assert loss.split()[-5:] == ["+3", "-60.00", "-1,406.25", "68.8%", "81.2%"]


def condor(gain: float) -> Held:
    legs = [
        Leg(f"2025-01-02 {strike} {right}", side, 1, 75, price, price)
        for strike, right, side, price in (
            (23_800, "CE", -1, 40.0),
            (24_000, "CE", 1, 10.0),
            (23_000, "PE", -1, 42.5),
            (22_800, "PE", 1, 12.5),
        )
    ]
    return Held(
        strategy="iron_condor_of_mine_with_a_long_name",
        stage=Stage.OPEN,
        legs=tuple(legs),
        gain=gain,
        profit=75.0 * 60.0 * gain,
        stop=1.0,
        target=0.5,
        to_stop=1.0 + gain,
        to_target=0.5 - gain,
        minutes_left=4.2,
        leaves_by="EOD",
        reason="",
    )


def table_text(held: list[Held], width: int) -> list[str]:
    plain = Console(file=io.StringIO(), width=width, color_system=None)
    plain.print(positions_table(held, width))
    return plain.file.getvalue().splitlines()


@pytest.mark.parametrize(("gain", "place"), [(-1.0, 0), (-2.0, 0), (0.5, 30), (0.25, 25)])
def test_a_package_has_its_legs_and_a_scale_where_there_is_room(gain, place):
    narrow, wide = table_text([condor(gain)], 80), table_text([condor(gain)], 150)
    assert len(narrow) == 2
    assert "23800 CE +3" in narrow[1]
    assert "-60.00" in narrow[1], "a credit of 60 rupees a unit"
    assert len(wide) == 2 + 4
    assert "24000 CE" in wide[3]
    assert " 5m " in wide[1]
    scale = re.search(rf"[─┼●]{{{SCALE}}}", wide[1])
    assert scale is not None
    assert scale.group().index("●") == place


def test_colours_mean_something(session):
    def styles(gain: float) -> str:
        coloured = console(150)
        coloured.print(positions_table([condor(gain)], 150))
        return coloured.file.getvalue()

    red, green, yellow = "\x1b[31m", "\x1b[32m", "\x1b[33m"
    assert red in styles(-0.9)
    assert green not in styles(-0.9)
    assert green in styles(0.4)
    assert red not in styles(0.4)
    assert yellow in styles(0.4), "under five minutes are left"


def test_the_age_of_quotes_faults_and_troubles_are_told(session):
    clock = FakeClock(session.last_ts + np.timedelta64(200, "s"))
    said = ["2 alerts not delivered: webhook:host answered 500"]
    screen = shown(session, clock=clock.clock, troubles=lambda: said, stopwatch=Ticking())
    words = "\n".join(text_of(screen, 150, 40))
    assert "3 m old, stale" in words
    assert "2 alerts not delivered: webhook:host" in words
    said.clear()
    session.faults["timeout"] = 3
    with screen:
        screen.fault(Fault("timeout", "upstox gave no answer within 5 s"))
    words = "\n".join(text_of(screen, 150, 40))
    assert "timeout 3" in words
    assert words.count("upstox gave no answer within 5 s") == 2, "as the state and as a line"
    clock.sleep(-150.0)
    assert "50 s old" in "\n".join(text_of(screen, 150, 40))


def test_it_is_drawn_four_times_a_second_at_most(session):
    stopwatch = Ticking()
    screen = shown(session, stopwatch=stopwatch)
    drawn = []
    screen._live.update = lambda *_, **__: drawn.append(stopwatch.at)
    with screen:
        for _ in range(1_000):
            stopwatch.at += 0.01
            screen._draw_soon()
    assert 38 <= len(drawn) <= 42
    drawn.clear()
    for _ in range(40):
        stopwatch.at += 0.25
        screen.waiting()
    assert len(drawn) == 10, "while only ages change, once a second"
    screen._console.width = 100
    stopwatch.at += 0.01
    screen.waiting()
    assert len(drawn) == 11, "but at once when it is resized"


def test_a_resumed_session_shows_what_went_before(tmp_path, day):
    who = ensemble_of(*NAMES)
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        for row in rows_of(day)[:80]:
            session.take(row)
        session.note(Fault("server", "upstox answered 500"))
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        words = "\n".join(text_of(PaperScreen(session, "x", console()), 80, 40))
    assert "resumed  after 80 rows" in words
    assert "fault    server: upstox answered 500" in words
    assert re.search(r"\d\d:\d\d:00 entry    \w+ \d+ [CP]E 75 at ", words)
    assert "every strategy trades" in words


def read_until(terminal: int, wanted: bytes, seconds: float = 60.0) -> bytes:
    """What a terminal got until something is in it."""
    got, ends = b"", time.monotonic() + seconds
    while wanted not in got and time.monotonic() < ends:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                got += os.read(terminal, 65_536)
            except OSError:  # the other end is closed
                break
    return got


def test_on_a_terminal_it_comes_and_goes_with_ctrl_c_and_leaves_a_line(store, day):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "optiq.cli", "paper-run", "--date", str(day.date)]
    command += ["--store", str(store), "--strategy", "gamma_scalping", "--speed", "60"]
    command += ["--session", "seen"]
    environ = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
    ) as child:
        os.close(theirs)
        got = read_until(ours, b"Decisions")
        got += read_until(ours, b"2 rows")
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        got += read_until(ours, b"booked")
        start = time.monotonic()
        child.send_signal(signal.SIGINT)
        got += read_until(ours, b"interrupted")
        status = child.wait(30)
        seconds = time.monotonic() - start
    os.close(ours)
    assert (status, seconds < patience(2.0)) == (130, True), seconds
    assert got.index(b"\x1b[?1049h") < got.index(b"Positions") < got.index(b"\x1b[?1049l")
    parting = got[got.index(b"\x1b[?1049l") :].decode()
    held = r"\d held(, \d entr(y|ies) pending)?"
    assert re.search(
        rf"stopped by SIGINT after \d+ rows, {held}; the same command goes on", parting
    )
    assert read_session(store / "sessions" / "seen").summary()["rows"] >= 2
