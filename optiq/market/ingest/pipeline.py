"""From sources to stored days: read, put right, settle, price, commit; every row accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from optiq.errors import AccessError, InputError, OptiqError
from optiq.market.ingest.batch import Batch, Clock, Format, ReadOptions
from optiq.market.ingest.clock import ZoneJudge
from optiq.market.ingest.files import file_digest, sample_of
from optiq.market.ingest.formats import format_named, format_of
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.known_sources import KnownSource, KnownSources
from optiq.market.ingest.normalise import normalise
from optiq.market.ingest.sources import Source, expand
from optiq.market.ingest.staging import Staging
from optiq.market.ingest.tally import SourceTally
from optiq.market.store import Store

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What the user asked for; ``merge`` lets a second feed into a stored session.

    ``rows_in_memory`` bounds the rows that wait for their session to be complete.
    """

    format: str = "auto"
    merge: bool = False
    read: ReadOptions = field(default_factory=ReadOptions)
    rows_in_memory: int = 4_000_000


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a whole ingest did: ``rows_in = rows_kept + duplicates + quarantined``.

    ``days`` are ``UNDERLYING DATE`` of the sessions that got new rows; ``failed`` are the sources
    and sessions that went in not at all, and why: their rows are in no count.
    """

    files: int
    rows_in: int
    rows_kept: int
    duplicates: int
    quarantined: int
    days: tuple[str, ...]
    notes: tuple[str, ...]
    failed: tuple[OptiqError, ...] = ()


def ingest(
    sources: Iterable[str],
    store: Store,
    options: IngestOptions | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Add the quotes of files, folders, globs and databases to a store.

    A source that cannot be read goes in not at all and is listed in the report; the others do.
    ``progress`` is told how many rows were read each time.
    """
    found = expand(sources)
    with store.lock():
        store.finish_interrupted()
        intake = _Intake(store, options or IngestOptions(), progress or (lambda _: None))
        for source in found:
            intake.take(source)
        return intake.finish()


class _Intake:
    """One ingest under way."""

    def __init__(self, store: Store, options: IngestOptions, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._staging = Staging(store, merge=options.merge, rows_in_memory=options.rows_in_memory)
        self._known = KnownSources(store.root)
        self._judges: dict[tuple[str, str], ZoneJudge] = {}
        self._undecided: dict[tuple[str, str], list[tuple[SourceTally, Batch]]] = {}
        only = options.read.underlying
        self._only = None if only is None else index_name(only)

    def take(self, source: Source) -> None:
        """Read one source and stage its rows; what is wrong with it is remembered, not raised."""
        tally = self._staging.register(source)
        try:
            reader = self._reader(source, tally)
            if reader is None:
                return
            for batch in reader:
                self._receive(tally, batch)
        except (InputError, AccessError) as reason:
            self._staging.drop(tally, reason)
        except OSError as reason:
            self._staging.drop(
                tally, InputError(f"{source.name}: {reason.strerror}", "read it again")
            )

    def finish(self) -> IngestReport:
        """Commit what is staged and tell what was done."""
        for feed, waiting in self._undecided.items():
            for tally, _ in waiting:
                if tally.failed is None:
                    refusal = self._judges[feed].refusal(tally.source.name)
                    self._staging.drop(tally, refusal)
        self._staging.commit_all()
        tallies = self._staging.tallies
        self._known.add([_known(tally) for tally in tallies if tally.is_complete])
        return _report(tallies, self._staging)

    def _reader(self, source: Source, tally: SourceTally) -> Iterator[Batch] | None:
        """Return the source's batches; None where the same bytes are in the store already."""
        if source.url is not None:
            from optiq.market.ingest.postgres import NAME, read_url

            tally.format = NAME
            return read_url(source.url, source.name, self._options.read)
        if source.path is None:
            raise InputError(f"{source.name}: neither a file nor a database")
        chosen = self._format(source.path)
        tally.format, tally.sha256 = chosen.NAME, file_digest(source.path)
        known = self._known.get(tally.sha256)
        if known is not None and self._staging.holds(known):
            tally.repeat(known.rows_in)
            self._progress(known.rows_in)
            return None
        return chosen.read(source.path, self._options.read)

    def _format(self, path: Path) -> Format:
        wanted = self._options.format
        return format_of(sample_of(path)) if wanted == "auto" else format_named(wanted)

    def _receive(self, tally: SourceTally, batch: Batch) -> None:
        tally.sha256 = batch.sha256
        clock = self._clock(tally, batch)
        if clock is None:
            feed = (tally.format, tally.source.origin)
            self._undecided.setdefault(feed, []).append((tally, batch))
        else:
            self._stage(tally, batch, clock)

    def _clock(self, tally: SourceTally, batch: Batch) -> Clock | None:
        """Return the batch's clock, None while it cannot be told; waiting batches follow suit."""
        if batch.clock != "unknown" or self._options.read.tz is not None:
            return batch.clock
        feed = (tally.format, tally.source.origin)
        judge = self._judges.setdefault(feed, ZoneJudge(self._only or "NIFTY"))
        judge.see(batch)
        verdict = judge.verdict()
        if verdict == "unknown":
            return None
        for earlier, waiting in self._undecided.pop(feed, []):
            if earlier.failed is None:
                self._stage(earlier, waiting, verdict)
        return verdict

    def _stage(self, tally: SourceTally, batch: Batch, clock: Clock) -> None:
        outcome = normalise(batch, clock, self._options.read.tz, self._only)
        self._progress(self._staging.add(tally, outcome))


def _known(tally: SourceTally) -> KnownSource:
    # Rows known already count too: a commit that was killed before this line has kept them all.
    found = (day for day, count in tally.by_day.items() if count.rows_kept or count.duplicates)
    days = [f"{day[0]} {day[1]}" for day in found if day]
    return KnownSource(tally.source.name, tally.sha256, tally.total().rows_in, tuple(sorted(days)))


def _report(tallies: list[SourceTally], staging: Staging) -> IngestReport:
    totals = [tally.total() for tally in tallies]
    failed = [tally.failed for tally in tallies if tally.failed is not None]
    return IngestReport(
        files=len(tallies),
        rows_in=sum(total.rows_in for total in totals),
        rows_kept=sum(total.rows_kept for total in totals),
        duplicates=sum(total.duplicates for total in totals),
        quarantined=sum(total.quarantined for total in totals),
        days=tuple(f"{underlying} {date}" for underlying, date in sorted(staging.new_days)),
        notes=tuple(_report_notes(tallies, staging)),
        failed=(*failed, *staging.errors),
    )


def _report_notes(tallies: list[SourceTally], staging: Staging) -> Iterator[str]:
    reasons: Counter[str] = Counter()
    for tally in tallies:
        reasons.update(tally.reasons)
    for reason, rows in reasons.most_common():
        yield f"{rows:,} rows quarantined: {reason}"
    left_out = sum(tally.left_out for tally in tallies)
    if left_out:
        yield f"{left_out:,} rows of other instruments left out"
    yield from staging.notes
