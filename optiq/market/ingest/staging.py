"""Rows waiting for their session to be complete, and the commit that puts them in the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from optiq.errors import InputError, OptiqError
from optiq.market.day_arrays import Columns, n_quotes
from optiq.market.ingest import day_writer
from optiq.market.ingest.known_sources import KnownSource
from optiq.market.ingest.normalise import Normalised, Refused
from optiq.market.ingest.quarantine import Quarantine
from optiq.market.ingest.settle import STORED, Settled, settle
from optiq.market.ingest.sources import Source, is_one_feed
from optiq.market.ingest.tally import Day, SourceTally
from optiq.market.ingest.writer import Writer
from optiq.market.manifest import DayManifest, SourceEntry
from optiq.market.schema import GREEKS
from optiq.market.store import Store

_ROWS_AT_FIRST = 300_000
"""Above this many rows, sessions that look complete are committed while reading goes on; once a
committed session got rows again, sources do not come in order of time and memory is the limit."""


class Staging:
    """Collects the rows of a run by session and commits each session once, as far as memory goes.

    Two sources are one feed when their format is equal and one origin holds the other. A session
    takes a second feed only with ``merge``: two clocks interleaved make a false zigzag.
    """

    def __init__(self, store: Store, *, merge: bool, rows_in_memory: int) -> None:
        self.tallies: list[SourceTally] = []
        self.errors: list[OptiqError] = []
        self.new_days: set[Day] = set()
        self.notes: list[str] = []
        self._store = store
        self._merge = merge
        self._quarantine = Quarantine(store.root)
        self._chunks: dict[Day, list[Columns]] = {}
        self._committed: set[tuple[Day, int]] = set()
        self._rows = 0
        self._rows_in_memory = rows_in_memory
        self._most_rows = min(_ROWS_AT_FIRST, rows_in_memory)
        self._writer = Writer()

    def register(self, source: Source) -> SourceTally:
        """Begin a source."""
        self.tallies.append(SourceTally(len(self.tallies), source))
        return self.tallies[-1]

    def add(self, tally: SourceTally, outcome: Normalised) -> int:
        """Stage one batch's rows and quarantine its refused ones; return how many rows it had."""
        tally.left_out += outcome.left_out
        seen = sum(len(refused) for refused in outcome.refused)
        for refused in outcome.refused:
            self._refuse(tally, refused)
        for chunk in outcome.chunks:
            rows = n_quotes(chunk.columns)
            day = chunk.underlying, chunk.date
            source = np.full(rows, tally.number, np.int64)
            self._chunks.setdefault(day, []).append(chunk.columns | {"source": source})
            tally.of(day).rows_in += rows
            self._rows += rows
            seen += rows
        if self._rows > self._most_rows:
            self._make_room()
        return seen

    def drop(self, tally: SourceTally, reason: OptiqError) -> None:
        """Forget a source that turned out to be broken; sessions committed before keep its rows."""
        tally.failed = reason
        kept = sum(1 for _, number in self._committed if number == tally.number)
        if kept:
            self.notes.append(
                f"{tally.source.name}: {kept} sessions were stored before it broke off"
            )
        for day, chunks in self._chunks.items():
            self._chunks[day] = [c for c in chunks if c["source"][0] != tally.number]
        self._quarantine.forget(tally.sha256)
        tally.by_day = {
            day: count
            for day, count in tally.by_day.items()
            if (day, tally.number) in self._committed
        }
        tally.reasons.clear()

    def holds(self, known: KnownSource) -> bool:
        """Whether every session a source gave rows to still lists it."""
        return all(self._lists(day, known.sha256) for day in known.days)

    def commit_all(self) -> None:
        """Commit every staged session and what is left in quarantine."""
        for day in sorted(self._chunks):
            self._commit(day)
        self._writer.wait()
        self._quarantine.write(self._quarantine.taken())

    def _lists(self, day: str, sha256: str) -> bool:
        place = _day_of(day)
        if not self._store.has_day(*place):
            return False
        return any(entry.sha256 == sha256 for entry in self._store.manifest(*place).sources)

    def _make_room(self) -> None:
        """Commit all sessions but the latest of each underlying, else all of them."""
        latest = dict(sorted(self._chunks))
        complete = [day for day in sorted(self._chunks) if latest[day[0]] != day[1]]
        if not complete and self._rows > self._rows_in_memory:
            complete = sorted(self._chunks)
        for day in complete:
            self._commit(day)

    def _commit(self, day: Day) -> None:
        chunks = self._chunks.pop(day)
        self._rows -= sum(n_quotes(chunk) for chunk in chunks)
        if not chunks:  # all of its sources turned out to be broken
            return
        try:
            self._settle_and_write(day, chunks)
        except InputError as reason:
            self.errors.append(reason)
            self._lose(day, {int(chunk["source"][0]) for chunk in chunks})

    def _settle_and_write(self, day: Day, chunks: list[Columns]) -> None:
        if any(committed == day for committed, _ in self._committed):
            self._writer.wait()
            self._most_rows = self._rows_in_memory
        stored = self._store.manifest(*day) if self._store.has_day(*day) else None
        chunks, merged = self._one_feed(day, chunks, stored)
        if not chunks:
            return
        settled = settle(None if stored is None else self._stored_rows(stored), chunks)
        priced = day_writer.price(*day, settled.columns) if settled.n_new else None
        numbers = sorted({int(chunk["source"][0]) for chunk in chunks})
        self._account(day, settled, numbers)
        entries = self._entries(day, stored, numbers, merged)
        self._committed |= {(day, number) for number in numbers}
        if priced is not None:
            self._put(priced, entries, _notes(stored, entries))
            self.new_days.add(day)
        elif stored is not None and entries != stored.sources:
            self._store.remanifest(replace(stored, sources=entries))

    def _put(
        self, priced: day_writer.PricedDay, entries: tuple[SourceEntry, ...], notes: list[str]
    ) -> None:
        """Hand a day to the writer; what waits in quarantine goes first."""
        waiting = self._quarantine.taken()

        def write() -> None:
            self._quarantine.write(waiting)
            day_writer.store_day(self._store, priced, entries, notes)

        self._writer.put(write)

    def _stored_rows(self, manifest: DayManifest) -> Columns:
        columns = self._store.read_columns(manifest.underlying, manifest.date)
        ours = {*GREEKS, *({"spot"} if manifest.spot.source != "feed" else ())}
        return {name: values for name, values in columns.items() if name not in ours}

    def _one_feed(
        self, day: Day, chunks: list[Columns], stored: DayManifest | None
    ) -> tuple[list[Columns], set[int]]:
        """Return the chunks to let in and the numbers of sources that are a second feed."""
        first = stored.sources[0] if stored and stored.sources else None
        leader = self.tallies[int(chunks[0]["source"][0])]
        feed = (first.format, first.origin) if first else (leader.format, leader.source.origin)
        others = {
            number
            for number in {int(chunk["source"][0]) for chunk in chunks}
            if not self._is_feed(number, feed)
        }
        if not others or self._merge:
            return chunks, others
        self._refuse_feed(day, feed, others)
        return [chunk for chunk in chunks if int(chunk["source"][0]) not in others], set()

    def _is_feed(self, number: int, feed: tuple[str, str]) -> bool:
        tally = self.tallies[number]
        return tally.format == feed[0] and is_one_feed(tally.source.origin, feed[1])

    def _refuse_feed(self, day: Day, feed: tuple[str, str], others: set[int]) -> None:
        example = self.tallies[min(others)]
        self.errors.append(
            InputError(
                f"{example.source.name}: {day[0]} {day[1]} is stored from another feed "
                f"({feed[0]}, {feed[1]})",
                "a second feed interleaves two clocks; add it with --merge if that is meant",
            )
        )
        self._lose(day, others)

    def _lose(self, day: Day, numbers: Iterable[int]) -> None:
        for number in numbers:
            tally = self.tallies[number]
            tally.lost_days = True
            tally.by_day.pop(day, None)

    def _account(self, day: Day, settled: Settled, numbers: list[int]) -> None:
        source = settled.columns["source"]
        kept = np.bincount(source[source != STORED], minlength=len(self.tallies))
        duplicates = np.bincount(settled.duplicate_sources, minlength=len(self.tallies))
        for number in numbers:
            count = self.tallies[number].of(day)
            count.rows_kept += int(kept[number])
            count.duplicates += int(duplicates[number])
        for reason, rows, other in settled.refused:
            for number in np.unique(rows["source"]):
                chosen = rows["source"] == number
                mine = {name: values[chosen] for name, values in rows.items()}
                theirs = {name: values[chosen] for name, values in other.items()}
                refused = Refused(*day, reason, mine, other=theirs)
                self._refuse(self.tallies[int(number)], refused, is_new=False)

    def _refuse(self, tally: SourceTally, refused: Refused, *, is_new: bool = True) -> None:
        day = (refused.underlying, refused.date) if refused.underlying and refused.date else None
        tally.refuse(day, refused.reason, len(refused))
        if is_new:
            tally.of(day).rows_in += len(refused)
        self._quarantine.add(tally.source.name, tally.sha256, refused)

    def _entries(
        self, day: Day, stored: DayManifest | None, numbers: list[int], merged: set[int]
    ) -> tuple[SourceEntry, ...]:
        entries = {entry.sha256: entry for entry in stored.sources} if stored else {}
        for number in numbers:
            tally = self.tallies[number]
            entry = tally.entry(day, merged=number in merged)
            earlier = entries.get(tally.sha256)
            if earlier is None or (day, number) in self._committed:
                entries[tally.sha256] = entry
            else:  # a run that was cut short: what it kept is this run's duplicates
                entries[tally.sha256] = replace(
                    earlier,
                    rows_in=earlier.rows_in + entry.rows_kept,
                    rows_kept=earlier.rows_kept + entry.rows_kept,
                )
        return tuple(entries.values())


def _day_of(text: str) -> Day:
    """Read ``UNDERLYING DATE``."""
    underlying, date = text.split(" ")
    return underlying, dt.date.fromisoformat(date)


def _notes(stored: DayManifest | None, entries: tuple[SourceEntry, ...]) -> list[str]:
    notes = [] if stored is None else [n for n in stored.notes if n != day_writer.PARITY_NOTE]
    if any(entry.merged for entry in entries):
        feeds = dict.fromkeys(f"{entry.format} of {entry.origin}" for entry in entries)
        notes.append(f"merged from {len(feeds)} feeds: {'; '.join(feeds)}")
    return notes
