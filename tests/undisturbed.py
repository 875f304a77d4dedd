"""A paper session that nothing happened to, to hold others against."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from paper_days import NAME, copied, in_a_child, ledger, paper_run

from optiq.market import durable
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.journal import Event, read_journal


class Undisturbed(NamedTuple):
    """A day and its session that nobody killed: trades, journal, and how long it took."""

    store: Path
    date: str
    trades: bytes
    events: tuple[Event, ...]
    seconds: float
    steps: int
    more: tuple[str, ...] = ()

    def session(self, place: Path) -> tuple[Path, ...]:
        """The same session anew, in a store of its own."""
        return copied(self.store, place), place.with_name(f"{place.name}.out")

    def command(self, place: Path) -> Callable[[], int]:
        return paper_run(place, self.date, "--json", *self.more)

    def equals(self, place: Path) -> bool:
        """Whether a session came to the same trades by the same events, none lost, none doubled."""
        events = read_journal(place / "sessions" / NAME)
        return ledger(place) == self.trades and events == self.events


def undisturbed(root: Path, simulation: Simulation, *more: str) -> Undisturbed:
    store_simulation(simulation, Store(root / "store"))
    (day,) = Store(root / "store").days("NIFTY")
    command = paper_run(root / "first", day.date, *more)
    copied(root / "store", root / "first")
    assert command() == 0, "in this process, so that those to come are warm"
    whole = copied(root / "store", root / "whole")
    start = time.monotonic()
    assert in_a_child(counted(paper_run(whole, day.date, *more), root / "steps")) == 0
    seconds, steps = time.monotonic() - start, int((root / "steps").read_text())
    events = read_journal(whole / "sessions" / NAME)
    trades = ledger(whole)
    return Undisturbed(root / "store", str(day.date), trades, events, seconds, steps, more)


def counted(act: Callable[[], int], to: Path) -> Callable[[], int]:
    """The same, with the number of durable steps it took in a file."""

    def count() -> int:
        os.environ["OPTIQ_TEST_DIE_AT"] = "never"
        status = act()
        to.write_text(str(next(durable._steps) - 1))
        return status

    return count


def small_session(root: Path) -> Undisturbed:
    """Rows five minutes apart, filled at once: 75 rows and 20 trades of a few contracts."""
    day = Simulation(days=1, seed=11, row_seconds=300.0, strikes_each_side=10, expiries=2)
    return undisturbed(root, day, "--set", "walk.latency_s=0")
