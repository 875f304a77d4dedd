"""Ctrl-C and SIGTERM: real processes, amid rows and amid waits, with and without leaving."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from feed_server import FakeClock, Vendor, served
from paper_days import ensemble_of, patience, plan_of

from optiq.cli.app import main
from optiq.errors import DamagedError
from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.journal import Journal
from optiq.run.paper import PaperSession
from optiq.run.parity import prove
from optiq.run.sessions import day_of, opened, read_session
from optiq.run.stopping import Stopped, Stopping, run_until_stopped
from optiq.trade.book import Stage

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
PATIENCE_S = 2.0
ONE = ("--strategy", "gamma_scalping")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("store")
    store_simulation(Simulation(days=1, seed=11), Store(root))
    return root


@pytest.fixture(scope="module")
def day(store) -> Panel:
    return Store(store).read_panel("NIFTY", Store(store).days("NIFTY")[0].date)


class Recorder:
    """A watcher that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def row(self, row, step) -> None:
        self.heard.append("row")

    def fault(self, fault) -> None:
        self.heard.append("fault")

    def waiting(self) -> None:
        self.heard.append("waiting")

    def ended(self, step) -> None:
        self.heard.append("ended")

    def stopped(self, by) -> None:
        self.heard.append(f"stopped {by}")


def stop(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def amid_row(*signals: signal.Signals, goes_on_s: float = 0.0) -> list[str]:
    """What was done of a row that signals came amid; raises what they make of it."""
    done = []
    with Stopping() as stopping:
        try:
            with stopping.whole_row():
                for number in signals:
                    stop(number)
                time.sleep(goes_on_s)
                done.append("the row")
        except Stopped as stopped:
            stopped.done = done
            raise
    return done


def amid_wait(number: signal.Signals) -> None:
    with Stopping():
        stop(number)
        time.sleep(10.0)


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_amid_a_row_is_heard_after_it_and_one_amid_a_wait_at_once(number):
    with pytest.raises(Stopped) as caught:
        amid_row(number)
    assert (caught.value.done, caught.value.code) == (["the row"], STATUS[number])
    assert not caught.value.amid_row
    with pytest.raises(Stopped) as caught:
        amid_wait(number)
    assert caught.value.by == number.name


def test_a_second_signal_and_a_long_row_are_not_waited_for():
    with pytest.raises(Stopped) as caught:
        amid_row(signal.SIGINT, signal.SIGINT)
    assert (caught.value.done, caught.value.amid_row) == ([], True)
    start = time.monotonic()
    with pytest.raises(Stopped) as caught:
        amid_row(signal.SIGTERM, goes_on_s=10.0)
    assert (caught.value.code, caught.value.amid_row) == (143, True)
    assert time.monotonic() - start < patience(PATIENCE_S)


def test_the_handlers_of_before_are_put_back():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with Stopping():
        assert signal.getsignal(signal.SIGINT) != before[0]
    after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    assert after == before


def holding(day: Panel) -> int:
    """After how many rows a session of the day has two positions open."""
    walked = day_of(
        plan_of(day, Context(), ensemble_of("gamma_scalping")), ensemble_of("gamma_scalping")
    )
    for number, row in enumerate(rows_of(day), 1):
        walked.take(row)
        active = walked.book.active[: int(walked.book.day["n_active"][0])]
        if np.count_nonzero(active["stage"] == Stage.OPEN) >= 2:
            return number
    raise AssertionError("it never has two open")


def interrupted(day: Panel, after: int) -> Iterator[object]:
    yield from rows_of(day)[:after]
    stop(signal.SIGINT)


@contextmanager
def flattened(folder: Path, day: Panel, after: int) -> Iterator[tuple[PaperSession, Recorder]]:
    who, heard = ensemble_of("gamma_scalping"), Recorder()
    with opened(folder, plan_of(day, Context(), who), who) as session:
        with pytest.raises(Stopped):
            run_until_stopped(session, interrupted(day, after), [heard], flatten=True)
        yield session, heard


def test_flattening_leaves_everything_at_the_last_row_and_can_be_proved(tmp_path, day):
    after = holding(day)
    with flattened(tmp_path, day, after) as (session, heard):
        assert heard.heard[-2:] == ["ended", "stopped SIGINT"]
        assert (session.is_over, session.flattened_by) == (True, "SIGINT")
        assert session.day.held() == []
    stored = read_session(tmp_path)
    assert stored.summary()["state"] == "flattened"
    assert prove(stored, ensemble_of("gamma_scalping"))["mismatches"] == 0, (
        "a backtest of these rows ends the same"
    )
    left = [event for event in stored.events if event.kind == "exit" and event.told["stale"]]
    assert len(left) >= 2
    who = ensemble_of("gamma_scalping")
    with opened(tmp_path, plan_of(day, Context(), who), who) as again:
        assert (again.is_over, again.flattened_by) == (True, "SIGINT")


def test_with_nothing_held_flattening_only_stops(tmp_path, day):
    with flattened(tmp_path, day, 2) as (session, heard):
        assert (session.is_over, heard.heard[-1]) == (False, "stopped SIGINT")
    assert read_session(tmp_path).summary()["state"] == "open"


def test_a_row_left_half_walked_is_never_the_ground_for_leaving(tmp_path, day):
    who, heard = ensemble_of("gamma_scalping"), Recorder()

    class Hurried(Recorder):
        def row(self, row, step) -> None:
            if step.row == 70:
                stop(signal.SIGINT)
                stop(signal.SIGINT)

    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        with pytest.raises(Stopped):
            run_until_stopped(session, rows_of(day), [Hurried(), heard], flatten=True)
        assert not session.is_over
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        assert session.day.rows.n_rows == 71


def test_a_journal_that_says_another_flattening_is_found(tmp_path, day):
    """The act is journaled with what left by it; other exits at that row are not the walk's."""
    with flattened(tmp_path / "a", day, holding(day)):
        pass
    events = [e for e in read_session(tmp_path / "a").events if e.kind != "exit" or e.row < 10**9]
    with Journal(tmp_path / "b") as journal:
        journal.append(events)
    who = ensemble_of("gamma_scalping")
    again = opened(tmp_path / "b", plan_of(day, Context(), who), who)
    with pytest.raises(DamagedError, match="part at the end"), again:
        pass


def started(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "optiq.cli", "paper-run", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
        start_new_session=True,
    )


def stopped(child: subprocess.Popen[str], number: signal.Signals) -> tuple[float, str, str]:
    """Send a signal; return the seconds until it was gone, and what it wrote."""
    start = time.monotonic()
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    return time.monotonic() - start, out, err


def wait_for_rows(folder: Path, state: str = "running") -> dict[str, object]:
    """Wait until a session's heartbeat tells of rows."""
    for _ in range(1_200):
        try:
            told = json.loads((folder / "heartbeat.json").read_text())
        except FileNotFoundError:
            told = {}
        if told.get("rows") and told["state"] == state:
            return told
        time.sleep(0.05)
    raise AssertionError("it never began")


@pytest.mark.parametrize("number", STATUS)
def test_a_replay_stops_amid_its_wait_and_goes_on_later(store, day, tmp_path, number):
    name = f"slow-{number.name}"
    asked = ["--date", str(day.date), "--store", str(store), "--session", name, *ONE]
    child = started(*asked, "--speed", "1")
    folder = store / "sessions" / name
    wait_for_rows(folder)
    seconds, out, err = stopped(child, number)
    assert (child.returncode, seconds < patience(PATIENCE_S)) == (STATUS[number], True), seconds
    assert f"stopped by {number.name} after" in out
    assert err == f"optiq: {'interrupted' if number == signal.SIGINT else 'terminated'}\n"
    assert read_session(folder).summary()["rows"] >= 1
    assert not (folder / "journal.sqlite-wal").exists(), "the journal was closed"
    assert json.loads((folder / "heartbeat.json").read_text())["state"] == "stopped"
    assert main(["paper-run", *asked]) == 0
    assert read_session(folder).summary()["state"] == "over"


def test_ctrl_c_with_flatten_at_full_speed_writes_the_trades_and_says_so_later(
    store, day, tmp_path, capsys
):
    asked = ["--date", str(day.date), "--store", str(store), "--session", "flat", *ONE]
    asked += ["--speed", "3000"]
    child = started(*asked, "--flatten", "--json")
    folder = store / "sessions" / "flat"
    told = []
    while child.stdout is not None and (line := child.stdout.readline()):
        told.append(json.loads(line))
        if [line["event"] for line in told].count("entry") >= 2:
            break
    seconds, out, err = stopped(child, signal.SIGINT)
    told += [json.loads(line) for line in out.splitlines()]
    assert (child.returncode, err) == (130, "")
    assert seconds < patience(PATIENCE_S)
    assert {"event": "flattened", "by": "SIGINT"} in told
    assert told[-1] == {
        "ok": False,
        "error": {"code": "interrupted", "message": "interrupted", "hint": ""},
    }
    assert (folder / "run" / "trades.parquet").is_file()
    capsys.readouterr()
    assert main(["paper-run", *asked]) == 0
    shown = capsys.readouterr().out
    assert "over: flattened by SIGINT" in shown
    assert "Its episodes: none: the day was flattened by SIGINT" in shown
    assert main(["parity", "flat", "--store", str(store), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mismatches"] == 0


LIVE = """
import sys
import numpy as np
from functools import partial
from optiq.cli.app import main
from optiq.market.feeds import clocks, live
start, real = np.datetime64("2026-08-18T05:00:00.000001", "us"), clocks.system_clock()
began = real.now()
clocks.system_clock = lambda: clocks.Clock(lambda: start + (real.now() - began), real.sleep)
live.open_feed = partial(live.open_feed, base_url=sys.argv[1], timeout_s=20.0)
raise SystemExit(main(["paper-run", "--feed", "upstox", "--store", sys.argv[2], "--session", "s"]))
"""


@pytest.mark.parametrize("trouble", ["", "slow"])
def test_a_live_session_stops_amid_its_wait_for_the_clock_or_the_server(tmp_path, trouble):
    clock = FakeClock(np.datetime64("2026-08-18T05:00:00", "us"))
    environ = {**os.environ, "UPSTOX_ACCESS_TOKEN": "token"}
    with served(Vendor(lambda: clock.at)) as vendor:
        command = [sys.executable, "-c", LIVE, vendor.url, str(tmp_path)]
        vendor.trouble, vendor.slow_s = trouble, 20.0
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            if trouble:
                while not any(path == "/v2/option/chain" for _, path in vendor.asked):
                    time.sleep(0.05)
            else:
                wait_for_rows(tmp_path / "sessions" / "s")
            seconds, out, _ = stopped(child, signal.SIGINT)
    assert (child.returncode, seconds < patience(PATIENCE_S)) == (130, True), seconds
    assert "stopped by SIGINT after" in out
    assert read_session(tmp_path / "sessions" / "s").summary()["state"] == "open"
