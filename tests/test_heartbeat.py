"""A sign of life in a file, and to a supervisor on a real socket."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from feed_server import FakeClock
from paper_days import ensemble_of, plan_of

from optiq.cli.app import main
from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.feeds.clocks import in_slices
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.heartbeat import NAME, Heartbeat
from optiq.run.paper import Fault, PaperSession
from optiq.run.sessions import opened
from optiq.run.supervisor import Supervisor


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("store")
    store_simulation(Simulation(days=1, seed=11), Store(root))
    return root


@pytest.fixture(scope="module")
def day(store) -> Panel:
    return Store(store).read_panel("NIFTY", Store(store).days("NIFTY")[0].date)


@pytest.fixture
def session(tmp_path, day) -> Iterator[PaperSession]:
    who = ensemble_of("gamma_scalping")
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        yield session


class Ticking:
    """A stopwatch that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def read(folder: Path) -> dict[str, object]:
    return json.loads((folder / NAME).read_text())


def test_it_beats_once_a_second_and_tells_where_the_session_stands(tmp_path, session, day):
    clock, stopwatch = FakeClock(), Ticking()
    heart = Heartbeat(session, tmp_path, clock.clock, Supervisor({}), stopwatch)
    first = read(tmp_path)
    assert (first["state"], first["rows"], first["last_row"]) == ("running", 0, None)
    assert (first["process"], first["session"]) == (os.getpid(), tmp_path.name)
    rows = rows_of(day)
    for row in rows:
        heart.row(row, session.take(row))
        if session.day.held():
            break
    assert read(tmp_path) == first, "not before its time"
    stopwatch.at += 1.0
    clock.sleep(1.0)
    heart.waiting()
    told = read(tmp_path)
    assert told["rows"] == session.day.rows.n_rows > 1
    assert told["last_row"] == f"{row.ts.astype('datetime64[ms]')}Z"
    assert (told["held"], told["pending"]) == (0, len(session.day.held())), "no quote since"
    assert told["pending"] > 0
    assert np.datetime64(str(told["time"])[:-1]) == clock.at
    assert list(tmp_path.glob(".heartbeat*")) == [], "each is renamed into its place"


def test_it_tells_of_silence_until_a_row_comes_and_how_it_ended(tmp_path, session, day):
    stopwatch = Ticking()
    heart = Heartbeat(session, tmp_path, FakeClock().clock, Supervisor({}), stopwatch)
    states = []
    rows = rows_of(day)

    def look() -> None:
        states.append(read(tmp_path)["state"])
        stopwatch.at += 1.0

    session.note(fault := Fault("stale", "no good row for 180 s"))
    stopwatch.at += 1.0
    heart.fault(fault)
    look()
    heart.waiting()
    look()
    heart.row(rows[0], session.take(rows[0]))
    look()
    heart.stopped("SIGINT")
    look()
    heart.ended(session.finish("SIGTERM"))
    look()
    assert states == ["stale", "stale", "running", "stopped", "flattened"]
    assert read(tmp_path)["faults"] == {"stale": 1}


def test_a_folder_that_is_gone_is_counted_and_stops_nothing(tmp_path, session):
    heart = Heartbeat(session, tmp_path / "gone", FakeClock().clock, Supervisor({}), Ticking())
    heart.stopped("SIGINT")
    assert heart.failures == 2


@pytest.mark.parametrize("abstract", [False, True])
def test_a_supervisor_hears_it_on_its_socket(store, day, tmp_path, monkeypatch, abstract):
    address = f"@optiq-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address.replace("@", "\0"))
        line.setblocking(False)
        name = f"told-{abstract}"
        asked = ["--date", str(day.date), "--store", str(store), "--session", name]
        assert main(["paper-run", *asked, "--strategy", "gamma_scalping"]) == 0
        messages = []
        while True:
            try:
                messages.append(line.recv(4096).decode().splitlines())
            except BlockingIOError:
                break
    assert messages[0][:2] == ["READY=1", "WATCHDOG=1"]
    assert messages[0][2].startswith(f"STATUS=running: {name}, 0 rows, no row yet")
    assert all("WATCHDOG=1" in message for message in messages)
    last = messages[-1]
    assert last[0] == "STOPPING=1"
    assert last[2].startswith(f"STATUS=over: {name}, {day.n_rows} rows, 15:30:00, 0 held, net ")


def test_without_a_supervisor_or_with_one_that_is_gone_nothing_happens(tmp_path):
    assert not Supervisor({}).tell("READY=1")
    assert not Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")


def test_a_sleep_in_slices_is_as_long_and_looks_up_in_between():
    clock, looks = FakeClock(), []
    start = clock.at
    sliced = in_slices(clock.clock, lambda: looks.append(clock.at), 0.25)
    sliced.sleep(1.1)
    assert clock.at - start == np.timedelta64(1_100_000, "us")
    assert len(looks) == 5
    clock.slept.clear()
    backwards = in_slices(clock.clock, lambda: clock.sleep(-3_600.0), 0.25)
    backwards.sleep(1.0)
    assert sum(step for step in clock.slept if step > 0) == 1.0, "a clock set back adds nothing"
