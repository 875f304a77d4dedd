"""Backtest the days of a store into a run directory."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from optiq.errors import InputError, MissingDataError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import GREEKS
from optiq.market.store import Store, context_of
from optiq.run.asking import Scorer
from optiq.run.backtest import Settings, backtest
from optiq.run.choosing import Chooser
from optiq.run.directory import RunDirectory
from optiq.run.seeing import Direction
from optiq.run.summary import Tally
from optiq.trade.ledger import Columns
from optiq.trade.strategies import Strategy

COMMON_FIELDS = ("ltp", "bid", "ask")
DAYS_AHEAD = 3
"""Read before they are asked for: each costs a few MB of memory."""
SCORED_FIELDS = ("volume", "oi", "oi_change", *GREEKS)
"""What features are made of: asked for one by one, a file would be opened again for each."""


@runtime_checkable
class Told(Protocol):
    """A model that knows what a reader of its results must."""

    def told(self, sessions: Sequence[dt.date]) -> dict[str, Any]:
        """Return its name, its standing and which versions served on how many sessions."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: where it lies, its figures and its trades."""

    path: Path
    summary: dict[str, Any]
    trades: Columns


def sessions(
    store: Store, underlying: str, start: dt.date | None, end: dt.date | None
) -> list[dt.date]:
    """Return the stored days of an underlying from ``start`` to ``end``, both included."""
    if start is not None and end is not None and start > end:
        raise InputError(f"from {start} to {end} is no span of days", "give the earlier day first")
    stored = [day.date for day in store.days(underlying)]
    chosen = [
        day for day in stored if (start is None or day >= start) and (end is None or day <= end)
    ]
    if chosen:
        return chosen
    if not stored:
        raise MissingDataError(
            f"{store.root} holds no {underlying}", "optiq ingest SOURCE, or optiq data ls"
        )
    asked = str(start) if start == end else f"{start or 'the first'} to {end or 'the last'}"
    raise MissingDataError(
        f"no {underlying} day in {store.root} for {asked}",
        f"stored are {stored[0]} to {stored[-1]}; see optiq data ls",
    )


def fields_of(
    strategies: list[Strategy], scorer: Scorer | None = None, chooser: Chooser | None = None
) -> tuple[str, ...]:
    """Return the panel fields a run reads anyway, so that each file is read once."""
    scored = () if scorer is None and chooser is None else SCORED_FIELDS
    needed = (name for strategy in strategies for name in strategy.needs)
    return tuple(dict.fromkeys([*COMMON_FIELDS, *needed, *scored]))


def panels(
    store: Store, underlying: str, dates: list[dt.date], fields: tuple[str, ...]
) -> Iterator[tuple[Panel, Context]]:
    """Read the days one after the other, each with what the days before it say.

    The next days are read while one is looked at, by one thread: two took the walk's core from it.
    """
    known = context_of(store.days(underlying))
    with ThreadPoolExecutor(1, "next-days") as reader:
        reads = (reader.submit(store.read_panel, underlying, date, fields) for date in dates)
        coming = deque(islice(reads, DAYS_AHEAD))
        for date in dates:
            panel = coming.popleft().result()
            coming.extend(islice(reads, 1))
            yield panel, known.before(date)


def backtest_stored(
    store: Store,
    underlying: str,
    dates: list[dt.date],
    strategies: list[Strategy],
    settings: Settings,
    out: Path,
    config_toml: str,
    scorer: Scorer | None = None,
    chooser: Chooser | None = None,
    advance: Callable[[int], None] | None = None,
    direction: Direction | None = None,
) -> Run:
    """Walk the stored days, write the run to ``out`` and return its figures.

    ``advance`` is told after each day, for a progress bar.
    """
    started, tally = time.perf_counter(), Tally()
    days = panels(store, underlying, dates, fields_of(strategies, scorer, chooser))
    with RunDirectory(out) as directory:
        for day in backtest(days, strategies, settings, scorer, chooser, direction=direction):
            directory.add(day)
            tally.add(day)
            if advance is not None:
                advance(1)
        about = what_was_run(underlying, dates, strategies, chooser, direction, scorer)
        return complete(directory, tally, settings, about, started, config_toml)


def what_was_run(
    underlying: str,
    dates: list[dt.date],
    strategies: Sequence[Strategy],
    chooser: Chooser | None = None,
    direction: Direction | None = None,
    scorer: Scorer | None = None,
) -> dict[str, Any]:
    """Return what a summary says before its figures: the market, the sessions, who traded.

    A scorer and a policy that can tell of themselves (`Told`) say which versions served.
    """
    return {
        "underlying": underlying,
        "from": dates[0].isoformat(),
        "to": dates[-1].isoformat(),
        "sessions": [date.isoformat() for date in dates],
        "strategies": [strategy.name for strategy in strategies],
        "strategy_sources": {s.name: s.source for s in strategies if s.source},
        "policy": chooser.name if chooser else None,
        "seed": chooser.seed if chooser else None,
        "chosen_by": told_of(chooser and chooser.policy, dates),
        "scorer": told_of(scorer, dates),
        "direction": None if direction is None else getattr(direction, "name", "a function"),
    }


def told_of(model: object, dates: Sequence[dt.date]) -> dict[str, Any] | None:
    """Return what a model says of itself on some sessions; None where it says nothing."""
    return model.told(dates) if isinstance(model, Told) else None


def complete(
    directory: RunDirectory,
    tally: Tally,
    settings: Settings,
    about: dict[str, Any],
    started: float,
    config_toml: str,
) -> Run:
    """Finish a run's folder; ``started`` is the `time.perf_counter` of its beginning."""
    summary = {
        "run": str(directory.path),
        **about,
        **tally.summary(settings),
        "elapsed_s": round(time.perf_counter() - started, 3),
    }
    return Run(directory.path, summary, directory.complete(summary, config_toml))


def run_name(now: dt.datetime, underlying: str, strategies: list[Strategy]) -> str:
    """Return a folder name that sorts by time and says what was run."""
    what = strategies[0].name if len(strategies) == 1 else f"{len(strategies)}-strategies"
    return f"{now:%Y%m%d-%H%M%S}-{underlying.lower()}-{what}"
