"""One process at a time holds a session; whoever comes second is told so and spoils nothing."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing

import pytest
from paper_days import (
    NAME,
    ended,
    ensemble,
    in_a_child,
    paper_run,
    plan_of,
    started,
    whole_lines,
)
from undisturbed import Undisturbed, small_session

from optiq.errors import BusyError
from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.store import Store
from optiq.run.journal import NAME as JOURNAL
from optiq.run.sessions import opened, read_session

STARTS = 20


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Undisturbed:
    return small_session(tmp_path_factory.mktemp("small"))


def all_but_the_last(children: list[int]) -> tuple[list[int], int]:
    """Wait until one process is left; return how the others ended, and the one."""
    ends, left = [], list(children)
    while len(left) > 1:
        for child in left:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                ends.append(os.waitstatus_to_exitcode(status))
                left.remove(child)
                break
        else:
            time.sleep(0.01)
    return ends, left[0]


def test_of_twenty_starts_at_once_one_runs(small, tmp_path):
    """Nineteen exit with 75; the one is killed, and the next start goes on where it was."""
    place, out = small.session(tmp_path / "store")
    waits, go = os.pipe()
    slowly = paper_run(place, small.date, "--json", "--speed", "300", *small.more)

    def together() -> int:
        os.close(go)
        os.read(waits, 1)  # returns when the other end is closed
        return slowly()

    children = [started(together, out) for _ in range(STARTS)]
    os.close(waits)
    os.close(go)
    ends, running = all_but_the_last(children)
    assert ends == [75] * (STARTS - 1)
    told = [line for line in whole_lines(out) if '"ok": false' in line]
    assert len(told) == STARTS - 1
    assert all(f"session {NAME} is running (process {running})" in line for line in told)
    os.kill(running, signal.SIGKILL)
    assert ended(running) == 137
    assert in_a_child(small.command(place), out) == 0
    assert small.equals(place)


def test_a_journal_that_another_program_holds_stops_the_session(small, tmp_path):
    """Not the lock but the database: the row is not taken, and the session goes on later."""
    panel = Store(small.store).read_panel("NIFTY", dt.date.fromisoformat(small.date))
    who, rows = ensemble(), rows_of(panel)[:6]
    plan = plan_of(panel, Context(), who)

    def three_rows_and_one_that_cannot_be() -> None:
        with opened(tmp_path, plan, who) as session:
            for row in rows[:3]:
                session.take(row)
            with closing(sqlite3.connect(tmp_path / JOURNAL, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                session.take(rows[3])

    with pytest.raises(BusyError, match="locked") as told:
        three_rows_and_one_that_cannot_be()
    assert told.value.exit_code == 75
    assert len(read_session(tmp_path).rows) == 3
    with opened(tmp_path, plan, who) as session:
        session.run(rows[3:], [])
    assert len(read_session(tmp_path).rows) == 6


@pytest.mark.study
def test_twenty_commands_at_once_over_and_over(write_study, small, tmp_path):
    place, _ = small.session(tmp_path / "store")
    asked = ["paper-run", "--date", small.date, "--session", NAME, "--store", str(place)]
    code = [sys.executable, "-m", "optiq.cli", *asked, "--speed", "300", *small.more]
    unheard = [(os.POSIX_SPAWN_OPEN, to, os.devnull, os.O_WRONLY, 0) for to in (1, 2)]
    rows = []
    for number in range(1, 6):
        starts = [
            os.posix_spawn(sys.executable, code, os.environ, file_actions=unheard)
            for _ in range(STARTS)
        ]
        ends, running = all_but_the_last(starts)
        os.kill(running, signal.SIGKILL)
        assert ended(running) == 137
        rows.append((number, STARTS, ends.count(75), STARTS - len(ends)))
    assert in_a_child(small.command(place)) == 0
    write_study(
        "twenty-starts",
        "The same session started by twenty commands at once; the one that runs is killed, and "
        "they start again. In the end the session equals one that nobody disturbed.",
        ["round", "starts", "exit 75", "running"],
        rows,
    )
    assert [row[2:] for row in rows] == [(STARTS - 1, 1)] * 5
    assert small.equals(place)
