"""What a paper session trades on: a stored day, or today's market by a live feed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optiq.market.chain_row import ChainRow
    from optiq.market.context import Context
    from optiq.market.feeds.clocks import Clock
    from optiq.run.paper import Fault, PaperSession
    from optiq.run.polling import Paces

Waiting = Callable[[], object]
REPLAY = "replay"
IN_STORE = "in the store already: this was a replay of it"


@dataclass(frozen=True)
class DaySource:
    """A day to trade on paper.

    Attributes
    ----------
    rows
        What a session is fed with from where it stands; while it waits for some, it calls the
        function it is given a few times a second.
    clock
        By which a live feed's quotes age; None for a replay.
    require_time
        Refuses a session that cannot begin any more, by its folder.
    keep
        Puts the rows of a finished session's folder into the store, and says in words how.
    """

    date: dt.date
    has_book: bool
    context: Context
    rows: Callable[[PaperSession, Waiting], Iterable[ChainRow | Fault]]
    clock: Clock | None = None
    require_time: Callable[[Path], None] = lambda _: None
    keep: Callable[[Path], str] = lambda _: IN_STORE


@contextmanager
def source_of(
    feed: str,
    store: Path,
    underlying: str,
    date: dt.date | None,
    speed: str,
    paces: Mapping[str, float | None],
) -> Iterator[DaySource]:
    """Yield the source that the options name; what makes no sense together is an InputError."""
    from optiq.errors import InputError

    given = {name: value for name, value in paces.items() if value is not None}
    if feed == REPLAY:
        if given:
            raise InputError("a replay has the paces of its day", "use --speed instead")
        yield _replayed(store, underlying, date, _times(speed))
        return
    if date is not None or speed != "max":
        raise InputError(f"{feed} trades today, as it comes", "leave --date and --speed out")
    from optiq.run.polling import Paces

    yield from _live(feed, store, underlying, Paces(**given))


def _replayed(store: Path, underlying: str, date: dt.date | None, times: float) -> DaySource:
    from optiq.errors import InputError
    from optiq.market.feeds.clocks import in_slices, system_clock
    from optiq.market.feeds.replay import replay
    from optiq.market.store import Store
    from optiq.run.stored import panels

    if date is None:
        raise InputError("a replay needs the day to replay", "give --date; see `optiq data ls`")
    ((panel, context),) = panels(Store(store), underlying, [date], ())
    return DaySource(
        date=date,
        has_book=panel.has_book,
        context=context,
        rows=lambda paper, waiting: replay(
            panel, paper.last_ts, times, in_slices(system_clock(), waiting).sleep
        ),
    )


def _live(name: str, store: Path, underlying: str, paces: Paces) -> Iterator[DaySource]:
    import numpy as np

    from optiq.market.feeds.clocks import in_slices, system_clock
    from optiq.market.feeds.live import open_feed
    from optiq.market.store import Store
    from optiq.run.journal import NAME
    from optiq.run.polling import Polling, require_time_left

    clock = system_clock()
    context = Store(store).context(underlying, clock.today())
    level = float(context.closes[-1]) if len(context.closes) else np.nan
    with closing(open_feed(name, underlying, clock, level=level)) as feed:

        def rows(paper: PaperSession, waiting: Waiting) -> Polling:
            rng = np.random.default_rng()  # of the pauses between tries, and of nothing else
            held, after = paper.day.held, paper.last_ts
            sliced = in_slices(clock, waiting)
            return Polling(feed, feed.session, sliced, paces, held, rng, after)

        def require_time(folder: Path) -> None:
            if not (folder / NAME).is_file():
                require_time_left(feed.session, clock.now())

        yield DaySource(
            date=feed.session.date,
            has_book=feed.has_book,
            context=context,
            rows=rows,
            clock=clock,
            require_time=require_time,
            keep=lambda folder: _kept(folder / NAME, store),
        )


def _kept(journal: Path, store: Path) -> str:
    """Ingest a finished session's journal, as any other recording."""
    from optiq.market.ingest.pipeline import ingest
    from optiq.market.store import Store

    report = ingest([str(journal)], Store(store))
    if report.failed:
        first = report.failed[0]
        return f"not stored: {first}" + (f"; {first.hint}" if first.hint else "")
    said = f"{report.rows_kept:,} of {report.rows_in:,} stored"
    others = {"known already": report.duplicates, "in quarantine": report.quarantined}
    return ", ".join([said, *(f"{count:,} {what}" for what, count in others.items() if count)])


def _times(speed: str) -> float:
    from optiq.errors import InputError

    if speed == "max":
        return float("inf")
    try:
        times = float(speed)
    except ValueError:
        times = 0.0
    if not times > 0:
        raise InputError(f"--speed {speed}", "give 1, 10, another number, or max")
    return times
